"""Every figure here is worked out by hand in the comment beside it, or scipy's, or measured on simulated data."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats as scipy_stats

from explorer.judging import stats


def point(*scores: float) -> dict[int, float]:
    return dict(enumerate(scores))


def test_interval_equals_the_hand_computed_one_and_scipys():
    # 1..5: mean 3, s = sqrt(2.5), t(0.975, 4) = 2.776445 -> 2.776445 * 1.581139 / 2.236068 = 1.963243
    interval = stats.mean_interval([1, 2, 3, 4, 5])
    assert (interval.mean, interval.n) == (3.0, 5)
    assert interval.half_width == pytest.approx(1.963243, abs=1e-6)
    low, high = scipy_stats.t.interval(0.95, 4, loc=3, scale=scipy_stats.sem([1, 2, 3, 4, 5]))
    assert (3 - interval.half_width, 3 + interval.half_width) == pytest.approx((low, high))


def test_one_value_has_no_interval_and_says_so():
    assert math.isnan(stats.mean_interval([0.9793]).half_width)


@pytest.mark.parametrize("values", [[], [0.9, math.nan], [[0.9]]])
def test_values_that_are_none_or_not_finite_are_refused(values):
    with pytest.raises(ValueError, match=r"number|finite"):
        stats.mean_interval(values)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
def test_paired_test_equals_scipys(n):
    generator = np.random.default_rng(n)
    a, b = generator.normal(0.98, 0.002, n), generator.normal(0.981, 0.001, n)
    ours, theirs = stats.paired_test(a, b), scipy_stats.ttest_rel(b, a)
    interval = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.difference == pytest.approx(np.mean(b - a))
    assert ours.half_width == pytest.approx((interval.high - interval.low) / 2)


def test_identical_scores_show_no_difference_at_all():
    assert stats.paired_test([0.97, 0.98, 0.96], [0.97, 0.98, 0.96]) == stats.Paired(0.0, 0.0, 1.0, 3)


def test_constant_difference_takes_the_sign_tests_p():
    # in binary these differences are not exactly equal; a t test would give p = 1e-30
    pair = stats.paired_test([0.9790, 0.9792, 0.9801], [0.9793, 0.9795, 0.9804])
    assert pair.p == 0.25  # 2 * 0.5^3
    assert pair.difference == pytest.approx(0.0003)
    assert math.isnan(pair.half_width)
    assert stats.paired_test([0.1] * 6, [0.2] * 6).p == 0.03125


def test_one_pair_has_no_p_and_unequal_lengths_are_refused():
    assert math.isnan(stats.paired_test([0.9], [0.8]).p)
    with pytest.raises(ValueError, match="equal lengths"):
        stats.paired_test([0.9, 0.8], [0.8])


def test_holm_equals_the_hand_computed_values():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last is raised to 0.06
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.6, 0.7]) == [1.0, 1.0]
    assert stats.holm([]) == []


def test_holm_passes_over_tests_that_did_not_take_place():
    adjusted = stats.holm([0.01, math.nan, 0.04])
    assert adjusted[0::2] == pytest.approx([0.02, 0.04])
    assert math.isnan(adjusted[1])


BASELINE = point(0.970, 0.972, 0.971, 0.969, 0.973)


def test_verdicts_name_better_worse_undecided_and_untested():
    points = {
        "up": point(0.980, 0.983, 0.981, 0.978, 0.984),
        "down": point(0.950, 0.951, 0.952, 0.949, 0.953),
        "same": point(0.971, 0.971, 0.970, 0.970, 0.973),
        "once": {3: 0.99},
        "elsewhere": {7: 0.99, 8: 0.99},
    }
    found = {verdict.label: verdict for verdict in stats.verdicts(BASELINE, points)}
    assert list(found) == list(points)
    assert [found[label].verdict for label in points] == [
        "better",
        "worse",
        "no difference shown",
        "one seed: no verdict",
        "no common seed: no verdict",
    ]
    # up - baseline = 10, 11, 10, 9, 11 thousandths: mean 10.2, s = sqrt(0.7) = 0.83666, half-width 2.776445 s / sqrt(5)
    assert found["up"].difference == pytest.approx(0.0102)
    assert found["up"].half_width == pytest.approx(0.00103885, abs=1e-8)
    assert found["once"].n == 1
    assert found["once"].difference == pytest.approx(0.021)
    assert math.isnan(found["once"].p_adjusted)


def test_seeds_are_matched_by_number_not_by_position():
    shuffled = {4: 0.983, 2: 0.981, 9: 0.5, 0: 0.980}
    (verdict,) = stats.verdicts(BASELINE, {"point": shuffled})
    assert verdict.n == 3
    assert verdict.difference == pytest.approx(0.010)


def test_a_point_without_result_leaves_the_other_verdicts_intact():
    up = point(0.980, 0.983, 0.981, 0.978, 0.984)
    same = point(0.971, 0.971, 0.970, 0.970, 0.973)
    with_untested = stats.verdicts(BASELINE, {"up": up, "once": {0: 0.1}, "same": same})
    assert [with_untested[0], with_untested[2]] == stats.verdicts(BASELINE, {"up": up, "same": same})


def test_a_difference_that_is_significant_alone_is_not_among_many():
    generator = np.random.default_rng(0)
    lone = point(0.9715, 0.9744, 0.9727, 0.9692, 0.9752)  # differences 15, 24, 17, 2, 22: p about 0.013
    others = {f"noise {i}": {s: v + generator.normal(0, 0.002) for s, v in BASELINE.items()} for i in range(5)}
    assert stats.verdicts(BASELINE, {"lone": lone})[0].verdict == "better"
    assert stats.verdicts(BASELINE, {"lone": lone, **others})[0].verdict == "no difference shown"


def simulated_sweeps(seed, sweeps, deviations, n, shift=0.0):
    """Sweeps of len(deviations) points x n seeds with a common seed effect; the last point is shifted."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(sweeps, len(deviations), n)) * np.array(deviations)[:, None]
    scores += generator.normal(0, 0.7, (sweeps, 1, n))
    scores[:, -1] += shift
    return [{str(i): dict(enumerate(row)) for i, row in enumerate(sweep.tolist())} for sweep in scores]


def verdict_words(sweep):
    baseline, *labels = sweep
    return [verdict.verdict for verdict in stats.verdicts(sweep[baseline], {label: sweep[label] for label in labels})]


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("deviations", [[1] * 6, [1, 1, 1, 1, 1, 5], [4, 1, 1, 1, 1, 1]], ids=["even", "wild", "base"])
def test_sweeps_without_difference_get_a_false_verdict_in_five_per_cent_at_most(n, deviations):
    sweeps = simulated_sweeps(n, 1200, deviations, n)
    false = np.mean([set(verdict_words(sweep)) != {"no difference shown"} for sweep in sweeps])
    assert 0.005 < false <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1200)  # two standard errors of the simulation


def test_a_real_difference_is_found_as_often_as_theory_says():
    # Noncentral t: 3 standard errors, 10 seeds, one comparison 0.761; 4 standard errors 0.944.
    for errors, expected in ((3, 0.761), (4, 0.944)):
        sweeps = simulated_sweeps(errors, 1500, [1, 1], 10, shift=errors * math.sqrt(2 / 10))
        assert np.mean([verdict_words(sweep) == ["better"] for sweep in sweeps]) == pytest.approx(expected, abs=0.035)


def test_a_large_difference_is_found_within_a_sweep_of_five_seeds():
    sweeps = simulated_sweeps(8, 500, [1] * 6, 5, shift=8 * math.sqrt(2 / 5))
    assert np.mean([verdict_words(sweep)[-1] == "better" for sweep in sweeps]) > 0.93


def test_winner_is_the_best_mean_with_its_ties_best_first():
    points = {
        "far": point(0.950, 0.951, 0.952, 0.949, 0.953),
        "near": point(0.9712, 0.9713, 0.9708, 0.9694, 0.9731),
        "best": point(0.970, 0.973, 0.972, 0.969, 0.9735),
        "nearer": point(0.9701, 0.9731, 0.9716, 0.9692, 0.9733),
    }
    won = stats.winner(points)
    assert (won.label, won.ties, won.untested) == ("best", ("nearer", "near"), ())
    assert won.interval == stats.mean_interval([0.970, 0.973, 0.972, 0.969, 0.9735])


def test_a_point_is_set_aside_by_a_one_sided_test_shared_among_the_points():
    # differences 0, 1, 2 thousandths: t = sqrt(3), one-sided p 0.1127 with 2 degrees of freedom
    points = {"a": point(0.971, 0.972, 0.973), "b": point(0.971, 0.971, 0.971)}
    assert stats.winner(points, alpha=0.112).ties == ("b",)
    assert stats.winner(points, alpha=0.113).ties == ()
    assert stats.winner({**points, "c": point(0.5, 0.5, 0.5)}, alpha=0.225).ties == ("b",)
    assert stats.winner({**points, "c": point(0.5, 0.5, 0.5)}, alpha=0.226).ties == ()


def test_winner_of_one_seed_is_told_from_nothing():
    won = stats.winner({"a": {0: 0.9}, "b": {0: 0.99}, "c": {0: 0.5}})
    assert (won.label, won.ties, won.untested) == ("b", ("a", "c"), ("a", "c"))


def test_a_lone_surviving_seed_does_not_win():
    points = {"steady": BASELINE, "other": point(0.96, 0.961, 0.962, 0.959, 0.96), "survivor": {0: 0.99}}
    won = stats.winner(points)
    assert won.label == "steady"
    assert "survivor" in won.untested
    # and extra seeds of a baseline do not shut the others out
    assert stats.winner({"base": dict.fromkeys(range(30), 0.9), "a": BASELINE, "b": BASELINE}).label == "a"


def test_winner_and_ties_hold_the_truly_best_point():
    # the truly best by a hair among many: an uncorrected test against the winner would lose it far more often
    for deviations in ([1] * 10, [4, *[1] * 9]):
        sweeps = simulated_sweeps(3, 600, deviations, 5, shift=1e-6)
        won = [stats.winner(sweep) for sweep in sweeps]
        lost = np.mean([str(9) not in (best.label, *best.ties) for best in won])
        assert lost <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 600)
        assert len({best.label for best in won}) == 10


def test_knob_spread_is_range_and_deviation_of_means():
    assert stats.knob_spread({"a": point(1, 3), "b": point(3), "c": point(7)}) == stats.Spread(5.0, math.sqrt(7))


def test_knob_importance_equals_the_hand_computed_variance_components():
    # means 2, 4; residuals +-0.5 -> error = 4 * 0.25 / 1 = 1; var(means) = 2; corrected = sqrt(2 - 1/2)
    found = stats.knob_importance({"a": point(1, 3), "b": point(4, 4)})
    assert found.corrected == pytest.approx(math.sqrt(1.5))
    assert found.spread == stats.Spread(2.0, math.sqrt(2))
    assert (found.points, found.n) == (2, 2)
    # two points: F with one degree of freedom is the paired t test
    assert found.p == pytest.approx(scipy_stats.ttest_rel([1, 3], [4, 4]).pvalue)


def test_knob_importance_ignores_what_a_seed_does_to_all_points_alike():
    points = {"a": {0: 0.9, 1: 0.8, 2: 0.7}, "b": {0: 0.9, 1: 0.8, 2: 0.7}}
    assert stats.knob_importance(points).p == 1.0
    lifted = {"a": point(0.90, 0.80, 0.70), "b": point(0.93, 0.83, 0.73)}
    assert stats.knob_importance(lifted).p == 0.25  # 2 * 0.5^3
    assert stats.knob_importance(lifted).corrected == pytest.approx(0.03 / math.sqrt(2))


def test_knob_without_effect_has_no_importance_and_rarely_passes_the_test():
    for deviations in ([1] * 6, [1, 1, 1, 1, 1, 5]):
        found = [stats.knob_importance(sweep) for sweep in simulated_sweeps(1, 1000, deviations, 5)]
        assert np.mean([importance.p <= 0.05 for importance in found]) <= 0.065
    even = [stats.knob_importance(sweep) for sweep in simulated_sweeps(2, 1000, [1] * 6, 5)]
    assert (
        np.median([importance.corrected for importance in even])
        < 0.1
        < 0.3
        < np.median([importance.spread.standard_deviation for importance in even])
    )


def test_knob_with_effect_is_seen_and_sized_without_the_noise():
    found = [stats.knob_importance(sweep) for sweep in simulated_sweeps(4, 600, [1] * 6, 10, shift=3.0)]
    assert np.mean([importance.p <= 0.05 for importance in found]) > 0.95
    # the true means 0, 0, 0, 0, 0, 3 have variance 1.5
    assert np.mean([importance.corrected**2 for importance in found]) == pytest.approx(1.5, abs=0.1)


def test_knob_importance_leaves_out_a_point_with_few_seeds_and_needs_two_seeds():
    points = {"a": point(1, 3, 2), "b": point(4, 4, 4), "survivor": {0: 9.0}}
    assert stats.knob_importance(points) == stats.knob_importance({"a": points["a"], "b": points["b"]})
    once = stats.knob_importance({"a": point(1), "b": point(2)})
    assert once.spread.range == 1
    assert math.isnan(once.p)
    assert math.isnan(once.corrected)
    assert math.isnan(stats.knob_importance({}).spread.range)


def test_an_interaction_is_found_where_there_is_one_and_not_in_a_sum():
    random = np.random.default_rng(5)
    noise = random.normal(0, 0.001, (3, 4, 6))
    sums = np.array([0.1, 0.2, 0.3])[:, None, None] + np.array([0.0, 0.1, 0.2, 0.5])[None, :, None] + noise
    effect, error, p = stats.interaction(sums)
    assert effect < 0.002
    assert error == pytest.approx(0.001, rel=0.3)
    assert p > 0.05
    crossed = sums.copy()
    crossed[0, 0] += 0.06  # leaves 0.06 * (2/3) * (3/4) = 0.03 in its own cell
    effect, _, p = stats.interaction(crossed)
    assert effect == pytest.approx(np.sqrt(0.06**2 * (2 / 3) * (3 / 4) / 6), rel=0.1)
    assert p < 0.001


def test_an_interaction_without_noise_is_no_more_than_a_sign_test():
    sums = np.round(np.array([0.9123, 0.9456])[:, None, None] + np.array([0.0, 0.0178])[None, :, None], 4)
    sums = sums + np.array([0.0, 0.0011, 0.0007])[None, None, :]  # what a seed does to all alike; rounding is left
    assert stats.interaction(sums)[2] == 1.0
    crossed = sums.copy()
    crossed[0, 0] += 0.01
    assert stats.interaction(crossed)[2] == 0.25  # 2 * 0.5^3


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


@pytest.mark.parametrize("n", [2, 5, 10])
def test_detectable_difference_is_found_with_its_power_in_simulated_data(n):
    difference = stats.detectable_difference(2.0, n)
    data = np.random.default_rng(n).normal(difference, 2.0, (20_000, n))
    assert np.mean(scipy_stats.ttest_1samp(data, 0, axis=1).pvalue <= 0.05) == pytest.approx(0.8, abs=0.012)


def test_detectable_difference_and_seeds_needed_are_inverse():
    assert stats.seeds_needed(0.2, stats.detectable_difference(0.2, 9) * 1.0001, paired=True) == 9
    assert math.isnan(stats.detectable_difference(0.2, 1))
    assert stats.detectable_difference(0.0, 5) == 0.0


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


SWEEP = {
    "good": point(0.980, 0.983, 0.981, 0.978, 0.984),
    "good too": point(0.981, 0.982, 0.981, 0.979, 0.983),
    "middling": BASELINE,
    "poor": point(0.950, 0.951, 0.952, 0.949, 0.953),
}


@pytest.mark.parametrize(
    ("expected", "verdict", "reason", "label"),
    [
        (["good", "good too"], "confirmed", "expected beats others", "good"),
        (["good"], "undecided", "expected ties", "good"),
        (["good too"], "undecided", "other ties", "good"),
        (["middling", "poor"], "rejected", "other beats expected", "good"),
        (["middling", "not run"], "undecided", "expected not run", "good"),
        (["not run"], "undecided", "no expected result", ""),
        (list(SWEEP), "undecided", "no other result", ""),
        (["good", "good too", "not run"], "confirmed", "expected beats others", "good"),
    ],
)
def test_hypothesis_verdict(expected, verdict, reason, label):
    found = stats.hypothesis_verdict(SWEEP, expected)
    assert (found.verdict, found.reason, found.label) == (verdict, reason, label)


def test_hypothesis_on_one_seed_is_undecided():
    found = stats.hypothesis_verdict({"a": {0: 0.9}, "b": {0: 0.1}}, ["a"])
    assert (found.verdict, found.reason) == ("undecided", "one seed")


def test_an_unequalled_point_rejects_even_where_a_wilder_one_has_the_best_mean():
    wild = point(0.999, 0.950, 0.999, 0.965, 0.999)  # mean 0.9824 but beats nothing
    assert stats.winner({**SWEEP, "wild": wild}).label == "wild"
    assert stats.hypothesis_verdict({**SWEEP, "wild": wild}, ["middling"]).verdict == "rejected"


def test_pareto_front_keeps_what_nothing_dominates():
    # the third loses at equal cost, the fourth on both, the fifth at equal gain; the last two are equal and both stay
    front = stats.pareto_front([1, 2, 2, 3, 4, 5, 5], [0.7, 0.9, 0.8, 0.85, 0.9, 0.95, 0.95])
    assert front.tolist() == [True, True, False, False, False, True, True]
    assert stats.pareto_front([], []).tolist() == []
    with pytest.raises(ValueError, match="equal lengths"):
        stats.pareto_front([1], [1, 2])


def test_published_figure_is_held_against_one_more_run():
    # 1..5: s = 1.581139; 2.776445 * s * sqrt(1.2) = 4.808944, so one more run lies in 3 +- 4.81
    values = [1, 2, 3, 4, 5]
    assert stats.published_inside(7.80, values) == "inside"
    assert stats.published_inside(7.81, values) == "above"
    assert stats.published_inside(-1.81, values) == "below"
    assert stats.published_inside(0.9, [0.9]) == "one seed: no verdict"
    assert stats.published_inside(0.9, [0.9, 0.9]) == "inside"


def test_module_does_not_import_scipy_until_asked():
    program = "import sys, explorer.judging.stats; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
