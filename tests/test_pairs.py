"""Every pair of points on arrays: each figure is scipy's, or worked out by hand, or measured by simulation."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from explorer.judging import moderation, pairs
from explorer.judging.moderation import Prior

NAN = math.nan


def two(a, b):
    """Two points over the same seeds, shorter ones lacking the last."""
    most = max(len(a), len(b))
    return np.array([[*a, *[NAN] * (most - len(a))], [*b, *[NAN] * (most - len(b))]])


@pytest.mark.parametrize("n", [5, 10, 40])
def test_from_five_common_seeds_on_the_test_is_scipys_paired_one(n):
    random = np.random.default_rng(n)
    a, b = random.normal(0.98, 0.002, n), random.normal(0.981, 0.001, n)
    found, theirs = pairs.compared(two(a, b)), scipy_stats.ttest_rel(a, b)
    assert found.p[0, 1] == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.p[1, 0] == found.p[0, 1]
    assert found.difference[0, 1] == pytest.approx(np.mean(a - b))
    assert found.difference[1, 0] == pytest.approx(-np.mean(a - b))
    assert (found.freedom[0, 1], found.n[0, 1]) == (n - 1, n)


@pytest.mark.parametrize(("first", "second"), [(3, 3), (4, 4), (3, 9)])
def test_with_fewer_common_seeds_it_is_welchs(first, second):
    random = np.random.default_rng(first + second)
    a, b = random.normal(0.98, 0.002, first), random.normal(0.981, 0.01, second)
    found, theirs = pairs.compared(two(a, b)), scipy_stats.ttest_ind(a, b, equal_var=False)
    assert found.p[0, 1] == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.freedom[0, 1] == pytest.approx(theirs.df)
    assert found.n[0, 1] == min(first, second)


def test_seeds_are_matched_by_their_place_and_others_left_out():
    a = [0.970, 0.972, 0.971, 0.969, 0.973, NAN]
    b = [0.980, 0.983, 0.981, 0.978, 0.984, 0.5]
    found = pairs.compared(np.array([a, b]))
    assert found.n[0, 1] == 5
    assert found.difference[1, 0] == pytest.approx(0.0102)


@pytest.mark.parametrize("few", [1, 2])
def test_fewer_than_three_runs_of_either_give_no_p(few):
    found = pairs.compared(two([0.9] * few, [0.8, 0.81, 0.82, 0.83, 0.84]))
    assert math.isnan(found.p[0, 1])
    prior = Prior(np.array([1e-6, 1e-6]), 5.0)
    assert math.isnan(pairs.second_opinion(two([0.9] * few, [0.8, 0.81, 0.82]), prior).p[0, 1])


def test_equal_scores_show_no_difference_and_constant_ones_little():
    assert pairs.compared(two([0.97, 0.98, 0.96], [0.97, 0.98, 0.96])).p[0, 1] == 1.0
    # in binary these differences are not exactly equal; a t test would give p = 1e-30
    six = two([0.1] * 6, [0.2] * 6)
    assert pairs.compared(six).p[0, 1] == 0.03125  # the sign test's 2 * 0.5^6
    assert pairs.compared(six[:, :3]).p[0, 1] == pytest.approx(0.1)  # the permutation test's 2 / C(6, 3)


def test_leading_axes_are_sweeps_side_by_side():
    random = np.random.default_rng(0)
    scores = random.normal(0.9, 0.01, (4, 3, 5))
    scores[1, 2, 3:] = NAN
    found = pairs.compared(scores)
    corrected = pairs.adjusted(found.p, [[(1, 0), (2, 0)]])
    for sweep in range(4):
        alone = pairs.compared(scores[sweep])
        np.testing.assert_allclose(found.p[sweep], alone.p)
        np.testing.assert_allclose(corrected[sweep], pairs.adjusted(alone.p, [[(1, 0), (2, 0)]]))


def test_holm_equals_the_hand_computed_values():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last is raised to 0.06
    assert pairs.holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert pairs.holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]
    adjusted = pairs.holm(np.array([0.01, NAN, 0.04]))  # a test that did not take place
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.04])
    assert math.isnan(adjusted[1])


def test_a_pair_is_corrected_in_the_first_family_that_has_it_and_else_for_all_points():
    p = np.full((4, 4), 0.02)
    corrected = pairs.adjusted(p, [[(2, 1)], [(1, 0), (2, 0), (3, 0), (1, 2)]])
    assert corrected[1, 2] == corrected[2, 1] == 0.02  # alone in its family, and not counted in the other
    assert corrected[1, 0] == corrected[0, 1] == pytest.approx(0.06)  # Holm over three
    assert corrected[1, 3] == pytest.approx(0.06)  # times 4 - 1


def test_moderated_variances_are_weighted_by_their_degrees_of_freedom():
    # (5 * 4 + 2 * 1) / 7 * 1.25 with 7 degrees of freedom
    variance, freedom = moderation.moderated(np.array([1.0]), np.array([2.0]), Prior(4.0, 5.0))
    assert (variance[0], freedom[0]) == (pytest.approx(1.25 * 22 / 7), 7.0)


def test_the_second_opinion_is_welchs_with_these():
    scores = np.array([[0.90, 0.91, 0.92], [0.93, 0.94, 0.95]])
    found = pairs.second_opinion(scores, Prior(np.array([1e-4, 1e-4]), 4.0))
    error = math.sqrt(2 * 1.25e-4 / 3)  # both variances are 1e-4, their own as what is usual
    assert found.error[0, 1] == pytest.approx(error)
    assert found.freedom[0, 1] == pytest.approx(12)
    assert found.p[0, 1] == pytest.approx(2 * scipy_stats.t.sf(0.03 / error, 12))


def spread_like(random, points, freedom, n=4):
    """Points whose variances are 1e-4 * (1 - accuracy), scattered as a prior of this many degrees of freedom."""
    accuracy = random.uniform(0.7, 0.99, points)
    true = 1e-4 * (1 - accuracy) * freedom / random.chisquare(freedom, points)
    return [list(random.normal(a, math.sqrt(v), n)) for a, v in zip(accuracy, true, strict=True)]


def test_the_trend_finds_what_is_usual_and_halves_what_it_is_worth():
    found = moderation.fitted(spread_like(np.random.default_rng(3), 4000, 12, n=8))
    assert found.points == 4000
    assert found.freedom == pytest.approx(6, rel=0.15)
    for accuracy in (0.75, 0.9, 0.98):
        assert found.prior(accuracy).variance == pytest.approx(1e-4 * (1 - accuracy), rel=0.2)
    # beyond what it was fitted on it says what its end says
    assert found.prior(0.1).variance == found.prior(0.0).variance


def test_the_trend_needs_twenty_points_of_three_runs():
    samples = spread_like(np.random.default_rng(1), 20, 12)
    assert moderation.fitted(samples) is not None
    assert moderation.fitted([*samples[1:], samples[0][:2]]) is None
