"""Sentences that were found unfair and must not be possible: each test takes one, with hand-made records."""

import itertools
import re

import numpy as np
import pytest
from msgspec.structs import replace

from explorer.asking import questions
from explorer.config import make_config
from explorer.judging import aims
from explorer.judging.answers import answer_of
from explorer.judging.certainty import Certainty
from explorer.judging.comparing import compare
from explorer.judging.runs import Runs, TestFigure
from explorer.judging.study import Study, of_requests
from explorer.judging.sweeps import judge
from explorer.running.leader import leader
from explorer.running.requests import Request
from explorer.seeds import fresh
from explorer.telling import tables, words
from explorer.telling.findings import best, interactions, knobs, longer
from explorer.telling.findings.sweep import sweep_sentences
from explorer.telling.statistics import across, statistics_lines
from tests.records import LR, PAIR, record, runs
from tests.test_results import four_rates, judged

TestFigure.__test__ = False  # pytest takes its name for a test's


def fresh_runs(values, accuracies):
    """Records of fresh seeds."""
    seeds = fresh(len(accuracies))
    made = zip(runs(values, accuracies), seeds, accuracies, strict=True)
    return [record(make_config({**item.config, "seed": seed}), accuracy) for item, seed, accuracy in made]


# 1. One pair of points got opposite words.


def test_two_configurations_have_one_word_in_all_sweeps_of_a_study(tmp_path):
    # lr 0.001 and 0.003 stand in a sweep of 5 seeds and in one of 3, where the difference would not be shown
    many = [
        *runs({"lr": 0.001}, [0.95, 0.94, 0.96, 0.95, 0.95]),
        *runs({"lr": 0.003}, [0.97, 0.961, 0.98, 0.97, 0.969]),
    ]
    few = [*runs({"lr": 0.1}, [0.3, 0.2, 0.5]), *runs({"lr": 0.01}, [0.9, 0.93, 0.91])]
    kinds = {
        "one": ("base.steps = 30\nbaseline = { lr = 0.001 }\ngrid.lr = [0.001, 0.003]\n", 5),
        "two": ("base.steps = 30\nbaseline = { lr = 0.001 }\ngrid.lr = [0.001, 0.003, 0.01, 0.1]\n", 3),
    }
    asked = []
    for name, (text, seeds) in kinds.items():
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        request = Request(name, "mlp", "digits", {}, seeds, str(path))
        asked.append((request, questions.load(str(path), "mlp", "digits")))
    together = judge(asked, Runs([*many, *few]))
    alone = judge(asked[1:], Runs([*many, *few]))
    assert alone[0].verdicts["lr 0.003"].word == "not settled"  # the premise
    one, two = (found.verdicts["lr 0.003"] for found in together)
    assert (one.word, two.word) == ("better", "better")
    assert (one.home, two.home, two.n) == ("", "one", 5)
    assert "better (as in one, n=5)" in tables.sweep_table(together[1])
    assert together[1].relations.of("lr 0.001", "lr 0.003").word == "worse"


@pytest.mark.parametrize("seed", range(20))
def test_who_compares_two_configurations_alone_hears_the_word_of_their_sweep(tmp_path, seed):
    random = np.random.default_rng(seed)
    rates, seeds = [0.0003, 0.001, 0.003, 0.01], int(random.integers(3, 7))
    levels = 0.9 + random.normal(0, 0.02, len(rates)) * random.integers(0, 2, len(rates))
    records = [
        item
        for lr, level in zip(rates, levels, strict=True)
        for item in runs({"lr": lr}, list(np.round(level + random.normal(0, 0.008, seeds), 4)))
    ]
    (tmp_path / "mine.toml").write_text(LR)
    asked = Request("mine", "mlp", "digits", {}, seeds, str(tmp_path / "mine.toml"))
    found = of_requests(Runs(records), [asked])
    (sweep,) = found.sweeps
    for one, other in itertools.permutations(sweep.distinct, 2):
        alone = compare(one, other, found)
        assert repr(alone.validation) == repr(sweep.relations.of(other.label, one.label))  # nan is not nan
        assert alone.judge is sweep


@pytest.mark.parametrize("baseline", ["0.0003", "0.001", "0.003", "0.01"])
def test_the_table_and_the_sentences_say_the_same_of_the_winner_and_the_baseline(tmp_path, baseline):
    text = f"baseline = {{ lr = {baseline} }}\n{LR}"
    found = judged(tmp_path, text, four_rates())
    for row in tables.frame(found).to_dict("records"):
        if row["label"] != found.winner.label and found.baseline == found.winner.label:
            known = {"worse": "worse", "likely worse": "likely worse"}
            assert row["standing"] == known.get(row["verdict"], row["standing"])
            assert (row["standing"] in known) == (row["verdict"] in known)
    if found.baseline != found.winner.label:
        word, standing = found.verdicts[found.winner.label].word, found.winner.standing(found.baseline)
        assert (word == "better") == (standing == "worse")


# 2. "the aim of 99.5 % is reached" at 99.55 ± 0.06.


def test_an_aim_is_reached_only_where_the_whole_interval_lies_above_it():
    def word(scores, target, images=10_000):
        return aims.aim_verdict(TestFigure(dict(enumerate(scores)), True), target, images)

    cnn = word([0.9957, 0.9956, 0.9952], 0.995)
    assert (cnn.word, cnn.certainty) == ("met on average", Certainty.UNKNOWN)
    # the runs' own interval alone would lie above: the test set's sampling error is what is added
    assert word([0.9957, 0.9956, 0.9955], 0.995).word == "met on average"
    assert word([0.9957, 0.9956, 0.9955], 0.995, images=10**7).word == "reached"
    assert (word([0.9985, 0.9986, 0.9984], 0.995).word, word([0.91, 0.92, 0.9], 0.995).word) == ("reached", "missed")
    assert word([0.9985, 0.9986], 0.995).word == "too few runs"
    assert word([0.9985, 0.9986, 0.9984], 0.995, images=None).word == "met on average"


def test_what_the_choosing_seeds_reach_is_no_more_than_likely():
    scores = {0: 0.9985, 1: 0.9986, 2: 0.9984}
    ours, chosen = (aims.aim_verdict(TestFigure(scores, fresh_), 0.995, 10_000) for fresh_ in (True, False))
    assert (ours.certainty, chosen.certainty) == (Certainty.SURE, Certainty.LIKELY)
    assert best.told(ours).startswith("the aim of 99.5 % is reached")
    assert best.told(chosen).startswith("the aim of 99.5 % is likely reached")


# 3. A winner's test figure taken from the seeds that chose it.


def test_a_winners_test_figure_is_that_of_fresh_seeds_or_says_whose_it_is(tmp_path):
    chosen = Runs(four_rates()).ranked("mlp", "digits")[0]
    assert words.tested(chosen) == "96.00 ± 2.48 % (n=3, the seeds that chose it)"
    later = fresh_runs({"lr": 0.003}, [0.95, 0.951, 0.952, 0.953])
    both = Runs([*four_rates(), *later])
    assert words.tested(both.ranked("mlp", "digits")[0]) == "94.15 ± 0.21 % (n=4, fresh seeds)"
    # two of them are no figure yet
    assert not Runs([*four_rates(), *later[:2]]).ranked("mlp", "digits")[0].test_figure.fresh
    told = " ".join(sweep_sentences(judged(tmp_path, LR, [*four_rates(), *later])))
    assert "test 94.15 ± 0.21 % (n=4, fresh seeds)" in told


def test_fresh_seeds_never_choose(tmp_path):
    lucky = fresh_runs({"lr": 0.0003}, [0.999] * 9)
    with_them, without = Runs([*four_rates(), *lucky]), Runs(four_rates())
    for one, other in zip(with_them.ranked("mlp", "digits"), without.ranked("mlp", "digits"), strict=True):
        assert (one.config, one.validation, one.test) == (other.config, other.validation, other.test)
    a, b = (judged(tmp_path, LR, records, seeds=3000) for records in ([*four_rates(), *lucky], four_rates()))
    assert repr(a.winner) == repr(b.winner)
    assert repr(a.verdicts) == repr(b.verdicts)
    assert a.importance == b.importance
    assert len(with_them.find(lucky[0].point.model_copy(update={"seed": 1000})).config) > 0
    points = {"a": {0: 0.9, 1: 0.9}, "b": {0: 0.8, 1: 0.8, 1000: 1.0, 1001: 1.0, 1002: 1.0}}
    assert leader(points).point == "a"


# 4. p values of CNN against MLP on test accuracies.


def test_models_are_held_against_one_another_on_validation():
    cnn = runs({"model": "cnn"}, [0.99, 0.991, 0.992], test_accuracy=0.5)  # far worse on test
    told = best.FINDING.top(Study(Runs([*four_rates(), *cnn]), ()))[-1]
    assert "+2.1" in told and "validation accuracy" in told
    assert "p =" not in told
    mine = Runs([*four_rates(), *cnn, *fresh_runs({"lr": 0.003}, [0.96, 0.961, 0.962]),
                 *fresh_runs({"model": "cnn"}, [0.98, 0.981, 0.982])])  # fmt: skip
    found = compare(mine.ranked("mlp", "digits")[0], mine.ranked("cnn", "digits")[0], Study(mine, ()))
    assert (found.fresh, found.validation.word) == (True, "better")
    assert found.validation.difference == pytest.approx(0.02)


# 5, 6 and 7 are in tests/test_stats.py and tests/test_findings.py.
# 8. "3,643 runs, 7.7 hours" where 465 were repeats of the same seed.


def test_repeats_of_a_seed_are_no_runs():
    records = runs({}, [0.9, 0.91, 0.92])
    again = Runs([*records, records[0], replace(records[1], started="2026-02-02T00:00:00+00:00")])
    assert (len(again.counted), again.repeats) == (3, 2)


# 9. "more epochs helped up to 16" though 4 to 8 was not shown; "no lengthening was shown to help" for +5.92 points.


def test_each_lengthening_stands_for_itself_and_its_estimate_comes_first(tmp_path):
    text = 'title = "Steps"\nbase = {}\ngrid.steps = [10, 20, 40, 80]\n'
    values = {10: [0.80, 0.801, 0.802], 20: [0.90, 0.901, 0.903], 40: [0.85, 0.93, 0.96], 80: [0.97, 0.971, 0.972]}
    records = [item for steps, accuracies in values.items() for item in runs({"steps": steps}, accuracies)]
    (told,) = longer.find(Study(Runs(records), (judged(tmp_path, text, records, name="steps"),)))
    assert re.search(r"20 to 40: about \+1\.2 \(-.*\), not settled \(n=3\)", told)
    assert "Shown to help: 10 to 20; not settled: 20 to 40 and 40 to 80." in told
    assert "up to" not in told and "no lengthening" not in told


# 10. "opt 26.37 points" from one hopeless point; "CNN depends most on bs" of two knobs run.


def test_an_effect_is_ranked_without_its_hopeless_point_which_is_named(tmp_path):
    near = [*runs({"lr": 0.001}, [0.940, 0.941, 0.942]), *runs({"lr": 0.003}, [0.950, 0.951, 0.953])]
    records = [*near, *runs({"lr": 0.01}, [0.945, 0.946, 0.947]), *runs({"lr": 0.0003}, [0.20, 0.21, 0.23])]
    found = judged(tmp_path, LR, records)
    assert found.hopeless.label == "lr 0.0003"
    assert found.reach == found.hopeless.rest.corrected < 0.01 < 0.3 < found.importance.corrected
    (told,) = knobs.FINDING.top(Study(Runs(records), (found,)))
    assert re.search(r"Learning rate \(0\.\d\d points against the seed's 0\.\d\d; 36\.\d\d with lr 0\.0003\)", told)


def test_knobs_are_ranked_only_among_those_run_and_the_others_are_named(tmp_path):
    found = judged(tmp_path, LR, four_rates())
    (told,) = knobs.FINDING.top(Study(Runs(four_rates()), (found,)))
    assert "depends most" not in told
    assert re.search(r"\(1 of \d+ knobs run\): an effect is shown of Learning rate", told)
    assert "not run often enough to say: Activation, Augmentation" in told


# 11. "45.85 ± 241.29 %"; 40 % against 93 % "no difference shown"; the luckiest single run as "best so far".


def test_two_runs_are_shown_themselves_without_interval_or_verdict(tmp_path):
    records = [*runs({"lr": 0.001}, [0.93, 0.931]), *runs({"lr": 0.003}, [0.2688, 0.6482])]
    found = judged(tmp_path, "base.steps = 30\ngrid.lr = [0.001, 0.003]\n", records, seeds=2)
    table = tables.sweep_table(found)
    row = next(line for line in table.splitlines() if line.startswith("| lr 0.003"))
    assert "26.88, 64.82" in row and "too few runs" in row and "±" not in table
    told = " ".join(sweep_sentences(found))
    assert "no verdict on any difference, no interval" in told and "±" not in told


def test_the_leader_is_the_best_mean_and_not_the_luckiest_run():
    points = {"steady": {0: 0.95, 1: 0.96, 2: 0.95}, "lucky": {0: 0.99, 1: 0.80, 2: 0.85}, "begun": {0: 0.999}}
    found = leader(points)
    assert (found.point, found.n) == ("steady", 3)
    assert found.mean == pytest.approx(0.9533, abs=1e-4)
    tries = {f"try {number}": {0: 0.96 + number / 1000} for number in range(9)}
    assert (leader(tries).point, leader(tries).n) == ("try 8", 1)
    assert leader({**tries, "finalist": {0: 0.97, 1: 0.93, 2: 0.93}}).point == "finalist"
    assert leader({"a round ahead": {0: 0.9, 1: 0.9, 2: 0.9}, "better": {0: 0.95, 1: 0.94}}).point == "better"
    assert leader({"begun": {0: 0.9}, "other": {}}).n == 1
    assert leader({}) is None


# 12. Interactions on one scale only; sweeps uncorrected among each other; baselines that serve many sweeps.


def test_an_interaction_that_only_one_scale_shows_is_not_claimed(tmp_path):
    # each knob halves the errors: they cannot add up in accuracy, and do in log-odds
    cells = {(0.001, 16): 0.20, (0.001, 32): 0.10, (0.003, 16): 0.10, (0.003, 32): 0.047}
    random = np.random.default_rng(0)
    records = [
        item
        for (lr, size), errors in cells.items()
        for item in runs({"lr": lr, "batch_size": size}, (1 - errors * random.normal(1, 0.02, 6)).tolist())
    ]
    told = " ".join(interactions.interaction_sentences(judged(tmp_path, PAIR, records, seeds=6)))
    assert "depends on the scale, so nothing is claimed" in told


def test_what_a_correction_over_all_sweeps_would_leave_is_told_and_who_shares_a_baseline(tmp_path):
    first = judged(tmp_path, LR, four_rates())
    other = judged(tmp_path, LR.replace("0.0003, 0.001", "0.001"), four_rates())
    study_ = Study(Runs(four_rates()), (first, other))
    found = study_.across
    assert (found.sweeps, found.compared) == (2, 5)
    assert found.survive <= found.shown
    assert "of 5 comparisons with a baseline in 2 sweeps" in across(study_)[0]
    assert study_.sharing_baseline(first) == [other]
    told = " ".join(sweep_sentences(first, study_.sharing_baseline(first)))
    assert "**Shared baseline**: the 3 runs of lr 0.001 serve 1 other sweep, too (mine)" in told


# What the report is to mark: answers with a certainty.


def test_an_answer_names_the_best_values_with_estimate_interval_and_certainty(tmp_path):
    found = answer_of(judged(tmp_path, LR, four_rates()))
    assert found.best[0] == "lr 0.003"
    assert (found.n, found.estimate.against, found.test.fresh) == (3, "lr 0.001", False)
    assert found.validation.low < 0.97 < found.validation.high
    # the others of the three are as good as can be told, and the fourth is shown worse
    assert (found.best[1:], found.certainty) == (("lr 0.001", "lr 0.01"), Certainty.SURE)
    alike = [item for rate in (0.0003, 0.001, 0.003, 0.01) for item in runs({"lr": rate}, [0.9, 0.91, 0.92])]
    assert answer_of(judged(tmp_path, LR, alike)).certainty is Certainty.UNKNOWN  # nothing is set aside
    clear = [item for rate in (0.0003, 0.001, 0.003, 0.01)
             for item in runs({"lr": rate}, [0.9 + rate * 5 + step for step in (0.0, 0.0001, 0.0003)])]  # fmt: skip
    sure = answer_of(judged(tmp_path, LR, clear))
    assert (sure.best, sure.alone, sure.certainty, sure.matters) == (("lr 0.01",), True, Certainty.SURE, Certainty.SURE)
    assert answer_of(judged(tmp_path, LR, [])) is None


def test_the_part_on_statistics_is_silent_without_a_verdict():
    assert statistics_lines(Study(Runs([]), ()), None) == []
    assert Study(Runs([]), ()).across.compared == 0
