"""Every figure here is worked out by hand in the comment beside it, or scipy's, or measured on simulated data."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats as scipy_stats

from explorer.judging import stats
from explorer.judging.moderation import Prior


def point(*scores: float) -> dict[int, float]:
    return dict(enumerate(scores))


def simulated_sweeps(seed, sweeps, deviations, n, shift=0.0):
    """Sweeps of len(deviations) points x n seeds with a common seed effect; the last point is shifted."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(sweeps, len(deviations), n)) * np.array(deviations)[:, None]
    scores += generator.normal(0, 0.7, (sweeps, 1, n))
    scores[:, -1] += shift
    return [{str(i): dict(enumerate(row)) for i, row in enumerate(sweep.tolist())} for sweep in scores]


def test_interval_equals_the_hand_computed_one_and_scipys():
    # 1..5: mean 3, s = sqrt(2.5), t(0.975, 4) = 2.776445 -> 2.776445 * 1.581139 / 2.236068 = 1.963243
    interval = stats.mean_interval([1, 2, 3, 4, 5])
    assert (interval.mean, interval.n) == (3.0, 5)
    assert interval.half_width == pytest.approx(1.963243, abs=1e-6)
    low, high = scipy_stats.t.interval(0.95, 4, loc=3, scale=scipy_stats.sem([1, 2, 3, 4, 5]))
    assert (interval.low, interval.high) == pytest.approx((low, high))


@pytest.mark.parametrize("values", [[0.9793], [0.2, 0.7], [0.99, 0.99, 0.99], [0.1 + 0.2, 0.3, 0.3]])
def test_fewer_than_three_values_and_values_all_alike_have_no_interval(values):
    assert not stats.mean_interval(values).known
    assert not stats.one_more(values).known


@pytest.mark.parametrize("values", [[], [0.9, math.nan], [[0.9]]])
def test_values_that_are_none_or_not_finite_are_refused(values):
    with pytest.raises(ValueError, match=r"number|finite"):
        stats.mean_interval(values)


@pytest.mark.parametrize("values", [[0.0, 0.9, 0.5], [0.999, 0.9, 1.0], [0.001, 0.0, 0.01], [0.4, 0.6, 0.99, 0.0]])
def test_intervals_of_accuracies_stay_within_0_and_1(values):
    for interval in (stats.accuracy_interval(values), stats.one_more(values), stats.one_more(values, Prior(0.1, 5.0))):
        assert 0 <= interval.low < interval.mean < interval.high <= 1
    assert stats.accuracy_interval(values).cut
    assert not stats.accuracy_interval([0.94, 0.95, 0.96]).cut


def test_the_interval_of_one_more_run_is_the_hand_computed_one():
    # 0.1..0.5: s = 0.1581139; 2.776445 * s * sqrt(1.2) = 0.4808944, cut at 0
    interval = stats.one_more([0.1, 0.2, 0.3, 0.4, 0.5])
    assert (interval.low, interval.high) == (0.0, pytest.approx(0.7808944))
    assert [stats.placed(figure, interval) for figure in (0.7808, 0.7809, 0.7810, 0.0)] == [
        "inside",
        "inside",
        "above",
        "inside",
    ]
    assert stats.placed(0.9, stats.one_more([0.9, 0.91])) == "too few runs"


def test_three_runs_that_lie_together_by_chance_do_not_make_every_other_a_miss():
    together = [0.9909, 0.9909, 0.9910]
    usual = Prior(0.001**2, 6.0)  # a standard deviation of 0.1 points
    assert stats.placed(0.9925, stats.one_more(together)) == "above"
    interval = stats.one_more(together, usual)
    # variance 1.25 * (6 * 1e-6 + 2 * s^2) / 8, 8 degrees of freedom
    variance = 1.25 * (6e-6 + 2 * np.var(together, ddof=1)) / 8
    assert interval.half_width == pytest.approx(scipy_stats.t.ppf(0.975, 8) * math.sqrt(variance * 4 / 3))
    assert stats.placed(0.9925, interval) == "inside"
    assert stats.placed(0.9950, interval) == "above"


def test_knob_importance_equals_the_hand_computed_variance_components():
    # means 2, 4; residuals +-0.5 -> error = 4 * 0.25 / 1 = 1; var(means) = 2; corrected = sqrt(2 - 1/2)
    found = stats.knob_importance({"a": point(1, 3), "b": point(4, 4)})
    assert found.corrected == pytest.approx(math.sqrt(1.5))
    assert found.spread == stats.Spread(2.0, math.sqrt(2))
    assert (found.points, found.n) == (2, 2)


def test_knob_importance_ignores_what_a_seed_does_to_all_points_alike():
    lifted = {"a": point(0.90, 0.80, 0.70), "b": point(0.93, 0.83, 0.73)}
    assert stats.knob_importance(lifted).corrected == pytest.approx(0.03 / math.sqrt(2))


def test_knob_with_effect_is_sized_without_the_noise():
    found = [stats.knob_importance(sweep) for sweep in simulated_sweeps(4, 600, [1] * 6, 10, shift=3.0)]
    # the true means 0, 0, 0, 0, 0, 3 have variance 1.5
    assert np.mean([importance.corrected**2 for importance in found]) == pytest.approx(1.5, abs=0.1)
    even = [stats.knob_importance(sweep) for sweep in simulated_sweeps(2, 600, [1] * 6, 5)]
    assert np.median([importance.corrected for importance in even]) < 0.1


def test_knob_importance_leaves_out_a_point_with_few_seeds_and_needs_two_seeds():
    points = {"a": point(1, 3, 2), "b": point(4, 4, 4), "survivor": {0: 9.0}}
    assert stats.knob_importance(points) == stats.knob_importance({"a": points["a"], "b": points["b"]})
    once = stats.knob_importance({"a": point(1), "b": point(2)})
    assert once.spread.range == 1
    assert math.isnan(once.corrected)
    assert math.isnan(stats.knob_importance({}).spread.range)


def test_an_interaction_is_found_where_there_is_one_and_not_in_a_sum():
    random = np.random.default_rng(5)
    noise = random.normal(0, 0.001, (3, 4, 6))
    sums = np.array([0.1, 0.2, 0.3])[:, None, None] + np.array([0.0, 0.1, 0.2, 0.5])[None, :, None] + noise
    found = stats.interaction(sums)
    assert found.effect < 0.002
    assert found.noise == pytest.approx(0.001, rel=0.3)
    assert found.p > 0.05
    crossed = sums.copy()
    crossed[0, 0] += 0.06  # leaves 0.06 * (2/3) * (3/4) = 0.03 in its own cell
    found = stats.interaction(crossed)
    assert found.effect == pytest.approx(np.sqrt(0.06**2 * (2 / 3) * (3 / 4) / 6), rel=0.1)
    assert found.p < 0.001


def test_an_interaction_without_noise_is_no_more_than_a_sign_test():
    sums = np.round(np.array([0.9123, 0.9456])[:, None, None] + np.array([0.0, 0.0178])[None, :, None], 4)
    sums = sums + np.array([0.0, 0.0011, 0.0007])[None, None, :]  # what a seed does to all alike; rounding is left
    assert stats.interaction(sums).p == 1.0
    crossed = sums.copy()
    crossed[0, 0] += 0.01
    assert stats.interaction(crossed).p == 0.25  # 2 * 0.5^3


@pytest.mark.parametrize(("n", "paired"), [(3, False), (5, True), (10, True)])
def test_detectable_difference_is_found_with_its_power_in_simulated_data(n, paired):
    difference = stats.detectable_difference(2.0, n, paired=paired)
    random = np.random.default_rng(n)
    data = random.normal(difference, 2.0, (20_000, n))
    other = random.normal(0, 2.0, (20_000, n))
    p = scipy_stats.ttest_1samp(data, 0, axis=1) if paired else scipy_stats.ttest_ind(data, other, axis=1)
    assert np.mean(p.pvalue <= 0.05) == pytest.approx(0.8, abs=0.012)


def test_detectable_difference_and_seeds_needed_are_inverse():
    assert stats.seeds_needed(0.2, stats.detectable_difference(0.2, 9) * 1.0001, paired=True) == 9
    assert math.isnan(stats.detectable_difference(0.2, 2))
    assert stats.detectable_difference(0.0, 5) == 0.0


def test_knob_spread_is_range_and_deviation_of_means():
    assert stats.knob_spread({"a": point(1, 3), "b": point(3), "c": point(7)}) == stats.Spread(5.0, math.sqrt(7))


def test_seeds_needed_is_one_above_the_normal_approximation():
    # 2 (1.960 + 0.842)^2 (s / d)^2 = 6.84 and 35.3, so 7 and 36; estimating s from so few seeds costs one more
    assert stats.seeds_needed(0.066, 0.1) == 8
    assert stats.seeds_needed(0.15, 0.1) == 37


@pytest.mark.parametrize("paired", [True, False])
def test_seeds_needed_is_the_smallest_number_with_the_power(paired):
    n = stats.seeds_needed(1.0, 0.9, power=0.9, paired=paired)
    for count, enough in ((n, True), (n - 1, False)):
        freedom, error = (count - 1, math.sqrt(1 / count)) if paired else (2 * count - 2, math.sqrt(2 / count))
        critical = scipy_stats.t.ppf(0.975, freedom)
        power = scipy_stats.nct.sf(critical, freedom, 0.9 / error) + scipy_stats.nct.cdf(
            -critical, freedom, 0.9 / error
        )
        assert bool(power >= 0.9) is enough


def test_seeds_needed_at_the_extremes():
    assert stats.seeds_needed(0.0, 0.1) == 2
    assert 30_000 < stats.seeds_needed(1.0, 0.0224, paired=False) < 33_000  # about 2 * (2.8016 / 0.0224)^2
    with pytest.raises(ValueError, match="above 0"):
        stats.seeds_needed(1.0, 0.0)


@pytest.mark.parametrize(
    ("best", "grid", "edge"),
    [
        (16, [64, 16, 32], "low"),
        (64, [64, 16, 32], "high"),
        (32, [64, 16, 32], None),
        (1e-3, [1e-3, 1e-2], None),
        (1, [1, 1, 2], None),
        ("relu", ["relu", "silu", "tanh"], None),
        (False, [False, True, False], None),
        (0.1, [0.1, 0.2, "off"], None),
    ],
)
def test_edge_of_grid(best, grid, edge):
    assert stats.edge_of_grid(best, grid) == edge


def test_the_fields_own_bound_is_no_edge():
    assert stats.edge_of_grid(0.0, [0.0, 0.2, 0.5], lowest=0.0) is None
    assert stats.edge_of_grid(0.5, [0.0, 0.2, 0.5], lowest=0.0, highest=1.0) == "high"


def test_pareto_front_keeps_what_nothing_dominates():
    # the third loses at equal cost, the fourth on both, the fifth at equal gain; the last two are equal and both stay
    front = stats.pareto_front([1, 2, 2, 3, 4, 5, 5], [0.7, 0.9, 0.8, 0.85, 0.9, 0.95, 0.95])
    assert front.tolist() == [True, True, False, False, False, True, True]
    assert stats.pareto_front([], []).tolist() == []
    with pytest.raises(ValueError, match="equal lengths"):
        stats.pareto_front([1], [1, 2])


def test_module_does_not_import_scipy_until_asked():
    program = "import sys, explorer.judging.stats, explorer.judging.relations; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
