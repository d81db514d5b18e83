"""Every point of a sweep against every other, on arrays: tests and corrections. Leading axes: sweeps side by side.

Scores are (..., k, s): k points, s seeds, nan where a run has no result. Results are (..., k, k): entry [i, j] is what
point i is against point j. What decides of two points is one figure, so no two readers of it can say opposite things.

Which test: Welch's (1947) where fewer than `PAIRED_FROM` seeds are common, else the paired t test. Pairing takes half
of the degrees of freedom, and the seeds of one start have little in common (the median correlation is about 0.1 over
our own sweeps), so with few runs it costs more than it gives; with many it holds whatever the spreads are.
`benchmarks/judging.py` measures both.

The second opinion is Welch's test with moderated variances (see `moderation`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.moderation import Prior, moderated

Floats = NDArray[np.float64]

PAIRED_FROM = 5
"""Common seeds from which on the test is paired. At 4 it is Welch's: 6 degrees of freedom where pairing leaves 3."""
ROUNDING = 1e-9
"""Spreads below this share of the scores themselves are rounding of binary fractions, not spread: 0.9793 - 0.9790 and
0.9795 - 0.9792 differ by 1e-16, which a t test would take for overwhelming evidence."""


@dataclass(frozen=True)
class Pairs:
    """Of each pair: the difference of means, its standard error, the degrees of freedom, the two-sided p (nan where
    either has fewer than `MIN_RUNS` runs), and the seeds that the smaller side has (the common ones where paired)."""

    difference: Floats
    error: Floats
    freedom: Floats
    p: Floats
    n: NDArray[np.int64]


@dataclass(frozen=True)
class Moments:
    """Of each point: mean, variance (nan for fewer than two scores) and number of scores."""

    mean: Floats
    variance: Floats
    count: NDArray[np.int64]


def moments(scores: Floats) -> Moments:
    """Along the last axis, nan left out."""
    there = np.isfinite(scores)
    count = there.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, scores, 0.0).sum(axis=-1) / count
        squares = np.where(there, scores - mean[..., None], 0.0) ** 2
        variance = np.where(count > 1, squares.sum(axis=-1) / (count - 1), np.nan)
    return Moments(mean, variance, count)


def compared(scores: Floats, paired_from: int = PAIRED_FROM) -> Pairs:
    """The main test of every pair.

    Where nothing spreads, t is undefined: equal scores (the same experiment twice) have p = 1. Paired differences that
    are all equal to one other number have the sign test's p, 2 * 0.5^n; two points that are each constant have that of
    the permutation test, 2 / C(m + n, n). Few seeds and scores in steps of 1/10,000 bring both about by chance.
    """
    from scipy.special import binom

    of = moments(scores)
    there = np.isfinite(scores).astype(np.int64)
    common = there @ np.swapaxes(there, -1, -2)
    between = moments(scores[..., :, None, :] - scores[..., None, :, :])
    paired = common >= paired_from
    least = np.minimum(of.count[..., :, None], of.count[..., None, :])
    n = np.where(paired, common, least)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = of.variance / of.count
        welch, welch_freedom = _welch(own, of.count - np.float64(1))
        difference = np.where(paired, between.mean, of.mean[..., :, None] - of.mean[..., None, :])
        error = np.where(paired, np.sqrt(between.variance / common), welch)
        freedom = np.where(paired, common - 1.0, welch_freedom)
        p = _two_sided(difference, error, freedom)
        rounding = ROUNDING * np.nanmax(np.abs(scores), initial=0.0)
        flat = error <= rounding
        by_sign = np.where(paired, 2.0 * 0.5**n, 2.0 / binom(of.count[..., :, None] + of.count[..., None, :], least))
        p = np.where(flat, np.where(np.abs(difference) <= rounding, 1.0, np.minimum(by_sign, 1.0)), p)
    return Pairs(difference, error, freedom, np.where(n >= MIN_RUNS, p, np.nan), n)


def second_opinion(scores: Floats, prior: Prior) -> Pairs:
    """Welch's test of every pair with moderated variances, over all scores of either. ``prior`` has a variance for each
    point (..., k)."""
    of = moments(scores)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance, freedom = moderated(of.variance, of.count - np.float64(1), prior)
        error, freedom = _welch(variance / of.count, freedom)
        difference = of.mean[..., :, None] - of.mean[..., None, :]
        n = np.minimum(of.count[..., :, None], of.count[..., None, :])
        p = np.where(n >= MIN_RUNS, _two_sided(difference, error, freedom), np.nan)
    return Pairs(difference, error, freedom, p, n)


def adjusted(p: Floats, families: Sequence[Sequence[tuple[int, int]]]) -> Floats:
    """The p of every pair (..., k, k), corrected within the sweep: one figure a pair, the same both ways round.

    Each of ``families`` is a list of pairs that were fixed before looking, such as every point against the baseline:
    Holm's correction among them; a pair in several belongs to the first. All other pairs are picked after looking:
    times k - 1, of k points. Then the truly best point is set aside by any other with at most the chance that is
    shared out, for each of its k - 1 rivals has its share (the subset of Hsu 1984, with Bonferroni's bound).
    """
    count = p.shape[-1]
    result = np.minimum(1.0, p * (count - 1))
    known: set[tuple[int, int]] = set()
    for family in families:
        pairs = [pair for pair in family if pair not in known]
        known.update(pairs, [(b, a) for a, b in pairs])
        if pairs:
            first, second = np.array(pairs).T
            corrected = holm(p[..., first, second])
            result[..., first, second] = corrected
            result[..., second, first] = corrected
    return result


def holm(p: Floats) -> Floats:
    """Holm's adjusted p values along the last axis, in the order given (Holm 1979, step-down Bonferroni).

    The i-th smallest of m is multiplied by m - i + 1, is never below its predecessor and at most 1. A nan is a test
    that did not take place: it stays nan and does not count in m.
    """
    order = np.argsort(p, axis=-1)  # nan come last
    ascending = np.take_along_axis(p, order, axis=-1)
    tests = np.isfinite(p).sum(axis=-1, keepdims=True)
    raised = np.maximum.accumulate(ascending * (tests - np.arange(p.shape[-1])), axis=-1)
    result = np.empty_like(p)
    np.put_along_axis(result, order, np.where(np.isfinite(ascending), np.minimum(raised, 1.0), np.nan), axis=-1)
    return result


def _welch(own: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """(standard errors, degrees of freedom by Welch and Satterthwaite) of all differences (..., k, k), from the squared
    standard errors of the means and the degrees of freedom of the variances (..., k)."""
    a, b = own[..., :, None], own[..., None, :]
    parts = a**2 / freedom[..., :, None] + b**2 / freedom[..., None, :]
    return np.sqrt(a + b), np.where(parts > 0, (a + b) ** 2 / parts, 1.0)


def _two_sided(difference: Floats, error: Floats, freedom: Floats) -> Floats:
    from scipy.special import stdtr

    return np.asarray(2 * stdtr(freedom, -np.abs(difference) / error), np.float64)
