"""Worker processes: one ledger, every run recorded, and a death costs its own run only."""

import json
import os
import signal
from pathlib import Path

import pytest

from explorer.config import make_config
from explorer.running import predictions
from explorer.running.engines import local as workers
from explorer.running.ledger import Ledger
from explorer.running.runner import Runner

BASE = {"model": "mlp", "dataset": "digits", "units": (24,), "batch_size": 32, "steps": 6, "eval_every": 3}


@pytest.fixture
def runner(digits, tmp_path) -> Runner:
    return Runner(digits, Ledger(tmp_path))


def place(runner) -> workers.WorkerSetup:
    return workers.WorkerSetup("digits", None, runner.ledger.path.parent)


def configs(count: int, **fields) -> list:
    return [make_config({**BASE, **fields, "seed": seed}) for seed in range(count)]


def test_two_workers_record_every_run_once_and_alike(runner, tmp_path):
    asked = configs(3) + configs(2, units=(25,))
    records = list(workers.run_all(asked, runner, place(runner), jobs=2))
    assert sorted(record.id for record in records) == sorted(map(runner.id_of, asked))
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert {line["id"] for line in lines} == {record.id for record in records}
    assert {record.status for record in records} == {"ok"}
    with pytest.MonkeyPatch.context() as patch:  # what a worker did is what this process does on as many threads
        patch.setenv("KERNEL_THREADS", "1")
        alone = runner.run(asked[0])
    (worked,) = (record for record in records if record.id == alone.id)
    assert worked.test_accuracy == pytest.approx(alone.test_accuracy, abs=0.01)


def test_the_run_that_leads_leaves_its_predictions_behind(runner, tmp_path):
    poor, good = configs(1, lr=1e-6) + configs(1, lr=0.01)
    for config in (poor, good, make_config({**good.to_json(), "lr": 1e-5})):  # leads, leads, does not
        runner.run(config)
    kept = {path.stem for path in (tmp_path / "predictions").glob("*.npz")}
    assert kept == {runner.id_of(poor), runner.id_of(good)}
    logits, labels, _ = predictions.reader(tmp_path)(good)
    assert (logits.argmax(1) == labels).mean() == pytest.approx(runner.recorded(good).test_accuracy, rel=1e-5)
    predictions.clear(tmp_path, {runner.id_of(good)})
    assert [path.stem for path in (tmp_path / "predictions").iterdir()] == [runner.id_of(good)]


def kill_first_workers(monkeypatch, deaths: int) -> list[int]:
    """Have the first ``deaths`` configs handed out kill the worker they went to; returns the list of those killed."""
    killed: list[int] = []
    give = workers._give

    def deadly(worker, waiting, elsewhere):
        give(worker, waiting, elsewhere)
        if len(killed) < deaths and worker.config.seed == 0:
            os.kill(worker.process.pid, signal.SIGKILL)
            killed.append(worker.process.pid)

    monkeypatch.setattr(workers, "_give", deadly)
    return killed


def test_a_killed_worker_has_its_run_tried_again_and_the_rest_goes_on(runner, monkeypatch):
    killed = kill_first_workers(monkeypatch, 1)
    records = list(workers.run_all(configs(3), runner, place(runner), jobs=2))
    assert len(killed) == 1
    assert [record.status for record in records] == ["ok"] * 3


def test_a_run_whose_worker_dies_twice_is_recorded_as_failed_with_the_reason(runner, monkeypatch):
    kill_first_workers(monkeypatch, 2)
    records = list(workers.run_all(configs(3), runner, place(runner), jobs=2))
    status = {record.seed: record.status for record in records}
    assert status == {0: "failed", 1: "ok", 2: "ok"}
    (failed,) = (record for record in records if record.status == "failed")
    assert "SIGKILL" in failed.error.reason
    assert runner.recorded(make_config({**BASE, "seed": 0})) is None  # so that the same command tries it again


def test_a_run_that_raises_is_recorded_as_failed_and_costs_no_other(runner):
    impossible = make_config({**BASE, "units": (16384,) * 24, "batch_size": 1000, "seed": 7})
    # 6 GB of weights and as much again twice over: more than a worker may have here
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "_serve", _serve_in_little_memory)
        records = list(workers.run_all([impossible, *configs(2)], runner, place(runner), jobs=2))
    status = {record.seed: record.status for record in records}
    assert status == {7: "failed", 0: "ok", 1: "ok"}


def _serve_in_little_memory(connection, where, threads):
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    workers.__dict__["_real_serve"](connection, where, threads)


workers.__dict__.setdefault("_real_serve", workers._serve)


def test_a_list_of_one_job_runs_here(runner):
    told = []
    (record,) = workers.run_all(configs(1), runner, place(runner), jobs=1, listen=told.append)
    assert record.status == "ok"
    assert told[-1].step == 6
    assert Path(runner.ledger.path).read_text().count("\n") == 1
