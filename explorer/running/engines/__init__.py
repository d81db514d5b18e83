"""Where runs are computed: in this process, in processes of this machine, or elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Bar
from explorer.running.runner import Runner, Trained
from explorer.running.trackers import Tracker


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to train: the data set (its name, or the path of a person's own), and the folder it lies in
    (None: where it is found); ``keep``: whether it hands over every run's net (see `Runner`)."""

    dataset: str
    data_dir: Path | None = None
    keep: bool = False

    def runner(self) -> Runner:
        """Raises UserError where the data set is not to be had."""
        from explorer import datasets

        return Runner(datasets.load(self.dataset, self.data_dir), self.keep)


class EngineLostError(UserError):
    """The machines that an engine computes on cannot be reached any more. What had ended is kept."""


def never(config: Config) -> bool:
    """Whether a run is not needed any more: it always is."""
    return False


def no_bars(config: Config) -> Sequence[Bar]:
    """What a run has to clear on its way: nothing."""
    return ()


class Engine(Protocol):
    """Trains configs of one data set. Whoever uses it keeps the records: no engine and no worker writes the ledger."""

    def run(
        self,
        configs: Sequence[Config],
        tracker: Tracker,
        needless: Callable[[Config], bool] = never,
        bars: Callable[[Config], Sequence[Bar]] = no_bars,
    ) -> Iterator[Trained]:
        """Train every config and yield what came of it as it ends, in the order they end, each config once but those
        that are ``needless``, which is asked as each is about to start. So are its ``bars``: a run that misses one is
        cut there, and yields a record of status ``cut``.

        ``tracker`` hears of each run's start and looks, wherever it is trained; ``finished`` is for the caller to
        tell once the record is kept. A run that cannot be brought to an end (its worker dies, its memory runs out,
        its code raises) yields a record of status ``failed`` with the reason, and costs no other run. A UserError
        passes through: it would be every run's.
        """
        ...

    def close(self) -> None:
        """End the workers, if there are any. The engine is done then."""
        ...
