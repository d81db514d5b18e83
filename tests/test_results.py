"""A sweep and its records, judged."""

import math

import numpy as np
import pytest

from explorer.asking import questions as sweep
from explorer.judging import stats
from explorer.judging.runs import Lost, Runs
from explorer.judging.sweeps import SweepResult, judge
from explorer.running.requests import Request
from tests.records import LR, PAIR, POINTS, runs


def judged(tmp_path, text, records, seeds=3, **request):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    asked = Request(
        **{"name": "mine", "model": "mlp", "dataset": "digits", "seeds": seeds, "path": str(path), **request}
    )
    return SweepResult(asked, sweep.load(str(path), asked.model, asked.dataset, asked.overrides), Runs(records))


def four_rates():
    return [
        *runs({"lr": 0.0003}, [0.90, 0.9102, 0.92]),
        *runs({"lr": 0.001}, [0.94, 0.95, 0.96]),
        *runs({"lr": 0.003}, [0.96, 0.9701, 0.98]),
        *runs({"lr": 0.01}, [0.93, 0.95, 0.955]),
    ]


def in_steps(field, values, step):
    """Three equal runs a value, each value ``step`` above the one before."""
    return [item for place, value in enumerate(values) for item in runs({field: value}, [0.9 + place * step] * 3)]


def test_records_find_their_point_by_configuration_and_seed(tmp_path):
    found = judged(tmp_path, LR, four_rates())
    assert found.validation["lr 0.001"] == {0: 0.94, 1: 0.95, 2: 0.96}
    assert found.complete
    assert found.baseline == "lr 0.001"
    assert found.winner.label == "lr 0.003"
    assert found.verdicts["lr 0.0003"].word == "worse"


def test_seeds_beyond_the_plan_do_not_count(tmp_path):
    found = judged(tmp_path, LR, four_rates(), seeds=2)
    assert set(found.validation["lr 0.001"]) == {0, 1}


def test_a_diverged_point_is_told_with_its_step_and_leaves_other_verdicts_alone(tmp_path):
    records = four_rates()
    without = judged(tmp_path, LR, records[:9])
    found = judged(tmp_path, LR, [*records[:9], *runs({"lr": 0.01}, [None, None, None])])
    assert found.complete
    assert not without.complete
    assert found.by_label["lr 0.01"].lost == Lost(3, 0, 3, (7,))
    assert "lr 0.01" not in found.validation
    for label, verdict in without.verdicts.items():
        assert repr(found.verdicts[label]) == repr(verdict)


def test_a_hypothesis_waits_for_the_whole_sweep(tmp_path):
    unfinished = judged(tmp_path, LR, four_rates()[:9]).hypothesis
    assert (unfinished.verdict, unfinished.reason) == ("undecided", "unfinished")
    assert (unfinished.done, unfinished.planned) == (9, 12)
    assert judged(tmp_path, LR, four_rates()).hypothesis.verdict in ("rejected", "undecided")
    assert judged(tmp_path, PAIR, []).hypothesis is None


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_give_no_verdict(tmp_path, seeds):
    found = judged(tmp_path, LR, four_rates(), seeds=seeds)
    assert {verdict.word for verdict in found.verdicts.values()} == {"too few runs"}
    assert math.isnan(found.noise) == (seeds == 1)
    assert found.power is None


def test_power_counts_the_points_that_can_be_compared_with_the_baseline(tmp_path):
    base, other = [0.90, 0.91, 0.93, 0.92, 0.92], [0.91, 0.93, 0.93, 0.94, 0.92]
    few = [*runs({"lr": 0.01}, [0.5])]  # one seed alone: no comparison
    records = [*runs({"lr": 0.001}, base), *runs({"lr": 0.003}, other), *few]
    power = judged(tmp_path, LR, records, seeds=5).power
    assert (power.n, power.comparisons) == (5, 1)
    spread = np.std(np.subtract(other, base), ddof=1)
    assert power.detectable == pytest.approx(stats.detectable_difference(spread, 5))
    assert power.needed() == stats.seeds_needed(spread, 0.005, paired=True)
    power = judged(tmp_path, LR, records, seeds=4).power  # Welch's test: the seed's own spread
    spread = np.median([np.std(base[:4], ddof=1), np.std(other[:4], ddof=1)])
    assert power.detectable == pytest.approx(stats.detectable_difference(spread, 4, paired=False))


def test_a_winner_on_the_edge_is_noticed_unless_the_field_ends_there(tmp_path):
    rising = in_steps("lr", [0.0003, 0.001, 0.003, 0.01], 0.01)
    assert judged(tmp_path, LR, rising).edges == [("lr", "high")]
    dropout = 'title = "Dropout"\nbase.steps = 30\ngrid.dropout = [0.0, 0.2, 0.4]\n'
    falling = in_steps("dropout", [0.0, 0.2, 0.4], -0.01)
    assert judged(tmp_path, dropout, falling).edges == []


def test_equal_points_share_their_runs_and_are_judged_once(tmp_path):
    found = judged(
        tmp_path, POINTS, [*runs({"lr": 0.001}, [0.9, 0.91, 0.92]), *runs({"lr": 0.003}, [0.93, 0.94, 0.95])]
    )
    assert found.by_label["again"].validation == found.by_label["first"].validation
    assert list(found.validation) == ["first", "other"]
    assert list(found.verdicts) == ["other"]


def test_sweeps_that_were_asked_for_are_judged_without_finding_them_again(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(LR)
    question = sweep.load(str(path), "mlp", "digits")
    asked = Request("mine", "mlp", "digits", {}, 2, str(path))
    (found,) = judge([(asked, question)], Runs(four_rates()), origin="own")
    assert (found.slug, found.origin, found.seeds) == ("mine", "own", 2)
    (more,) = judge([(asked, question)], Runs(four_rates()), known=[Request("mine", "mlp", "digits", {}, 3, str(path))])
    assert more.seeds == 3  # as many as anybody ever asked for


def test_a_sweep_run_in_two_ways_has_two_slugs(tmp_path):
    plain, fixed = Request("lr", "mlp", "digits", {}, 3), Request("lr", "mlp", "digits", {"batch_size": 64}, 3)
    loaded = [(request, sweep.load("lr", "mlp", "digits", request.overrides)) for request in (fixed, plain)]
    assert [found.slug for found in judge(loaded, Runs([]))] == ["lr-batch-size-64", "lr"]
