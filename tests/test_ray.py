"""Runs on a Ray cluster, for real: nodes of this machine, in a network of loopback alone (see ray_nodes.py). Nodes,
workers and drivers are killed, and no run is lost or made twice."""

import os
import resource
import signal
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from explorer.errors import UserError
from explorer.running.engines import WorkerSetup
from explorer.running.engines import ray as ray_engine
from explorer.running.engines.ray import RayCluster, RayEngine, liaison
from explorer.running.engines.ray import node as on_nodes
from explorer.running.engines.waiting import Waiting
from explorer.running.runner import Runner
from tests import ray_nodes
from tests.conftest import on_the_cpu
from tests.engine_suite import EngineSuite, Notes, configs
from tests.ray_nodes import Node, cluster, own_network, wait_until
from tests.test_cli import explorer

pytestmark = on_the_cpu
GIGABYTES_3 = 3 << 30


@pytest.fixture(scope="module")
def head():
    if why := ray_nodes.missing():
        pytest.skip(why)
    with own_network(), cluster(cpus=2) as node:
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
        with engine_at(head.address, runner) as engine:
            yield engine

    @pytest.fixture
    def broken_engine(self, engine, head, runner):
        engine.close()  # its workers have all the processors
        with engine_at(head.address, runner, device="TPU") as broken:
            yield broken

    @pytest.fixture
    def cramped_engine(self, engine, head, runner, monkeypatch):
        engine.close()
        monkeypatch.setattr(liaison, "serve", serve_cramped_workers)
        with engine_at(head.address, runner) as cramped:
            yield cramped

    def test_closed_it_leaves_no_worker_behind_and_serves_again(self, engine, head):
        list(engine.run(configs(2), Notes()))
        assert len(head.workers()) == 2
        engine.close()
        wait_until(lambda: not head.workers(), "the workers are gone")
        assert len(list(engine.run(configs(1), Notes()))) == 1

    @pytest.fixture
    def lone(self, engine, monkeypatch):
        """The engine with a single worker."""
        engine.close()
        monkeypatch.setattr(engine, "jobs", 1)
        yield engine
        engine.close()

    def test_a_killed_worker_has_its_run_tried_again_and_the_rest_goes_on(self, lone, head):
        notes = Deadly(head, 1, signal.SIGKILL)
        assert [one.record.status for one in lone.run(configs(3), notes)] == ["ok"] * 3
        assert [event for event, run, _ in notes.heard if run.config.seed == 0].count("started") == 2

    def test_a_run_whose_worker_dies_twice_fails_with_the_reason(self, lone, head):
        ended = list(lone.run(configs(3), Deadly(head, 2, signal.SIGKILL)))
        assert {one.record.seed: one.record.status for one in ended} == {0: "failed", 1: "ok", 2: "ok"}
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


def test_without_ray_one_line_says_so(monkeypatch):
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^--engine ray needs Ray; pip install -r requirements-ray.txt$"):
        RayCluster()


def test_flags_of_clusters_are_refused_without_one():
    answer = explorer("mlp", "--sweep", "lr", "--dataset", "digits", "--threads", "2")
    assert (answer.returncode, "--engine ray" in answer.stderr) == (2, True)
