"""Whether an aim for the test set is reached: with certainty, on average, or not."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explorer.judging.certainty import MIN_RUNS, Certainty, by_chosen_seeds
from explorer.judging.runs import TestFigure

AimWord = Literal["reached", "met on average", "missed on average", "missed", "too few runs"]


@dataclass(frozen=True)
class AimVerdict:
    """A test figure against an aim, both fractions. ``low`` to ``high`` is the 95 % interval of what the configuration
    has on images like these, nan where there is none. ``fresh``: whether the runs' seeds had no part in its choice."""

    word: AimWord
    target: float
    mean: float
    low: float
    high: float
    n: int
    fresh: bool
    certainty: Certainty
    """That it is reached, or missed."""


def aim_verdict(test: TestFigure, target: float, images: int | None) -> AimVerdict:
    """*Reached* where the whole interval lies above the aim, *missed* where it lies below, else as the mean does.

    The interval has two parts: how far runs lie apart, over n, and the sampling error of the test set itself, p (1 - p)
    over ``images``, which no number of runs makes smaller, for all see the same images. Degrees of freedom by
    Satterthwaite. Where the images are not counted (None) nothing is reached with certainty, nor missed.

    Raises ValueError without any score.
    """
    from scipy.special import stdtrit

    scores = np.array(list(test.scores.values()))
    n, mean = len(scores), float(scores.mean()) if len(scores) else math.nan
    if not n:
        raise ValueError("an aim is held against one figure or more")
    if n < MIN_RUNS:
        return AimVerdict("too few runs", target, mean, math.nan, math.nan, n, test.fresh, Certainty.UNKNOWN)
    on_average: AimWord = "met on average" if mean >= target else "missed on average"
    if images is None:
        return AimVerdict(on_average, target, mean, math.nan, math.nan, n, test.fresh, Certainty.UNKNOWN)
    of_runs, of_images = float(scores.var(ddof=1)) / n, mean * (1 - mean) / images
    total = of_runs + of_images
    freedom = (n - 1) * (total / of_runs) ** 2 if of_runs > 0 else 1e6
    half = float(stdtrit(min(freedom, 1e6), 0.975)) * math.sqrt(total)
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    word: AimWord = "reached" if low > target else "missed" if high < target else on_average
    sure = Certainty.SURE if word in ("reached", "missed") else Certainty.UNKNOWN
    certainty = sure if test.fresh else by_chosen_seeds(sure)
    return AimVerdict(word, target, mean, low, high, n, test.fresh, certainty)
