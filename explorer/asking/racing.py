"""Seeds where the question is open: what a sweep's scores say at each of a few looks, every look with its share of
alpha.

Pure functions on arrays of many sweeps at once, so that what a sweep is settled by is what the simulations simulate.
Scores (sweeps, points, seeds) are fractions, higher is better; nan is a run without a result or one not asked for.

Two questions. *Against the baseline*: the p value of a comparison is the least of p_l / w_l over the looks l so far,
w_l being their shares of alpha (Bonferroni over looks), and Holm's steps (1979) correct for the sweep's comparisons;
two points are *equivalent* where d ± t(1 - alpha w_l / m) se lies within ± ``delta`` (two one-sided tests, Schuirmann
1987). *Which is best*: a point is dropped when another that is in the race leads it by more than c_l se, c_l = t(1 -
alpha w_l / (k - 1)); the race is over when the leader plus ``epsilon`` beats every other one left by as much (subset
selection and indifference zone in one; Hsu 1984). Tests are Welch's (1947) at the first look, paired from the second
on. *Futility*: from 5 seeds on, what is open and would need more than twice the cap to be settled with 80 % power is
given up.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOOKS = (3, 5, 7, 10, 14, 20)
SHARES = (0.15, 0.20, 0.17, 0.17, 0.15, 0.16)
"""Of alpha, look by look."""
ALPHA = 0.05
POWER = 0.8
FUTILE_FROM = 5
"""Seeds from which a question may be given up: a spread over 3 is no ground for it."""
ROUNDING = 1e-9
"""Spreads below this share of the scores are rounding, not spread (as in judging/stats.py)."""

Word = Literal["open", "better", "worse", "equivalent", "given up", "no result", "baseline"]
"""What a point is against the baseline. *Given up*: it would take too many seeds."""
WORDS = get_args(Word)
OPEN, BETTER, WORSE, EQUIVALENT, GIVEN_UP, NO_RESULT, BASELINE = range(len(WORDS))


@dataclass(frozen=True)
class Margins:
    """What counts as no difference, as fractions, said before any run: a point within ``epsilon`` of the best is as
    good as the best, a difference within ± ``delta`` is none."""

    epsilon: float
    delta: float


@dataclass(frozen=True)
class Compared:
    """b - a of many pairs: mean, standard error, degrees of freedom, two-sided p, and where nothing can be said."""

    difference: Floats
    error: Floats
    freedom: Floats
    p: Floats
    n: NDArray[np.int64]

    @property
    def untested(self) -> Bools:
        return ~np.isfinite(self.error)


def looks(cap: int) -> list[tuple[int, float]]:
    """(seeds, share of alpha) of each look up to ``cap`` seeds."""
    return [(n, share) for n, share in zip(LOOKS, SHARES, strict=True) if n <= cap]


def compare(a: Floats, b: Floats, paired: bool) -> Compared:
    """Scores (..., seeds) against one another, over common seeds where ``paired``, else by Welch's test.

    Under two results of a side nothing is tested: error and p are nan. Differences without any spread have no error
    either; all zero, they are surely equal (p = 1, error 0), else p is the sign test's, 2 * 0.5^n.
    """
    from scipy.special import stdtr

    with np.errstate(invalid="ignore", divide="ignore"):
        if paired:
            differences = b - a
            n, mean, variance = _moments(differences)
            difference, squared, freedom = mean, variance / n, n - 1.0
        else:
            (n_a, mean_a, variance_a), (n_b, mean_b, variance_b) = _moments(a), _moments(b)
            n = np.minimum(n_a, n_b)
            part_a, part_b = variance_a / n_a, variance_b / n_b
            difference, squared = mean_b - mean_a, part_a + part_b
            freedom = squared**2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
        rounding = ROUNDING * np.maximum(np.nanmax(np.abs(a), -1, initial=0), np.nanmax(np.abs(b), -1, initial=0))
        error = np.where(n < 2, np.nan, np.sqrt(squared))
        p = 2 * stdtr(freedom, -np.abs(difference) / error)
        flat = error <= rounding
        equal = flat & (np.abs(difference) <= rounding)
        p = np.where(flat, np.where(equal, 1.0, np.minimum(1.0, 2 * 0.5**n)), p)
        error = np.where(equal, 0.0, np.where(flat, np.nan, error))
        freedom = np.where(flat, np.maximum(n - 1.0, 1.0), freedom)
    return Compared(difference, error, freedom, p, n.astype(np.int64))


def _moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """(how many, mean, variance) along the last axis, nan left out."""
    there = ~np.isnan(values)
    n = there.sum(-1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, values, 0.0).sum(-1) / n
        deviations = np.where(there, values - mean[..., None], 0.0)
        return n, mean, (deviations**2).sum(-1) / (n - 1)


def holm(p: Floats, tests: NDArray[np.int64]) -> Floats:
    """Holm's adjusted p values along the last axis, of so many ``tests`` (..., 1); p = inf is one still to come."""
    order = np.argsort(p, axis=-1)
    ordered = np.take_along_axis(p, order, -1)
    steps = np.maximum(tests - np.arange(p.shape[-1]), 1)
    adjusted = np.maximum.accumulate(np.where(np.isfinite(ordered), ordered * steps, np.inf), axis=-1)
    found = np.empty_like(adjusted)
    np.put_along_axis(found, order, adjusted, -1)
    return np.where(np.isfinite(p), np.minimum(found, 1.0), np.inf)


class Races:
    """Many sweeps of so many points each, all with the same baseline's place, as their seeds come in.

    ``word`` (sweeps, points) indexes WORDS; ``racing`` are the points that may be best; ``over`` (sweeps,) says that
    the race has a leader as near the best as asked, ``abandoned`` that it would take too many seeds; ``needs`` and
    ``race_needs`` are the seeds it would take. ``wanted`` are the points that the next look needs runs of.
    """

    def __init__(self, sweeps: int, points: int, baseline: int, margins: Margins, cap: int = LOOKS[-1]):
        self.schedule, self.margins, self.cap, self.baseline = looks(cap), margins, cap, baseline
        shape = (sweeps, points)
        self.word = np.full(shape, OPEN)
        self.word[:, baseline] = BASELINE
        self.p = np.full(shape, np.inf)
        self.better = np.zeros(shape, bool)  # whether the look with the least p had it ahead of the baseline
        self.difference, self.half_width = np.full(shape, np.nan), np.full(shape, np.nan)
        self.needs = np.full(shape, np.nan)
        self.racing = np.ones(shape, bool)
        self.leader = np.zeros(sweeps, np.int64)
        self.over, self.abandoned = np.zeros(sweeps, bool), np.zeros(sweeps, bool)
        self.race_needs = np.full(sweeps, np.nan)
        self.done = 0

    @property
    def wanted(self) -> Bools:
        if self.done == len(self.schedule):
            return np.zeros_like(self.racing)
        comparing = self.word == OPEN
        comparing[:, self.baseline] = comparing.any(1)
        return comparing | (self.racing & ~(self.over | self.abandoned)[:, None])

    def look(self, scores: Floats) -> None:
        """Take in the next look's scores (sweeps, points, seeds) of all seeds so far."""
        n, share = self.schedule[self.done]
        wanted, paired = self.wanted, self.done > 0
        self.done += 1
        lost = wanted & (2 * (~np.isnan(scores)).sum(-1) < n)  # the mean of the few that survived would flatter it
        self.word[(lost | lost[:, self.baseline, None]) & (self.word == OPEN)] = NO_RESULT
        self.racing &= ~lost
        self._compare(scores, n, share, paired)
        self._race(scores, wanted & ~lost, n, share, paired)

    def _compare(self, scores: Floats, n: int, share: float, paired: bool) -> None:
        """Every open point against the baseline."""
        is_open = self.word == OPEN
        found = compare(scores[:, self.baseline, None], scores, paired)
        p = np.where(is_open & ~np.isnan(found.p), found.p / share, np.inf)
        least = p < self.p
        self.p, self.better = np.where(least, p, self.p), np.where(least, found.difference > 0, self.better)
        tests = np.maximum((self.word < NO_RESULT).sum(1, keepdims=True), 1)
        shown = is_open & (holm(self.p, tests) <= ALPHA)
        level = ALPHA * share / tests
        width = quantile(level, found.freedom) * found.error
        within = is_open & (np.abs(found.difference) + width < self.margins.delta)
        self.difference = np.where(is_open, found.difference, self.difference)
        self.half_width = np.where(is_open, quantile(level / 2, found.freedom) * found.error, self.half_width)
        self.word[within] = EQUIVALENT
        self.word[shown] = np.where(self.better, BETTER, WORSE)[shown]
        gap = np.maximum(np.abs(found.difference), self.margins.delta - np.abs(found.difference))
        needs = seeds_needed(found.error * np.sqrt(found.n), gap, level / 2)
        self.needs = np.where(is_open, needs, self.needs)
        if n >= FUTILE_FROM:
            self.word[(self.word == OPEN) & (needs > 2 * self.cap)] = GIVEN_UP

    def _race(self, scores: Floats, wanted: Bools, n: int, share: float, paired: bool) -> None:
        """Drop what is led, and see whether the leader is near enough to the best."""
        going = ~(self.over | self.abandoned)
        field = self.racing & wanted & going[:, None]
        found = compare(scores[:, None, :, :], scores[:, :, None, :], paired)  # [s, i, j] is i - j
        level = ALPHA * share / max(1, scores.shape[1] - 1)
        bar = quantile(np.asarray(level), found.freedom) * found.error
        led = (field[:, :, None] & field[:, None, :] & (found.difference > bar)).any(1)
        self.racing &= ~led
        field &= ~led
        means = np.where(field, _moments(scores)[1], -np.inf)
        leader = np.where(going & field.any(1), means.argmax(1), self.leader)
        self.leader = leader
        rows = np.arange(len(leader))
        lead, width = found.difference[rows, leader], bar[rows, leader]
        others = field & (np.arange(scores.shape[1]) != leader[:, None])
        near = lead + self.margins.epsilon > width
        self.over |= going & (near | ~others).all(1)
        needs = seeds_needed(
            found.error[rows, leader] * np.sqrt(found.n[rows, leader]), lead + self.margins.epsilon, np.asarray(level)
        )
        worst = np.where(others & ~np.isnan(needs), needs, 0.0).max(1)
        self.race_needs = np.where(going, worst, self.race_needs)
        if n >= FUTILE_FROM:
            self.abandoned |= going & ~self.over & (worst > 2 * self.cap)


def quantile(level: Floats, freedom: Floats) -> Floats:
    """t(1 - ``level``) at so many degrees of freedom."""
    from scipy.special import stdtrit

    found: Floats = -stdtrit(freedom, np.broadcast_to(level, np.shape(freedom)))
    return found


def seeds_needed(deviation: Floats, gap: Floats, level: Floats) -> Floats:
    """About how many seeds it takes until ``gap`` is as many standard errors as a test at ``level`` asks for, with 80 %
    power: ((z(1 - level) + z(0.8)) deviation / gap)^2 (Cohen 1988, normal approximation)."""
    from scipy.special import ndtri

    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = ((ndtri(1 - level) + ndtri(POWER)) * deviation / np.maximum(gap, 0.0)) ** 2
    return found


def settle(scores: Floats, baseline: int, margins: Margins, cap: int = LOOKS[-1]) -> tuple[Races, NDArray[np.int64]]:
    """Races run to their end on scores (sweeps, points, ``cap`` seeds or more), and the seeds spent (sweeps, points).

    A point that is not wanted any more gets no further seed: what later looks see of it is nan.
    """
    races = Races(scores.shape[0], scores.shape[1], baseline, margins, cap)
    spent = np.zeros(scores.shape[:2], np.int64)
    for n, _ in races.schedule:
        wanted = races.wanted
        spent = np.where(wanted, n, spent)
        races.look(np.where(np.arange(n) < spent[..., None], scores[..., :n], np.nan))
    return races, spent
