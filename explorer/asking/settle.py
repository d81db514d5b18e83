"""``--settle``: a sweep gets seeds where its question is open, and none where it is settled. See `racing`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explorer import seeds
from explorer.asking.racing import LOOKS, WORDS, Margins, Races, Word
from explorer.asking.search import Stage
from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Record

Ended = Literal["running", "settled", "undecided"]
"""*Undecided*: given up, or at the cap."""


@dataclass(frozen=True)
class Against:
    """A point against the baseline, differences as fractions: point - baseline over ``n`` seeds, as far as it was
    looked at. ``half_width`` is that of an interval that holds for all comparisons and looks at once (nan where none);
    ``needs`` is about how many seeds would settle what is open (nan where unknown)."""

    word: Word
    difference: float
    half_width: float
    n: int
    needs: float


@dataclass(frozen=True)
class Best:
    """Who leads, and which points are left that could be better than it; none once it is settled that no point is
    better by more than the margin. ``needs``: seeds it would take."""

    leader: int | None
    rivals: tuple[int, ...]
    ended: Ended
    needs: float


@dataclass(frozen=True)
class Settlement:
    """What is settled of a sweep so far; points by their place in it."""

    against: tuple[Against, ...]
    best: Best
    seeds: tuple[int, ...]
    """How many each point got."""
    looks: int
    cap: int
    margins: Margins

    @property
    def ended(self) -> Ended:
        """Of the whole: settled only if every question is."""
        words = {point.word for point in self.against}
        if "open" in words or self.best.ended == "running":
            return "running"
        return "undecided" if "given up" in words or self.best.ended == "undecided" else "settled"


class Settle:
    """Asks for a sweep's points at more and more seeds, look by look, those alone whose question is open.

    ``points`` are distinct configurations at seed 0. What it asks depends on what it was told alone, so a search that
    was interrupted goes on where it stopped once it is told the same again. A run that diverged or failed has no score.
    """

    def __init__(self, points: Sequence[Config], baseline: int, margins: Margins, cap: int = LOOKS[-1]):
        """Raises UserError for a cap without a look, fewer than two points, or points without a validation set."""
        if not LOOKS[0] <= cap <= LOOKS[-1]:
            raise UserError(f"--cap must be from {LOOKS[0]} to {LOOKS[-1]} seeds, got {cap}")
        if len(points) < 2:
            raise UserError("--settle compares the points of a sweep; this one has a single point")
        if any(point.train_on == "all" for point in points):
            raise UserError("--settle compares validation accuracies; with train_on all there are none")
        self.points = tuple(points)
        self.races = Races(1, len(points), baseline, margins, cap)
        self.scores = np.full((1, len(points), self.races.schedule[-1][0]), np.nan)
        self.spent = [0] * len(points)
        self.place = {point: index for index, point in enumerate(self.points)}
        self.waiting: set[Config] = set()
        self.told: set[Config] = set()
        self.stage_runs: list[tuple[int, list[Config]]] = []

    def ask(self) -> Sequence[Config]:
        """The runs of the next look; none where all is settled, given up or at the cap."""
        if self.waiting:
            raise RuntimeError(f"{len(self.waiting)} of the runs asked for have not been told")
        wanted = self.races.wanted[0]
        if not wanted.any():
            return ()
        n = self.races.schedule[self.races.done][0]
        block = list(seeds.settling(n))
        asked = [
            point.model_copy(update={"seed": block[number]})
            for number in range(n)
            for index, point in enumerate(self.points)
            if wanted[index] and number >= self.spent[index]
        ]
        self.spent = [n if wanted[index] else spent for index, spent in enumerate(self.spent)]
        self.waiting = set(asked)
        self.stage_runs.append((n, asked))
        return asked

    def tell(self, config: Config, record: Record) -> None:
        self.waiting.discard(config)
        self.told.add(config)
        accuracy = record.val_accuracy if record.status == "ok" else None
        number = config.seed - seeds.FIRST_SETTLING_SEED
        self.scores[0, self.place[config.point], number] = np.nan if accuracy is None else accuracy
        if not self.waiting:  # all of this look is there
            self.races.look(self.scores[..., : self.races.schedule[self.races.done][0]])

    def upcoming(self) -> Sequence[Config]:
        """What is left if every question that is open now stays open up to the cap."""
        wanted = self.races.wanted[0]
        block = seeds.settling(self.scores.shape[2])
        left = [
            point.model_copy(update={"seed": seed})
            for seed in block
            for index, point in enumerate(self.points)
            if wanted[index]
        ]
        return [config for config in left if config not in self.told]

    def stages(self) -> Sequence[Stage]:
        """A stage a look that was asked for."""
        return [
            Stage(f"look at {n} seeds", sum(run in self.told for run in runs), len(runs)) for n, runs in self.stage_runs
        ]

    @property
    def settlement(self) -> Settlement:
        """What is settled by the looks taken so far."""
        races = self.races
        at_cap = races.done == len(races.schedule)
        against = tuple(
            Against(
                _ended_word(WORDS[races.word[0, index]], at_cap),
                float(races.difference[0, index]),
                float(races.half_width[0, index]),
                self.spent[index],
                float(races.needs[0, index]),
            )
            for index in range(len(self.points))
        )
        return Settlement(against, self._best(at_cap), tuple(self.spent), races.done, races.cap, races.margins)

    def _best(self, at_cap: bool) -> Best:
        races = self.races
        if not races.done or not races.racing.any():
            return Best(None, (), "undecided" if races.done else "running", float("nan"))
        leader = int(races.leader[0])
        rivals = tuple(int(index) for index in np.flatnonzero(races.racing[0]) if index != leader)
        ended: Ended = "settled" if races.over[0] else "undecided" if races.abandoned[0] or at_cap else "running"
        return Best(leader, rivals, ended, float(races.race_needs[0]))


def _ended_word(word: Word, at_cap: bool) -> Word:
    return "given up" if word == "open" and at_cap else word
