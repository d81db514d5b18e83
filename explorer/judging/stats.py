"""The statistics behind every claim: intervals, paired tests, verdicts, winners, noise and power. Pure functions.

Scores are fractions (0-1, higher is better) and are formatted in per cent. A point of a sweep is a mapping
seed -> score, a sweep a mapping label -> point. A point without a result (diverged, failed, not run) is simply absent:
nothing said about the others changes, save that fewer comparisons are corrected for.

Why plain paired t tests: in simulated sweeps of 3-12 points and 3-10 seeds, the chance of any false verdict was 1-5 %
for paired t + Holm, spreads alike or not. With unequal spreads, pooling the error over the sweep gave up to 28 %,
pooling behind Bartlett's test 15 %, shrunken variances 18 %; a sign-flip max-t shows nothing with fewer than 6 seeds.

scipy is imported inside the functions that need it: it costs more than the rest of the program's start.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = Mapping[int, float]
Word = Literal["better", "worse", "no difference shown", "one seed: no verdict", "no common seed: no verdict"]
"""What a point is against its baseline."""
Placed = Literal["inside", "below", "above", "one seed: no verdict"]
"""Where a published figure lies."""

# Spreads below this share of the scores themselves are rounding of binary fractions, not spread: 0.9793 - 0.9790 and
# 0.9795 - 0.9792 differ by 1e-16, which a t test would take for overwhelming evidence.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Interval:
    """A mean and the half-width of its 95 % interval (nan where n = 1), in the unit of the values."""

    mean: float
    half_width: float
    n: int


@dataclass(frozen=True)
class Paired:
    """Mean of b - a over pairs, half-width of its 95 % interval (nan where none) and the two-sided p (nan if n < 2)."""

    difference: float
    half_width: float
    p: float
    n: int


@dataclass(frozen=True)
class Verdict:
    """A point against the baseline: ``difference`` is point - baseline over the ``n`` common seeds.

    ``half_width`` belongs to this one comparison; ``p_adjusted`` is corrected for all of the sweep and decides, so an
    interval that just misses zero can go with *no difference shown*.
    """

    label: str
    verdict: Word
    difference: float
    half_width: float
    p: float
    p_adjusted: float
    n: int


@dataclass(frozen=True)
class Winner:
    """The best mean, and the points that cannot be told from it, best first; ``untested`` are the ties that share
    fewer than two seeds with the winner, so that nothing was compared."""

    label: str
    interval: Interval
    ties: tuple[str, ...]
    untested: tuple[str, ...]


@dataclass(frozen=True)
class Spread:
    """How far the means of a knob's points lie apart: largest minus smallest, and their standard deviation."""

    range: float
    standard_deviation: float


@dataclass(frozen=True)
class Importance:
    """How much a knob moves the score. ``corrected`` is the standard deviation of the true means, with the part that
    seeds alone would give taken out: about 0 for a knob without effect. ``p`` asks whether the knob matters at all
    (nan where fewer than two seeds are common). ``points`` and ``n`` (seeds) are what the figures rest on."""

    spread: Spread
    corrected: float
    p: float
    points: int
    n: int


Reason = Literal[
    "unfinished",  # of the planned runs, some are not done
    "no result",  # no point has a validation accuracy
    "no expected result",  # no expected point has one
    "no other result",  # nor has any point outside the expected ones
    "one seed",
    "expected beats others",  # label beats every point outside
    "other beats expected",  # label, not expected, beats every expected point
    "expected not run",  # label beats every expected point but the others, which have no result
    "expected ties",  # label, expected, is best, but cannot be told from the others
    "other ties",  # label, not expected, is best, but cannot be told from the others
]


@dataclass(frozen=True)
class HypothesisVerdict:
    """What became of a hypothesis, and why. ``label`` is the point that decides, ``others`` those it cannot be told
    from or that lack a result; ``done`` of ``planned`` runs of an unfinished sweep."""

    verdict: Literal["confirmed", "rejected", "undecided"]
    reason: Reason
    label: str = ""
    others: tuple[str, ...] = ()
    done: int = 0
    planned: int = 0


def mean_interval(values: ArrayLike) -> Interval:
    """95 % Student-t interval of the mean of ``values`` (n,): mean ± t(0.975, n - 1) * s / sqrt(n) (Student 1908).

    One value has no interval: its half-width is nan. Raises ValueError on no values or any that is not finite.
    """
    scores = _finite(values)
    n = len(scores)
    if n == 1:
        return Interval(float(scores[0]), math.nan, 1)
    return Interval(float(scores.mean()), _t_quantile(0.975, n - 1) * float(scores.std(ddof=1)) / math.sqrt(n), n)


def paired_test(a: ArrayLike, b: ArrayLike) -> Paired:
    """Two-sided paired t test of ``b`` against ``a``, both (n,) and in the same order of seeds (Student 1908).

    Differences without any spread leave t undefined. All zero (the same experiment twice): p = 1, half-width 0. All
    equal to one other number, as few seeds and scores in steps of 1/10,000 bring about by chance: the sign test's
    p = 2 * 0.5^n (1 at most), which no fewer than 6 seeds bring below 0.05, and no interval (half-width nan).
    Raises ValueError where the lengths differ, nothing is given or a value is not finite.
    """
    first, second = _finite(a), _finite(b)
    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, not {len(first)} and {len(second)}")
    differences = second - first
    n, difference, deviation = len(differences), float(differences.mean()), float(differences.std(ddof=0))
    rounding = ROUNDING * float(np.abs(np.concatenate((first, second))).max())
    if n == 1:
        return Paired(difference, math.nan, math.nan, 1)
    if deviation <= rounding:
        if abs(difference) <= rounding:
            return Paired(0.0, 0.0, 1.0, n)
        return Paired(difference, math.nan, _sign_test(n), n)
    error = deviation / math.sqrt(n - 1)  # n - 1 here turns the n of ddof=0 into s / sqrt(n)
    return Paired(difference, _t_quantile(0.975, n - 1) * error, 2 * _t_upper(abs(difference) / error, n - 1), n)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given (Holm 1979, step-down Bonferroni).

    The i-th smallest of m is multiplied by m - i + 1, is never below its predecessor and at most 1. A nan is a test
    that did not take place: it stays nan and does not count in m.
    """
    tested = sorted((index for index in range(len(p)) if not math.isnan(p[index])), key=lambda index: p[index])
    adjusted = [math.nan] * len(p)
    largest = 0.0
    for done, index in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - done) * p[index]))
        adjusted[index] = largest
    return adjusted


def verdicts(baseline: Scores, points: Mapping[str, Scores], alpha: float = 0.05) -> list[Verdict]:
    """Every point of a sweep against ``baseline``, by paired t tests over the seeds common to both, Holm-corrected.

    The order is that of ``points``, which should not hold the baseline itself. The chance of any false *better* or
    *worse* in the sweep is at most ``alpha``, whatever the spreads (see the top of this module), of scores about
    normally distributed; simulated with one point that collapses on every fifth seed, it is 12 %. What that costs: a
    difference of 3 of its own standard errors is found in 76 % of cases by 10 seeds in a single comparison and in 62 %
    by 5; among 5 comparisons 10 seeds find it in 46 %, and 5 seeds find 5 standard errors in 67 %, 8 in 97 %.
    """
    compared = [_paired_over_common_seeds(baseline, point) for point in points.values()]
    adjusted = holm([pair.p for pair in compared])
    return [
        Verdict(label, _word(pair, p_adjusted, alpha), pair.difference, pair.half_width, pair.p, p_adjusted, pair.n)
        for label, pair, p_adjusted in zip(points, compared, adjusted, strict=True)
    ]


def winner(points: Mapping[str, Scores], alpha: float = 0.05) -> Winner:
    """The point with the best mean (of validation scores: test scores must not choose) and those it does not beat.

    A point is set aside only if the winner beats it in a one-sided paired t test at ``alpha`` / (k - 1), of k points.
    The winner is the largest of k noisy means, so an uncorrected test against it sets points aside too readily: the
    truly best point is lost if *any* of the k - 1 others happens to look significantly better than it. Dividing
    ``alpha`` by k - 1 bounds the sum of those chances: winner and ties together hold the truly best point with
    probability 1 - ``alpha`` or more, whatever the means, spreads and correlations (the subset of Hsu 1984's
    multiple comparisons with the best, with Bonferroni's bound in the place of equal variances). Holm's step-down
    would be slightly less strict, but its proof needs hypotheses fixed beforehand, and the winner is not.
    Simulated with 10 equal points and 5 seeds, one given point is set aside in 2 % of sweeps, uncorrected in 11 %.

    A point with under half the seeds of the median point cannot win: the mean of the few seeds that survived or are
    done flatters it. Of equal means the first given wins. Raises ValueError on no points.
    """
    if not points:
        raise ValueError("a winner needs at least one point")
    means = {label: mean_interval(list(points[label].values())) for label in points}
    best = max(_covered(points), key=lambda label: means[label].mean)
    others = sorted((label for label in points if label != best), key=lambda label: -means[label].mean)
    compared = {label: _paired_over_common_seeds(points[label], points[best]) for label in others}
    ties = tuple(label for label in others if not _beats(compared[label], len(others), alpha))
    return Winner(best, means[best], ties, tuple(label for label in ties if compared[label].n < 2))


def knob_spread(points: Mapping[str, Scores]) -> Spread:
    """Range and standard deviation (ddof 1; nan for one point) of the points' means, noise included."""
    return _spread(np.array([mean_interval(list(point.values())).mean for point in points.values()]))


def knob_importance(points: Mapping[str, Scores]) -> Importance:
    """How much a knob, whose values are the ``points``, moves the score: variance components and an overall test.

    Over the k points and the n seeds common to them, corrected = sqrt(max(0, var(means) - MSE / n)): the estimator of
    the between-points component in a randomised-block layout (Searle, Casella, McCulloch 1992), seeds being the blocks.
    MSE is the error after point *and seed* means are removed, as a good seed lifts all points alike and does not
    spread their means. Points with under half the seeds of the median point are left out, for they would take the
    seeds of all others with them.

    p: repeated-measures F test with the degrees of freedom of Greenhouse and Geisser (1959). Simulated with 2-10 seeds
    and 3-12 points, equal and unequal spreads, it errs in at most 5.5 %; the uncorrected F in up to 19 %. Its power is
    next to nothing below 5 seeds. Points that differ by constants only take the sign test's p, as in `paired_test`.
    """
    kept = [points[label] for label in _covered(points)]
    seeds = sorted(set.intersection(*(set(point) for point in kept))) if kept else []
    k, n = len(kept), len(seeds)
    if k < 2 or n < 2:
        return Importance(knob_spread({str(i): point for i, point in enumerate(kept)}), math.nan, math.nan, k, n)
    scores = _finite([point[seed] for point in kept for seed in seeds]).reshape(k, n)
    means = scores.mean(axis=1)
    residuals = scores - means[:, None] - scores.mean(axis=0) + scores.mean()
    error = float((residuals**2).sum()) / ((k - 1) * (n - 1))
    between = float(means.var(ddof=1))
    corrected = math.sqrt(max(0.0, between - error / n))
    rounding = ROUNDING * float(np.abs(scores).max())
    if math.sqrt(error) <= rounding:
        p = 1.0 if math.sqrt(between) <= rounding else _sign_test(n)
    else:
        from scipy.special import fdtrc

        # Greenhouse-Geisser epsilon: tr(C)^2 / ((k - 1) tr(C^2)) of the double-centred covariance of the points.
        covariance = residuals @ residuals.T / (n - 1)
        epsilon = float(np.trace(covariance)) ** 2 / ((k - 1) * float((covariance**2).sum()))
        p = float(fdtrc((k - 1) * epsilon, (k - 1) * (n - 1) * epsilon, n * between / error))
    return Importance(_spread(means), corrected, p, k, n)


def interaction(scores: NDArray[np.float64]) -> tuple[float, float, float]:
    """(standard deviation of the true interaction, that of a run's noise, p) of scores (rows, columns, seeds).

    Seeds are blocks. The mean square of what rows and columns leave of the cell means, against that of what is left of
    it seed by seed (repeated measures; variance components as in Searle, Casella, McCulloch 1992, 0 where negative).
    p is that of the F test at Box's (1954) lower bound of 1 and n - 1 degrees of freedom, which holds however the
    cells' spreads differ; without any noise it is the sign test's, as in `paired_test`. Needs two of each.
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
    return math.sqrt(max(0.0, between - error / n)), math.sqrt(error), p


def detectable_difference(standard_deviation: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest true difference that ``n`` paired seeds show with ``power``, in the unit of ``standard_deviation``.

    ``standard_deviation`` is that of the differences (sqrt(2) times the seed's where seeds do not help pairing). Found
    from the noncentral t with n - 1 degrees of freedom (Cohen 1988). For one test: pass alpha / m for the first step of
    Holm over m. nan where n < 2, as nothing can be shown.
    """
    if n < 2 or math.isnan(standard_deviation):
        return math.nan
    from scipy.optimize import brentq

    upper = 1.0
    while _power(upper, n - 1, alpha) < power:
        upper *= 2
    shift = float(brentq(lambda shift: _power(shift, n - 1, alpha) - power, 0.0, upper))
    return shift * standard_deviation / math.sqrt(n)


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


def hypothesis_verdict(
    points: Mapping[str, Scores], expected: Collection[str], alpha: float = 0.05
) -> HypothesisVerdict:
    """What the data say of "the best point is among ``expected``": *confirmed*, *rejected* or *undecided*.

    Confirmed: the winner is expected and beats every point outside. Rejected: some point outside beats every expected
    one. Else undecided. To beat is what it is in `winner`, so that a true best outside is *confirmed* away, and a true
    best inside *rejected*, with probability ``alpha`` at most. An expected point without a result keeps a hypothesis
    from being rejected. ``points`` should be all of the finished sweep: of a point not run nothing can be known.
    """
    inside = [label for label in points if label in expected]
    outside = [label for label in points if label not in expected]
    missing = [label for label in expected if label not in points]
    if not inside:
        return HypothesisVerdict("undecided", "no expected result")
    if not outside:
        return HypothesisVerdict("undecided", "no other result")
    if max(len(point) for point in points.values()) < 2:
        return HypothesisVerdict("undecided", "one seed")

    def beats(label: str, other: str) -> bool:
        return _beats(_paired_over_common_seeds(points[other], points[label]), len(points) - 1, alpha)

    best = winner(points, alpha)
    rivals = [label for label in best.ties if label in outside]
    if best.label in inside and not rivals:
        return HypothesisVerdict("confirmed", "expected beats others", best.label)
    for label in [best.label, *outside]:
        if label in outside and all(beats(label, other) for other in inside):
            if missing:
                return HypothesisVerdict("undecided", "expected not run", label, tuple(missing))
            return HypothesisVerdict("rejected", "other beats expected", label)
    if best.label in inside:
        return HypothesisVerdict("undecided", "expected ties", best.label, tuple(rivals))
    held = [label for label in inside if not beats(best.label, label)]
    return HypothesisVerdict("undecided", "other ties", best.label, tuple(held))


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


def published_inside(published: float, values: ArrayLike) -> Placed:
    """Where one ``published`` figure lies against the 95 % prediction interval of one more run like ``values`` (n,).

    mean ± t(0.975, n - 1) * s * sqrt(1 + 1/n) (Hahn and Meeker 1991, 4.7). A single figure is one run: to ask whether
    it lies in the interval *of the mean* would call ordinary runs misses. All in the same unit.
    """
    scores = _finite(values)
    n = len(scores)
    if n < 2:
        return "one seed: no verdict"
    half_width = _t_quantile(0.975, n - 1) * float(scores.std(ddof=1)) * math.sqrt(1 + 1 / n)
    distance = published - float(scores.mean())
    if abs(distance) <= half_width + ROUNDING * abs(published):
        return "inside"
    return "below" if distance < 0 else "above"


def _finite(values: ArrayLike, empty: bool = False) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not (empty or scores.size):
        raise ValueError(f"expected a list of one or more numbers, not shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("a value is not finite: leave runs without a result out")
    return scores


def _paired_over_common_seeds(a: Scores, b: Scores) -> Paired:
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        return Paired(math.nan, math.nan, math.nan, 0)
    return paired_test([a[seed] for seed in seeds], [b[seed] for seed in seeds])


def _word(pair: Paired, p_adjusted: float, alpha: float) -> Word:
    if pair.n < 2:
        return "one seed: no verdict" if pair.n else "no common seed: no verdict"
    if p_adjusted > alpha:
        return "no difference shown"
    return "better" if pair.difference > 0 else "worse"


def _beats(pair: Paired, comparisons: int, alpha: float) -> bool:
    # One-sided: half the two-sided p. A nan (no test) compares false.
    return pair.difference > 0 and pair.p / 2 <= alpha / comparisons


def _covered(points: Mapping[str, Scores]) -> list[str]:
    counts = [len(point) for point in points.values()]
    return [label for label, count in zip(points, counts, strict=True) if 2 * count >= np.median(counts)]


def _spread(means: NDArray[np.float64]) -> Spread:
    if means.size == 0:
        return Spread(math.nan, math.nan)
    return Spread(float(np.ptp(means)), float(means.std(ddof=1)) if means.size > 1 else math.nan)


def _sign_test(n: int) -> float:
    return min(1.0, 2 * 0.5**n)


def _t_quantile(probability: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def _t_upper(t: float, freedom: int) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def _power(shift: float, freedom: int, alpha: float) -> float:
    """Chance that a two-sided t test rejects when the statistic's noncentrality is ``shift``."""
    from scipy.special import nctdtr

    critical = _t_quantile(1 - alpha / 2, freedom)
    # The far tail is below Phi(-shift) < 3e-7 from 5 on, and scipy's figure for it turns nan somewhere beyond.
    far_tail = nctdtr(freedom, shift, -critical) if shift < 5 else 0.0
    return float(1 - nctdtr(freedom, shift, critical) + far_tail)
