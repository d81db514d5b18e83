"""What the report says of what is not known: what these seeds could show, and what it would take to know."""

import itertools

import numpy as np
import pytest

from explorer.asking import studies
from explorer.asking.tuning import StudySearch
from explorer.config import make_config
from explorer.judging import settled, stats, study
from explorer.judging.answers import answer_of
from explorer.judging.certainty import Certainty
from explorer.judging.costs import Costs, of_a_seed
from explorer.judging.runs import Runs
from explorer.judging.studies import StudyResult
from explorer.running.requests import Request
from tests.records import LR, notebook, record, runs
from tests.test_front import answer_line, front_page
from tests.test_results import four_rates, judged
from tests.test_studies import a_study, request, run_in_the_made_up_world

NOISY = [*runs({"lr": 0.0003}, [0.90, 0.92, 0.94]), *runs({"lr": 0.001}, [0.91, 0.93, 0.95])]
NOISY += [*runs({"lr": 0.003}, [0.92, 0.93, 0.95]), *runs({"lr": 0.01}, [0.91, 0.93, 0.94])]
TIMED = runs({"lr": 0.001}, [0.94, 0.95, 0.96], steps=30)  # a second of compiling, 2 of training, half a one of looking
CLEAR = [item for lr, level in ((0.0003, 0.90), (0.001, 0.99), (0.003, 0.93), (0.01, 0.92))
         for item in runs({"lr": lr}, [level, level + 0.001, level + 0.002])]  # fmt: skip


def test_fresh_seeds_could_show_what_their_differences_spread_lets_them():
    result = a_study()
    pairs = list(itertools.combinations(result.fresh, 2))
    spreads = [np.std([result.fresh[a][s] - result.fresh[b][s] for s in result.fresh[a]], ddof=1) for a, b in pairs]
    power, alpha = result.power, 0.05 / len(pairs)
    assert (power.n, power.comparisons) == (10, len(pairs))
    assert power.detectable == pytest.approx(stats.detectable_difference(np.median(spreads), 10, alpha=alpha))
    assert power.needed(0.002) == stats.seeds_needed(np.median(spreads), 0.002, alpha=alpha, paired=True)


def test_a_study_without_fresh_seeds_could_show_nothing():
    question = studies.load("optimizer-tuned", "mlp", "digits")
    records = run_in_the_made_up_world(StudySearch(question), at_most=12)
    assert StudyResult(request(name="optimizer-tuned"), question, Runs(records)).power is None


def test_runs_cost_what_the_most_alike_took_and_nobody_knows_without_any():
    costs = Costs(Runs(TIMED))
    like_them = make_config({"model": "mlp", "dataset": "digits", "steps": 30, "lr": 0.02})
    assert costs.of([]) == 0
    assert costs.of([like_them, like_them]) == pytest.approx(2 * 3.5)
    other = make_config({"model": "mlp", "dataset": "digits", "steps": 30, "batch_size": 8})
    assert costs.of([like_them, other]) is None


def test_what_is_left_of_a_sweep_are_its_runs_without_a_record(tmp_path):
    found = judged(tmp_path, LR, four_rates()[:10])
    assert {(one.lr, one.seed) for one in found.to_run()} == {(0.01, 1), (0.01, 2)}
    assert Costs(Runs(TIMED)).left(found) == pytest.approx(2 * 3.5)
    assert judged(tmp_path, LR, four_rates()).to_run() == []
    assert of_a_seed(judged(tmp_path, LR, four_rates())) == pytest.approx(4 * 3.5)


def test_what_was_not_asked_are_the_shipped_sweeps_and_studies_without_a_request(tmp_path):
    asked = Request("lr", "mlp", "digits", seeds=3)
    tuned = Request("activation-tuned", "mlp", "digits", seeds=5)
    records = [*runs({"lr": 0.001, "steps": 500}, [0.9, 0.91, 0.92])]
    question = studies.load("activation-tuned", "mlp", "digits")
    records += [record(config, 0.9) for config in StudySearch(question).ask()[:1]]
    left = {one.request.name for one in study.of_requests(Runs(records), []).not_run("digits", "mlp")}
    assert {"lr", "bs", "activation-tuned", "optimizer-tuned"} <= left
    assert "filters" not in left  # of a CNN
    fewer = {one.request.name for one in study.of_requests(Runs(records), [asked, tuned]).not_run("digits", "mlp")}
    assert left - fewer == {"lr", "activation-tuned"}


def test_an_answer_that_is_not_known_says_what_knowing_takes(tmp_path, undrawn):
    unknown = answer_of(judged(tmp_path, LR, NOISY))
    assert unknown.matters is Certainty.UNKNOWN
    seeds = unknown.judged.power.needed(settled.margins("digits").delta)
    assert seeds > 3
    assert f"takes {seeds:,} seeds" in answer_line(front_page(tmp_path, LR, NOISY))


def test_an_answer_that_is_known_does_not(tmp_path, undrawn):
    assert answer_of(judged(tmp_path, LR, CLEAR)).certainty is Certainty.SURE
    assert " seeds" not in answer_line(front_page(tmp_path, LR, CLEAR)).replace("fresh seeds", "")


def test_a_study_that_nobody_asked_for_stands_beside_the_sweep_with_its_cost(tmp_path, undrawn):
    two = 'title = "Depth"\nbase.steps = 30\ngrid.depth = [1, 2]\n'
    made = [*runs({"units": [512]}, [0.9, 0.91, 0.92]), *runs({"units": [512, 512]}, [0.95, 0.96, 0.97])]
    notebook(tmp_path, LR, four_rates(), name="rates")
    page = front_page(tmp_path, two, made)
    asks = page.index("- **How deep?**")
    assert "not run; `--sweep depth-tuned` takes about" in page[asks:].split("\n- **")[0]
