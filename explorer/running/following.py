"""What a sweep's process tells others on this machine while it runs, and what they may ask of it: small files in
``live/`` beside the ledger, gone when the sweep is.

``<key>.plan.json`` is written once, ``<key>.now.json`` about twice a second, ``<key>.ask.json`` by whoever asks. Each
is replaced as a whole. Figures are not in them: the ledger has those.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
from msgspec import Struct

from explorer.config import Config
from explorer.files import write_atomically
from explorer.record import Record
from explorer.running.requests import Request
from explorer.running.trackers import Silent, TrackedRun

if TYPE_CHECKING:
    from explorer.training.trainer import Progress

T = TypeVar("T")
FOLDER = "live"
WRITE_SECONDS = 0.5
POLL_SECONDS = 0.2
MOST_BYTES = 1 << 26  # of a file that is read
State = Literal["running", "paused"]
Asked = Literal["pause", "resume", "stop"]


class PlannedPoint(Struct, frozen=True):
    """A point of a sweep; ``config`` are the fields of its `Config` at seed 0."""

    label: str
    config: dict[str, object]


class Plan(Struct, frozen=True):
    """What a process set out to do."""

    pid: int
    title: str
    command: str
    requests: list[Request]
    """The sweeps it answers; none where it does other things besides."""
    points: list[PlannedPoint]
    """Those known beforehand, then those that came up: a study's."""
    seeds: int
    """How many each point will have; 0 where that is not known."""
    started: float
    """Seconds since 1970."""


class Worker(Struct, frozen=True):
    """A run that goes on. ``rate`` is in steps a second, 0 before the first ones were timed."""

    id: str
    label: str
    seed: int
    step: int
    total: int
    loss: float | None
    rate: float


class Now(Struct, frozen=True):
    """How far it is: ``done`` of ``total`` runs, ``left`` seconds where that can be told."""

    state: State
    done: int
    total: int
    left: float | None
    workers: list[Worker]


class Ask(Struct, frozen=True):
    """What somebody asked of it last."""

    asked: Asked


class LiveSweep(Struct, frozen=True):
    """A sweep that runs on this machine; ``key`` names it."""

    key: str
    plan: Plan
    now: Now


_PLAN, _NOW, _ASK = msgspec.json.Decoder(Plan), msgspec.json.Decoder(Now), msgspec.json.Decoder(Ask)


class Follower(Silent):
    """The tracker that writes these files. What it cannot write is left out: nobody's sweep ends because of it.

    ``points`` are known beforehand, ``label`` is what any point is called; ``total`` runs are to be trained, as far as
    is known, which should take ``expected`` seconds (0: nobody knows).
    """

    def __init__(
        self,
        results: Path,
        *,
        title: str,
        command: str,
        requests: list[Request],
        points: Sequence[Config],
        label: Callable[[Config], str],
        seeds: int,
        total: int,
        expected: float = 0.0,
    ):
        self.folder, self.label, self.total, self.expected = Path(results) / FOLDER, label, total, expected
        self.key = f"{os.getpid()}-{time.time_ns() // 1_000_000}"
        self.points = {config: PlannedPoint(label(config), config.to_json()) for config in points}
        spelled = command.encode("utf-8", "backslashreplace").decode()  # a path need not be UTF-8
        self.plan = Plan(os.getpid(), title, spelled, requests, [], seeds, time.time())
        self.workers: dict[str, Worker] = {}
        self.done = 0
        self.state: State = "running"
        self.began = self.written = time.perf_counter()

    def __enter__(self) -> "Follower":
        clear(self.folder.parent)
        self._tell_points()
        self._tell()
        return self

    def __exit__(self, *exception: object) -> None:
        _remove(self.folder, self.key)

    def started(self, run: TrackedRun) -> None:
        if run.config.point not in self.points:
            self.points[run.config.point] = PlannedPoint(self.label(run.config), run.config.point.to_json())
            self._tell_points()
        self.workers[run.id] = Worker(run.id, self._called(run), run.config.seed, 0, run.config.steps or 0, None, 0.0)
        self._tell()
        self._heed()

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        loss = progress.train_loss if math.isfinite(progress.train_loss) else None
        self.workers[run.id] = Worker(
            run.id, self._called(run), run.config.seed, progress.step, progress.total_steps, loss,
            progress.steps_per_second,
        )  # fmt: skip
        if time.perf_counter() - self.written > WRITE_SECONDS:
            self._tell()
            self._heed()

    def finished(self, run: TrackedRun, record: Record) -> None:
        self.workers.pop(run.id, None)
        self.done += 1
        self._tell()

    def _called(self, run: TrackedRun) -> str:
        return self.points[run.config.point].label

    def _tell_points(self) -> None:
        self._write("plan", msgspec.structs.replace(self.plan, points=list(self.points.values())))

    @property
    def left(self) -> float | None:
        """Seconds, going by the runs done and what is done of those that go on; before, by what such runs took."""
        shares = [worker.step / worker.total for worker in self.workers.values() if worker.total]
        done = self.done + sum(shares)
        passed = time.perf_counter() - self.began
        if done:
            return passed / done * max(self.total - done, 0.0)
        return max(self.expected - passed, 0.0) if self.expected else None

    def _tell(self) -> None:
        self.written = time.perf_counter()
        total = max(self.total, self.done + len(self.workers))
        self._write("now", Now(self.state, self.done, total, self.left, list(self.workers.values())))

    def _write(self, what: str, content: Struct) -> None:
        with contextlib.suppress(OSError, UnicodeEncodeError):
            if not self.folder.is_symlink():
                write_atomically(self.folder / f"{self.key}.{what}.json", msgspec.json.encode(content))

    def _heed(self) -> None:
        """Do what was asked: wait as long as it is to pause, end as Ctrl-C does where it is to stop."""
        while True:
            asked = _read(self.folder / f"{self.key}.ask.json", _ASK)
            if asked is not None and asked.asked == "stop":
                raise KeyboardInterrupt
            state: State = "paused" if asked is not None and asked.asked == "pause" else "running"
            if state != self.state:
                self.state = state
                self._tell()
            if state == "running":
                return
            time.sleep(POLL_SECONDS)


def sweeps(results: Path) -> list[LiveSweep]:
    """The sweeps that run on this machine and keep their records in ``results``, the first started first."""
    found = []
    for key in _keys(Path(results) / FOLDER):
        plan = _read(Path(results) / FOLDER / f"{key}.plan.json", _PLAN)
        now = _read(Path(results) / FOLDER / f"{key}.now.json", _NOW)
        if plan is not None and now is not None and _lives(plan.pid):
            found.append(LiveSweep(key, plan, now))
    return sorted(found, key=lambda sweep: (sweep.plan.started, sweep.key))


def ask(results: Path, key: str, asked: Asked) -> bool:
    """Ask the sweep of that key to pause, to go on or to stop, as soon as it listens; False where there is none.

    Raises OSError where the question cannot be written.
    """
    if key not in {sweep.key for sweep in sweeps(results)}:
        return False
    write_atomically(Path(results) / FOLDER / f"{key}.ask.json", msgspec.json.encode(Ask(asked)))
    return True


def clear(results: Path) -> None:
    """Remove what processes that are gone have left."""
    folder = Path(results) / FOLDER
    for key in _keys(folder):
        plan = _read(folder / f"{key}.plan.json", _PLAN)
        if plan is None or not _lives(plan.pid):
            _remove(folder, key)


def _keys(folder: Path) -> Iterator[str]:
    if not folder.is_symlink():
        yield from sorted(path.name.removesuffix(".plan.json") for path in folder.glob("*.plan.json"))


def _remove(folder: Path, key: str) -> None:
    for what in ("ask", "now", "plan"):
        with contextlib.suppress(OSError):
            (folder / f"{key}.{what}.json").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()  # where nothing else is in it


def _read(path: Path, decoder: "msgspec.json.Decoder[T]") -> "T | None":
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        return decoder.decode(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _lives(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
