"""What a person sees while a run goes on and when it ends. Piped output is plain lines without control codes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.dataset import Dataset
from explorer.config import Config
from explorer.record import Record

if TYPE_CHECKING:  # importing it for real would import tinygrad
    from explorer.training.trainer import Progress


def header(config: Config, data: Dataset, environment: dict[str, Any]) -> str:
    """Three lines: the model, the data, the machine."""
    net = config.net.headline(data.of)
    activation = config.get("activation")
    net += f", {activation}" if activation else ""
    length = f"{config.steps} steps" if config.steps else f"{config.epochs} epochs"
    training, validation = data.split(config.train_on)
    sizes = f"{training:,} train, {validation:,} validation, {len(data.test_images):,} test images"
    code = "own kernels" if environment["kernels"] else environment["renderer"]
    return "\n".join(
        (
            f"model    {config.model.upper()} {net}; "
            f"{config.optimizer}, lr {config.lr:g}, batch {config.batch_size}, {length}, seed {config.seed}",
            f"data     {data.name}: {sizes} ({data.source})",
            f"machine  {environment['device']} ({code}), {environment['cpu']}, "
            f"{environment['cores']} cores, tinygrad {environment['tinygrad']}",
        )
    )


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[["Progress"], None]]:
    """A listener that draws a live bar on a terminal, a plain line at each look elsewhere, and nothing if quiet."""
    if quiet:
        yield lambda told: None
        return
    if not sys.stdout.isatty():
        yield _PlainLines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with Bar(*columns) as bar:
        task = bar.add_task("", total=None, figures="compiling")

        def listen(told: "Progress") -> None:
            bar.update(task, total=told.total_steps, completed=told.step, figures=_figures(told))

        yield listen


class _PlainLines:
    def __init__(self) -> None:
        self.accuracy: float | None = None
        self.twentieth = 0

    def __call__(self, told: "Progress") -> None:
        twentieth = 20 * told.step // told.total_steps
        if twentieth == self.twentieth:
            return
        self.twentieth = twentieth
        seconds_left = (told.total_steps - told.step) / told.steps_per_second if told.steps_per_second else 0
        print(f"step {told.step}/{told.total_steps}  {_figures(told)}  {seconds_left:.0f} s left", flush=True)


def _figures(told: "Progress") -> str:
    validation = "" if told.val_accuracy is None else f"validation {percent(told.val_accuracy)}  "
    return f"loss {told.train_loss:.4f}  {validation}{told.steps_per_second:.0f} steps/s"


@contextmanager
def sweep_progress(total: int, quiet: bool) -> Iterator[Callable[[int, Record, str, tuple[str, float], float], None]]:
    """Draws a sweep: tell(runs done, the record that came, its point, (leading point, its accuracy), seconds left)."""

    def line(done: int, record: Record, point: str) -> str:
        accuracy = record.val_accuracy
        figures = f"validation {percent(accuracy)}  " if accuracy is not None else ""
        seconds = record.seconds.train
        told = f"[{done}/{total}] {figures}{point}, seed {record.seed}  {outcome(record)}  {record.id}"
        return told + (f"  {seconds:.1f} s" if seconds else "")

    if quiet:
        yield lambda done, record, point, leader, left: None
    elif not sys.stdout.isatty():
        yield lambda done, record, point, leader, left: print(
            f"{line(done, record, point)}  {duration(left)} left", flush=True
        )
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]} left"),
            TextColumn("{task.fields[leader]}"),
        )
        with Progress(*columns) as bar:
            task = bar.add_task("", total=total, left="?", leader="")

            def tell(done: int, record: Record, point: str, leader: tuple[str, float], left: float) -> None:
                bar.console.print(line(done, record, point), highlight=False, markup=False)
                best = f"best so far {percent(leader[1])}: {leader[0]}" if leader[0] else ""
                bar.update(task, completed=done, left=duration(left), leader=best)

            yield tell


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``1.5 h``"""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def summary(record: Record, ledger: Path) -> str:
    """The figures of a record, a line each."""
    lines = []
    if record.status != "ok":
        lines.append(f"status      {record.status}: {record.error}")
    else:
        lines.append(f"test        {percent(record.test_accuracy or 0.0)}")
        if record.val_accuracy is not None:
            best = f"best look {percent(record.best_val_accuracy or 0.0)} at step {record.best_step}"
            lines.append(f"validation  {percent(record.val_accuracy)}  ({best})")
    seconds = record.seconds
    pace = f", {record.step_ms:.3g} ms a step" if record.step_ms else ""
    lines.append(f"parameters  {record.parameters:,}")
    compiling, training, looking = (f"{part:.1f}" for part in (seconds.compile, seconds.train, seconds.eval))
    lines.append(f"seconds     compile {compiling}, train {training}, evaluation {looking}{pace}")
    lines.append(f"record      {record.id} in {ledger}")
    return "\n".join(lines)


def brief(record: Record) -> str:
    """One line for scripts that read text."""
    config = record.config
    length = f"{config['steps']} steps" if config.get("steps") else f"{config['epochs']} epochs"
    net = f"{config['optimizer']} lr {config['lr']:g} batch {config['batch_size']} {length}"
    return f"{config['model']} {config['dataset']} {net} seed {config['seed']}  {outcome(record)}  {record.id}"


def outcome(record: Record) -> str:
    """``test 97.12 %``, or why there is no figure."""
    if record.status == "ok":
        return f"test {percent(record.test_accuracy or 0.0)}"
    return f"{record.status}: {record.error}"


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"
