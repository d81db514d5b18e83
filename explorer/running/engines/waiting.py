"""Which run a worker gets next: runs of one shape go to one worker as far as it goes, for the second starts at once."""

from collections import deque
from collections.abc import Collection, Iterable

from explorer.config import Config


class Waiting:
    """Runs that are to be given out, in the order they were asked for. To take one out costs as many steps as there are
    shapes, not as there are runs."""

    def __init__(self, configs: Iterable[Config]) -> None:
        self._by_shape: dict[object, deque[tuple[int, Config]]] = {}
        self._count, self._first = 0, 0
        for place, config in enumerate(configs):
            self._by_shape.setdefault(config.shape, deque()).append((place, config))
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def put_first(self, config: Config) -> None:
        """Before all others: a run that is to be tried once more."""
        self._first -= 1
        self._by_shape.setdefault(config.shape, deque()).appendleft((self._first, config))
        self._count += 1

    def take(self, shape: object, elsewhere: Collection[object]) -> Config:
        """Takes out the next run for a worker that has captured ``shape``: one of that, else of a shape none has
        ``elsewhere``, else the first."""
        if shape not in self._by_shape:
            fresh = [one for one in self._by_shape if one not in elsewhere]
            shape = min(fresh or self._by_shape, key=lambda one: self._by_shape[one][0][0])
        of_shape = self._by_shape[shape]
        _, config = of_shape.popleft()
        if not of_shape:
            del self._by_shape[shape]
        self._count -= 1
        return config
