"""A study tunes each value of what it asks about, and only fresh seeds judge; it resumes from its records."""

import csv
import itertools
import math
import re

import pytest

from explorer.asking import documents, studies
from explorer.asking.ranges import Range, quasi_random
from explorer.asking.search import Listed, WinnerAgain
from explorer.asking.tuning import StudySearch
from explorer.cli.main import main
from explorer.cli.sweep import leader, spent
from explorer.config import make_config
from explorer.errors import UserError
from explorer.judging.runs import Runs
from explorer.judging.studies import StudyResult, expected_best
from explorer.running import requests
from explorer.running.budget import Budget
from explorer.running.engines.here import InProcess
from explorer.running.ledger import Ledger
from explorer.running.recorder import Recorder, answer, foresee
from explorer.running.requests import Request
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent
from explorer.seeds import is_fresh
from explorer.telling import report, tuned, words
from tests.conftest import PROJECT
from tests.records import notebook, record
from tests.search_suite import SearchSuite, answered
from tests.test_answers import told
from tests.test_commands import places

ACTIVATIONS = """
title = "Activation, each at its own best"
[study]
scientific.activation = ["relu", "tanh"]
nuisance.lr = { low = 1e-3, high = 0.1, log = true }
tries = 5
finalists = 2
seeds = 3
fresh_seeds = 3
[base]
steps = 20
units = [16]
"""

SEARCH = """
title = "A good rate"
[search]
tries = 6
finalists = 2
seeds = 2
fresh_seeds = 3
ranges.lr = { low = 1e-3, high = 0.1, log = true }
[base]
steps = 20
units = [16]
"""


@pytest.fixture
def written(tmp_path):
    """written(text, model="mlp", **arguments) -> the question of a file my.toml holding the text."""

    def load(text: str, model: str = "mlp", **arguments) -> studies.StudyQuestion:
        path = tmp_path / "my.toml"
        path.write_text(text)
        return studies.load(str(path), model, "digits", **arguments)

    return load


def accuracy_of(config) -> float:
    """What a made-up world gives: tanh is best at 0.03, relu at 0.003; each seed has luck of its own."""
    best = 0.03 if config.get("activation") == "tanh" else 0.003
    luck = ((config.seed * 7919 + int(config.lr * 1e6)) % 101) / 101
    return round(0.9 - 0.05 * math.log10(config.lr / best) ** 2 + 0.01 * luck, 6)


def run_in_the_made_up_world(search, at_most: int | None = None, lost=lambda config: False) -> list:
    """Answers until the search ends or so many runs are done; returns the records."""
    records = []
    while asked := search.ask():
        for config in asked:
            if at_most is not None and len(records) >= at_most:
                return records
            lose = {"status": "diverged"} if lost(config) else {}
            records.append(record(config, None if lose else accuracy_of(config), **lose))
            search.tell(config, records[-1])
    return records


def a_study(dataset: str = "digits") -> StudyResult:
    """The shipped study of optimizers, judged, in the made-up world; Muon's tries are all lost."""
    question = studies.load("optimizer-tuned", "mlp", dataset)
    records = run_in_the_made_up_world(StudySearch(question), lost=lambda config: config.optimizer == "muon")
    return StudyResult(request(name="optimizer-tuned", dataset=dataset), question, Runs(records))


def a_search(dataset: str = "digits") -> StudyResult:
    """The shipped search with twelve tries, judged, in the made-up world."""
    question = studies.load("search", "mlp", dataset, method="qmc", tries=12)
    records = run_in_the_made_up_world(StudySearch(question))
    return StudyResult(request(name="search-qmc", dataset=dataset, search="qmc", tries=12), question, Runs(records))


class TestAStudy(SearchSuite):
    @pytest.fixture
    def make(self, written):
        question = written(ACTIVATIONS)
        return lambda: StudySearch(question)


class TestAWinnerAgain(SearchSuite):
    @pytest.fixture
    def make(self):
        runs = [make_config({"model": "mlp", "lr": lr, "seed": seed}) for seed in range(3) for lr in (0.1, 0.01)]
        return lambda: WinnerAgain(runs, lambda points: max(points, key=lambda point: sum(points[point].values())), 4)


def test_every_value_tries_the_same_settings_then_its_finalists_get_seeds_and_its_winner_fresh_ones(written):
    search = StudySearch(written(ACTIVATIONS))
    rounds = answered(search)
    tries, finalists, fresh = rounds
    assert [config.seed for config in tries] == [0] * 10
    rates = {name: [c.lr for c in tries if c.get("activation") == name] for name in ("relu", "tanh")}
    assert rates["relu"] == rates["tanh"] and len(set(rates["relu"])) == 5
    assert [config.get("activation") for config in tries[:2]] == ["relu", "tanh"]  # setting by setting
    assert sorted(config.seed for config in finalists) == [1, 1, 1, 1, 2, 2, 2, 2]
    assert len({config.point for config in fresh}) == 2
    assert all(is_fresh(config.seed) for config in fresh) and len(fresh) == 6


def test_the_best_by_one_seed_go_on_and_the_best_mean_of_all_choosing_seeds_wins(written):
    search = StudySearch(written(ACTIVATIONS))
    run_in_the_made_up_world(search)
    for tuning in search.tunings:
        by_one_seed = sorted(tuning.tries, key=lambda one: -accuracy_of(one.config))
        assert tuning.finalists == by_one_seed[:2]
        means = [
            sum(accuracy_of(one.config.model_copy(update={"seed": seed})) for seed in range(3))
            for one in tuning.finalists
        ]
        assert tuning.winner is tuning.finalists[means.index(max(means))]
    assert search.tunings[0].winner.config.lr < search.tunings[1].winner.config.lr


def test_what_is_told_again_after_an_interruption_leads_to_the_same_runs(written):
    question = written(ACTIVATIONS)
    whole = run_in_the_made_up_world(StudySearch(question))
    for stop in range(0, len(whole), 5):
        done = run_in_the_made_up_world(StudySearch(question), at_most=stop)
        by_id = {one.id: one for one in done}
        again, trained = StudySearch(question), []
        while asked := again.ask():
            for config in asked:
                made = record(config, accuracy_of(config))
                trained += [] if made.id in by_id else [made]
                again.tell(config, made)
        assert {one.id for one in [*done, *trained]} == {one.id for one in whole}
        assert len(done) + len(trained) == len(whole)


def test_a_lost_run_counts_as_the_worst_and_a_value_that_only_loses_has_no_winner(written):
    search = StudySearch(written(ACTIVATIONS))
    records = run_in_the_made_up_world(search, lost=lambda c: c.get("activation") == "tanh" or c.lr > 0.02)
    relu, tanh = search.tunings
    assert relu.winner is not None and relu.winner.config.lr <= 0.02
    assert tanh.winner is None
    assert not any(one.seed for one in records if one.config["activation"] == "tanh")
    assert not search.upcoming() and [stage.planned for stage in search.stages()] == [10, 4, 3]


def test_upcoming_counts_down_to_nothing_and_never_short(written):
    question = written(ACTIVATIONS)
    search, left = StudySearch(question), []
    while asked := search.ask():
        for config in asked:
            left.append(len(search.upcoming()))
            search.tell(config, record(config, accuracy_of(config)))
    assert left == list(range(24, 0, -1))
    assert not search.upcoming()


def test_a_search_tells_where_its_runs_went_and_what_a_point_is_called(written):
    search = StudySearch(written(ACTIVATIONS))
    assert spent(search) == "tries 0/10, finalists 0/8, fresh seeds 0/6"
    run_in_the_made_up_world(search, at_most=13)
    assert spent(search) == "tries 10/10, finalists 3/8, fresh seeds 0/6"
    first = search.tunings[0].tries[0]
    assert search.label(first.config) == f"activation relu: lr {first.setting['lr']:g}"
    assert search.label(make_config({"model": "mlp"})) is None
    assert spent(Listed([first.config])) == ""


def test_values_of_few_settings_try_each_once(written):
    text = ACTIVATIONS.replace("{ low = 1e-3, high = 0.1, log = true }", "{ values = [0.001, 0.01, 0.1] }")
    rounds = answered(StudySearch(written(text)))
    assert sorted(config.lr for config in rounds[0]) == [0.001, 0.001, 0.01, 0.01, 0.1, 0.1]


def test_a_nuisance_is_tuned_where_it_applies_and_a_value_may_have_its_own_range(written):
    question = written(
        """
        [study]
        scientific.optimizer = ["adam", "sgd"]
        nuisance.lr = { low = 1e-4, high = 1e-2, log = true }
        nuisance.momentum = { low = 0.5, high = 0.99 }
        nuisance_of.sgd.lr = { low = 0.01, high = 1.0, log = true }
        """
    )
    adam, sgd = question.contenders
    assert [one.field for one in adam.ranges] == ["lr"]
    assert [(one.field, one.low) for one in sgd.ranges] == [("lr", 0.01), ("momentum", 0.5)]
    first, second = StudySearch(question).ask()[:2]
    assert second.lr == pytest.approx(100 * first.lr, rel=0.02)  # the same place in another range
    assert first.momentum is None and 0.5 <= second.momentum <= 0.99


def test_listed_values_set_what_belongs_together(written):
    question = written(
        """
        [[study.scientific]]
        label = "small"
        batch_size = 16
        steps = 40
        [[study.scientific]]
        label = "large"
        batch_size = 32
        steps = 20
        [study.nuisance]
        lr = { low = 1e-4, high = 1e-2, log = true }
        """
    )
    assert [(c.batch_size, c.steps) for c in StudySearch(question).ask()[:2]] == [(16, 40), (32, 20)]
    assert [one.label for one in question.contenders] == ["small", "large"]


def test_a_models_section_and_a_flag_go_before_the_common_one(written):
    own = '[mlp.study]\ntries = 2\nfinalists = 1\nscientific.activation = ["elu"]\n[mlp.base]\nsteps = 9\n'
    question = written(ACTIVATIONS + own, overrides={"batch_size": 32})
    assert (question.tries, question.seeds, [one.label for one in question.contenders]) == (2, 3, ["activation elu"])
    assert question.fixed == {"steps": 9, "units": [16], "batch_size": 32}
    assert {(config.steps, config.batch_size) for config in StudySearch(question).ask()} == {(9, 32)}


@pytest.mark.parametrize(("one", "values"), [
    (Range("lr", 1e-4, 1e-2, log=True), [1e-4, 1e-3, 1e-2]),
    (Range("dropout", 0.0, 0.5), [0.0, 0.25, 0.5]),
    (Range("width", 10, 12, whole=True), [10, 11, 12]),
    (Range("batch_size", values=(64, 128, 256)), [64, 128, 256]),
])  # fmt: skip
def test_a_range_gives_the_value_at_a_place_and_the_place_of_a_value(one, values):
    assert [one.at(place) for place in (0.0, 0.5, 1.0)] == values
    assert [one.place(value) for value in values] == pytest.approx([0, 0.5, 1])


def test_quasi_random_places_lie_in_each_part_of_a_range_and_more_of_them_begin_with_fewer():
    places = quasi_random(["lr", "momentum"], 16, seed=0)
    for field in ("lr", "momentum"):
        assert {int(4 * place[field]) for place in places} == {0, 1, 2, 3}
    assert quasi_random(["lr", "momentum"], 4, seed=0) == places[:4] != quasi_random(["lr", "momentum"], 4, seed=1)


@pytest.mark.parametrize(("one", "value", "edge"), [
    (Range("lr", 1e-4, 1e-2, log=True), 1.1e-4, "low"),
    (Range("lr", 1e-4, 1e-2, log=True), 9e-3, "high"),
    (Range("lr", 1e-4, 1e-2, log=True), 1e-3, None),
    (Range("dropout", 0.0, 0.5), 0.01, None),  # it goes no lower
    (Range("batch_size", values=(64, 256, 128)), 256, "high"),
    (Range("optimizer", values=("adam", "sgd", "muon")), "adam", None),
    (Range("batch_size", values=(64, 128)), 128, None),
])  # fmt: skip
def test_the_outer_tenth_of_a_range_is_its_edge_unless_the_field_goes_no_further(one, value, edge):
    assert one.edge(value, 0.0 if one.field == "dropout" else None, None) == edge


NUISANCE = "nuisance.lr = { low = 1e-3, high = 0.1, log = true }"


@pytest.mark.parametrize(("old", "new", "line"), [
    (NUISANCE, "nuisance.lr = { low = 0.1, high = 1e-3 }", "study.nuisance.lr: low 0.1 is not below high 0.001"),
    (NUISANCE, "nuisance.lr = { low = 0.0, high = 0.1, log = true }", "log = true needs a low above 0"),
    (NUISANCE, "nuisance.lr = { low = -1.0, high = 0.1 }", "study.nuisance.lr must be a number > 0, got -1.0"),
    (NUISANCE, "nuisance.lr = { low = 1e-3, high = inf }", "study.nuisance.lr.high must be a number"),
    (NUISANCE, "nuisance.lr = { low = 1e-3 }", "study.nuisance.lr needs high"),
    (NUISANCE, "nuisance.lr = 0.1", "study.nuisance.lr must be a range"),
    (NUISANCE, "nuisance.lr = { values = [] }", "study.nuisance.lr is an empty list"),
    (NUISANCE, "nuisance.lr = { values = [0.1, 0.1] }", "has a value twice"),
    (NUISANCE, "nuisance.dropout = { low = 0.0, high = 1.0 }", "study.nuisance.dropout must be a number >= 0 and < 1"),
    (NUISANCE, "nuisance.optimizer = { low = 0, high = 1 }", "optimizer is no number; give { values = [...] }"),
    (NUISANCE, "nuisance.speed = { low = 0, high = 1 }", "unknown key 'study.nuisance.speed'"),
    (NUISANCE, "nuisance.seed = { low = 0, high = 9 }", "study.nuisance.seed: every point runs with the same seeds"),
    (NUISANCE, "nuisance.momentum = { low = 0.1, high = 0.9 }", "momentum applies to none of the values"),
    (NUISANCE, "nuisance.steps = { low = 5, high = 9 }", "base.steps has no effect, since steps is varied"),
    (NUISANCE, "nuisance.activation = { values = ['elu'] }", "they say the same, so keep one of them"),
    (NUISANCE, "", "nothing is tuned; e.g. study.nuisance.lr = "),
    (NUISANCE, "lr = { low = 1e-3, high = 0.1 }", "unknown key 'study.lr'; a range goes under study.nuisance"),
    (NUISANCE, NUISANCE + "\nnuisance_of.gelu.lr = { low = 0.1, high = 0.2 }", "nuisance_of.gelu: no value is called"),
    ("tries = 5", "tries = 0", "study.tries must be a whole number from 1 to 10000, got 0"),
    ("tries = 5", "tries = 1", "2 finalists cannot come of 1 tries"),
    ("fresh_seeds = 3", "fresh_seeds = 2", "study.fresh_seeds must be a whole number from 3 to 10000, got 2"),
    ("seeds = 3\n", "seeds = 2000\n", "study.seeds must be a whole number from 1 to 1000, got 2000"),
    ('["relu", "tanh"]', '["relu", "relu"]', "two values have the label 'activation relu'"),
    ('["relu", "tanh"]', '["relu", "tan"]', "study.scientific.activation 'tan' is unknown; did you mean 'tanh'?"),
    ('scientific.activation = ["relu", "tanh"]', "", "study.scientific has nothing for mlp"),
    ("[base]", "[base]\nactivation = 'elu'", "base.activation has no effect, since activation is varied"),
    ("[base]", "[base]\ntrain_on = 'all'", "leaves no validation images to choose by"),
    ("[study]", "baseline = 'relu'\n[study]", "unknown key 'baseline' in a study"),
    ("[base]", "[grid]\nlr = [0.1]\n[base]", "[study] and [grid] in one file"),
])  # fmt: skip
def test_ranges_and_numbers_that_make_no_sense_are_one_clear_line(written, old, new, line):
    assert old in ACTIVATIONS
    with pytest.raises(UserError) as error:
        written(ACTIVATIONS.replace(old, new))
    assert line in str(error.value) and "\n" not in str(error.value) and "my.toml: " in str(error.value)


@pytest.mark.parametrize("name", studies.available())
def test_a_shipped_study_can_be_run_and_asks_each_run_once(name):
    for model in ("mlp", "cnn"):
        if name in studies.available(model):
            question = studies.load(name, model)
            assert question.question and question.hypothesis and question.fresh_seeds >= 5
            tries = StudySearch(question).ask()
            assert len(tries) == len(set(tries)) == question.tries * len(question.contenders)


def test_the_readmes_example_is_a_study(written):
    texts = re.findall(r"```toml\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    question = written(next(text for text in texts if "[study]" in text))
    assert (question.tries, question.fresh_seeds, len(question.contenders)) == (12, 10, 3)


def test_a_study_is_no_sweep():
    assert not {*studies.available()} & {*documents.available()}
    assert studies.is_study("activation-tuned", "cnn") and not studies.is_study("act", "mlp")


def request(**changes) -> Request:
    return Request(**{"name": "my", "model": "mlp", "dataset": "digits", "seeds": 3, **changes})


def test_only_fresh_seeds_judge(written):
    question = written(ACTIVATIONS)
    records = run_in_the_made_up_world(StudySearch(question))
    result = StudyResult(request(), question, Runs(records))
    assert result.complete and result.runs_done == len(records) == 24
    for one in result.contenders:
        assert sorted(one.fresh.fresh_validation) == [1000, 1001, 1002]
        assert sorted(one.chosen.validation) == [0, 1, 2]
    choosing = [record(one.configuration, one.val_accuracy + 0.05) if one.seed < 1000 else one for one in records]
    lucky = StudyResult(request(), question, Runs(choosing))
    for one, same in zip(result.contenders, lucky.contenders, strict=True):  # choosing seeds choose, and do no more
        assert same.setting == one.setting and same.fresh.fresh_validation == one.fresh.fresh_validation
        assert same.chosen.validation != one.chosen.validation


def test_a_study_that_is_not_done_says_how_far_it_is(written):
    question = written(ACTIVATIONS)
    records = run_in_the_made_up_world(StudySearch(question), at_most=12)
    result = StudyResult(request(), question, Runs(records))
    assert not result.complete and (result.runs_done, result.runs_left) == (12, 12)
    assert [stage.done for stage in result.stages] == [10, 2, 0]
    assert all(one.fresh is None and one.setting is None for one in result.contenders)


def test_a_studys_hypothesis_is_judged_by_fresh_seeds_once_it_is_done(written):
    text = ACTIVATIONS.replace("[study]", 'expect_best.activation = ["{}"]\n[study]', 1)
    for expected, verdict in (("relu", "confirmed"), ("tanh", "rejected")):
        question = written(text.replace("{}", expected))
        records = told(
            question, lambda config: (0.9 if config.get("activation") == "tanh" else 0.95) + config.seed % 7 / 1e4
        )
        result = StudyResult(request(), question, Runs(records))
        assert result.hypothesis.verdict == verdict
        begun = StudyResult(request(), question, Runs(records[:12]))
        assert (begun.hypothesis.verdict, begun.hypothesis.reason) == ("undecided", "unfinished")
    assert StudyResult(request(), written(ACTIVATIONS), Runs([])).hypothesis is None


def test_the_best_of_k_tries_is_expected_as_by_hand():
    found = expected_best([1.0, 0.0])
    assert found.mean == (0.5, 0.75)  # of two draws with replacement, three in four have the 1
    assert found.deviation == pytest.approx((0.5, math.sqrt(0.75 * 0.25)))
    assert expected_best([0.9]).mean == (0.9,)
    with pytest.raises(ValueError, match="no tries"):
        expected_best([])


def test_every_pair_is_compared_on_fresh_seeds_and_words_are_never_opposite():
    judged = a_study()
    assert judged.winner.label == "optimizer adam" and judged.pairs == 6
    for one, other in itertools.combinations(judged.fresh, 2):
        there, back = judged.relations.of(one, other), judged.relations.of(other, one)
        assert there.difference == pytest.approx(-back.difference) and there.p_adjusted == back.p_adjusted
        p = [judged.relations.of(a, b).p for a, b in itertools.combinations(judged.fresh, 2)]
        assert there.p_adjusted >= there.p and there.p_adjusted <= min(1.0, there.p * len(p)) + 1e-12
    assert "optimizer muon" not in judged.fresh
    told = " ".join(tuned.study_sentences(judged))
    assert "optimizer muon: 16 of 16" in told and "At the edge of its range" in told and "steps 1000" in told


def test_a_study_and_its_tables_pictures_and_command_stand_in_the_report(tmp_path, undrawn, written):
    notebook(tmp_path, ACTIVATIONS, run_in_the_made_up_world(StudySearch(written(ACTIVATIONS))))
    results = tmp_path / "results"
    files = report.rebuild(Runs(Store(results).records()), results, tmp_path / "media", tmp_path / "REPORT.md")
    front, page = tmp_path / "REPORT.md", tmp_path / "report" / "digits-mlp.md"
    text = page.read_text()
    assert "## Each value at its best" in text and "activation tanh" in text
    assert "each tuned: " in front.read_text() and "(report/digits-mlp.md#digits-mlp-mine)" in front.read_text()
    assert f"--sweep {tmp_path / 'mine.toml'}" in text
    answers = (tmp_path / "report" / "questions.md").read_text()
    assert "Which value is best, when each is at its own best setting?" in answers
    pictures = {path.name for path in files if path.suffix == ".png"}
    assert {f"mlp_mine_{plot}.png" for plot in ("isolation", "moves", "tries", "spent")} <= pictures
    rows = (results / "digits_mlp_mine.csv").read_text().splitlines()
    assert rows[0].startswith("value,stage,lr,n,val_accuracy") and len(rows) == 1 + 10 + 4 + 2
    table = list(csv.DictReader(rows))
    for row in table:  # as `record` makes every run here
        assert float(row["test_accuracy"]) == pytest.approx(float(row["val_accuracy"]) - 0.01, abs=2e-5)
        assert [float(row[name]) for name in ("train_loss", "val_loss", "loss_gap", "gap")] == [0.1, 0.2, 0.1, 0.005]
        assert float(row["unsteadiness"]) == pytest.approx(0.1, rel=1e-3)
    assert len([row for row in table if row["stage"] == "try" and row["n"] == "1"]) == 10
    again = report.rebuild(Runs(Store(results).records()), results, tmp_path / "media", tmp_path / "REPORT.md")
    assert again == files and page.read_text() == text


def test_a_search_stands_in_the_report_with_where_its_seeds_went(tmp_path, undrawn, written):
    records = run_in_the_made_up_world(StudySearch(written(SEARCH, method="qmc")))
    notebook(tmp_path, SEARCH, records, name="mine-qmc", search="qmc")
    runs = Runs(Store(tmp_path / "results").records())
    files = report.rebuild(runs, tmp_path / "results", tmp_path / "media", tmp_path / "REPORT.md")
    assert {f"mlp_mine-qmc_{plot}.png" for plot in ("moves", "tries", "spent")} <= {path.name for path in files}


@pytest.mark.parametrize(("changes", "command"), [
    ({"name": "act-tuned"}, "mlp --sweep act-tuned --dataset digits"),
    ({"name": "search-tpe", "search": "tpe", "tries": 9}, "mlp --search tpe --dataset digits --tries 9"),
    ({"name": "my-qmc", "search": "qmc", "path": "/a b.toml"}, "mlp --search qmc --sweep '/a b.toml' --dataset digits"),
])  # fmt: skip
def test_the_command_of_a_study_runs_it_again(changes, command):
    assert words.study_command(request(**changes)) == f"python mnist_explorer.py {command}"


def test_a_request_of_a_search_is_kept_and_one_of_a_sweep_is_written_as_before(tmp_path):
    requests.append(tmp_path, request(name="lr"))
    requests.append(tmp_path, request(name="search-tpe", search="tpe", tries=9))
    requests.append(tmp_path, request(name="lr", fresh_seeds=5))
    lines = (tmp_path / requests.FILE).read_text().splitlines()
    assert lines[0] == '{"name":"lr","model":"mlp","dataset":"digits","overrides":{},"seeds":3,"path":null}'
    kept = requests.read(tmp_path)
    assert [(one.name, one.search, one.tries, one.fresh_seeds) for one in kept] == [
        ("lr", None, None, 5), ("search-tpe", "tpe", 9, 0),
    ]  # fmt: skip


# The command line


def study_file(folder) -> str:
    path = folder / "my.toml"
    path.write_text(ACTIVATIONS)
    return str(path)


class Clock(Silent):
    """Time by the runs: so many seconds for each that ends, and for each look."""

    def __init__(self, run: float, look: float = 0.0):
        self.run, self.look, self.now = run, look, 0.0

    def finished(self, run, record):
        self.now += self.run

    def looked(self, run, progress):
        self.now += self.look


def test_a_budget_starts_no_run_that_would_not_end_in_time_and_gives_up_one_that_takes_too_long(tmp_path, digits):
    question = studies.load(study_file(tmp_path), "mlp", "digits")
    recorder, engine = Recorder(Store(tmp_path / "results"), digits.digest), InProcess(Runner(digits))

    def runs_in(clock: Clock) -> int:
        budget = Budget(10, expected=lambda config: 2.0, clock=lambda: clock.now)
        done = list(answer(StudySearch(question), engine, recorder, clock, budget=budget))
        assert budget.spent
        return len(done)

    assert runs_in(Clock(run=3)) == 3  # begun after 0, 3 and 6 seconds; at 9 there is no time for 2 more
    assert runs_in(Clock(run=0, look=100)) == 0
    assert len(foresee(StudySearch(question), recorder)) == 24 - 3


def test_the_winner_of_a_sweep_runs_again_on_fresh_seeds(tmp_path, digits):
    runs = [make_config({"model": "mlp", "dataset": "digits", "units": [16], "steps": 20, "lr": lr, "seed": seed})
            for seed in range(2) for lr in (1e-6, 0.01)]  # fmt: skip
    recorder = Recorder(Store(tmp_path), digits.digest)
    list(answer(WinnerAgain(runs, leader, 3), InProcess(Runner(digits)), recorder, Silent()))
    ran = [(one.config["lr"], one.seed) for one in Ledger(tmp_path).records()]
    assert sorted(ran) == [(1e-6, 0), (1e-6, 1), (0.01, 0), (0.01, 1), (0.01, 1000), (0.01, 1001), (0.01, 1002)]


@pytest.mark.parametrize(("words", "line"), [
    (["--seeds", "3"], "--seeds is for sweeps; the seeds of a study and of a search stand in its file"),
    (["--activation", "elu"], "'my' varies activation; leave out --activation"),
    (["--lr", "0.1"], "'my' varies lr; leave out --lr"),
    (["--seed", "3"], "--seed: a study runs seeds 0, 1, 2, ... and fresh ones"),
    (["--tries", "9"], "--tries is for --search"),
    (["--search", "qmc"], "has no [search] with ranges to search in"),
    (["--budget", "30"], "must be a time like 90s, 30m or 2h, got 30"),
    (["--fresh-seeds", "0"], "must be a whole number >= 1, got 0"),
])  # fmt: skip
def test_a_mistake_is_one_clear_line(tmp_path, capsys, words, line):
    command = ["mlp", "--dataset", "digits", "--sweep", study_file(tmp_path), *words, *map(str, places(tmp_path))]
    assert main(command) == 2
    told = capsys.readouterr()
    assert told.out == "" and line in told.err and told.err.count("\n") == 1
    assert not Ledger(tmp_path / "results", read_only=True).records()
