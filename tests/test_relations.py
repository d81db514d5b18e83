"""What points are against each other: words, standings, and that no two readers of a pair get opposite ones."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.judging.certainty import Certainty, by_chosen_seeds, of_all, of_test
from explorer.judging.hypothesis import hypothesis_verdict
from explorer.judging.moderation import Trend
from explorer.judging.relations import Relations

TREND = Trend((0.0, 0.0, math.log(1e-6)), -5.0, 5.0, 6.0, 100)  # a standard deviation of 0.1 points, at any accuracy


def point(*scores):
    return dict(enumerate(scores))


BASELINE = point(0.970, 0.972, 0.971, 0.969, 0.973)
SWEEP = {
    "good": point(0.980, 0.983, 0.981, 0.978, 0.984),
    "good too": point(0.981, 0.982, 0.981, 0.979, 0.983),
    "middling": BASELINE,
    "poor": point(0.950, 0.951, 0.952, 0.949, 0.953),
}


def test_a_point_is_better_worse_not_settled_or_has_too_few_runs():
    more = {"same": point(0.971, 0.971, 0.970, 0.970, 0.973), "twice": point(0.99, 0.98)}
    found = Relations({**SWEEP, **more}, "middling")
    words = {label: found.of(label, "middling").word for label in found.labels if label != "middling"}
    assert words == {
        "good": "better", "good too": "better", "poor": "worse", "same": "not settled", "twice": "too few runs",
    }  # fmt: skip
    good = found.of("good", "middling")
    # differences 10, 11, 10, 9, 11 thousandths: mean 10.2, s = sqrt(0.7), half-width 2.776445 s / sqrt(5)
    assert good.difference == pytest.approx(0.0102)
    assert good.half_width == pytest.approx(0.00103885, abs=1e-8)
    assert math.isnan(found.of("twice", "middling").low)


def test_the_same_two_the_other_way_round_get_the_mirrored_word():
    found = Relations(SWEEP, "middling", trend=TREND)
    one, other = found.of("good", "middling"), found.of("middling", "good")
    assert (one.word, other.word) == ("better", "worse")
    assert (one.p_adjusted, one.difference) == (other.p_adjusted, -other.difference)


def test_what_only_the_second_opinion_shows_is_likely():
    # three runs that lie apart by chance: Welch's test sees a spread of 0.4 points, the study knows 0.1
    points = {"base": point(0.970, 0.974, 0.966), "up": point(0.974, 0.979, 0.982)}
    assert Relations(points, "base").of("up", "base").word == "not settled"
    found = Relations(points, "base", trend=TREND).of("up", "base")
    assert (found.word, found.certainty) == ("likely better", Certainty.LIKELY)


def test_no_interval_of_a_difference_goes_beyond_what_two_accuracies_can_be_apart():
    found = Relations({"a": point(0.0, 0.9, 0.1), "b": point(0.9, 0.1, 0.8)}, "a").of("b", "a")
    assert -1 <= found.low < found.difference < found.high <= 1


def test_a_noisy_poor_point_is_unknown_and_no_tie():
    # as found: 80.21 % was tied with 93.85 % while 86.36 % was not, for noisy is not as good
    points = {
        "best": point(0.9385, 0.9390, 0.9380),
        "close": point(0.9380, 0.9384, 0.9379),
        "poor": point(0.8636, 0.8640, 0.8630),
        "noisy": point(0.5, 0.95, 0.93),
    }
    won = Relations(points, "close").winner
    assert won.label == "best"
    assert won.ties == ("close",)
    assert won.unknown == ("noisy",)
    assert won.worse == ("poor",)
    assert [won.standing(label) for label in points] == ["best", "tied", "worse", "unknown"]


def test_fewer_than_three_runs_tie_with_nothing():
    won = Relations({"a": point(0.9, 0.91), "b": point(0.9, 0.91)}, "a").winner
    assert (won.label, won.ties, won.unknown) == ("a", (), ("b",))


def test_a_lone_surviving_seed_does_not_win():
    points = {"steady": BASELINE, "other": point(0.96, 0.961, 0.962, 0.959, 0.96), "survivor": {0: 0.99}}
    assert Relations(points, "steady").winner.label == "steady"
    # and extra seeds of a baseline do not shut the others out
    many = dict.fromkeys(range(30), 0.9)
    assert Relations({"base": many, "a": BASELINE, "b": BASELINE}, "base").winner.label == "a"


def test_fresh_seeds_choose_no_winner():
    points = {"a": {0: 0.9, 1: 0.91, 2: 0.92}, "b": {0: 0.8, 1: 0.81, 2: 0.82, 1000: 0.99, 1001: 0.99, 1002: 0.99}}
    assert Relations(points, "a").winner.label == "a"


def test_an_effect_is_as_sure_as_the_surest_word_of_the_sweep():
    assert Relations(SWEEP, "middling").effect is Certainty.SURE
    assert Relations({"a": BASELINE, "b": BASELINE}, "a").effect is Certainty.UNKNOWN
    points = {"base": point(0.970, 0.974, 0.966), "up": point(0.974, 0.979, 0.982)}
    assert Relations(points, "base", trend=TREND).effect is Certainty.LIKELY
    assert Relations({}, "a").winner is None


def sweeps():
    """Sweeps of points that differ in mean, spread and number of runs; some share a mean, some never vary."""
    runs = st.lists(st.integers(-400, 400), min_size=1, max_size=7)
    one = st.tuples(st.sampled_from([0.2, 0.9, 0.95, 0.951, 0.98]), st.sampled_from([0, 1e-6, 1e-5, 1e-4, 5e-4]), runs)
    return st.lists(one, min_size=2, max_size=7).map(
        lambda points: {
            f"p{place}": {seed: min(1.0, max(0.0, mean + spread * step)) for seed, step in enumerate(steps)}
            for place, (mean, spread, steps) in enumerate(points)
        }
    )


@settings(max_examples=150, deadline=None)
@given(sweeps(), st.booleans(), st.booleans())
def test_no_pair_is_both_distinguished_and_not(points, moderated, claimed):
    """Whatever asks of two points in a report: the table, the winner's standing, ties, a claim, a hypothesis."""
    labels = list(points)
    declared = [[(labels[0], label) for label in labels[1:]]] if claimed else []
    found = Relations(points, labels[-1], declared, TREND if moderated else None)
    for a in labels:
        for b in labels:
            if a != b:
                one, other = found.of(a, b), found.of(b, a)
                assert one.certainty is other.certainty
                assert not (one.is_better and other.is_better) and not (one.is_worse and other.is_worse)
                settled = {"better": "worse", "worse": "better", "likely better": "likely worse",
                           "likely worse": "likely better"}  # fmt: skip
                assert other.word == settled.get(one.word, one.word)
    won = found.winner
    groups = (won.ties, won.unknown, won.likely_worse, won.worse)
    assert sorted(label for group in groups for label in group) == sorted({*labels} - {won.label})
    for label in (*won.ties, *won.unknown):
        assert not found.of(label, won.label).is_worse
    for label in (*won.worse, *won.likely_worse):
        assert found.of(label, won.label).is_worse
    # a tie lies behind no point that is worse
    means = {label: np.mean(list(scores.values())) for label, scores in points.items()}
    behind = [means[label] for label in (*won.worse, *won.likely_worse)]
    assert all(means[label] >= max(behind, default=0) - 1e-12 for label in won.ties)
    verdict = hypothesis_verdict(found, [won.label])
    beaten = all(found.of(won.label, label).is_better for label in labels if label != won.label)
    assert (verdict.verdict == "confirmed") == beaten


@pytest.mark.parametrize(
    ("expected", "verdict", "reason", "label"),
    [
        (["good", "good too"], "confirmed", "expected beats others", "good"),
        (["good"], "undecided", "expected leads", "good"),
        (["good too"], "undecided", "other leads", "good"),
        (["middling", "poor"], "rejected", "other beats expected", "good"),
        (["middling", "not run"], "undecided", "expected not run", "good"),
        (["not run"], "undecided", "no expected result", ""),
        (list(SWEEP), "undecided", "no other result", ""),
        (["good", "good too", "not run"], "confirmed", "expected beats others", "good"),
    ],
)
def test_hypothesis_verdict(expected, verdict, reason, label):
    found = hypothesis_verdict(Relations(SWEEP, "middling"), expected)
    assert (found.verdict, found.reason, found.label) == (verdict, reason, label)
    assert found.certainty is (Certainty.UNKNOWN if verdict == "undecided" else Certainty.SURE)


def test_a_hypothesis_on_two_seeds_is_undecided():
    found = hypothesis_verdict(Relations({"a": point(0.9, 0.9), "b": point(0.1, 0.2)}, "b"), ["a"])
    assert (found.verdict, found.reason) == ("undecided", "too few runs")


def test_a_hypothesis_that_only_the_second_opinion_bears_out_is_likely_confirmed():
    points = {"base": point(0.970, 0.974, 0.966), "up": point(0.974, 0.979, 0.982)}
    found = hypothesis_verdict(Relations(points, "base", trend=TREND), ["up"])
    assert (found.verdict, found.certainty) == ("confirmed", Certainty.LIKELY)


def test_an_unequalled_point_rejects_even_where_a_wilder_one_has_the_best_mean():
    wild = point(0.999, 0.950, 0.999, 0.965, 0.999)  # mean 0.9824 but beats nothing
    found = Relations({**SWEEP, "wild": wild}, "middling")
    assert found.winner.label == "wild"
    assert hypothesis_verdict(found, ["middling"]).verdict == "rejected"


def test_certainty_is_that_of_the_least_sure_part():
    assert of_all([Certainty.SURE, Certainty.LIKELY]) is Certainty.LIKELY
    assert of_all([]) is Certainty.UNKNOWN
    assert [of_test(True, False), of_test(False, True), of_test(False, False)] == [2, 1, 0]
    assert by_chosen_seeds(Certainty.SURE) is Certainty.LIKELY
    assert by_chosen_seeds(Certainty.UNKNOWN) is Certainty.UNKNOWN
