"""The peak between three points of a grid, and how sure it is."""

import math

import numpy as np
import pytest

from explorer.judging.optimum import parabola


def scores(means, spread, n=5):
    """Scores (3, n) with exactly these means and this standard deviation."""
    steps = np.linspace(-1, 1, n)
    return [mean + spread * steps / steps.std(ddof=1) for mean in means]


def test_the_peak_of_a_known_parabola_is_found_on_the_logarithm():
    def height(value):
        return 0.95 - 0.01 * (math.log10(value) - math.log10(0.002)) ** 2

    values = (0.001, 0.003, 0.01)
    best = parabola("lr", values, scores([height(value) for value in values], 1e-6))
    assert best.peak == pytest.approx(0.002, rel=1e-2)
    assert best.low < best.peak < best.high
    assert best.gain == pytest.approx(0.95 - height(0.003), abs=1e-5)
    assert best.best == 0.003
    assert best.sure == "at the point"  # it is 0.03 points: not worth another grid


def test_a_peak_worth_the_way_is_called_so_only_where_runs_agree():
    values, means = (0.001, 0.003, 0.01), (0.94, 0.95, 0.80)
    assert parabola("lr", values, scores(means, 1e-4)).sure == "between"
    noisy = parabola("lr", values, scores(means, 0.3))
    assert noisy.sure == "unknown"
    assert noisy.low is None or noisy.high is None or noisy.high / noisy.low > 2


def test_means_without_a_peak_have_none():
    assert parabola("lr", (1, 2, 4), scores((0.9, 0.8, 0.9), 0.001)) is None
    assert parabola("lr", (1, 2, 4), scores((0.7, 0.8, 0.9), 0.001)) is None
