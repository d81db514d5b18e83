"""Many runs at once: worker processes of this machine. A worker that dies costs its run only.

The parent hands out configs one at a time, runs of one shape to one worker as far as it goes, because the second run
of a shape starts at once. Workers write nothing: what they see and what comes of a run goes to the parent.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TypeAlias

from explorer import machine
from explorer.config import Config, Json, make_config
from explorer.errors import UserError
from explorer.record import Bar
from explorer.running.engines import (
    TICK_SECONDS,
    TRIES,
    Broken,
    Engine,
    Mistaken,
    News,
    Patience,
    WorkerSetup,
    for_ever,
    never,
    no_bars,
)
from explorer.running.engines.here import InProcess
from explorer.running.engines.waiting import Waiting
from explorer.running.runner import Runner, Trained
from explorer.running.trackers import TrackedRun, Tracker

_Task: TypeAlias = "tuple[Json, tuple[Bar, ...]]"
"""A configuration and what its run has to clear."""


@dataclass
class _Worker:
    process: SpawnProcess
    connection: "Connection[_Task, News]"
    config: Config | None = None
    shape: object = None
    silent: float = 0.0
    """Seconds since it was last heard of."""
    stuck: str = ""
    """Why it was killed, if it was."""


class LocalProcesses:
    """``jobs`` worker processes, each with its share of the threads, started at the first run and kept until `close`.

    ``runner`` is the parent's: it knows ids and writes the records of runs that failed. A worker that is stuck, as
    ``patience`` says, is killed as if it had died.
    """

    def __init__(self, runner: Runner, setup: WorkerSetup, jobs: int, patience: Patience = for_ever):
        self.runner, self.setup, self.jobs, self.patience = runner, setup, jobs, patience
        self.threads = max(1, (int(os.environ.get("KERNEL_THREADS") or 0) or machine.cores()) // jobs)
        self.context = multiprocessing.get_context("spawn")  # forked children would inherit the device's threads, dead
        self.workers: list[_Worker] = []

    def run(
        self,
        configs: Sequence[Config],
        tracker: Tracker,
        needless: Callable[[Config], bool] = never,
        bars: Callable[[Config], Sequence[Bar]] = no_bars,
    ) -> Iterator[Trained]:
        waiting, tries = Waiting(configs), dict.fromkeys(configs, 1)
        while len(self.workers) < min(self.jobs, len(configs)):
            self.workers.append(_start(self.context, self.setup, self.threads))
        try:
            while True:
                for worker in self.workers:
                    while worker.config is None and waiting:
                        others = {other.shape for other in self.workers if other is not worker}
                        following = waiting.take(worker.shape, others)
                        if needless(following):
                            continue
                        _give(worker, following, bars(following))
                        assert worker.config is not None
                        tracker.started(self._tracked(worker.config))
                busy = [worker for worker in self.workers if worker.config is not None]
                if not busy:
                    return
                for worker in self._listen(busy):
                    config = worker.config
                    assert config is not None
                    told = self._hear(worker)
                    if isinstance(told, Mistaken):
                        raise UserError(told.line)
                    if not isinstance(told, Trained | Broken):
                        tracker.looked(self._tracked(config), told)
                        continue
                    worker.config = None
                    if isinstance(told, Trained):
                        yield told
                    elif tries[config] < TRIES:
                        tries[config] += 1
                        waiting.put_first(config)
                        tracker.tried_again(self._tracked(config), told.reason)
                    else:
                        yield Trained(self.runner.failed(config, told.reason))
        finally:
            for worker in self.workers:
                if worker.config is not None:  # nobody waits for its run any more
                    _end(worker)
            self.workers = [worker for worker in self.workers if worker.config is None]

    def close(self) -> None:
        for worker in self.workers:
            _end(worker)
        self.workers = []

    def _tracked(self, config: Config) -> TrackedRun:
        return TrackedRun(self.runner.id_of(config), config)

    def _listen(self, busy: list[_Worker]) -> list[_Worker]:
        """The workers that have something to say: a message, or, with a connection that has ended, that they died."""
        began = time.monotonic()
        ready = wait([worker.connection for worker in busy], TICK_SECONDS)
        passed = min(time.monotonic() - began, 2 * TICK_SECONDS)  # more where this process itself was stopped
        for worker in busy:
            worker.silent = 0.0 if worker.connection in ready else worker.silent + passed
            if worker.silent > self._patience(worker):
                self._kill(worker)
        return [worker for worker in busy if worker.connection in ready]

    def _hear(self, worker: _Worker) -> News:
        """The worker's next message; where it has died, how, and another takes its place."""
        # a worker stopped in the middle of a message would have us wait for its rest
        watch = threading.Timer(min(self._patience(worker), threading.TIMEOUT_MAX), self._kill, [worker])
        watch.daemon = True
        watch.start()
        try:
            message: News = worker.connection.recv()
            return message
        except (EOFError, OSError):
            worker.process.join()
            reason = worker.stuck or _death(worker.process.exitcode)
            fresh = _start(self.context, self.setup, self.threads)
            worker.process, worker.connection, worker.shape = fresh.process, fresh.connection, None
            worker.silent, worker.stuck = 0.0, ""
            return Broken(reason)
        finally:
            watch.cancel()

    def _patience(self, worker: _Worker) -> float:
        assert worker.config is not None
        return self.patience(worker.config)

    def _kill(self, worker: _Worker) -> None:
        """End a stuck worker; that it is dead comes by its connection."""
        worker.stuck = f"its worker process gave no sign of life for {self._patience(worker):g} s and was killed"
        worker.process.kill()


def _give(worker: _Worker, config: Config, bars: Sequence[Bar]) -> None:
    worker.config, worker.shape, worker.silent = config, config.shape, 0.0
    with contextlib.suppress(OSError):  # it has died already: its connection will tell
        worker.connection.send((config.to_json(), tuple(bars)))


def _start(context: SpawnContext, setup: WorkerSetup, threads: int) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, setup, threads), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.connection.close()


def _serve(connection: "Connection[News, _Task]", setup: WorkerSetup, threads: int) -> None:
    """A worker's life: configs in, looks and what came of each run out, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.environ["KERNEL_THREADS"] = str(threads)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        runner: Runner | None = None
        while True:
            said, bars = connection.recv()
            config = make_config(said)
            answer: News
            try:
                runner = runner or setup.runner()
                answer = runner.run(config, connection.send, bars)
            except UserError as error:
                answer = Mistaken(str(error))
            except (BrokenPipeError, ConnectionResetError):
                return
            except Exception as error:  # whatever went wrong in this run is this run's matter
                answer = Broken(f"{type(error).__name__}: {error}")
            connection.send(answer)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"the worker process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"the worker process ended with exit code {code}"


def local_engine(
    runner: Runner,
    setup: WorkerSetup,
    jobs: int,
    run_timeout: float | None = None,
    usual_patience: Patience | None = None,
) -> Engine:
    """This machine's engine for so many runs at once. One at a time has this process, unless it is to be watched, for
    which it takes another one: ``run_timeout`` is a person's own, in seconds, in place of the usual patience."""
    if run_timeout is not None:
        return LocalProcesses(runner, setup, jobs, lambda config: run_timeout)
    if jobs == 1 and usual_patience is None:
        return InProcess(runner)
    return LocalProcesses(runner, setup, jobs, usual_patience or for_ever)
