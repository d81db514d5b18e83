"""Is the best value of a knob between two points of its grid? A parabola through the best three says where it peaks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.judging.sweeps import SweepResult

DRAWS = 4000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Optimum:
    """Where a parabola through three neighbouring points of a knob peaks, on the knob's logarithm, and what that gains.

    ``low`` to ``high`` is its 95 % interval, ``gain`` what the peak has above the best of the three points as a
    fraction of images, with its upper bound (95 %); None for ends beyond the outer two points, of which three points
    tell nothing.
    """

    knob: str
    values: tuple[float, float, float]
    best: float
    """The value of the best of the three."""
    peak: float
    low: float | None
    high: float | None
    gain: float
    gain_high: float
    n: int

    @property
    def sure(self) -> Literal["between", "at the point", "unknown"]:
        """*At the point*: whatever there is to gain is below a tenth of a point. *Between*: there is more, and the
        interval of the peak leaves the best point out. Else unknown."""
        excluded = (self.low is not None and self.low > self.best) or (self.high is not None and self.high < self.best)
        if self.gain_high < 0.001:
            return "at the point"
        return "between" if excluded else "unknown"


def optimum_of(judged: SweepResult) -> Optimum | None:
    """Of a sweep of one positive number: the parabola through the best point and its neighbours. None where the best
    lies on the edge of the grid, or one of the three has fewer than three results."""
    knob = judged.numeric_knob
    if knob is None or judged.winner is None:
        return None
    there = {judged.number(label, knob): scores for label, scores in judged.validation.items() if len(scores) >= 3}
    values = sorted(value for value in there if value > 0)
    best = judged.number(judged.winner.label, knob)
    place = values.index(best) if best in values else 0
    if not 0 < place < len(values) - 1:
        return None
    three = values[place - 1 : place + 2]
    return parabola(knob, three, [list(there[value].values()) for value in three])


def parabola(knob: str, values: Sequence[float], scores: Sequence[Sequence[float]]) -> Optimum | None:
    """The peak through three points (log value, mean score), its interval from draws of the means (Student's t with
    each point's own spread, a fixed stream of random numbers). None where the three means have no peak."""
    x = np.log(np.asarray(values, dtype=np.float64))
    means = np.array([np.mean(some) for some in scores])
    n = min(map(len, scores))
    errors = np.array([np.std(some, ddof=1) / math.sqrt(len(some)) for some in scores])
    random = np.random.default_rng(0)
    draws = means + errors * random.standard_t(n - 1, (DRAWS, 3))
    peak, top, curved = _peaks(x, means[None])
    if not curved[0] or not x[0] < peak[0] < x[2]:
        return None
    peaks, tops, bent = _peaks(x, draws)
    peaks = np.where(bent, peaks, np.where(draws[:, 0] > draws[:, 2], -np.inf, np.inf))
    inside = bent & (peaks > x[0]) & (peaks < x[2])
    gains = np.where(inside, tops, draws.max(1)) - draws[:, int(means.argmax())]
    low, high = np.quantile(peaks, (0.025, 0.975), method="nearest")
    return Optimum(
        knob=knob,
        values=(float(values[0]), float(values[1]), float(values[2])),
        best=float(values[int(means.argmax())]),
        peak=float(np.exp(peak[0])),
        low=float(np.exp(low)) if low > x[0] else None,
        high=float(np.exp(high)) if high < x[2] else None,
        gain=float(top[0] - means.max()),
        gain_high=float(np.quantile(gains, 0.95)),
        n=n,
    )


def _peaks(x: Floats, y: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """(where, how high, whether it is a peak at all) of the parabolas through x (3,) and y (draws, 3)."""
    first = (y[:, 1] - y[:, 0]) / (x[1] - x[0])
    second = ((y[:, 2] - y[:, 1]) / (x[2] - x[1]) - first) / (x[2] - x[0])
    bent = second < 0
    safe = np.where(bent, second, -1.0)
    where = (x[0] + x[1]) / 2 - first / (2 * safe)
    high = y[:, 0] + first * (where - x[0]) + safe * (where - x[0]) * (where - x[1])
    return where, high, bent
