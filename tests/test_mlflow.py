"""Runs in MLflow: asked of a real server of its own, with SQLite behind it, on this machine alone."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from itertools import count
from pathlib import Path

import pytest
from mlflow import MlflowClient

from explorer.cli.parser import parse
from explorer.cli.registry import commands
from explorer.config import Config
from explorer.errors import UserError
from explorer.running.ledger import Ledger
from explorer.running.trackers import elsewhere
from explorer.running.trackers.elsewhere import Elsewhere
from explorer.running.trackers.facts import Home, home
from explorer.running.trackers.kinds import place
from explorer.running.trackers.mlflow import QUIET, MLflow, open_at
from tests.engine_suite import configs
from tests.records import record
from tests.test_cli import TINY
from tests.test_tensorboard import wait_for
from tests.tracker_suite import TrackerSuite, progress, runs

NUMBERS = count()
TOML = """
title = "Tiny"
[mlp.base]
units = [24]
batch_size = 32
steps = 6
eval_every = 3
[mlp.grid]
lr = [0.001, 0.01]
"""


@pytest.fixture(scope="module", autouse=True)
def patient():
    """A machine with much to do may take its time."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server, which is ended with this module."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri",
             f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    lean = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # its job runners take seconds, and have nothing to do here
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words], cwd=folder, stdout=log, stderr=log,
            env={**os.environ, **QUIET, **lean}, start_new_session=True,
        )  # fmt: skip
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 600
    try:
        while not answers(f"{address}/health"):
            assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(address, timeout=5).read())
    except OSError:
        return False


@pytest.fixture
def client(server) -> MlflowClient:
    return MlflowClient(tracking_uri=server)


@pytest.fixture
def experiment() -> str:
    """A name of an experiment that no other test has."""
    return f"digits/mlp/sweep {next(NUMBERS)}"


def kept(server: str, experiment: str, said: list[str], together: float = 0) -> Elsewhere:
    def homes(config: Config) -> list[Home]:
        return [home(experiment, "lr", f"lr {config.get('lr'):g}", config, "d")]

    return Elsewhere("mlflow", open_at(server, Path()), homes, "export", said.append, together)


class TestMLflow(TrackerSuite):
    @pytest.fixture
    def said(self):
        return []

    @pytest.fixture
    def tracker(self, server, experiment, said):
        return kept(server, experiment, said)

    @pytest.fixture
    def written(self, tracker, said, client, experiment):
        def status() -> str:
            tracker.close()
            assert said == []
            return " ".join(run.info.status for run in there(client, experiment))

        return status


def typed(*words) -> int:
    """What a command line of these words does, in this process."""
    namespace = parse(list(map(str, words)))
    return commands()[namespace.command].run(namespace)


def there(client: MlflowClient, experiment: str, of: str = "seed") -> list:
    """What is in an experiment: the runs of seeds, or of points; the first begun first."""
    number = client.get_experiment_by_name(experiment).experiment_id
    return client.search_runs([number], f"tags.kind = '{of}'", order_by=["attributes.start_time ASC"])


def curve(client: MlflowClient, run, name: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]


def state(client: MlflowClient, experiment: str) -> list:
    """All that is there, to be compared."""
    return [
        (run.info.run_id, run.info.status, run.info.end_time, run.data.to_dictionary(),
         {name: curve(client, run, name) for name in run.data.metrics})
        for of in ("seed", "point") for run in there(client, experiment, of)
    ]  # fmt: skip


def test_a_sweep_is_an_experiment_a_point_a_run_a_seed_one_within_and_export_adds_nothing(
    server, client, tmp_path, undrawn, capsys
):
    name = f"sweep{next(NUMBERS)}"
    (tmp_path / f"{name}.toml").write_text(TOML)
    places = ["--results", tmp_path / "results", "--media", tmp_path / "media", "--report", tmp_path / "REPORT.md"]
    code = typed(
        "mlp", "--sweep", tmp_path / f"{name}.toml", "--dataset", "digits", "--seeds", 2, *places, "--quiet",
        "--jobs", 1, "--track", f"mlflow:{server}", "--track", f"tensorboard:{tmp_path / 'logs'}",
    )  # fmt: skip
    assert (code, capsys.readouterr().err) == (0, "")
    records = {one.id: one for one in Ledger(tmp_path / "results", read_only=True).records()}
    assert len(records) == len(list((tmp_path / "logs").rglob("*tfevents*"))) == 4
    experiment = f"digits/mlp/{name}"
    seeds, points = there(client, experiment), there(client, experiment, "point")
    assert {run.data.tags["record"] for run in seeds} == set(records)
    assert {run.info.run_name for run in points} == {"lr 0.001", "lr 0.01"}
    for run in seeds:
        made = records[run.data.tags["record"]]
        assert run.info.status == "FINISHED"
        assert run.data.tags["commit"] == (made.environment.commit or "")
        assert run.data.params["lr"] == f"{made.config['lr']:g}"
        assert run.data.params["units"] == "24"
        assert set(run.data.params) == set(made.config)
        assert run.data.metrics["test_accuracy"] == pytest.approx(made.test_accuracy)
        looks = [(look.step, pytest.approx(look.val_accuracy, rel=1e-5)) for look in made.history]
        assert curve(client, run, "looks/val_accuracy") == looks
    for point in points:
        mine = [run for run in seeds if run.data.tags["mlflow.parentRunId"] == point.info.run_id]
        made = [records[run.data.tags["record"]] for run in mine]
        assert point.info.status == "FINISHED"
        assert {run.data.tags["point"] for run in mine} == {point.info.run_name}
        assert point.data.tags["point_id"] == next(one.id for one in made if one.seed == 0)
        assert point.data.metrics["seeds"] == 2
        assert point.data.metrics["test_accuracy"] == pytest.approx(sum(one.test_accuracy for one in made) / 2)
        assert set(point.data.params) == set(made[0].config) - {"seed"}
    before = state(client, experiment)
    typed("export", "--to", f"mlflow:{server}", "--results", tmp_path / "results")
    assert capsys.readouterr().out == f"0 runs written, 4 were there already\n{server}\n"
    assert state(client, experiment) == before


def test_what_was_not_tracked_is_written_afterwards_and_once(server, client, experiment):
    said: list[str] = []
    made = [record(config, 0.8 + 0.05 * place) for place, config in enumerate(configs(2))]
    fresh = record(configs(1)[0].model_copy(update={"seed": 1000}), 0.6)
    lost = record(configs(1, lr=0.5)[0], None, status="diverged")
    for _ in range(2):
        tracker = kept(server, experiment, said)
        tracker.complete([*made, fresh, lost])
        tracker.close()
        now = state(client, experiment)
    assert said == []
    assert len(now) == 4 + 2
    points = {run.info.run_name: run for run in there(client, experiment, "point")}
    means = points["lr 0.001"].data.metrics
    assert means["val_accuracy"] == pytest.approx(0.825)
    assert (means["seeds"], means["fresh/seeds"], means["fresh/val_accuracy"]) == (2, 1, 0.6)
    assert "val_accuracy" not in points["lr 0.5"].data.metrics
    (diverged,) = (run for run in there(client, experiment) if run.data.tags["status"] == "diverged")
    assert diverged.info.status == "FAILED"
    assert diverged.data.tags["why"] == "the loss was not finite at step 7"
    kept_looks = {run.data.tags["record"]: curve(client, run, "looks/val_loss") for run in there(client, experiment)}
    assert kept_looks[made[0].id] == [(10, 0.2), (20, 0.2), (30, 0.2)]
    started = next(run for run in there(client, experiment) if run.data.tags["record"] == made[0].id).info.start_time
    assert started == 1767225600000  # 2026-01-01, when its record says it began


def test_an_export_that_was_stopped_before_it_told_the_means_tells_them_when_typed_again(server, client, experiment):
    config, said = configs(1)[0], []
    mine, (run,) = record(config, 0.8), runs(1)
    open_at(server, Path()).ended(run, mine, [home(experiment, "lr", f"lr {config.lr:g}", config, "d")])
    assert [one.info.status for one in there(client, experiment, "point")] == ["RUNNING"]
    again = kept(server, experiment, said)
    again.complete([mine])
    again.close()
    (point,) = there(client, experiment, "point")
    assert (point.info.status, point.data.metrics["val_accuracy"], said) == ("FINISHED", 0.8, [])


def test_what_was_interrupted_is_killed_and_begins_anew(server, client, experiment):
    said: list[str] = []
    (run,) = runs(1)
    tracker = kept(server, experiment, said)
    tracker.started(run)
    tracker.looked(run, progress(5, look=True))
    tracker.close()
    assert [one.info.status for one in there(client, experiment)] == ["KILLED"]
    assert [one.info.status for one in there(client, experiment, "point")] == ["FINISHED"]
    tracker = kept(server, experiment, said)
    for _ in range(2):  # a worker dies
        tracker.started(run)
        tracker.looked(run, progress(5, look=True))
    wait_for(lambda: [one.info.status for one in there(client, experiment, "point")] == ["RUNNING"])
    tracker.finished(run, record(run.config, 0.9))
    tracker.close()
    (point,) = there(client, experiment, "point")
    assert (point.info.status, point.data.metrics["val_accuracy"]) == ("FINISHED", 0.9)
    (only,) = there(client, experiment)
    assert only.info.status == "FINISHED"
    assert curve(client, only, "looks/val_loss") == [(5, 0.6)]
    assert said == []


def test_two_processes_that_make_one_experiment_share_it(server, client, experiment):
    said: list[str] = []
    first, second, _ = runs(3)
    trackers = [kept(server, experiment, said) for _ in range(2)]
    for tracker, run in zip(trackers, (first, second), strict=True):
        tracker.started(run)
    trackers[0].finished(first, record(first.config, 0.9))
    trackers[1].finished(second, record(second.config, 0.8))
    trackers[0].finished(second, record(second.config, 0.8))  # trained elsewhere: that is heard here as well
    for tracker in reversed(trackers):
        tracker.close()
    assert said == []
    assert len(there(client, experiment)) == 2


def test_a_server_that_is_not_there_is_told_once_and_costs_no_run(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://somebody:secret@127.0.0.1:{gone.getsockname()[1]}"
    code = typed("mlp", *TINY, "--steps", 6, "--quiet", "--results", tmp_path, "--track", f"mlflow:{address}")
    assert code == 0
    err = capsys.readouterr().err
    told, missing = err.splitlines()
    assert "cannot be written" in told
    assert "1 run is not there" in missing
    assert "export --to" in missing
    assert "secret" not in err
    assert len(Ledger(tmp_path, read_only=True).records()) == 1
    with pytest.raises(UserError, match="cannot be written") as refused:
        typed("export", "--to", f"mlflow:{address}", "--results", tmp_path)
    assert "secret" not in str(refused.value)


def test_a_server_that_never_answers_keeps_nobody_waiting(monkeypatch, experiment):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(elsewhere, "PATIENCE_SECONDS", 3.0)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # the system answers for it, and nobody reads
        tracker = kept(f"http://127.0.0.1:{hanging.getsockname()[1]}", experiment, said)
        for run in runs(3):
            tracker.started(run)
            for step in range(1000):
                tracker.looked(run, progress(step, total=1000, look=True))
            tracker.finished(run, record(run.config, 0.9))
        assert said == []  # nothing was waited for
        tracker.close()
    told, missing = said
    assert "cannot be written" in told
    assert "3 runs are not there" in missing


def test_a_file_of_sqlite_will_do_without_a_server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    destination = place("mlflow").open(tmp_path / "results")
    assert isinstance(destination, MLflow)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["mlflow.db"]  # whole before anything trains
    (run,) = runs(1)
    stands = [home("digits/mlp", "", "defaults", run.config, "d")]
    made = record(run.config, 0.9)
    assert destination.ended(run, made, stands) is True
    destination.flush()
    again = open_at(f"sqlite:///{tmp_path}/results/mlflow.db", Path())
    assert again.ended(run, made, stands) is False
    assert len(there(again.client, "digits/mlp")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("ftp://somebody:secret@host", r"mlflow:ftp://host: must be sqlite:///FILE or the http"),
        ("sqlite:////no/such/folder/mlflow.db", "there is no folder /no/such/folder"),
        ("sqlite:////tmp", "is a folder"),
        ("sqlite:////proc/mlflow.db", "cannot be made"),
        ("a/folder", "must be sqlite"),
    ],
)
def test_a_place_that_cannot_be_one_is_refused(where, says, tmp_path):
    with pytest.raises(UserError, match=says):
        place(f"mlflow:{where}").open(tmp_path)
