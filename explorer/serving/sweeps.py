"""SWEEP: the sweeps that run on this machine, whoever started them, and those that are started from the page, each a
process of its own that runs the very command it is shown with, and goes on when the server ends."""

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from explorer import models
from explorer.asking import documents, questions
from explorer.config import Config, make_config
from explorer.errors import UserError
from explorer.judging.runs import ConfigResult, Runs
from explorer.judging.sweeps import SweepResult
from explorer.places import CHECKOUT
from explorer.record import Record
from explorer.running import following
from explorer.running.leader import leader
from explorer.running.requests import Request
from explorer.running.store import Store
from explorer.telling import tables, words

MORE_SEEDS = 5
REMEMBERED = 4  # sweeps that have ended, so many stay to be seen
LOOK_SECONDS = 0.7


class PointShown(Struct, frozen=True):
    """A point: seeds done of those planned, its validation accuracy, the last run's curve."""

    label: str
    n: int
    planned: int
    told: str
    """The mean on validation with its interval, in words."""
    curve: Sequence[float]
    verdict: str
    leads: bool


class SweepShown(Struct, frozen=True):
    """A sweep as the page shows it."""

    key: str
    title: str
    command: str
    state: str
    """running, paused, stopping, ended, stopped by a page, or gone: over before its time."""
    done: int
    total: int
    left: float | None
    more: bool
    """Whether it can be given more seeds."""
    workers: Sequence[following.Worker]
    points: Sequence[PointShown]


class Offered(Struct, frozen=True):
    """A question that a model can be asked."""

    name: str
    title: str
    question: str
    points: int
    seeds: int
    datasets: Sequence[str]


def offered() -> dict[str, list[Offered]]:
    """model -> the shipped questions."""
    found: dict[str, list[Offered]] = {}
    for model in models.names():
        found[model] = []
        for name in documents.available(model):
            sweep = questions.load(name, model, yes=True)
            sets = [other for other in documents.about() if name in documents.available(model, other)]
            found[model].append(
                Offered(name, sweep.title, sweep.question, len(sweep.points), sweep.seeds_default, sets)
            )
    return found


class Sweeps:
    """Follows sweeps through their live files and the ledger. Not for several threads at once but where it says so."""

    def __init__(self, results: Path | None, environment: Mapping[str, str]):
        self.results, self.environment = results, dict(environment)
        self.store = Store(results, read_only=True)
        self.seen: dict[str, SweepShown] = {}
        self.plans: dict[str, following.Plan] = {}
        self.asked: dict[str, following.Asked] = {}
        self.children: list[subprocess.Popen[bytes]] = []
        self.waiting: list[tuple[str, list[str]]] = []
        """(key of the sweep that must end before, arguments): more seeds that were asked for."""
        self._lock = threading.Lock()
        self._runs: tuple[int, Runs] | None = None

    def look(self) -> list[SweepShown]:
        """All that run, then those that ended while this looked on, the last one first. Any thread may call it."""
        with self._lock:
            running = {sweep.key: sweep for sweep in following.sweeps(self.store.folder)}
            for key, sweep in running.items():
                self.plans[key] = sweep.plan
                self.seen[key] = self._shown(key, sweep.plan, sweep.now, sweep.now.state)
            for key, shown in self.seen.items():
                if key not in running and shown.state not in ("ended", "stopped", "gone"):
                    self.seen[key] = self._last(key, shown)
            self.seen = dict(list(self.seen.items())[-REMEMBERED - len(running) :])
            self.children = [child for child in self.children if child.poll() is None]
            self._start_waiting(running)
            alive = [shown for key, shown in self.seen.items() if key in running]
            ended = [shown for key, shown in self.seen.items() if key not in running]
            return [*alive, *reversed(ended)]

    def ask(self, key: str, asked: str) -> None:
        """Ask a sweep to pause, resume or stop, or for more seeds. UserError where that cannot be. Any thread may."""
        with self._lock:
            if asked == "more":
                self._ask_for_more(key)
            elif asked in ("pause", "resume", "stop"):
                if not following.ask(self.store.folder, key, asked):  # type: ignore[arg-type]
                    raise UserError("that sweep does not run any more")
                self.asked[key] = asked  # type: ignore[assignment]
            else:
                raise UserError(f"a sweep can be asked to pause, resume, stop, or for more, not {asked!r}")

    def start(self, model: str, name: str, dataset: str | None, seeds: int, fields: Mapping[str, object]) -> str:
        """Start a sweep in a process of its own; returns its command. UserError where it cannot be asked so."""
        if name not in documents.available():  # a path may name any file
            raise UserError(f"there is no shipped sweep {name!r}")
        sweep = questions.load(name, model, dataset, fields)
        questions.configs(sweep, seeds)
        request = Request(name, model, sweep.dataset, dict(fields), seeds)
        with self._lock:
            self._spawn(words.sweep_command(request))
        return words.sweep_command(request)

    def _ask_for_more(self, key: str) -> None:
        plan = self.plans.get(key)
        if plan is None or not plan.requests:
            raise UserError("that sweep cannot be given more seeds")
        seeds = max(request.seeds for request in plan.requests) + MORE_SEEDS
        grown = [replace(request, seeds=seeds) for request in plan.requests]
        self.plans[key] = replace(plan, requests=grown)
        self.waiting = [(before, command) for before, command in self.waiting if before != key]
        self.waiting += [(key, shlex.split(words.sweep_command(request))) for request in grown]

    def _start_waiting(self, running: Mapping[str, following.LiveSweep]) -> None:
        ready = [(key, command) for key, command in self.waiting if key not in running]
        if ready and not self.children:
            self.waiting.remove(ready[0])
            self._spawn(shlex.join(ready[0][1]))

    def _spawn(self, command: str) -> None:
        """Run a command as it is shown, with this program and this server's results."""
        arguments = shlex.split(command)[2:]
        if (folder := self.results) is not None:
            places = {"--results": folder, "--media": folder / "media", "--report": folder / "REPORT.md"}
            arguments += [str(word) for pair in places.items() for word in pair]
        door = "from explorer.cli.main import entry; entry()"
        path = [str(Path(__file__).resolve().parents[2]), self.environment.get("PYTHONPATH", "")]
        self.children.append(
            subprocess.Popen(
                [sys.executable, "-c", door, *arguments, "--quiet"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=self.environment | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
                cwd=CHECKOUT,
                start_new_session=True,  # Ctrl-C ends the server; a sweep goes on
            )
        )

    def _last(self, key: str, shown: SweepShown) -> SweepShown:
        """How a sweep that runs no more ended."""
        plan = self.plans[key]
        points = self._points(plan, self._measured())
        done = sum(point.n for point in points)
        planned = sum(point.planned for point in points)
        state = "ended" if done >= planned else "stopped" if self.asked.get(key) == "stop" else "gone"
        return SweepShown(key, shown.title, shown.command, state, shown.total if state == "ended" else shown.done,
                          shown.total, None, bool(plan.requests), (), points)  # fmt: skip

    def _shown(self, key: str, plan: following.Plan, now: following.Now, state: str) -> SweepShown:
        state = "stopping" if self.asked.get(key) == "stop" else state
        points = self._points(plan, self._measured())
        return SweepShown(
            key,
            plan.title,
            plan.command,
            state,
            now.done,
            now.total,
            now.left,
            bool(plan.requests),
            now.workers,
            points,
        )

    def _measured(self) -> Runs:
        records = self.store.records()
        if self._runs is None or self._runs[0] != len(records):
            self._runs = len(records), Runs(records)
        return self._runs[1]

    def _points(self, plan: following.Plan, runs: Runs) -> list[PointShown]:
        verdicts = self._verdicts(plan, runs)
        configs = [_config(point) for point in plan.points]
        records = [runs.of(config, plan.seeds or None) if config is not None else {} for config in configs]
        scores = [ConfigResult(config, there).validation if config is not None else {}
                  for config, there in zip(configs, records, strict=True)]  # fmt: skip
        first = leader(dict(enumerate(scores)))
        return [
            PointShown(
                point.label,
                len(there),
                plan.seeds or len(there),
                words.figure(scores[place]),
                _curve(list(there.values())),
                verdicts.get(point.label, ""),
                first is not None and first.point == place,
            )
            for place, (point, there) in enumerate(zip(plan.points, records, strict=True))
        ]

    def _verdicts(self, plan: following.Plan, runs: Runs) -> dict[str, str]:
        if len(plan.requests) != 1:
            return {}
        request = plan.requests[0]
        try:
            sweep = questions.load(
                request.path or request.name, request.model, request.dataset, request.overrides, True
            )
        except UserError:
            return {}
        judged = SweepResult(request, sweep, runs)
        return {outcome.label: tables.verdict(judged, outcome) for outcome in judged.distinct}


def _config(point: following.PlannedPoint) -> Config | None:
    try:
        return make_config(point.config)
    except UserError:  # of another version of this program
        return None


def _curve(records: Sequence[Record]) -> list[float]:
    """What the run that ended last saw along the way, as errors: what a line a few letters high can show."""
    last = max(records, key=lambda record: record.started, default=None)
    if last is None:
        return []
    return [1 - look.val_accuracy + 1e-4 for look in last.history if look.val_accuracy is not None]


def follow(sweeps: Sweeps, tell: Callable[[object], None], over: threading.Event) -> None:
    """Look again and again, and tell what changed, until it is over."""
    before: object = None
    while not over.is_set():
        began = time.perf_counter()
        now = sweeps.look()
        if now != before:
            before = now
            tell({"sweeps": now})
        over.wait(max(LOOK_SECONDS, 4 * (time.perf_counter() - began)))  # a fifth of a core at most
