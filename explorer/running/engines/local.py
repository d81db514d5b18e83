"""Many runs at once: worker processes that share one ledger. A worker that dies costs its run only.

The parent hands out configs one at a time, runs of one shape to one worker as far as it goes, because the second run
of a shape starts at once. Workers append to the ledger themselves; the parent only listens.
"""

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import datasets
from explorer import machine
from explorer.config import Config, make_config
from explorer.record import Record
from explorer.running.ledger import Ledger
from explorer.running.runner import Runner

TRIES = 2  # a run whose worker died is tried once more


@dataclass(frozen=True)
class WorkerSetup:
    """Where a worker finds what it needs: the data set's name and folder, and the ledger's folder."""

    dataset: str
    data_dir: Path | None
    results: Path


@dataclass
class _Worker:
    process: Any
    connection: Connection
    config: Config | None = None
    shape: Any = None


def run_all(
    configs: Sequence[Config],
    runner: Runner,
    place: WorkerSetup,
    jobs: int,
    listen: Callable[[Any], None] = lambda progress: None,
) -> Iterator[Record]:
    """Train every config and yield its record as it ends, in the order they end.

    One job trains in this process on all cores; more train in as many processes, each with its share of the cores. A
    run that fails twice yields a record of status ``failed`` with the reason. ``listen`` hears of the progress within
    runs, in one job only.
    """
    if jobs == 1 or len(configs) == 1:
        for config in configs:
            yield runner.run(config, listen)
        return
    jobs = min(jobs, len(configs))
    context = multiprocessing.get_context("spawn")  # forked children would inherit the device's threads, dead
    threads = max(1, machine.cores() // jobs)
    waiting = deque(configs)
    tries: dict[Config, int] = {}
    workers = [_start(context, place, threads) for _ in range(jobs)]
    try:
        while True:
            for worker in workers:
                if worker.config is None and waiting:
                    _give(worker, waiting, {other.shape for other in workers if other is not worker})
            busy = [worker for worker in workers if worker.config is not None]
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in [worker for worker in busy if worker.connection in ready]:
                ended, worker.config = worker.config, None
                assert ended is not None
                try:
                    record, reason = worker.connection.recv()
                except (EOFError, OSError):
                    record = None
                    worker.process.join()
                    reason = _death(worker.process.exitcode)
                    workers[workers.index(worker)] = _start(context, place, threads)
                if record is not None:
                    yield record
                elif tries.setdefault(ended, 1) < TRIES:
                    tries[ended] += 1
                    waiting.appendleft(ended)
                else:
                    yield runner.record_failure(ended, reason)
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


def _give(worker: _Worker, waiting: deque[Config], elsewhere: set[Any]) -> None:
    """Send the next config: one of the worker's own shape, else of a shape no other worker has, else the first."""
    config = next(
        (config for config in waiting if config.shape == worker.shape),
        next((config for config in waiting if config.shape not in elsewhere), waiting[0]),
    )
    waiting.remove(config)
    worker.config, worker.shape = config, config.shape
    with contextlib.suppress(OSError):  # it has died already: its connection will tell
        worker.connection.send(config.to_json())


def _start(context: Any, place: WorkerSetup, threads: int) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, place, threads), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(connection: Connection, place: WorkerSetup, threads: int) -> None:
    """A worker's life: configs in, (record, None) or (None, reason) out, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.environ["KERNEL_THREADS"] = str(threads)
    runner = Runner(datasets.load(place.dataset, place.data_dir), Ledger(place.results))
    while True:
        try:
            config = make_config(connection.recv())
        except EOFError:
            return
        try:
            answer: tuple[Record | None, str | None] = runner.run(config), None
        except Exception as error:  # whatever went wrong in this run is this run's matter
            runner.trainer = None
            answer = None, f"{type(error).__name__}: {error}"
        connection.send(answer)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"the worker process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"the worker process ended with exit code {code}"
