"""What is answered where several sweeps and studies speak of one thing: tuned values first, one word a pair."""

import pytest

from explorer.asking import studies
from explorer.asking.tuning import StudySearch
from explorer.judging import study
from explorer.judging.answers import answers, subject_of
from explorer.judging.runs import Runs
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.running.requests import Request
from explorer.telling import report
from explorer.telling.findings import batch_views, recommendations
from tests.records import LR, notebook, record, runs
from tests.test_results import four_rates, judged

TUNED = """
title = "Activation, each at its own best"
[study]
scientific.activation = ["relu", "tanh"]
nuisance.lr = { values = [0.001, 0.01] }
tries = 2
finalists = 1
seeds = 3
fresh_seeds = 6
[base]
steps = 30
"""
AT_ONE_RATE = """
title = "Activation"
baseline = { activation = "relu" }
base = { steps = 30, lr = 0.001 }
grid.activation = ["relu", "tanh"]
"""


def luck(seed: int) -> float:
    return (seed * 7919 % 101) / 101 * 0.004


def told(question: studies.StudyQuestion, accuracy) -> list:
    """The records of a study in a world with these accuracies."""
    search, records = StudySearch(question), []
    while asked := search.ask():
        for config in asked:
            records.append(record(config, accuracy(config)))
            search.tell(config, records[-1])
    return records


def relu_at_a_high_rate(config) -> float:
    """Tuned, relu is best; at 0.001 tanh is."""
    if config.lr == 0.001:
        return round((0.90 if config.get("activation") == "tanh" else 0.85) + luck(config.seed), 6)
    return round((0.91 if config.get("activation") == "tanh" else 0.95) + luck(config.seed), 6)


@pytest.fixture
def both(tmp_path):
    """A ledger with a study of activations, and a sweep of them at the rate that suits the wrong one."""
    path = tmp_path / "tuned.toml"
    path.write_text(TUNED)
    records = told(studies.load(str(path), "mlp", "digits"), relu_at_a_high_rate)
    there = {one.id for one in records}
    for activation, level in (("relu", 0.85), ("tanh", 0.90)):
        made = runs({"activation": activation, "lr": 0.001}, [level + luck(seed) for seed in range(3)])
        records += [one for one in made if one.id not in there]
    notebook(tmp_path, TUNED, records, name="tuned")
    return notebook(tmp_path, AT_ONE_RATE, [], name="act")


def test_the_front_page_answers_with_tuned_values_first_and_one_setting_after(both, tmp_path, undrawn):
    results = tmp_path / "results"
    report.rebuild(Runs(both.records()), results, tmp_path / "media", tmp_path / "REPORT.md")
    front = (tmp_path / "REPORT.md").read_text()
    line = next(line for line in front.splitlines() if "MLP on digits: each tuned" in line)
    first, second = line.index("**relu** is best (sure)"), line.index("At one setting: **tanh** is best (sure)")
    assert first < second
    assert "On fresh seeds" in line[first:second]
    assert "#digits-mlp-tuned" in line[first:second] and "#digits-mlp-act" in line[second:]
    rule, row = [line for line in front.splitlines() if line.startswith("| Activation")]  # one row for both
    assert row.index("tuned [relu]") < row.index("at one setting [tanh]")
    assert "relu is among the best" in rule
    asked = (tmp_path / "report" / "questions.md").read_text()
    assert "**Activation**: take relu (sure)." in asked and "take tanh" not in asked
    assert "report/questions.md#recommendations" in front


def test_a_pair_of_configurations_has_the_word_of_the_study_in_a_sweep_too(tmp_path):
    def close(config) -> float:
        spread = 0.004 if config.seed < 3 else 0.0004  # too noisy to be told in the sweep, clear on fresh seeds
        tanh = config.get("activation") == "tanh"
        chance = spread * ((config.seed * 37 + 11 * tanh) % 7) / 7
        return round(0.95 - 0.002 * tanh - 0.1 * (config.lr == 0.01) + chance, 6)

    path = tmp_path / "tuned.toml"
    path.write_text(TUNED)
    ledger = notebook(tmp_path, TUNED, told(studies.load(str(path), "mlp", "digits"), close), name="tuned")
    swept = runs({"activation": "tanh", "lr": 0.001}, [])
    notebook(tmp_path, AT_ONE_RATE, swept, name="act")
    alone = judged(tmp_path, AT_ONE_RATE, ledger.records())
    assert alone.verdicts["activation tanh"].word == "not settled"  # the premise
    found = study.read(Runs(ledger.records()), tmp_path / "results")
    (sweep,), (tuned,) = found.sweeps, found.studies
    verdict = sweep.verdicts["activation tanh"]
    assert verdict.word == tuned.relations.of("activation tanh", "activation relu").word == "worse"
    assert (verdict.home, verdict.n) == ("tuned", 6)


@pytest.mark.parametrize(("name", "subject"), [
    ("batch-tuned-steps", "batch_size at equal steps"),
    ("batch-tuned-images", "batch_size at equal images"),
    ("optimizer-tuned", "optimizer"),
    ("schedule-tuned", "lr_schedule"),
    ("augment-tuned", "augmentation"),
    ("width-tuned", "width"),
])  # fmt: skip
def test_a_study_answers_the_question_that_it_asks_and_no_other(name, subject):
    question = studies.load(name, "mlp", "digits")
    asked = Request(name=name, model="mlp", dataset="digits", seeds=3)
    assert subject_of(StudyResult(asked, question, Runs([]))) == subject


def test_a_study_that_is_not_done_is_sure_of_nothing(tmp_path):
    path = tmp_path / "tuned.toml"
    path.write_text(TUNED.replace("scientific.activation = [", 'scientific.activation = ["gelu", '))
    question = studies.load(str(path), "mlp", "digits")
    records = [one for one in told(question, relu_at_a_high_rate) if one.config.get("activation") != "gelu"]
    unfinished = StudyResult(Request("tuned", "mlp", "digits", {}, 3, str(path)), question, Runs(records))
    for found in answers(Study(Runs(records), (), studies=(unfinished,))):
        assert found.certainty.word == "unknown"


def test_batch_sizes_are_viewed_tuned_where_a_study_tuned_them():
    def small_is_good(config) -> float:
        return round(0.9 - config.batch_size / 1e4 + luck(config.seed), 6)

    found = []
    records = []
    for name in ("batch-tuned-steps", "batch-tuned-images"):
        question = studies.load(name, "cnn", "digits")
        records += told(question, small_is_good)
        found.append((Request(name=name, model="cnn", dataset="digits", seeds=3), question))
    made = tuple(StudyResult(asked, question, Runs(records)) for asked, question in found)
    (sentence,) = batch_views.find(Study(Runs(records), (), studies=made))
    assert "at equal steps, each tuned, batch size" in sentence
    assert "at equal images, each tuned, batch size 32 has the best mean" in sentence


def of(model: str, levels: dict[float, float]) -> list:
    made = [runs({"model": model, "lr": lr}, [level, level + 1e-3, level - 1e-3]) for lr, level in levels.items()]
    return [one for records in made for one in records]


def test_a_recommendation_takes_what_is_best_everywhere_and_is_as_sure_as_its_least_sure_part(tmp_path):
    best_at = {0.0003: 0.80, 0.001: 0.85, 0.003: 0.95, 0.01: 0.90}
    mlp, cnn = of("mlp", best_at), of("cnn", best_at)
    records = [*mlp, *cnn]
    both = judged(tmp_path, LR, records), judged(tmp_path, LR, records, model="cnn")
    (sentence,) = recommendations.find(Study(Runs(records), both))
    assert sentence.startswith("**Learning rate**: take 0.003 (sure).")
    assert "MLP on digits and CNN on digits" in sentence

    moved = [*mlp, *of("cnn", {0.0003: 0.95, 0.001: 0.85, 0.003: 0.80, 0.01: 0.75})]
    apart = judged(tmp_path, LR, moved), judged(tmp_path, LR, moved, model="cnn")
    (sentence,) = recommendations.find(Study(Runs(moved), apart))
    assert "no one value serves all: 0.003 for MLP on digits (sure); 0.0003 for CNN on digits (sure)" in sentence

    alike = of("mlp", dict.fromkeys(best_at, 0.9))
    (sentence,) = recommendations.find(Study(Runs(alike), (judged(tmp_path, LR, alike),)))
    assert sentence.startswith("**Learning rate**: leave it as it is (unknown).")


def test_two_seeds_recommend_nothing(tmp_path):
    few = [one for one in four_rates() if one.seed < 2]
    assert recommendations.find(Study(Runs(few), (judged(tmp_path, LR, few, seeds=2),))) == []
