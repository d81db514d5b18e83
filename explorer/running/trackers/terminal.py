"""What a person sees while runs go on: a live bar on a terminal, plain lines without control codes elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from explorer.config import Config
from explorer.record import Record
from explorer.running.leader import Leader, leader
from explorer.running.trackers import Silent, TrackedRun, Tracker
from explorer.seeds import MIN_RUNS, is_fresh

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
    with Progress(*columns, console=terminal()) as bar:
        yield RunBar(bar, bar.add_task("", total=None, figures="compiling"))


def terminal() -> "Console":
    """The terminal, for a bar: it draws with control codes of its own, so what it is told is made printable here."""
    from rich.console import Console

    return Console(file=getattr(sys.stdout, "unescaped", sys.stdout))


AWAITED = "another process trains {}: waiting for it; what it leaves undone is trained here"


class RunLines(Silent):
    """A plain line at every twentieth of a run."""

    def __init__(self) -> None:
        self.twentieth = 0

    def awaited(self, runs: Sequence[TrackedRun]) -> None:
        print(AWAITED.format("this run"), flush=True)

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        twentieth = 20 * progress.step // progress.total_steps
        if twentieth == self.twentieth:
            return
        self.twentieth = twentieth
        rate = progress.steps_per_second
        left = (progress.total_steps - progress.step) / rate if rate else 0
        print(
            f"step {progress.step}/{progress.total_steps}  training {_figures(progress)}  {left:.0f} s left", flush=True
        )


class RunBar(Silent):
    """A live bar of one run's steps."""

    def __init__(self, bar: "Bar", task: "TaskID"):
        self.bar, self.task = bar, task

    def awaited(self, runs: Sequence[TrackedRun]) -> None:
        self.bar.console.print(AWAITED.format("this run"), highlight=False, markup=False)

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        self.bar.update(
            self.task, total=progress.total_steps, completed=progress.step, figures=_figures(progress)
        )  # fmt: skip


class SweepLines(Silent):
    """A plain line for each run of a sweep as it ends: its figures, its point, who leads, the time left for all.

    ``known`` are the records of its runs that are done already. ``expected``: seconds that runs should take, of those
    where that is known; ``jobs`` run at once. ``spent``: where the runs went so far, in words, where they have several
    stages.
    """

    def __init__(
        self,
        total: int,
        label: Callable[[Config], str],
        known: Sequence[Record] = (),
        expected: Mapping[Config, float] = MappingProxyType({}),
        jobs: int = 1,
        spent: Callable[[], str] = str,
    ):
        self.total, self.label, self.expected, self.jobs, self.spent = total, label, expected, jobs, spent
        self.typical = sum(expected.values()) / len(expected) if expected else None
        """Seconds of a run of which nothing is known."""
        self.work = sum(expected.values()) + (total - len(expected)) * (self.typical or 1.0)
        """What there is to do, in expected seconds; in runs, where nothing is known."""
        self.worked = 0.0
        self.done = 0
        self.shares: dict[str, float] = {}  # id -> how far a run that has not ended is, 0 to 1
        self.shares_of_work: dict[str, float] = {}
        self.began = time.perf_counter()
        self.scores: dict[Config, dict[int, float]] = {}
        """Point -> choosing seed -> validation accuracy, of the runs that ended well."""
        for record in known:
            self.count(record.configuration, record)

    def count(self, run: Config, record: Record) -> None:
        """Fresh seeds do not choose, so they are no part of a mean here."""
        if record.status == "ok" and record.val_accuracy is not None and not is_fresh(run.seed):
            self.scores.setdefault(run.point, {})[run.seed] = record.val_accuracy

    def awaited(self, runs: Sequence[TrackedRun]) -> None:
        which = ", ".join(map(self.named, runs[:3])) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")
        self.announce(AWAITED.format(which))

    def tried_again(self, run: TrackedRun, reason: str) -> None:
        self.shares.pop(run.id, None)
        self.shares_of_work.pop(run.id, None)
        self.announce(f"{self.named(run)}: {reason}; it is tried once more")

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        self.shares[run.id] = share = progress.step / progress.total_steps
        self.shares_of_work[run.id] = share * self._seconds(run.config)

    def named(self, run: TrackedRun) -> str:
        return f"{self.label(run.config.point)}, seed {run.config.seed}"

    def finished(self, run: TrackedRun, record: Record) -> None:
        self.done += 1
        self.worked += self._seconds(run.config)
        self.shares.pop(run.id, None)
        self.shares_of_work.pop(run.id, None)
        self.count(run.config, record)
        accuracy = record.val_accuracy
        figures = f"validation {percent(accuracy)}  " if accuracy is not None else ""
        seconds = record.seconds
        told = f"[{self.done}/{self.total}] {figures}{self.named(run)}  {outcome(record)}  {run.id}"
        self.tell(told + (f"  {seconds.train:.1f} s, evaluation {seconds.eval:.1f} s" if seconds.train else ""), record)

    @property
    def left(self) -> str:
        """The time left, going by what is done, and until there is something by the recorded runs most like these."""
        return "?" if (seconds := self.seconds_left) is None else duration(seconds)

    @property
    def seconds_left(self) -> float | None:
        worked = self.worked + sum(self.shares_of_work.values())
        elapsed = self.jobs * (time.perf_counter() - self.began)
        # What was expected counts as much as the first round of runs will.
        prior = self.jobs * self.typical if self.typical else 0.0
        if not prior and not self.done:  # a run's start takes longer than its share of the steps
            return None
        return max(0.0, (self.work - worked) * (prior + elapsed) / (prior + worked) / self.jobs)

    def _seconds(self, config: Config) -> float:
        return self.expected.get(config, self.typical or 1.0)

    @property
    def leading(self) -> Leader[Config] | None:
        return leader(self.scores)

    def leads(self, first: Leader[Config] | None) -> str:
        """Who leads, in words; nothing as long as nobody does."""
        if first is None:
            return ""
        few = ", too few to tell" if first.n < MIN_RUNS else ""
        return f"leads: {self.label(first.point)}, {percent(first.mean)} on validation (n={first.n}{few})"

    def tell(self, line: str, record: Record) -> None:
        told = (line, self.leads(self.leading), self.spent(), f"{self.left} left")
        print("  ".join(filter(None, told)), flush=True)

    def announce(self, line: str) -> None:
        """Tell what is no run's end."""
        print(line, flush=True)


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
