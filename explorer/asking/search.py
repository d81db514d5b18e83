"""What to run next: a search is asked for configs and told what came of them. A grid is the simplest of them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from explorer.config import Config
from explorer.record import Record


class Search(Protocol):
    """Proposes runs. Each config it asks for is told once, before it is asked again, in any order."""

    def ask(self) -> Sequence[Config]:
        """All the runs to do next, the most urgent first; none where the search has ended."""
        ...

    def tell(self, config: Config, record: Record) -> None:
        """What came of a run it asked for, whether it was trained now or recorded before."""
        ...


class Listed:
    """Runs known beforehand, a grid's or listed points': asked for at once, in their order, each once.

    `questions.configs` lists every point at seed 0, then every point at seed 1, and so on.
    """

    def __init__(self, runs: Iterable[Config]):
        self.runs = tuple(dict.fromkeys(runs))
        self.asked = False

    def ask(self) -> Sequence[Config]:
        if self.asked:
            return ()
        self.asked = True
        return self.runs

    def tell(self, config: Config, record: Record) -> None:
        """A list asks for the same runs whatever comes of them."""
