"""The statistics behind the claims: intervals, effects, power. Pure functions; `pairs` has the tests of two points.

Scores are fractions (0-1, higher is better) and are formatted in per cent. A point of a sweep is a mapping
seed -> score, a sweep a mapping label -> point. A point without a result (diverged, failed, not run) is simply absent.

scipy is imported inside the functions that need it: it costs more than the rest of the program's start.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.moderation import Prior, moderated
from explorer.judging.pairs import ROUNDING
from explorer.running.leader import covered

ROUNDED = 1e-4  # of published accuracies
Scores = Mapping[int, float]
Placed = Literal["inside", "below", "above", "too few runs"]
"""Where a published figure lies."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval, in the unit of the values; ``low`` and ``high`` are nan where there is none."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def known(self) -> bool:
        return not math.isnan(self.low)

    @property
    def half_width(self) -> float:
        """Of the longer side, where an end was cut off."""
        return max(self.mean - self.low, self.high - self.mean) if self.known else math.nan

    @property
    def cut(self) -> bool:
        """Whether an end was cut off, so that the mean does not lie in the middle."""
        return self.known and abs((self.high - self.mean) - (self.mean - self.low)) > ROUNDING


@dataclass(frozen=True)
class Spread:
    """How far the means of a knob's points lie apart: largest minus smallest, and their standard deviation."""

    range: float
    standard_deviation: float


@dataclass(frozen=True)
class Importance:
    """How much a knob moves the score. ``corrected`` is the standard deviation of the true means, with the part that
    seeds alone would give taken out: about 0 for a knob without effect, nan where fewer than two seeds are common.
    ``points`` and ``n`` (seeds) are what the figures rest on."""

    spread: Spread
    corrected: float
    points: int
    n: int


@dataclass(frozen=True)
class Interaction:
    """Of crossed scores: standard deviation of the true interaction, that of a run's noise, and p."""

    effect: float
    noise: float
    p: float


def mean_interval(values: ArrayLike, lowest: float = -math.inf, highest: float = math.inf) -> Interval:
    """95 % Student-t interval of the mean of ``values`` (n,): mean ± t(0.975, n - 1) * s / sqrt(n) (Student 1908).

    It stays within ``lowest`` and ``highest``, beyond which the mean cannot lie. Fewer than `MIN_RUNS` values have
    none, nor have values that are all equal: in steps of 1/10,000 that comes about by chance, and no spread seen is not
    no spread. Raises ValueError on no values or any that is not finite.
    """
    scores = _finite(values)
    n, mean, deviation = len(scores), float(scores.mean()), float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
    if n < MIN_RUNS or deviation <= ROUNDING * float(np.abs(scores).max()):
        return Interval(mean, math.nan, math.nan, n)
    half = _t_quantile(0.975, n - 1) * deviation / math.sqrt(n)
    return Interval(mean, max(lowest, mean - half), min(highest, mean + half), n)


def accuracy_interval(values: ArrayLike) -> Interval:
    """`mean_interval` of accuracies, which stays within 0 and 1."""
    return mean_interval(values, 0.0, 1.0)


def one_more(values: ArrayLike, prior: Prior | None = None) -> Interval:
    """95 % prediction interval, within 0 and 1, of the accuracy of one more run like ``values`` (n,).

    mean ± t(0.975, f) * s * sqrt(1 + 1/n) (Hahn and Meeker 1991, 4.7), s and f being moderated by what is usual at this
    accuracy where ``prior`` is given: three runs that lie together by chance would make every other one a miss. A
    single figure is one run: to ask whether it lies in the interval *of the mean* would call ordinary runs misses.
    None (nan) for fewer than `MIN_RUNS`, and without a prior for values that are all equal.
    """
    scores = _finite(values)
    n, mean = len(scores), float(scores.mean())
    if n < MIN_RUNS:
        return Interval(mean, math.nan, math.nan, n)
    variance, freedom = np.array(scores.var(ddof=1)), np.array(n - 1.0)
    if prior is not None:
        variance, freedom = moderated(variance, freedom, prior)
    if float(variance) ** 0.5 <= ROUNDING * mean:
        return Interval(mean, math.nan, math.nan, n)
    half = _t_quantile(0.975, float(freedom)) * math.sqrt(float(variance) * (1 + 1 / n))
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half), n)


def placed(figure: float, interval: Interval) -> Placed:
    """Where one published figure lies against the interval of one more run. Published accuracies have two digits of a
    per cent: one stands for all that are rounded to it."""
    if not interval.known:
        return "too few runs"
    low, high = interval.low - ROUNDED / 2, interval.high + ROUNDED / 2
    return "below" if figure < low else "above" if figure > high else "inside"


def knob_spread(points: Mapping[str, Scores]) -> Spread:
    """Range and standard deviation (ddof 1; nan for one point) of the points' means, noise included."""
    return _spread(np.array([mean_interval(list(point.values())).mean for point in points.values()]))


def knob_importance(points: Mapping[str, Scores]) -> Importance:
    """How much a knob, whose values are the ``points``, moves the score: variance components.

    Over the k points and the n seeds common to them, corrected = sqrt(max(0, var(means) - MSE / n)): the estimator of
    the between-points component in a randomised-block layout (Searle, Casella, McCulloch 1992), seeds being the blocks.
    MSE is the error after point *and seed* means are removed, as a good seed lifts all points alike and does not
    spread their means. Points with under half the seeds of the median point are left out, for they would take the
    seeds of all others with them.
    """
    kept = [points[label] for label in covered({label: len(scores) for label, scores in points.items()})]
    seeds = sorted(set.intersection(*(set(point) for point in kept))) if kept else []
    k, n = len(kept), len(seeds)
    if k < 2 or n < 2:
        return Importance(knob_spread({str(i): point for i, point in enumerate(kept)}), math.nan, k, n)
    scores = _finite([point[seed] for point in kept for seed in seeds]).reshape(k, n)
    means = scores.mean(axis=1)
    residuals = scores - means[:, None] - scores.mean(axis=0) + scores.mean()
    error = float((residuals**2).sum()) / ((k - 1) * (n - 1))
    return Importance(_spread(means), math.sqrt(max(0.0, float(means.var(ddof=1)) - error / n)), k, n)


def interaction(scores: NDArray[np.float64]) -> Interaction:
    """Whether rows and columns do more than add up, of scores (rows, columns, seeds).

    Seeds are blocks. The mean square of what rows and columns leave of the cell means, against that of what is left of
    it seed by seed (repeated measures; variance components as in Searle, Casella, McCulloch 1992, 0 where negative).
    p is that of the F test at Box's (1954) lower bound of 1 and n - 1 degrees of freedom, which holds however the
    cells' spreads differ; without any noise it is the sign test's, 2 * 0.5^n. Needs two of each.
    """
    rows, columns, n = scores.shape

    def beyond(cells: NDArray[np.float64]) -> NDArray[np.float64]:
        return cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True) + cells.mean(axis=(0, 1))

    freedom = (rows - 1) * (columns - 1)
    between = float((beyond(scores.mean(axis=2)) ** 2).sum()) / freedom
    by_seed = beyond(scores)
    error = float(((by_seed - by_seed.mean(axis=2, keepdims=True)) ** 2).sum()) / (freedom * (n - 1))
    rounding = ROUNDING * float(np.abs(scores).max())
    if math.sqrt(error) <= rounding:
        p = 1.0 if math.sqrt(between) <= rounding else _sign_test(n)
    else:
        from scipy.special import fdtrc

        p = float(fdtrc(1, n - 1, n * between / error))
    return Interaction(math.sqrt(max(0.0, between - error / n)), math.sqrt(error), p)


def detectable_difference(
    standard_deviation: float, n: int, power: float = 0.8, alpha: float = 0.05, paired: bool = True
) -> float:
    """Smallest true difference that ``n`` seeds show with ``power``, in the unit of ``standard_deviation``.

    paired: ``standard_deviation`` is that of the differences; else that of one side's scores, two independent sides.
    Found from the noncentral t (Cohen 1988). For one test: pass alpha / m for the first step of Holm over m. nan for
    fewer than `MIN_RUNS`, as nothing is said of them.
    """
    if n < MIN_RUNS or math.isnan(standard_deviation):
        return math.nan
    from scipy.optimize import brentq

    scale, freedom = (1, n - 1) if paired else (2, 2 * n - 2)
    upper = 1.0
    while _power(upper, freedom, alpha) < power:
        upper *= 2
    shift = float(brentq(lambda shift: _power(shift, freedom, alpha) - power, 0.0, upper))
    return shift * standard_deviation * math.sqrt(scale / n)


def seeds_needed(
    standard_deviation: float, difference: float, power: float = 0.8, alpha: float = 0.05, paired: bool = False
) -> int:
    """Fewest seeds (per side) that show a true ``difference`` with ``power`` in a two-sided t test (Cohen 1988).

    paired: ``standard_deviation`` is that of the differences; else that of one side's scores, two independent sides.
    Raises ValueError unless ``difference`` is above 0.
    """
    if difference <= 0:
        raise ValueError(f"difference must be above 0, not {difference}")
    if standard_deviation == 0:
        return 2

    def enough(n: int) -> bool:
        scale, freedom = (1, n - 1) if paired else (2, 2 * n - 2)
        return _power(difference / (standard_deviation * math.sqrt(scale / n)), freedom, alpha) >= power

    too_few, plenty = 1, 2
    while not enough(plenty):
        too_few, plenty = plenty, 2 * plenty
    while plenty - too_few > 1:
        middle = (too_few + plenty) // 2
        too_few, plenty = (too_few, middle) if enough(middle) else (middle, plenty)
    return plenty


def edge_of_grid(
    best: object, grid: Sequence[object], lowest: float | None = None, highest: float | None = None
) -> Literal["low", "high"] | None:
    """The edge of a numeric ``grid`` of three or more values that ``best`` lies on, or None.

    None also for a grid that is not all numbers, and for an edge that is the field's own bound (``lowest``,
    ``highest``: dropout cannot go below 0), where no wider grid exists.
    """
    values = [float(value) for value in grid if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(values) != len(grid) or len(set(values)) < 3:
        return None
    if best == min(values) and best != lowest:
        return "low"
    if best == max(values) and best != highest:
        return "high"
    return None


def pareto_front(cost: ArrayLike, gain: ArrayLike) -> NDArray[np.bool_]:
    """Mask (n,) of the points to which no other is preferable: none costs as little or less and gains as much or more,
    with one of the two strictly (Pareto dominance). Equal points stand or fall together. Raises ValueError on
    unequal lengths or a value that is not finite.
    """
    costs, gains = _finite(cost, empty=True), _finite(gain, empty=True)
    if len(costs) != len(gains):
        raise ValueError(f"costs and gains need equal lengths, not {len(costs)} and {len(gains)}")
    no_worse = (costs[:, None] <= costs) & (gains[:, None] >= gains)
    strictly = (costs[:, None] < costs) | (gains[:, None] > gains)
    return np.asarray(~(no_worse & strictly).any(axis=0))


def _finite(values: ArrayLike, empty: bool = False) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not (empty or scores.size):
        raise ValueError(f"expected a list of one or more numbers, not shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("a value is not finite: leave runs without a result out")
    return scores


def _spread(means: NDArray[np.float64]) -> Spread:
    if means.size == 0:
        return Spread(math.nan, math.nan)
    return Spread(float(np.ptp(means)), float(means.std(ddof=1)) if means.size > 1 else math.nan)


def _sign_test(n: int) -> float:
    return min(1.0, 2 * 0.5**n)


def _t_quantile(probability: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def _power(shift: float, freedom: int, alpha: float) -> float:
    """Chance that a two-sided t test rejects when the statistic's noncentrality is ``shift``."""
    from scipy.special import nctdtr

    critical = _t_quantile(1 - alpha / 2, freedom)
    # The far tail is below Phi(-shift) < 3e-7 from 5 on, and scipy's figure for it turns nan somewhere beyond.
    far_tail = nctdtr(freedom, shift, -critical) if shift < 5 else 0.0
    return float(1 - nctdtr(freedom, shift, critical) + far_tail)
