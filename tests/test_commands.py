"""Sweeps and the commands around them, end to end on the digits."""

import json
import re
import signal
import sys
import time

import numpy as np
import pytest

from explorer.running.ledger import Ledger
from tests.conftest import PATIENCE, PROJECT
from tests.test_cli import explorer, interruptible, refused

TOML = """
title = "Tiny"
question = "Does it run?"
hypothesis = "The higher rate is better."
expect_best.lr = [0.01]
[mlp.base]
units = [24]
batch_size = 32
steps = 20
[mlp.grid]
lr = [0.001, 0.01]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """(folder, answer) of a finished sweep; the folder holds results, media and REPORT.md."""
    folder = tmp_path_factory.mktemp("a study")
    (folder / "tiny.toml").write_text(TOML)
    return folder, sweep(folder)


def results(folder) -> list:
    return places(folder)[:2]


def places(folder) -> list:
    return ["--results", folder / "results", "--media", folder / "media", "--report", folder / "REPORT.md"]


def sweep(folder, *words):
    dataset = [] if "--dataset" in words else ["--dataset", "digits"]
    words = ["--sweep", folder / "tiny.toml", *dataset, "--seeds", 3, *words]
    return explorer("mlp", *words, *places(folder))


def test_a_sweep_trains_every_point_with_every_seed_and_shows_table_pictures_and_report(study):
    folder, answer = study
    assert answer.returncode == 0, answer.stderr
    records = [json.loads(line) for line in (folder / "results" / "runs.jsonl").read_text().splitlines()]
    runs = {(record["config"]["lr"], record["config"]["seed"]) for record in records}
    assert runs == {(lr, seed) for lr in (0.001, 0.01) for seed in range(3)}
    assert len(records) == 6
    assert "2 points, 6 runs, 0 done, 6 to do" in answer.stdout
    assert re.search(r"\[6/6\] validation \d+\.\d\d %", answer.stdout)
    assert re.search(r"lr 0\.01 +3 +\d+\.\d\d ± \d+\.\d\d", answer.stdout)
    assert "hypothesis" in answer.stdout
    report = (folder / "REPORT.md").read_text()
    assert "## In one minute" in report
    behind = "".join(page.read_text() for page in (folder / "report").iterdir())
    pictures = re.findall(r"\((?:\.\./)?(media/\S+\.png)\)", report + behind)
    assert "media/digits/mlp_tiny.png" in pictures
    assert len(list((folder / "results" / "predictions").iterdir())) == 1  # of the best configuration alone
    assert "media/digits/mlp_confusion.png" in pictures
    assert all((folder / picture).is_file() for picture in pictures)


def test_a_finished_sweep_typed_again_trains_nothing_and_builds_the_same_report(study):
    folder, _ = study
    ledger, report = (folder / "results" / "runs.jsonl").read_bytes(), (folder / "REPORT.md").read_bytes()
    answer = sweep(folder)
    assert "6 done, 0 to do" in answer.stdout
    assert (folder / "results" / "runs.jsonl").read_bytes() == ledger
    assert (folder / "REPORT.md").read_bytes() == report


def test_a_dry_run_only_says_what_there_is_to_do(study):
    folder, _ = study
    before = (folder / "results" / "runs.jsonl").read_bytes()
    answer = sweep(folder, "--dry-run", "--activation", "relu")
    assert "6 runs, 0 done, 6 to do" in answer.stdout
    assert re.search(r"to do: 6 runs, about \d+ s", answer.stdout)
    assert (folder / "results" / "runs.jsonl").read_bytes() == before


def test_a_sweep_interrupted_goes_on_where_it_stopped(tmp_path):
    (tmp_path / "tiny.toml").write_text(TOML.replace("steps = 20", "steps = 3000"))
    words = [
        sys.executable,
        PROJECT / "mnist_explorer.py",
        "mlp",
        "--sweep",
        tmp_path / "tiny.toml",
        "--dataset",
        "digits",
    ]
    words += ["--seeds", "2", *places(tmp_path)]
    with interruptible(words) as process:
        while "[1/4]" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "the same command goes on where this one stopped" in stderr
    time.sleep(0.2)
    done = len((tmp_path / "results" / "runs.jsonl").read_text().splitlines())
    assert 1 <= done < 4
    answer = explorer(*words[2:])
    assert f"{done} done, {4 - done} to do" in answer.stdout
    assert len((tmp_path / "results" / "runs.jsonl").read_text().splitlines()) == 4


def test_best_compare_list_and_report_read_the_study(study):
    folder, _ = study
    best = explorer("best", "mlp", *results(folder)).stdout
    assert re.search(r"# mlp on digits: validation \d+\.\d\d ± \d+\.\d\d %", best)
    assert "python mnist_explorer.py mlp --dataset digits" in best
    compared = explorer("compare", "lr 0.001", "lr 0.01", *results(folder)).stdout
    assert re.search(r"B against A: [+-]\d+\.\d\d ± \d+\.\d\d, \w+.* \(n=3\), in points", compared)
    compared = explorer("compare", "digits/mlp/tiny/lr 0.001", "tiny/lr 0.01", *results(folder)).stdout
    assert "B against A" in compared
    assert "no recorded configuration is called 'lr 0.02'; did you mean 'lr 0.01'?" in refused(
        explorer("compare", "lr 0.001", "lr 0.02", *results(folder))
    )
    assert "published-fashion" in explorer("list", *results(folder)).stdout
    assert str(folder / "REPORT.md") in explorer("report", *places(folder)).stdout


def test_a_sweeps_looks_in_workers_and_its_records_can_be_had_as_lines_of_json(tmp_path):
    (tmp_path / "tiny.toml").write_text(TOML)
    answer = sweep(tmp_path, "--jobs", "2", "--json-lines")
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    records = [line for line in lines if "id" in line]
    assert sorted(record["id"] for record in records) == sorted(
        json.loads(line)["id"] for line in (tmp_path / "results" / "runs.jsonl").read_text().splitlines()
    )
    for record in records:
        looks = [line for line in lines if line.get("run") == record["id"]]
        assert [look["step"] for look in looks] == [look["step"] for look in record["history"]]
        assert lines.index(record) > lines.index(looks[-1])


def test_a_sweep_of_a_persons_own_images_goes_by_their_path(tmp_path, digits):
    np.savez(
        tmp_path / "own.npz",
        x_train=digits.train_images[:300], y_train=digits.train_labels[:300],
        x_test=digits.test_images[:100], y_test=digits.test_labels[:100],
    )  # fmt: skip
    (tmp_path / "tiny.toml").write_text(TOML)
    answer = sweep(tmp_path, "--dataset", tmp_path / "own.npz", "--jobs", "2")
    assert answer.returncode == 0, answer.stderr
    records = Ledger(tmp_path / "results", read_only=True).records()
    assert {(record.data.name, record.status) for record in records} == {("own", "ok")}
    assert (tmp_path / "REPORT.md").is_file()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["mlp", "--sweep", "lrr"], "'lr'"),
        (["cnn", "--sweep", "units"], "sweep 'units' has no grid for cnn"),
        (["cnn", "--sweep", "depth-tuned"], "study 'depth-tuned' asks nothing of cnn, only of mlp"),
        (["cnn", "--sweep", "depth-tuned", "--settle"], "study 'depth-tuned' asks nothing of cnn, only of mlp"),
        (["mlp", "--sweep", "lr", "--lr", "0.1"], "varies lr; leave out --lr"),
        (["mlp", "--sweep", "lr", "--seeds", "0"], "argument --seeds: must be a whole number >= 1, got 0"),
        (["compare", "nothing", "such"], "'nothing' names nothing: no run is recorded yet"),
        (["report", "--results", "no/such"], "no/such: no such folder; --results names the one"),
        (["best", "cnn"], "no finished run of cnn is recorded"),
    ],
)
def test_a_mistake_in_a_sweep_is_one_clear_line(words, line, tmp_path):
    (tmp_path / "results").mkdir()
    where = results(tmp_path) if words[0] in ("compare", "best") else places(tmp_path)
    where = [] if "--results" in words else where
    assert line in refused(explorer(words[0], *where, *words[1:]))
