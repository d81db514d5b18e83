"""Both engines do what an engine must; a worker's death costs its own run only."""

import os
import resource
import signal

import pytest

from explorer.errors import UserError
from explorer.running.engines import WorkerSetup, local
from explorer.running.engines.here import InProcess
from explorer.running.runner import Runner
from tests.engine_suite import EngineSuite, Notes, configs

GIGABYTES_3 = 3 << 30


@pytest.fixture(scope="module")
def runner(digits) -> Runner:
    return Runner(digits)


class RefusingRunner(Runner):
    def run(self, config, listen=None, bars=()):
        raise UserError("no such machine")


class RefusingSetup(WorkerSetup):
    def runner(self) -> Runner:
        raise UserError("no such data")


class TestInProcess(EngineSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, runner):
        engine = InProcess(runner)
        yield engine
        engine.close()

    @pytest.fixture
    def broken_engine(self, digits):
        return InProcess(RefusingRunner(digits))

    @pytest.fixture
    def cramped_engine(self, engine):
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + GIGABYTES_3, before[1]))
        yield engine
        resource.setrlimit(resource.RLIMIT_AS, before)


class TestLocalProcesses(EngineSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, runner):
        engine = local.LocalProcesses(runner, WorkerSetup("digits"), jobs=2)
        yield engine
        engine.close()

    @pytest.fixture
    def broken_engine(self, runner):
        engine = local.LocalProcesses(runner, RefusingSetup("digits"), jobs=2)
        yield engine
        engine.close()

    @pytest.fixture
    def cramped_engine(self, runner, monkeypatch):
        monkeypatch.setattr(local, "_serve", serve_in_little_memory)
        engine = local.LocalProcesses(runner, WorkerSetup("digits"), jobs=2)
        yield engine
        engine.close()

    def test_closed_it_leaves_no_process_behind(self, engine):
        list(engine.run(configs(2), Notes()))
        processes = [worker.process for worker in engine.workers]
        assert len(processes) == 2
        engine.close()
        assert not any(process.is_alive() for process in processes)

    def test_a_killed_worker_has_its_run_tried_again_and_the_rest_goes_on(self, engine, monkeypatch):
        killed = kill_first_workers(monkeypatch, 1)
        notes = Notes()
        ended = list(engine.run(configs(3), notes))
        assert len(killed) == 1
        assert [one.record.status for one in ended] == ["ok"] * 3
        assert [event for event, run, _ in notes.heard if run.config.seed == 0].count("started") == 2

    def test_a_run_whose_worker_dies_twice_fails_with_the_reason(self, engine, monkeypatch):
        kill_first_workers(monkeypatch, 2)
        ended = list(engine.run(configs(3), Notes()))
        status = {one.record.seed: one.record.status for one in ended}
        assert status == {0: "failed", 1: "ok", 2: "ok"}
        (failed,) = (one.record for one in ended if one.record.status == "failed")
        assert "SIGKILL" in failed.error.reason


real_serve = local._serve


def serve_in_little_memory(connection, setup, threads) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES_3, GIGABYTES_3))
    real_serve(connection, setup, threads)


def kill_first_workers(monkeypatch, deaths: int) -> list[int]:
    """Have the first ``deaths`` configs of seed 0 kill the worker they went to; returns the list of those killed."""
    killed: list[int] = []
    give = local._give

    def deadly(worker, config, bars):
        give(worker, config, bars)
        if len(killed) < deaths and worker.config.seed == 0:
            os.kill(worker.process.pid, signal.SIGKILL)
            killed.append(worker.process.pid)

    monkeypatch.setattr(local, "_give", deadly)
    return killed
