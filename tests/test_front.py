"""What the front page says beside its answers, so that none of them misleads: prices, other values in the best
configurations, few candidates, hopeless values, seeds that chose."""

import re

import numpy as np
import pytest

from explorer.judging import study
from explorer.judging.answers import DEAR, answer_of, names_among_the_best, used_by, usual_baseline
from explorer.judging.runs import ConfigResult, Runs
from explorer.record import Seconds
from explorer.telling import report, words
from explorer.telling.findings import recommendations
from explorer.telling.plots import pareto
from explorer.telling.plots.facts import Pair
from explorer.telling.report import front, group, try_next
from tests.records import LR, notebook, runs
from tests.test_fairness import fresh_runs
from tests.test_results import four_rates, judged

OPTIMIZERS = """
title = "Optimizer"
baseline = "adam"
base.steps = 30
points = [
  { label = "adam", optimizer = "adam", lr = 0.001 },
  { label = "muon", optimizer = "muon", lr = 0.02 },
  { label = "sgd", optimizer = "sgd", lr = 0.1 },
]
"""


def three_optimizers(muon_seconds: float):
    """Muon best, sgd worst; adam trains for 2 seconds."""
    slow = {"seconds": Seconds(compile=1.0, train=muon_seconds, eval=0.5)}
    return [
        *runs({"optimizer": "adam"}, [0.95, 0.951, 0.952]),
        *runs({"optimizer": "muon", "lr": 0.02}, [0.97, 0.971, 0.972], **slow),
        *runs({"optimizer": "sgd", "lr": 0.1}, [0.90, 0.901, 0.902]),
    ]


def front_page(tmp_path, text, records, **request) -> str:
    ledger = notebook(tmp_path, text, records, **request)
    report.rebuild(Runs(ledger.records()), tmp_path / "results", tmp_path / "media", tmp_path / "REPORT.md")
    return (tmp_path / "REPORT.md").read_text()


def answer_line(page: str) -> str:
    return next(line for line in page.splitlines() if line.startswith("  - MLP on digits:"))


def test_a_winner_that_trains_over_twice_as_long_as_the_baseline_says_so(tmp_path, undrawn):
    dear = answer_of(judged(tmp_path, OPTIMIZERS, three_optimizers(20.0)))
    assert dear.price("muon") == pytest.approx(10)
    assert np.isnan(dear.price("adam"))
    cheap = answer_of(judged(tmp_path, OPTIMIZERS, three_optimizers(2 * DEAR)))
    assert np.isnan(cheap.price("muon"))
    page = front_page(tmp_path, OPTIMIZERS, three_optimizers(20.0))
    assert "**muon** is best (sure)." in answer_line(page)
    assert "muon trains 10 times as long as adam." in answer_line(page)
    assert "at 10 times the training time" in next(line for line in page.splitlines() if "| Optimizer" in line)


def test_an_answer_says_where_the_best_configuration_has_another_value(tmp_path, undrawn):
    longer = runs({"lr": 0.02, "optimizer": "muon", "epochs": 2, "steps": None}, [0.99, 0.991, 0.992], steps=60)
    page = front_page(tmp_path, LR, [*four_rates(), *longer])
    assert "The best configuration has lr 0.02, with muon." in answer_line(page)
    assert "0.02 in 1" in next(line for line in page.splitlines() if line.startswith("| Learning rate"))
    told = section(page, "In one minute")
    assert "30 steps of 128 images with adam at learning rate 0.001" in told
    assert "see 2 times as many images" in told


def test_an_answer_that_names_the_best_configurations_value_says_no_more(tmp_path, undrawn):
    assert "The best configuration has" not in front_page(tmp_path, LR, four_rates())


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_steps_are_compared_however_their_number_is_said(tmp_path):
    text = (
        LR.replace("base.steps = 30\n", "")
        .replace("grid.lr", "grid.steps")
        .replace("expect_best.lr", "expect_best.steps")
    )
    text = text.replace("[0.0003, 0.001, 0.003, 0.01]", "[30, 60]").replace("[0.001]", "[30]")
    records = [*runs({"steps": 30}, [0.9, 0.91, 0.92]), *runs({"steps": 60}, [0.95, 0.951, 0.952])]
    answer = answer_of(judged(tmp_path, text, records))
    made = runs({"epochs": 2, "steps": None}, [0.95, 0.951], steps=60)
    best = ConfigResult(made[0].configuration, {record.seed: record for record in made})
    assert used_by(best, ("steps",)) == {"steps": 60}
    assert names_among_the_best(answer, {"steps": 60})
    assert not names_among_the_best(answer, {"steps": 7820})
    assert used_by(best, ("filters",)) is None


def test_augmentation_is_told_by_what_is_on():
    made = runs({"angle": 10, "shift": 1}, [0.95])
    best = ConfigResult(made[0].configuration, {0: made[0]})
    assert words.values_of(used_by(best, ("angle", "scale", "shift"))) == "angle 10, shift 1"
    plain = runs({}, [0.95])
    best = ConfigResult(plain[0].configuration, {0: plain[0]})
    assert words.values_of(used_by(best, ("angle", "scale", "shift"))) == "none"


def test_the_usual_baseline_is_that_of_most_sweeps(tmp_path):
    answers = [answer_of(judged(tmp_path, text, four_rates())) for text in (LR, LR, LR.replace("30", "60"))]
    found = [answer for answer in answers if answer]
    assert usual_baseline(found, "mlp").steps == 30
    assert usual_baseline(found, "cnn") is None


def test_the_best_of_few_configurations_is_told_to_be_that(tmp_path, undrawn, monkeypatch):
    told = section(front_page(tmp_path, LR, four_rates()), "In one minute")
    assert "For MLP on digits these are few" in told
    row = next(line for line in told.splitlines() if line.startswith("| digits"))
    assert row.split("|")[4].strip() == "4"
    monkeypatch.setattr(front, "FEW", 4)
    assert "these are few" not in section(front_page(tmp_path, LR, four_rates()), "In one minute")


def test_every_winner_without_fresh_seeds_is_offered_them_and_the_page_says_which(tmp_path, undrawn):
    notebook(tmp_path, LR, [], dataset="letters", name="letters")
    notebook(tmp_path, LR, [], model="cnn", name="convolutions")
    records = [
        *four_rates(),
        *[one for lr in (0.001, 0.003) for one in runs({"dataset": "letters", "lr": lr}, [0.9, 0.91, lr * 300])],
        *[one for lr in (0.001, 0.003) for one in runs({"model": "cnn", "lr": lr}, [0.9, 0.91, lr * 300])],
    ]
    ledger = notebook(tmp_path, LR, records)
    found = study.read(Runs(ledger.records()), tmp_path / "results")
    assert len(found.leaders) == 3
    assert {one.pair for one in try_next.fresh_seeds(found)} == set(found.leaders)
    told = section(front_page(tmp_path, LR, []), "In one minute")
    assert "has the commands that measure them on fresh seeds" in told

    notebook(tmp_path, LR, fresh_runs({"lr": 0.003}, [0.96, 0.961, 0.962]))
    found = study.read(Runs(ledger.records()), tmp_path / "results")
    assert ("digits", "mlp") not in {one.pair for one in try_next.fresh_seeds(found)}
    page = front_page(tmp_path, LR, [])
    assert "figures with a star are of fresh seeds" in section(page, "In one minute")
    assert re.search(r"\| \* +\|", section(page, "How to read it"))


def test_a_star_is_explained_only_where_there_is_one(tmp_path, undrawn):
    page = front_page(tmp_path, LR, four_rates())
    assert not re.search(r"\| \* +\|", section(page, "How to read it"))


def test_what_a_hopeless_value_makes_of_a_range_is_told_both_ways(tmp_path, undrawn):
    records = [*four_rates()[3:9], *runs({"lr": 0.0003}, [0.2, 0.21, 0.22]), *runs({"lr": 0.01}, [0.96, 0.965, 0.97])]
    answer = answer_of(judged(tmp_path, LR, records))
    assert answer.hopeless.label == "lr 0.0003"
    assert answer.range > 0.7
    page = front_page(tmp_path, LR, records)
    row = [line for line in page.splitlines() if line.startswith("| Learning rate")][1]
    assert re.search(r"\(sure\), 76\.00; 2\.00 without 0\.0003", row)


def test_a_rule_of_thumb_names_where_it_holds_and_where_nothing_was_shown(tmp_path):
    alike = [one for lr in (0.0003, 0.001, 0.003, 0.01) for one in runs({"model": "cnn", "lr": lr}, [0.9, 0.91, 0.92])]
    found = [
        answer_of(judged(tmp_path, LR, four_rates())),
        answer_of(judged(tmp_path, LR, alike, model="cnn")),
    ]
    told = recommendations.rule([one for one in found if one])
    assert told.startswith("0.003 is among the best for MLP on digits")
    assert told.endswith("no difference shown for CNN on digits")


def test_pairs_that_are_taken_for_one_another_equally_often_are_all_told():
    logits = np.eye(10)[[1, 2, 3, 3]]
    told = group._mistakes("digits", "defaults", logits, np.array([1, 4, 5, 3])).told
    assert told == "2 of 4 wrong; most often a true 4 is called 2 or a true 5 is called 3 (1 time each)."
    assert group._mistakes("digits", "defaults", logits, np.array([1, 2, 3, 3])).told == "0 of 4 wrong."


def test_lists_of_values_that_have_commas_are_told_apart():
    assert words.listed(["8,8", "16,16", "32,32"]) == "8,8; 16,16 and 32,32"


def test_the_picture_of_time_is_called_by_what_its_axis_shows():
    good = Runs(four_rates())
    near = pareto.facts(Pair("mlp", "digits", good.ranked("mlp", "digits"), ()))
    assert near.title.startswith("Error against training time")
    low = [one for lr in (0.001, 0.003) for one in runs({"lr": lr}, [0.7, 0.71, 0.72 + lr])]
    far = pareto.facts(Pair("mlp", "digits", Runs(low).ranked("mlp", "digits"), ()))
    assert far.title.startswith("Accuracy against training time")
