"""A sweep while it runs, on a terminal: a table of its points, what each worker does, how much is left, who leads.

Drawn at most twice a second, for a hundredth of the time at most, and by whoever tells of a run: no thread of its own
takes time from the training.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from explorer.config import Config
from explorer.escape import printable
from explorer.record import Record
from explorer.running.trackers import TrackedRun, Tracker
from explorer.running.trackers.terminal import SweepLines, percent, terminal
from explorer.seeds import MIN_RUNS

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from explorer.training.trainer import Progress

DRAWN_EVERY = 0.5  # seconds
LEAST_PAUSE = 100  # times as long as the drawing took: 10 to 20 ms for 20 points
BLOCKS = "▁▂▃▄▅▆▇█"
SPARKS = 12  # columns of a sparkline
ROOM = 9  # lines of the screen that are not points or workers
NARROW = 100  # columns: below, a point's figures are said shortly


@contextmanager
def many_runs(
    waiting: Sequence[Config],
    label: Callable[[Config], str],
    known: Sequence[Record] = (),
    expected: Mapping[Config, float] = MappingProxyType({}),
    jobs: int = 1,
    spent: Callable[[], str] = str,
) -> Iterator[Tracker]:
    """Shows a sweep: a live table on a terminal, elsewhere a line for each run as it ends.

    ``waiting`` are the runs to come, ``known`` the records of its runs that are done already. ``label``: what a point
    is called. ``expected``: how many seconds runs should take, of those where that is known; ``jobs`` run at once.
    ``spent``: where the runs went so far, in words, where they have several stages.
    """
    if not sys.stdout.isatty():
        yield SweepLines(len(waiting), label, known, expected, jobs, spent)
        return
    from rich.live import Live

    with Live(console=terminal(), auto_refresh=False) as live:
        table = SweepTable(waiting, label, live, known, expected, jobs, spent)
        table.draw(at_once=True)
        yield table


@dataclass
class Point:
    """A point of the sweep, as far as it has come."""

    config: Config
    runs: int = 0
    """How many seeds it will have."""
    scores: Mapping[int, float] = field(default_factory=dict)
    """Choosing seed -> validation accuracy, of its runs that ended well."""
    done: int = 0
    """Its finished runs, those without a figure included."""
    curve: Sequence[float] = ()
    """Validation accuracies along its last run."""

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.scores.values()) if self.scores else None


@dataclass
class Work:
    """What a worker does."""

    config: Config
    worker: int
    progress: "Progress | None" = None

    @property
    def doing(self) -> str:
        if self.progress is None:
            return "starting"
        if self.progress.step >= self.progress.total_steps:
            return "measuring test"
        return f"step {self.progress.step:,}/{self.progress.total_steps:,}"


class SweepTable(SweepLines):
    """`SweepLines` as a live table. ``waiting`` are the runs to come, ``known`` the records of those that are done."""

    def __init__(
        self,
        waiting: Sequence[Config],
        label: Callable[[Config], str],
        live: "Live",
        known: Sequence[Record] = (),
        expected: Mapping[Config, float] = MappingProxyType({}),
        jobs: int = 1,
        spent: Callable[[], str] = str,
    ):
        self.live = live
        self.points: dict[Config, Point] = {}
        self.at_work: dict[str, Work] = {}
        self.next_drawing = 0.0
        super().__init__(len(waiting), label, known, expected, jobs, spent)
        self.foreseen = {record.configuration for record in known}
        for run in waiting:
            self._foresee(run)

    def _foresee(self, run: Config) -> None:
        """A study's later runs are not known before its earlier ones have ended."""
        if run not in self.foreseen:
            self.foreseen.add(run)
            self._point(run.point).runs += 1

    def _work(self, run: TrackedRun) -> Work:
        taken = {work.worker for work in self.at_work.values()}
        free = next(number for number in range(1, len(taken) + 2) if number not in taken)
        return self.at_work.setdefault(run.id, Work(run.config, free))

    def _point(self, config: Config) -> Point:
        return self.points.setdefault(config, Point(config))

    def count(self, run: Config, record: Record) -> None:
        super().count(run, record)
        point = self._point(run.point)
        point.runs += 1
        point.done += 1
        point.scores = self.scores.get(run.point, {})
        point.curve = [look.val_accuracy for look in record.history if look.val_accuracy is not None]

    def tried_again(self, run: TrackedRun, reason: str) -> None:
        self.at_work.pop(run.id, None)
        super().tried_again(run, reason)

    def announce(self, line: str) -> None:
        self.live.console.print(printable(line), highlight=False, markup=False)

    def started(self, run: TrackedRun) -> None:
        self._foresee(run.config)
        self._work(run)
        self.draw()

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        super().looked(run, progress)
        work = self._work(run)
        work.progress = progress
        self.draw()

    def finished(self, run: TrackedRun, record: Record) -> None:
        self.at_work.pop(run.id, None)
        self._foresee(run.config)
        self._point(run.config.point).runs -= 1  # counted as waiting until now
        super().finished(run, record)

    def tell(self, line: str, record: Record) -> None:
        """Above the table stands only what went wrong."""
        if record.status != "ok":
            self.live.console.print(printable(line), highlight=False, markup=False, style="red")
        self.draw(at_once=self.done == self.total)

    def draw(self, at_once: bool = False) -> None:
        now = time.perf_counter()
        if at_once or now >= self.next_drawing:
            self.live.update(self.picture(), refresh=True)
            done = time.perf_counter()
            self.next_drawing = done + max(DRAWN_EVERY, LEAST_PAUSE * (done - now))

    def picture(self) -> "RenderableType":
        from rich import box
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        narrow = self.live.console.width < NARROW
        first = self.leading
        leading = self.points[first.point] if first else None
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=True, padding=(0, 2, 0, 0))
        table.add_column("point", ratio=1, overflow="ellipsis", no_wrap=True)
        table.add_column("seeds", justify="right", no_wrap=True)
        table.add_column("mean" if narrow else "validation, mean", justify="right", no_wrap=True)
        table.add_column("last run", width=SPARKS, no_wrap=True)
        shown = self._shown(leading)
        for point in shown:
            n = len(point.scores)
            few = f" (n={n})" if 0 < n < MIN_RUNS else ""
            mean = "" if point.mean is None else f"{percent(point.mean)}{few}"
            table.add_row(
                Text(printable(self.label(point.config)), style="bold green" if point is leading else ""),
                f"{point.done}/{point.runs}", mean, sparkline(point.curve, SPARKS),
            )  # fmt: skip
        lines: list[RenderableType] = [table]
        if len(shown) < len(self.points):
            lines.append(Text(f"and {len(self.points) - len(shown)} more points", style="dim"))
        lines.append(Text(""))
        for work in sorted(self.at_work.values(), key=lambda work: work.worker):
            label = self.label(work.config.point)
            lines.append(Text(printable(f"worker {work.worker}  {work.doing:18}  {label}, seed {work.config.seed}"),
                              no_wrap=True, overflow="ellipsis"))  # fmt: skip
        bar = Table.grid(padding=(0, 1, 0, 0))
        completed = self.done + sum(self.shares.values())
        bar.add_row(
            ProgressBar(total=max(self.total, 1), completed=completed, width=20),
            Text(f"{self.done}/{self.total} runs, {self.left} left", no_wrap=True),
        )
        lines.append(bar)
        if spent := self.spent():
            lines.append(Text(f"spent: {spent}", no_wrap=True, overflow="ellipsis"))
        if leads := self.leads(first):
            lines.append(Text(printable(leads), no_wrap=True, overflow="ellipsis"))
        return Group(*lines)

    def _shown(self, leading: Point | None) -> list[Point]:
        """The points there is room for, in the sweep's order: the leading one and those at work before the others."""
        room = max(4, self.live.console.height - ROOM - len(self.at_work))
        points = list(self.points.values())
        if len(points) <= room:
            return points
        busy = [self.points[work.config.point] for work in self.at_work.values() if work.config.point in self.points]
        ranked = sorted((point for point in points if point.scores), key=lambda point: -(point.mean or 0.0))
        first = list(dict.fromkeys(map(id, [*([leading] if leading else []), *busy, *ranked, *points])))[:room]
        return [point for point in points if id(point) in first]


def sparkline(values: Sequence[float], columns: int) -> str:
    """The values as blocks of eight heights, the lowest to the highest; of more than ``columns`` the last of each
    share. Empty where there are none."""
    if not values:
        return ""
    count = min(columns, len(values))
    chosen = [values[(place + 1) * len(values) // count - 1] for place in range(count)]
    low, high = min(chosen), max(chosen)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round(steps * (value - low) / (high - low)) if high > low else steps] for value in chosen)
