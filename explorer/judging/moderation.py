"""How far runs of a point spread, by what all points of the study do: variances moderated by a trend.

Three runs say little of their own spread; the spreads of all other points, most of them at a like accuracy, say more.
Smyth (2004, doi:10.2202/1544-6115.1027): log variances scatter around what is usual, here a trend over the accuracy (as
limma's ``trend``), by chance and by a scatter of their own; the smaller that is, the more degrees of freedom what is
usual is worth. Used with care: half of those degrees of freedom, and the variance times 1.25, for our points are no
random sample of one kind, and some collapse now and then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SHARE, INFLATION = 0.5, 1.25
"""Of the prior's degrees of freedom, so much is used; the moderated variance is multiplied by so much."""
FEWEST_POINTS = 20
"""Points that a trend needs."""
MOST_FREEDOM = 40.0
STEP = 1e-4
"""Accuracies of 10,000 images come in such steps, so a variance cannot be told from that of rounding below it."""
ODDS_END = 0.5 * STEP  # an accuracy of 0 or 1 has no log-odds: it counts as half an image away


@dataclass(frozen=True)
class Prior:
    """The usual variance, of one point or of several, and the degrees of freedom it is worth."""

    variance: float | Floats
    freedom: float


@dataclass(frozen=True)
class Trend:
    """log variance as a parabola of the log-odds of the accuracy, within the range that it was fitted on."""

    coefficients: tuple[float, ...]
    """The highest power first."""
    lowest: float
    highest: float
    freedom: float
    """What the prior is worth, already halved."""
    points: int
    """How many it was fitted on."""

    def prior(self, accuracy: ArrayLike) -> Prior:
        """What is usual at an accuracy (a fraction)."""
        places = np.clip(log_odds(accuracy), self.lowest, self.highest)
        return Prior(np.exp(np.polyval(self.coefficients, places)), self.freedom)


def log_odds(accuracy: ArrayLike) -> Floats:
    shares = np.clip(np.asarray(accuracy, np.float64), ODDS_END, 1 - ODDS_END)
    return np.log(shares / (1 - shares))


def moderated(variance: Floats, freedom: Floats, prior: Prior) -> tuple[Floats, Floats]:
    """(variance, degrees of freedom): one's own and the usual one, weighted by their degrees of freedom, times 1.25."""
    total = freedom + prior.freedom
    return INFLATION * (prior.variance * prior.freedom + variance * freedom) / total, total


def fitted(samples: Sequence[Sequence[float]]) -> Trend | None:
    """The trend of the spreads of samples of scores, one a point, of which those with three scores or more count.

    None for fewer than `FEWEST_POINTS`.
    """
    from scipy.special import digamma, polygamma

    samples = [scores for scores in samples if len(scores) > 2]
    if len(samples) < FEWEST_POINTS:
        return None
    freedom = np.array([len(scores) - 1.0 for scores in samples])
    variances = np.maximum([np.var(scores, ddof=1) for scores in samples], STEP**2 / 12)
    places = log_odds([np.mean(scores) for scores in samples])
    # The log of a sample variance is too low on average, by this much (Smyth 2004, section 6.2).
    logs = np.log(variances) - digamma(freedom / 2) + np.log(freedom / 2)
    coefficients = np.polyfit(places, logs, 2)
    residuals = logs - np.polyval(coefficients, places)
    scatter = float((residuals**2).sum() / (len(samples) - 3) - polygamma(1, freedom / 2).mean())
    prior = min(MOST_FREEDOM, 2 * _inverse_trigamma(scatter)) if scatter > 0 else MOST_FREEDOM
    coefficients[-1] += float(digamma(prior / 2) - np.log(prior / 2))
    span = float(places.min()), float(places.max())
    return Trend(tuple(map(float, coefficients)), *span, SHARE * prior, len(samples))


def _inverse_trigamma(value: float) -> float:
    from scipy.optimize import brentq
    from scipy.special import polygamma

    return float(brentq(lambda x: float(polygamma(1, x)) - value, 1e-3, 1e6)) if 1e-6 < value < 1e6 else 1e-3
