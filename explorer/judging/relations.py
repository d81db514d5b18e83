"""What each point of a sweep is against each other: one word a pair, whoever asks. No prose, no drawing."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.judging import pairs
from explorer.judging.certainty import MIN_RUNS, Certainty, of_test
from explorer.judging.moderation import Trend
from explorer.running.leader import leader

Scores = Mapping[int, float]
ALPHA = 0.05
Word = Literal["better", "worse", "likely better", "likely worse", "not settled", "too few runs"]
"""What a point is against another: sure, likely, or neither (see `certainty`)."""
Standing = Literal["best", "tied", "likely worse", "worse", "unknown"]


@dataclass(frozen=True)
class Relation:
    """A point against another: ``difference`` is the point's mean minus the other's, ``low`` to ``high`` its 95 %
    interval as one comparison, nan where there is none. ``p_adjusted`` is corrected for the sweep and decides, so an
    interval that just misses 0 can go with *not settled*. ``p_second`` is the second opinion's, corrected alike; nan
    where there is none. ``n``: the seeds of the side that has fewer, the common ones where the test was paired."""

    label: str
    against: str
    word: Word
    certainty: Certainty
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    p_second: float
    n: int
    home: str = ""
    """The sweep whose word it is, where that is another: the one that has most runs of these two."""

    @property
    def is_better(self) -> bool:
        """Surely or likely."""
        return self.certainty > Certainty.UNKNOWN and self.difference > 0

    @property
    def is_worse(self) -> bool:
        return self.certainty > Certainty.UNKNOWN and self.difference < 0

    @property
    def half_width(self) -> float:
        return self.high - self.difference


@dataclass(frozen=True)
class Winner:
    """The point with the best mean, and how each other stands to it, all in the order of their means.

    ``ties`` are as good as far as these runs can tell; ``unknown`` ones are not shown worse, but too noisy or too few,
    and too far behind, to be called as good.
    """

    label: str
    ties: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    likely_worse: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()

    def standing(self, label: str) -> Standing:
        if label == self.label:
            return "best"
        words: tuple[tuple[Standing, tuple[str, ...]], ...] = (
            ("tied", self.ties), ("likely worse", self.likely_worse), ("worse", self.worse),
        )  # fmt: skip
        return next((word for word, labels in words if label in labels), "unknown")


class Relations:
    """All pairs of the points of a sweep: label -> seed -> score, fractions, higher is better.

    ``baseline`` is the point that all others are compared with; ``declared`` are families of (point, rival) that were
    fixed beforehand, such as a published claim. ``trend`` gives the second opinion, none without it. ``elsewhere`` are
    the pairs, both ways round, that have another sweep's word. A point without a result is simply absent: nothing said
    of the others changes but how many comparisons are corrected for.
    """

    def __init__(
        self,
        points: Mapping[str, Scores],
        baseline: str | None = None,
        declared: Sequence[Sequence[tuple[str, str]]] = (),
        trend: Trend | None = None,
        elsewhere: Mapping[tuple[str, str], Callable[[], Relation]] | None = None,
    ):
        self.points = {label: scores for label, scores in points.items() if scores}
        self.baseline = baseline if baseline in self.points else None
        self.trend, self.elsewhere = trend, elsewhere or {}
        self.labels = list(self.points)
        self._at = {label: index for index, label in enumerate(self.labels)}
        families = [
            [(self._at[a], self._at[b]) for a, b in family if a in self._at and b in self._at] for family in declared
        ]
        if self.baseline is not None:
            families.append([(self._at[label], self._at[self.baseline]) for label in self.labels if label != baseline])
        self.families = [family for family in families if family]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(k, s), nan where a point lacks a seed."""
        seeds = sorted({seed for scores in self.points.values() for seed in scores})
        rows = [[scores.get(seed, math.nan) for seed in seeds] for scores in self.points.values()]
        return np.array(rows, np.float64).reshape(len(rows), len(seeds))

    @cached_property
    def _means(self) -> NDArray[np.float64]:
        return pairs.moments(self.scores).mean

    @cached_property
    def _main(self) -> tuple[pairs.Pairs, NDArray[np.float64]]:
        found = pairs.compared(self.scores)
        return found, pairs.adjusted(found.p, self.families)

    @cached_property
    def _second(self) -> NDArray[np.float64]:
        if self.trend is None:
            return np.full((len(self.labels),) * 2, math.nan)
        found = pairs.second_opinion(self.scores, self.trend.prior(self._means))
        agrees = np.sign(found.difference) == np.sign(self._main[0].difference)  # seeds may differ, means with them
        return np.where(agrees, pairs.adjusted(found.p, self.families), 1.0)

    def of(self, label: str, against: str) -> Relation:
        """KeyError for a point without any score; the same two the other way round get the mirrored word."""
        place = self._at[label], self._at[against]
        if (label, against) in self.elsewhere:
            return self.elsewhere[label, against]()
        main, corrected = self._main
        second = float(self._second[place])
        difference, n, p_adjusted = float(main.difference[place]), int(main.n[place]), float(corrected[place])
        certainty = of_test(p_adjusted <= ALPHA, second <= ALPHA)
        word: Word = "not settled" if n >= MIN_RUNS else "too few runs"
        if certainty is Certainty.SURE:
            word = "better" if difference > 0 else "worse"
        elif certainty is Certainty.LIKELY:
            word = "likely better" if difference > 0 else "likely worse"
        low, high = _interval(difference, float(main.error[place]), float(main.freedom[place]), n)
        return Relation(
            label, against, word, certainty, difference, low, high, float(main.p[place]), p_adjusted, second, n
        )

    @cached_property
    def winner(self) -> Winner | None:
        """The best mean (of those that `leader` lets lead), and how the others stand to it.

        The truly best point is shown worse than another with probability `ALPHA` at most, whatever the means, spreads
        and correlations (see `pairs.adjusted`). A tie is a point that is not shown worse, that no point with a better
        mean is shown worse than either, and that lies no farther behind than what this sweep could not have shown of a
        point of its usual spread: noise of its own makes no point as good as the best.
        """
        first = leader(self.points)
        if first is None:
            return None
        best = first.point
        means = dict(zip(self.labels, self._means, strict=True))
        placed: dict[Standing, list[str]] = {"tied": [], "unknown": [], "likely worse": [], "worse": []}
        passed = False  # a point that is worse came before
        for label in sorted((label for label in self.labels if label != best), key=lambda label: -means[label]):
            found = self.of(label, best)
            if found.is_worse:
                placed["worse" if found.certainty is Certainty.SURE else "likely worse"].append(label)
                passed = True
            elif found.n >= MIN_RUNS and not passed and means[best] - means[label] <= self.unseen:
                placed["tied"].append(label)
            else:
                placed["unknown"].append(label)
        return Winner(
            best, tuple(placed["tied"]), tuple(placed["unknown"]), tuple(placed["likely worse"]), tuple(placed["worse"])
        )  # fmt: skip

    @cached_property
    def unseen(self) -> float:
        """The greatest difference of two points that these runs leave open, where both spread as the median point does;
        nan where none has `MIN_RUNS` runs."""
        from scipy.special import stdtrit

        of = pairs.moments(self.scores)
        enough = of.count >= MIN_RUNS
        if not enough.any():
            return math.nan
        n = float(np.median(of.count[enough]))
        deviation = math.sqrt(float(np.median(of.variance[enough])))
        freedom = n - 1 if n >= pairs.PAIRED_FROM else 2 * (n - 1)
        others = max(1, len(self.labels) - 1)
        return float(stdtrit(freedom, 1 - ALPHA / others / 2)) * deviation * math.sqrt(2 / n)

    @cached_property
    def effect(self) -> Certainty:
        """Whether the points differ at all: as the surest word on any point against the baseline or the best."""
        others = [self.baseline, self.winner.label if self.winner else None]
        found = [self.of(a, b).certainty for b in others if b is not None for a in self.labels if a != b]
        return max(found, default=Certainty.UNKNOWN)


def _interval(difference: float, error: float, freedom: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a difference of two fractions, so within -1 and 1; nan where there is none."""
    from scipy.special import stdtrit

    if n < MIN_RUNS or not math.isfinite(error) or (error <= pairs.ROUNDING and abs(difference) > pairs.ROUNDING):
        return math.nan, math.nan
    half = float(stdtrit(freedom, 0.975)) * error
    return max(-1.0, difference - half), min(1.0, difference + half)
