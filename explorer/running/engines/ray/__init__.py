"""Many runs at once on the machines of a Ray cluster. A node or a worker that dies costs its runs only.

Three kinds of process: this one gives out the runs and alone keeps what comes of them; the *liaison*, its child, speaks
with Ray (see liaison.py); *workers*, actors on the nodes, train (worker.py), once it is known that their node has the
same program (node.py). Ray is imported by the liaison alone.
"""

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import explorer
from explorer import datasets
from explorer.config import Config
from explorer.errors import UserError
from explorer.files import print_to_stderr
from explorer.record import Bar
from explorer.running.engines import (
    TICK_SECONDS,
    TRIES,
    Broken,
    EngineLostError,
    Mistaken,
    News,
    Patience,
    WorkerSetup,
    for_ever,
    never,
    no_bars,
)
from explorer.running.engines.ray import liaison, node
from explorer.running.engines.ray.messages import (
    Begin,
    Begun,
    Dismiss,
    Give,
    Joined,
    Left,
    Lost,
    NeedsData,
    Order,
    Refused,
    Report,
    Room,
    Said,
    Ship,
    Task,
    Terms,
    Want,
)
from explorer.running.engines.waiting import Waiting
from explorer.running.prepare import NUMBERS
from explorer.running.runner import Runner, Trained
from explorer.running.trackers import TrackedRun, Tracker

CONNECT_SECONDS = 120.0
IDLE_SECONDS = 20.0  # without any worker, before a person is told what is waited for
PASSED_ON = (*NUMBERS, "DEFAULT_FLOAT", *node.OWN_FILES)
"""Variables of the environment that hold on the nodes as they do here."""


@dataclass
class _Worker:
    node: str
    label: str
    config: Config | None = None
    shape: object = None
    silent: float = 0.0
    """Seconds since it was last heard of."""


class RayCluster:
    """The connection to a cluster that runs already. Raises UserError where there is none, or none that has room.

    ``address`` as Ray has it: ``auto`` (the cluster that this machine is part of), ``host:port`` of its head, or
    ``ray://host:port``. A run takes ``threads`` processors of a node, or a GPU where ``device`` is one; without a
    ``device`` each node takes the best it has. With ``record_host`` records name the nodes by their hosts.
    """

    def __init__(
        self,
        address: str = "auto",
        device: str | None = None,
        kernels: bool | None = None,
        threads: int = 1,
        record_host: bool = False,
        say: Callable[[str], None] = print_to_stderr,
    ):
        if find_spec("ray") is None:
            raise UserError("--engine ray needs Ray; pip install -r requirements-ray.txt")
        self.address, self.device, self.kernels, self.threads, self.say = address, device, kernels, threads, say
        package = Path(explorer.__file__).parent
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        wanted = node.Wanted(
            str(package.parent), node.program_digest(package, environment),
            {name: node.installed(name) for name in node.VERSIONS}, environment, b"", "",
        )  # fmt: skip
        cluster = liaison.Cluster(address, device, threads, record_host, wanted)
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=liaison.serve, args=(theirs, cluster), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is ours, from its first moment on
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.places = 0
        """How many runs the nodes have room for."""
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        told = self.listen(CONNECT_SECONDS)
        if told is None:
            raise UserError(f"no Ray cluster answers at {self.address} within {CONNECT_SECONDS:g} s")
        if isinstance(told, Lost):
            raise UserError(
                f"there is no Ray cluster at {self.address} ({told.reason[:200]}); `ray start --head` starts one, and "
                "--address names the one that is meant"
            )
        if not self.places:
            what = "a GPU" if node_needs_gpu(self.device) else f"{self.threads} CPUs" if self.threads > 1 else "a CPU"
            raise UserError(
                f"no node of the Ray cluster at {self.address} has {what}; `ray status` lists what they have"
            )

    def send(self, order: Order) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # what ended the liaison comes by `listen`
            self.connection.send(order)

    def listen(self, seconds: float) -> Report | None:
        """What the liaison has to say next; None where it is silent for so long."""
        try:
            if not self.connection.poll(seconds):
                return None
            report: Report = self.connection.recv()
        except (EOFError, OSError):
            return Lost("the connection has ended")
        if isinstance(report, Room):
            self.places = report.places
        return report

    def close(self) -> None:
        """Leave the cluster; what workers there are end with it."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def node_needs_gpu(device: str | None) -> bool:
    from explorer.training.device import GPUS

    return (device or "").split(":")[0] in GPUS


class RayEngine:
    """Workers of a cluster, at most ``jobs`` at once (None: as many as there is room for, also on nodes that join
    later), kept from run to run until `close`.

    ``runner`` is the parent's: it knows ids and data, and writes the records of runs that failed. A worker that is
    stuck, as ``patience`` says, is ended as if it had died. One engine of a cluster works at a time.
    """

    def __init__(
        self,
        cluster: RayCluster,
        runner: Runner,
        setup: WorkerSetup,
        jobs: int | None = None,
        patience: Patience = for_ever,
    ):
        self.cluster, self.runner, self.setup, self.jobs, self.patience = cluster, runner, setup, jobs, patience
        self.workers: dict[int, _Worker] = {}
        self.refused: list[str] = []
        self.begun = False
        self.idle = 0.0
        """Seconds without any worker."""

    def run(
        self,
        configs: Sequence[Config],
        tracker: Tracker,
        needless: Callable[[Config], bool] = never,
        bars: Callable[[Config], Sequence[Bar]] = no_bars,
    ) -> Iterator[Trained]:
        waiting, again, tries = Waiting(configs), _Again(), dict.fromkeys(configs, 1)
        if not waiting:
            return
        if not self.begun:
            self._begin()
        self.cluster.send(Want(min(len(configs), self.jobs or len(configs))))
        clock = time.monotonic()
        try:
            while True:
                for number, worker in self.workers.items():
                    while worker.config is None and (following := self._next(worker, waiting, again)):
                        if not needless(following):
                            self._give(number, worker, following, bars(following))
                            tracker.started(self._tracked(following))
                if not waiting and not again and not self._busy():
                    return
                report = self.cluster.listen(TICK_SECONDS)
                passed = min(time.monotonic() - clock, 2 * TICK_SECONDS)  # more where this process itself was stopped
                clock = time.monotonic()
                for config, where, told in [*self._hear(report), *self._stuck(passed)]:
                    if isinstance(told, Mistaken):
                        raise UserError(told.line)
                    if isinstance(told, Trained):
                        yield told
                    elif not isinstance(told, Broken):
                        tracker.looked(self._tracked(config), told)
                    elif tries[config] < TRIES:
                        tries[config] += 1
                        again.add(config, where)
                        tracker.tried_again(self._tracked(config), told.reason)
                    else:
                        yield Trained(self.runner.failed(config, told.reason))
                self._look_after_nodes(passed)
        finally:
            for number in self._busy():  # nobody waits for their runs any more
                self._dismiss(number)

    def close(self) -> None:
        if self.begun:
            self.cluster.send(Begin(None))
        self.workers, self.begun = {}, False

    def _begin(self) -> None:
        terms = Terms(
            self.setup, self.runner.data.digest, os.environ.get(datasets.DATA_VARIABLE), self.cluster.device,
            self.cluster.kernels, self.cluster.threads,
        )  # fmt: skip
        self.cluster.send(Begin(pickle.dumps(terms)))
        while not isinstance(report := self.cluster.listen(CONNECT_SECONDS), Begun):
            if report is None:
                report = Lost("it does not answer")
            self._hear(report)
        self.workers, self.refused, self.begun = {}, [], True

    def _tracked(self, config: Config) -> TrackedRun:
        return TrackedRun(self.runner.id_of(config), config)

    def _busy(self) -> list[int]:
        return [number for number, worker in self.workers.items() if worker.config is not None]

    def _next(self, worker: _Worker, waiting: Waiting, again: "_Again") -> Config | None:
        """Takes out the next run for a worker; None where there is none for it."""
        others = [other for other in self.workers.values() if other is not worker]
        if found := again.take(worker.node, {other.node for other in others}):
            return found
        return waiting.take(worker.shape, {other.shape for other in others}) if waiting else None

    def _give(self, number: int, worker: _Worker, config: Config, bars: Sequence[Bar]) -> None:
        worker.config, worker.shape, worker.silent = config, config.shape, 0.0
        self.cluster.send(Give(number, pickle.dumps(Task(config.to_json(), tuple(bars)))))

    def _hear(self, report: Report | None) -> list[tuple[Config, str, News]]:
        """(which run, on which node, what is said of it)"""
        match report:
            case Joined(number, where, label):
                self.workers[number] = _Worker(where, label)
            case Said(number, messages) if number in self.workers:
                return [self._heard(self.workers[number], pickle.loads(message)) for message in messages]
            case Left(number, reason) if number in self.workers:
                worker = self.workers.pop(number)
                if worker.config is not None:
                    return [(worker.config, worker.node, Broken(reason))]
            case Refused(line):
                self.refused.append(line)
                self.cluster.say(line)
            case NeedsData():
                self.cluster.send(Ship(pickle.dumps(self.runner.data)))
            case Lost(reason):
                raise EngineLostError(f"the Ray cluster at {self.cluster.address} is lost ({reason})")
        return []

    def _heard(self, worker: _Worker, told: News) -> tuple[Config, str, News]:
        config, worker.silent = worker.config, 0.0
        assert config is not None
        if isinstance(told, Trained | Broken | Mistaken):
            worker.config = None
        return config, worker.node, told

    def _stuck(self, passed: float) -> list[tuple[Config, str, News]]:
        """Ends workers that have been silent for too long, now that ``passed`` seconds more are over."""
        found: list[tuple[Config, str, News]] = []
        for number in self._busy():
            worker = self.workers[number]
            assert worker.config is not None
            worker.silent += passed
            if worker.silent > (patience := self.patience(worker.config)):
                reason = f"its worker on {worker.label} gave no sign of life for {patience:g} s and was ended"
                found.append((worker.config, worker.node, Broken(reason)))
                self._dismiss(number)
        return found

    def _dismiss(self, number: int) -> None:
        del self.workers[number]
        self.cluster.send(Dismiss(number))

    def _look_after_nodes(self, passed: float) -> None:
        """Say so where nothing can go on. Raises UserError where no node may take part."""
        if self.workers:
            self.idle = 0.0
            return
        if not self.cluster.places and self.refused:
            raise UserError(f"no node of the Ray cluster at {self.cluster.address} can take part; {self.refused[-1]}")
        before, self.idle = self.idle, self.idle + passed
        if before <= IDLE_SECONDS < self.idle:
            self.cluster.say("no worker of the Ray cluster is ready for a run yet, or its nodes have no room; waiting")


class _Again:
    """Runs that are to be tried once more, not on the node where they failed if there is another."""

    def __init__(self) -> None:
        self.runs: list[tuple[Config, str]] = []

    def __len__(self) -> int:
        return len(self.runs)

    def add(self, config: Config, node: str) -> None:
        self.runs.append((config, node))

    def take(self, node: str, others: Collection[str]) -> Config | None:
        """Takes out the first for a worker on ``node``; None where there is none for it."""
        alone = set(others) <= {node}
        found = next((run for run in self.runs if alone or run[1] != node), None)
        if found is None:
            return None
        self.runs.remove(found)
        return found[0]
