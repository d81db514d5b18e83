"""What a person sees while runs go on: a live bar on a terminal, plain lines without control codes elsewhere."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from explorer.config import Config
from explorer.escape import printable
from explorer.record import Record
from explorer.running.trackers import Silent, TrackedRun, Tracker

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from explorer.training.trainer import Progress


@contextmanager
def one_run() -> Iterator[Tracker]:
    """Shows one run: a bar, or a line at every twentieth of it."""
    if not sys.stdout.isatty():
        yield RunLines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with Progress(*columns, console=_console()) as bar:
        yield RunBar(bar, bar.add_task("", total=None, figures="compiling"))


@contextmanager
def many_runs(total: int, labels: Mapping[Config, str]) -> Iterator[Tracker]:
    """Shows a sweep of ``total`` runs: a line for each as it ends, with one bar for them all on a terminal.

    ``labels``: a run's point -> its label.
    """
    if not sys.stdout.isatty():
        yield SweepLines(total, labels)
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        BarColumn(bar_width=20),
        TextColumn("{task.fields[done]}/{task.total}"),
        TextColumn("{task.fields[left]} left"),
        TextColumn("{task.fields[leader]}", markup=False),
    )
    with Progress(*columns, console=_console()) as bar:
        yield SweepBar(total, labels, bar, bar.add_task("", total=total, done=0, left="?", leader=""))


def _console() -> "Console":
    """The terminal, for a bar: it draws with control codes of its own, so what it is told is made printable here."""
    from rich.console import Console

    return Console(file=getattr(sys.stdout, "unescaped", sys.stdout))


class RunLines(Silent):
    """A plain line at every twentieth of a run."""

    def __init__(self) -> None:
        self.twentieth = 0

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        twentieth = 20 * progress.step // progress.total_steps
        if twentieth == self.twentieth:
            return
        self.twentieth = twentieth
        rate = progress.steps_per_second
        left = (progress.total_steps - progress.step) / rate if rate else 0
        print(f"step {progress.step}/{progress.total_steps}  {_figures(progress)}  {left:.0f} s left", flush=True)


class RunBar(Silent):
    """A live bar of one run's steps."""

    def __init__(self, bar: "Bar", task: "TaskID"):
        self.bar, self.task = bar, task

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        self.bar.update(
            self.task, total=progress.total_steps, completed=progress.step, figures=_figures(progress)
        )  # fmt: skip


class SweepLines(Silent):
    """A plain line for each run of a sweep as it ends: its figures, its point, the seconds left for all."""

    def __init__(self, total: int, labels: Mapping[Config, str]):
        self.total, self.labels = total, labels
        self.done = 0
        self.shares: dict[str, float] = {}  # id -> how far a run that has not ended is, 0 to 1
        self.leader = ""
        self.best = -1.0
        self.began = time.perf_counter()

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        self.shares[run.id] = progress.step / progress.total_steps

    def finished(self, run: TrackedRun, record: Record) -> None:
        self.done += 1
        self.shares.pop(run.id, None)
        label = self.labels.get(run.config.point, run.config.model)
        accuracy = record.val_accuracy
        if accuracy is not None and accuracy > self.best:
            self.leader, self.best = label, accuracy
        figures = f"validation {percent(accuracy)}  " if accuracy is not None else ""
        seconds = record.seconds
        told = f"[{self.done}/{self.total}] {figures}{label}, seed {run.config.seed}  {outcome(record)}  {run.id}"
        self.tell(told + (f"  {seconds.train:.1f} s, evaluation {seconds.eval:.1f} s" if seconds.train else ""))

    @property
    def left(self) -> str:
        """The time left, going by the runs done and what is done of those that go on."""
        done = self.done + sum(self.shares.values())
        return duration((time.perf_counter() - self.began) / done * (self.total - done)) if done else "?"

    def tell(self, line: str) -> None:
        print(f"{line}  {self.left} left", flush=True)


class SweepBar(SweepLines):
    """The same lines above a live bar, which moves with every look of every worker."""

    def __init__(self, total: int, labels: Mapping[Config, str], bar: "Bar", task: "TaskID"):
        super().__init__(total, labels)
        self.bar, self.task = bar, task

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        super().looked(run, progress)
        self.draw()

    def tell(self, line: str) -> None:
        self.bar.console.print(printable(line), highlight=False, markup=False)
        self.draw()

    def draw(self) -> None:
        leader = f"best so far {percent(self.best)}: {printable(self.leader)}" if self.leader else ""
        completed = self.done + sum(self.shares.values())
        self.bar.update(self.task, completed=completed, done=self.done, left=self.left, leader=leader)


def _figures(progress: "Progress") -> str:
    validation = "" if progress.val_accuracy is None else f"validation {percent(progress.val_accuracy)}  "
    return f"loss {progress.train_loss:.4f}  {validation}{progress.steps_per_second:.0f} steps/s"


def outcome(record: Record) -> str:
    """``test 97.12 %``, or why there is no figure."""
    if record.status == "ok":
        return f"test {percent(record.test_accuracy or 0.0)}"
    return f"{record.status}: {record.error}"


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``1.5 h``"""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
