"""Runs on a Ray cluster, for real: nodes of this machine, in a network of loopback alone (see ray_nodes.py). Nodes,
workers and drivers are killed, and no run is lost or made twice."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer import datasets
from explorer.asking import studies
from explorer.asking.tuning import StudySearch
from explorer.errors import UserError
from explorer.record import Record
from explorer.running.engines import Engine, WorkerSetup
from explorer.running.engines import ray as ray_engine
from explorer.running.engines.here import InProcess
from explorer.running.engines.ray import RayCluster, RayEngine, liaison, worker
from explorer.running.engines.ray import node as on_nodes
from explorer.running.engines.ray.messages import Terms
from explorer.running.engines.waiting import Waiting
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent
from explorer.seeds import fresh
from tests import ray_nodes
from tests.conftest import PROJECT, on_the_cpu
from tests.engine_suite import EngineSuite, Notes, configs
from tests.ray_nodes import Node, cluster, own_network, wait_until
from tests.test_cli import explorer

pytestmark = on_the_cpu
GIGABYTES_3 = 3 << 30


@pytest.fixture(scope="module")
def head():
    if why := ray_nodes.missing():
        pytest.skip(why)
    with own_network(), cluster(cpus=3) as node:
        yield node


@pytest.fixture(scope="module")
def runner(digits) -> Runner:
    return Runner(digits)


@contextmanager
def engine_at(address: str, runner: Runner, jobs: int | None = None, data: str = "digits", **how):
    said: list[str] = []
    with (
        closing(RayCluster(address, say=said.append, **how)) as there,
        closing(RayEngine(there, runner, WorkerSetup(data), jobs)) as engine,
    ):
        engine.said = said
        yield engine


class TestRay(EngineSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, head, runner):
        with engine_at(head.address, runner, jobs=2) as engine:
            yield engine

    @pytest.fixture
    def broken_engine(self, head, runner):
        with engine_at(head.address, runner, jobs=1, device="TPU") as broken:
            yield broken

    @pytest.fixture
    def cramped_engine(self, head, runner, monkeypatch):
        monkeypatch.setattr(liaison, "serve", serve_cramped_workers)
        with engine_at(head.address, runner, jobs=1) as cramped:
            yield cramped

    @pytest.mark.parametrize("method", [None, "tpe"])
    def test_a_study_and_a_search_propose_and_record_the_same_as_here_and_go_on_where_they_stopped(
        self, engine, runner, tmp_path, method
    ):
        (tmp_path / "tiny.toml").write_text(SEARCH if method else STUDY)
        question = studies.load(str(tmp_path / "tiny.toml"), "mlp", "digits", {}, {}, method=method)

        def begun(name: str, engine: Engine) -> tuple[StudySearch, Generator[Record, None, None]]:
            search, recorder = StudySearch(question), Recorder(Store(tmp_path / name), runner.data.digest)
            return search, answer(search, engine, recorder, Silent())

        interrupted = begun("there", engine)[1]
        first = {next(interrupted).id for _ in range(3)}
        interrupted.close()
        found, rest = begun("there", engine)
        there = [record.id for record in rest]
        expected, all_here = begun("here", InProcess(runner))
        here = {figures(record) for record in all_here}
        assert {figures(record) for record in Store(tmp_path / "there").records()} == here
        assert len(here) == len(first) + len(there)
        assert not first & set(there)
        assert [one.winner for one in found.tunings] == [one.winner for one in expected.tunings]
        assert {run.seed for run in found.runs} == {0, 1, *fresh(3)}

    def test_closed_it_leaves_no_worker_behind_and_serves_again(self, engine, head):
        list(engine.run(configs(2), Notes()))
        wait_until(lambda: len(head.workers()) == 2, "both workers are there")
        engine.close()
        wait_until(lambda: not head.workers(), "the workers are gone")
        assert len(list(engine.run(configs(1), Notes()))) == 1

    @pytest.fixture
    def lone(self, engine, monkeypatch):
        """The engine with a single worker."""
        if len(engine.workers) > 1:
            engine.close()
        monkeypatch.setattr(engine, "jobs", 1)
        return engine

    def test_a_run_whose_worker_dies_is_tried_again_and_fails_with_the_reason_where_that_dies_too(self, lone, head):
        notes = Deadly(head, 2, signal.SIGKILL)
        ended = list(lone.run(configs(3), notes))
        assert {one.record.seed: one.record.status for one in ended} == {0: "failed", 1: "ok", 2: "ok"}
        assert [event for event, run, _ in notes.heard if run.config.seed == 0].count("started") == 2
        (failed,) = (one.record for one in ended if one.record.status == "failed")
        assert "died" in failed.error.reason

    def test_a_stopped_worker_is_ended_and_its_run_tried_again(self, lone, head, monkeypatch):
        notes = Deadly(head, 1, signal.SIGSTOP)
        monkeypatch.setattr(
            lone, "patience", lambda config: 1.0 if config.seed == 0 and "tried again" not in notes.said() else 120.0
        )
        assert [one.record.status for one in lone.run(configs(3), notes)] == ["ok"] * 3
        ((_, run, reason),) = [heard for heard in notes.heard if heard[0] == "tried again"]
        assert (run.config.seed, "no sign of life for 1 s" in reason) == (0, True)


STUDY = """
[study]
scientific.activation = ["relu", "sigmoid"]
nuisance.lr = { low = 1e-4, high = 1e-1, log = true }
tries = 2
finalists = 1
seeds = 2
fresh_seeds = 3
[base]
steps = 20
units = [24]
"""
SEARCH = """
[search]
ranges.lr = { low = 1e-4, high = 1e-1, log = true }
tries = 12
finalists = 1
seeds = 2
fresh_seeds = 3
[base]
steps = 20
units = [24]
"""


def figures(record: Record) -> tuple:
    """Everything that is the same to the bit wherever a run is trained."""
    return (
        record.id, record.status, record.train_loss, record.val_loss, record.val_accuracy, record.test_accuracy,
        tuple(record.history),
    )  # fmt: skip


class Deadly(Notes):
    """Sends a signal to the only worker as soon as seed 0 is given to it."""

    def __init__(self, node: Node, count: int, number: signal.Signals):
        super().__init__()
        self.node, self.left, self.number = node, count, number

    def started(self, run) -> None:
        super().started(run)
        if run.config.seed == 0 and self.left:
            self.left -= 1
            (worker,) = self.node.workers()
            os.kill(worker, self.number)


real_serve = liaison.serve


class CrampedActor(on_nodes.Actor):
    def open(self, data=None):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + GIGABYTES_3,) * 2)
        return super().open(data)


def serve_cramped_workers(connection, cluster) -> None:
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    on_nodes.Actor = CrampedActor
    real_serve(connection, cluster)


def test_worker_gets_a_run_of_its_shape_then_of_one_nobody_has_then_the_first():
    small, large, other = (configs(2, units=(size,)) for size in (24, 25, 26))
    waiting = Waiting([*small, *large, *other])
    shapes = [runs[0].shape for runs in (small, large, other)]
    assert waiting.take(shapes[1], shapes) == large[0]
    assert waiting.take(None, shapes[:1]) == large[1]
    assert waiting.take(shapes[1], shapes[:1]) == other[0]
    assert waiting.take(None, shapes) == small[0]
    assert len(waiting) == 2


def test_without_ray_and_without_a_cluster_one_line_says_so(head, monkeypatch):
    with pytest.raises(UserError, match=r"^there is no Ray cluster at 127.0.0.1:1 \("):
        RayCluster("127.0.0.1:1")
    with pytest.raises(UserError, match=r"no node of the Ray cluster at .* has a GPU"):
        RayCluster(head.address, device="CUDA")
    with pytest.raises(UserError, match="has 64 CPUs"):
        RayCluster(head.address, threads=64)
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^--engine ray needs Ray; pip install -r requirements-ray.txt$"):
        RayCluster(head.address)


def test_flags_of_clusters_are_refused_without_one():
    answer = explorer("mlp", "--sweep", "lr", "--dataset", "digits", "--threads", "2")
    assert (answer.returncode, "--engine ray" in answer.stderr) == (2, True)


def test_a_node_with_another_program_is_left_out_by_name_and_one_without_data_is_sent_them(head, digits, tmp_path):
    """Three machines: the head, and two that differ from it as their file systems say."""
    data, program, nothing = tmp_path / "mine.npz", tmp_path / "trainer.py", tmp_path / "nothing"
    save(data, digits.train_images, digits.train_labels)
    program.write_text((PROJECT / "explorer/training/trainer.py").read_text() + "\n")
    nothing.touch()
    lies = {"odd-program": (program, PROJECT / "explorer/training/trainer.py"), "no-data": (nothing, data)}
    nodes = [Node(tmp_path, 1, head.address, host, [lie]) for host, lie in lies.items()]
    try:
        for one in nodes:
            one.wait()
        mine = Runner(datasets.load(data))
        with engine_at(head.address, mine, data=str(data), record_host=True) as engine:
            hosts = set()
            for _ in range(200):  # until the one that may take part has
                trained = list(engine.run(configs(4), Notes()))
                assert [one.record.status for one in trained] == ["ok"] * 4
                hosts |= {one.record.environment.node for one in trained}
                if "no-data" in hosts and engine.said:
                    break
    finally:
        for one in nodes:
            one.stop()
    (line,) = engine.said
    assert line.startswith("node odd-program (127.0.0.1) is left out: it has another version of this program")
    assert "no-data" in hosts and "odd-program" not in hosts


def test_a_machine_with_another_package_or_other_data_says_so(digits, tmp_path, monkeypatch):
    wanted = on_nodes.Wanted(str(PROJECT), "", {"tinygrad": "0.1"}, {}, b"", "")
    assert on_nodes.difference(wanted).startswith(f"it has tinygrad {on_nodes.installed('tinygrad')}, and 0.1 is used")
    save(tmp_path / "mine.npz", digits.train_images[::-1], digits.train_labels)
    setup = WorkerSetup(str(tmp_path / "mine.npz"))
    terms = Terms(setup, setup.runner().data.digest, None, None, None, 1)
    assert worker.found(terms).digest == terms.digest
    with pytest.raises(UserError, match=r"its data set mine in .* is another one than here"):
        worker.found(replace(terms, digest="another"))
    (tmp_path / "mine.npz").unlink()
    assert worker.found(terms) is None


def save(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """A few of the images as a person's own data set."""
    np.savez(path, x_train=images[:300], y_train=labels[:300], x_test=images[:50], y_test=labels[:50])


MANY = """
title = "Many"
question = "Do all come back?"
seeds = 5
[grid]
lr = [0.001, 0.002, 0.003, 0.004]
batch_size = [16, 32]
[base]
steps = 900
units = [24]
"""


def sweep_words(folder: Path, address: str) -> list[str]:
    (folder / "many.toml").write_text(MANY)
    places = ["--results", folder / "results", "--media", folder / "media", "--report", folder / "REPORT.md"]
    words = ["mlp", "--sweep", folder / "many.toml", "--dataset", "digits", "--engine", "ray", "--address", address]
    return [str(word) for word in (*words, "--json-lines", "--record-host", *places)]


def kept(folder: Path) -> list:
    try:
        lines = (folder / "results" / "runs.jsonl").read_bytes().splitlines(keepends=True)
    except OSError:
        return []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def hosts(folder: Path) -> set[str]:
    """The nodes that have ended a run."""
    return {run["environment"]["node"] for run in kept(folder)}


@contextmanager
def held(process: subprocess.Popen):
    """Stopped meanwhile, so that it is not over before a crowded machine has done the rest."""
    process.send_signal(signal.SIGSTOP)
    yield
    process.send_signal(signal.SIGCONT)


def test_forty_runs_outlive_a_node_a_worker_and_their_driver_and_a_node_that_joins_takes_part(head, digits, tmp_path):
    words = [sys.executable, str(PROJECT / "mnist_explorer.py"), *sweep_words(tmp_path, head.address)]
    lost = Node(tmp_path, 1, head.address, "node-lost").wait()
    joins = None
    try:
        with open(tmp_path / "said", "w") as said:
            driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said)
        wait_until(lambda: kept(tmp_path), "the first run has ended")
        with held(driver):
            wait_until(lost.ready, "the node that is to be lost has a worker")
        wait_until(lambda: "node-lost" in hosts(tmp_path), "it has ended a run")
        joins = Node(tmp_path, 1, head.address, "node-joins")
        os.kill(lost.raylet(), signal.SIGKILL)
        os.kill(head.workers()[0], signal.SIGKILL)
        with held(driver):
            joins.wait()
            wait_until(joins.ready, "the node that joins has a worker")
        wait_until(lambda: "node-joins" in hosts(tmp_path), "it has ended a run")
        assert driver.poll() is None, (tmp_path / "said").read_text()
        driver.kill()
        driver.wait()
        before = len(kept(tmp_path))
        resumed = subprocess.run(words, capture_output=True, text=True)
    finally:
        lost.stop()
        if joins:
            joins.stop()
    assert resumed.returncode == 0, resumed.stderr
    assert before < 40
    records = Store(tmp_path / "results", read_only=True).records()
    assert len(records) == len({record.id for record in records}) == 40
    assert {record.status for record in records} == {"ok"}
    here = Runner(digits)
    for record in sorted(records, key=lambda record: str(record.configuration.shape))[::4]:  # enough to see it
        again = here.run(record.configuration).record
        assert (again.val_accuracy, again.test_accuracy, again.val_loss) == (
            record.val_accuracy, record.test_accuracy, record.val_loss,
        )  # fmt: skip
        assert tuple(again.history) == tuple(record.history)


def test_ctrl_c_ends_it_keeps_what_had_ended_and_frees_the_nodes(head, tmp_path):
    words = [sys.executable, str(PROJECT / "mnist_explorer.py"), *sweep_words(tmp_path, head.address)]
    driver = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_until(lambda: len(kept(tmp_path)) >= 2 or driver.poll() is not None, "two runs have ended")
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: the whole group hears it
    _, said = driver.communicate(timeout=30)
    assert driver.returncode == 130
    assert f"{len(kept(tmp_path))} records are kept" in said
    assert "Traceback" not in said
    wait_until(lambda: not head.workers(), "the workers are gone")


def test_a_token_shuts_out_whoever_does_not_know_it_and_a_lost_head_is_one_line_with_the_command_that_resumes(
    head, tmp_path, monkeypatch
):
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64}
    with cluster(1, port=ray_nodes.PORT + 1, environment=secret) as guarded:
        with pytest.raises(UserError, match="there is no Ray cluster at"):
            RayCluster(guarded.address)
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        monkeypatch.setenv("RAY_AUTH_TOKEN", "b" * 64)
        with pytest.raises(UserError, match="there is no Ray cluster at"):
            RayCluster(guarded.address)
        monkeypatch.setenv("RAY_AUTH_TOKEN", secret["RAY_AUTH_TOKEN"])
        words = [sys.executable, str(PROJECT / "mnist_explorer.py"), *sweep_words(tmp_path, guarded.address)]
        driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: len(kept(tmp_path)) >= 2 or driver.poll() is not None, "two runs have ended")
        (lost,) = [one for one in ray_nodes.children(guarded.process.pid) if "/gcs_server " in ray_nodes.called(one)]
        os.kill(lost, signal.SIGKILL)
        _, said = driver.communicate(timeout=60)
    assert driver.returncode == 1
    (line,) = said.splitlines()
    assert line.startswith(f"error: the Ray cluster at {guarded.address} is lost")
    assert "--engine ray" in line
    assert f"{len(kept(tmp_path))} records are kept" in line
