"""What to run next: a search is asked for configs and told what came of them. A grid is the simplest of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from explorer.config import Config
from explorer.record import Record
from explorer.seeds import fresh


@dataclass(frozen=True)
class Stage:
    """A part of what a search asks for: how many of its runs have been told, and how many there will be at most."""

    name: str
    done: int
    planned: int


class Search(Protocol):
    """Proposes runs. Each config it asks for is told once, before it is asked again, in any order."""

    def ask(self) -> Sequence[Config]:
        """All the runs to do next, the most urgent first; none where the search has ended."""
        ...

    def tell(self, config: Config, record: Record) -> None:
        """What came of a run it asked for, whether it was trained now or recorded before."""
        ...

    def upcoming(self) -> Sequence[Config]:
        """The runs it has not been told of, as many as there may still be: what is left costs as much as these. Where
        a choice is open, another run stands for the one that will be chosen."""
        ...

    def stages(self) -> Sequence[Stage]:
        """Where its runs go, the first stage first."""
        ...


class Listed:
    """Runs known beforehand, a grid's or listed points': asked for at once, in their order, each once.

    `questions.configs` lists every point at seed 0, then every point at seed 1, and so on.
    """

    def __init__(self, runs: Iterable[Config]):
        self.runs = tuple(dict.fromkeys(runs))
        self.told: set[Config] = set()
        self.asked = False

    def ask(self) -> Sequence[Config]:
        if self.asked:
            return ()
        self.asked = True
        return self.runs

    def tell(self, config: Config, record: Record) -> None:
        """A list asks for the same runs whatever comes of them."""
        self.told.add(config)

    def upcoming(self) -> Sequence[Config]:
        return [config for config in self.runs if config not in self.told]

    def stages(self) -> Sequence[Stage]:
        return [Stage("runs", len(self.told & {*self.runs}), len(self.runs))]


class WinnerAgain:
    """Runs known beforehand, then the point that leads by them on fresh seeds, so that its figures are fair.

    ``leader`` chooses, where any run ended well: it is given point -> seed -> validation accuracy.
    """

    def __init__(
        self,
        runs: Iterable[Config],
        leader: Callable[[Mapping[Config, Mapping[int, float]]], Config | None],
        fresh_seeds: int,
    ):
        self.runs = tuple(dict.fromkeys(runs))
        self.leader, self.fresh_seeds = leader, fresh_seeds
        self.told: dict[Config, float | None] = {}

    def ask(self) -> Sequence[Config]:
        return self._untold(self.runs) or self._untold(self._again)

    def tell(self, config: Config, record: Record) -> None:
        self.told[config] = record.val_accuracy if record.status == "ok" else None

    def upcoming(self) -> Sequence[Config]:
        if rest := self._untold(self.runs):
            return [*rest, *(self.runs[place % len(self.runs)] for place in range(self.fresh_seeds))]
        return self._untold(self._again)

    def stages(self) -> Sequence[Stage]:
        done = len(self.runs) - len(self._untold(self.runs))
        known = self._again
        planned = self.fresh_seeds if known or self._untold(self.runs) else 0
        again = Stage("fresh seeds", len(known) - len(self._untold(known)), planned)
        return [Stage("runs", done, len(self.runs)), again]

    @property
    def _again(self) -> list[Config]:
        """The leader's runs on fresh seeds; none as long as a run is not told."""
        if self._untold(self.runs):
            return []
        scores: dict[Config, dict[int, float]] = {}
        for config in self.runs:
            if (accuracy := self.told[config]) is not None:
                scores.setdefault(config.point, {})[config.seed] = accuracy
        point = self.leader(scores) if scores else None
        return [] if point is None else [point.model_copy(update={"seed": seed}) for seed in fresh(self.fresh_seeds)]

    def _untold(self, runs: Sequence[Config]) -> list[Config]:
        return [run for run in runs if run not in self.told]
