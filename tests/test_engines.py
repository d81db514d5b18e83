"""Both engines do what an engine must; a worker's death costs its own run only."""

import os
import resource
import signal
from pathlib import Path

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
        killed = signal_first_workers(monkeypatch, 1, signal.SIGKILL)
        notes = Notes()
        ended = list(engine.run(configs(3), notes))
        assert len(killed) == 1
        assert [one.record.status for one in ended] == ["ok"] * 3
        assert [event for event, run, _ in notes.heard if run.config.seed == 0].count("started") == 2

    def test_a_run_whose_worker_dies_twice_fails_with_the_reason(self, engine, monkeypatch):
        signal_first_workers(monkeypatch, 2, signal.SIGKILL)
        ended = list(engine.run(configs(3), Notes()))
        status = {one.record.seed: one.record.status for one in ended}
        assert status == {0: "failed", 1: "ok", 2: "ok"}
        (failed,) = (one.record for one in ended if one.record.status == "failed")
        assert "SIGKILL" in failed.error.reason

    def test_a_stopped_worker_is_killed_and_its_run_tried_again(self, engine, monkeypatch):
        stopped = signal_first_workers(monkeypatch, 1, signal.SIGSTOP)
        notes = Notes()

        def patience(config) -> float:
            """Little for the run that is stopped, until it is tried again."""
            return 0.5 if config.seed == 0 and "tried again" not in notes.said() else 120.0

        monkeypatch.setattr(engine, "patience", patience)
        ended = list(engine.run(configs(3), notes))
        assert len(stopped) == 1
        assert not alive(stopped[0])
        assert [one.record.status for one in ended] == ["ok"] * 3
        ((_, run, reason),) = [heard for heard in notes.heard if heard[0] == "tried again"]
        assert (run.config.seed, "no sign of life for 0.5 s" in reason) == (0, True)

    def test_a_run_whose_worker_stops_twice_fails_and_costs_no_other(self, engine, monkeypatch):
        signal_first_workers(monkeypatch, 2, signal.SIGSTOP)
        monkeypatch.setattr(engine, "patience", lambda config: 120.0 if config.seed else 0.5)
        ended = list(engine.run(configs(3), Notes()))
        assert {one.record.seed: one.record.status for one in ended} == {0: "failed", 1: "ok", 2: "ok"}
        (failed,) = (one.record for one in ended if one.record.status == "failed")
        assert "no sign of life" in failed.error.reason

    def test_one_run_at_a_time_has_a_worker_where_it_is_watched(self, runner):
        def made(*asked) -> type:
            return type(local.local_engine(runner, WorkerSetup("digits"), *asked))

        assert made(1) is InProcess
        assert made(1, None, lambda config: 300.0) is made(1, 9.0) is made(2) is local.LocalProcesses

    @pytest.mark.parametrize(("asked", "jobs", "threads"), [("6", 1, 6), ("6", 2, 3), ("1", 2, 1)])
    def test_workers_share_the_threads_that_were_asked_for(self, runner, monkeypatch, asked, jobs, threads):
        monkeypatch.setenv("KERNEL_THREADS", asked)
        assert local.LocalProcesses(runner, WorkerSetup("digits"), jobs).threads == threads

    def test_a_worker_stopped_in_the_middle_of_a_message_does_not_hold_up_the_rest(self, runner, monkeypatch, tmp_path):
        monkeypatch.setattr(local, "_serve", stop_within_a_message)
        monkeypatch.chdir(tmp_path)
        began = tmp_path / "began"
        engine = local.LocalProcesses(runner, WorkerSetup("digits"), 1, lambda config: 0.5 if began.exists() else 120)
        (ended,) = engine.run(configs(1), Notes())
        engine.close()
        assert "no sign of life" in ended.record.error.reason


real_serve = local._serve


def serve_in_little_memory(connection, setup, threads) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES_3, GIGABYTES_3))
    real_serve(connection, setup, threads)


def stop_within_a_message(connection, setup, threads) -> None:
    connection.recv()
    os.write(connection.fileno(), (1000).to_bytes(4, "big") + b"the beginning")
    Path("began").touch()
    os.kill(os.getpid(), signal.SIGSTOP)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def signal_first_workers(monkeypatch, count: int, number: signal.Signals) -> list[int]:
    """Have the first ``count`` configs of seed 0 send the worker they went to this signal; returns the list of those
    that got it."""
    killed: list[int] = []
    give = local._give

    def deadly(worker, config, bars):
        give(worker, config, bars)
        if len(killed) < count and worker.config.seed == 0:
            os.kill(worker.process.pid, number)
            killed.append(worker.process.pid)

    monkeypatch.setattr(local, "_give", deadly)
    return killed
