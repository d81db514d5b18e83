"""Milliseconds per training step: ours, stock tinygrad and PyTorch, turn by turn in one session.

    python -m benchmarks.step
    python -m benchmarks.step --models mlp --batches 128 --contenders ours,torch
    python -m benchmarks.step --device CUDA --write

One net at one batch size is a cell. Its contenders take turns, each in a process of its own that sleeps meanwhile, so
that a machine whose speed drifts is as fast or slow for all of them. See benchmarks/README.md.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tabulate import tabulate

from benchmarks import machine
from benchmarks.contenders import CONTENDERS, Contender, UnavailableError, flops_per_step
from explorer.errors import UserError

MODELS = ("mlp", "cnn")
BATCHES = (32, 128, 512)
ON_CPU = ("ours", "stock", "torch", "torch-fused", "torch-compile")
ON_GPU = ("ours", "ours-beam", "stock", "stock-beam", "torch", "torch-fused", "torch-compile")
BASE = "torch"  # what the ratios are to
PAUSE_SECONDS = 0.1  # thread pools spin for a while before they sleep: the next contender should not feel that
HEADERS = (
    "model",
    "batch",
    "contender",
    "ms/step",
    "min-max",
    "to PyTorch eager",
    "GFLOP/s",
    "of sgemm",
    "of FMA",
    "n",
)


@dataclass
class Cell:
    """What was measured of one net at one batch size."""

    model: str
    batch: int
    step_ms: dict[str, list[float]] = field(default_factory=dict)  # contender -> a figure a turn
    steps: dict[str, int] = field(default_factory=dict)  # contender -> steps in a turn
    sgemm: list[float] = field(default_factory=list)  # GFLOP/s, once a round
    fma: list[float] = field(default_factory=list)
    strangers: list[float] = field(default_factory=list)  # cores busy in the pauses, when every contender sleeps


def plan(step_seconds: float, budget_seconds: float, rounds: int) -> tuple[int, int]:
    """(turns, steps in a turn) that one contender's budget allows: at least two turns, at least one step."""
    turns = max(2, min(rounds, int(budget_seconds / step_seconds)))
    return min(turns, rounds), max(1, round(budget_seconds / turns / step_seconds))


def takes_part(round_number: int, rounds: int, turns: int) -> bool:
    """Whether a contender with fewer turns than rounds plays in this one (from 0): its turns are spread evenly."""
    return (round_number + 1) * turns // rounds > round_number * turns // rounds


def measure(
    cell: Cell, names: list[str], device: str, rounds: int, seconds: float, fma: machine.FmaLoop | None
) -> list[str]:
    """Fill the cell; the names of those that cannot run are taken from ``names``, and the reasons returned.

    Raises UserError where ours cannot run, or nobody.
    """
    reasons: list[str] = []
    playing: dict[str, Contender] = {}

    def rest() -> None:
        time.sleep(PAUSE_SECONDS)
        if (busy := machine.busy_cores()) is not None:
            cell.strangers.append(busy)

    def leave_out(name: str, reason: object) -> None:
        names.remove(name)
        reasons.append(f"{CONTENDERS[name].title} is left out from {cell.model} at batch {cell.batch} on: {reason}")
        print(reasons[-1], file=sys.stderr, flush=True)

    try:
        for name in list(names):
            note(f"{cell.model} {cell.batch}: starting {CONTENDERS[name].title}")
            try:
                playing[name] = Contender(name, cell.model, cell.batch, device)
            except UnavailableError as reason:
                if name == "ours":
                    raise UserError(str(reason)) from None
                leave_out(name, reason)
        if not playing:
            raise UserError(f"nobody is left to time: {reasons[-1] if reasons else 'all were left out before'}")
        plans = {name: plan(one.step_seconds, seconds / len(playing), rounds) for name, one in playing.items()}
        for number in range(rounds):
            note(f"{cell.model} {cell.batch}: round {number + 1} of {rounds}")
            if fma is not None:
                cell.sgemm.append(machine.sgemm_gflops())
                rest()
                cell.fma.append(fma.gflops())
            for name, one in list(playing.items()):
                turns, steps = plans[name]
                if not takes_part(number, rounds, turns):
                    continue
                rest()
                try:
                    cell.step_ms.setdefault(name, []).append(1000 * one.turn(steps))
                    cell.steps[name] = steps
                except UnavailableError as reason:
                    playing.pop(name).close()
                    leave_out(name, reason)
    finally:
        for one in playing.values():
            one.close()
    return reasons


def rows_of(cell: Cell) -> list[list[str]]:
    """The table's rows of one cell, a row a contender, always in the same order."""
    base = statistics.median(cell.step_ms[BASE]) if cell.step_ms.get(BASE) else None
    rows = []
    for name in CONTENDERS:
        if not (values := cell.step_ms.get(name)):
            continue
        median = statistics.median(values)
        gflops = flops_per_step(cell.model, cell.batch) / median / 1e6
        shares = [f"{gflops / statistics.median(peak):.0%}" if peak else "" for peak in (cell.sgemm, cell.fma)]
        rows.append(
            [
                cell.model,
                str(cell.batch),
                CONTENDERS[name].title,
                f"{median:.2f}",
                machine.spread(values, 2),
                f"{median / base:.2f}" if base else "",
                f"{gflops:.0f}",
                *shares,
                f"{len(values)} x {cell.steps[name]}",
            ]
        )
    return rows


def table(rows: list[list[str]]) -> str:
    """GitHub's Markdown; every figure stays as it was written."""
    alignment = ("left", "right", "left", *["right"] * 7)
    return tabulate(rows, HEADERS, tablefmt="github", colalign=alignment, disable_numparse=True)


def report(cells: list[Cell], device: str, dataset: str, reasons: list[str]) -> str:
    """Everything known of a session, as Markdown."""
    lines = machine.description(device, dataset)
    for name, values in (
        (
            f"numpy's sgemm, {machine.SGEMM_SIDE}x{machine.SGEMM_SIDE}",
            [value for cell in cells for value in cell.sgemm],
        ),
        ("a bare multiply-add loop", [value for cell in cells for value in cell.fma]),
    ):
        if values:
            median, count = statistics.median(values), len(values)
            lines.append(f"- {name}, all cores: {median:.0f} GFLOP/s ({machine.spread(values, 0)}, n = {count})")
    if strangers := [value for cell in cells for value in cell.strangers]:
        lines.append(f"- {machine.strangers_line(strangers)}")
    lines += [f"- {reason}" for reason in reasons]
    return "\n".join([*lines, "", table([row for cell in cells for row in rows_of(cell)])])


def note(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def words(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """An argparse type: a list with commas of known words."""

    def parse(text: str) -> list[str]:
        given = text.split(",")
        if unknown := [word for word in given if word not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is unknown; choose from {', '.join(known)}")
        return list(dict.fromkeys(given))

    return parse


def numbers(text: str) -> list[int]:
    """An argparse type: a list with commas of batch sizes."""
    if not all(part.isdigit() and 1 <= int(part) <= 1024 for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"batch sizes are whole numbers from 1 to 1024, got {text!r}")
    return list(dict.fromkeys(int(part) for part in text.split(",")))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=words(MODELS), default=list(MODELS), help="mlp,cnn")
    parser.add_argument("--batches", type=numbers, default=list(BATCHES), help="default 32,128,512")
    parser.add_argument("--contenders", type=words(tuple(CONTENDERS)), help=f"of {','.join(CONTENDERS)}")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender in a cell (default 9)")
    parser.add_argument("--seconds", type=float, default=45, help="timed seconds in a cell, shared evenly (default 45)")
    parser.add_argument("--device", default="CPU", help="tinygrad's name: CPU, CUDA, NV, AMD, METAL (default CPU)")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    if options.rounds < 2 or options.seconds <= 0:
        parser.error("--rounds must be at least 2 and --seconds more than 0")

    device = options.device.upper()
    names = options.contenders or list(ON_CPU if device == "CPU" else ON_GPU)
    fma = machine.FmaLoop() if device == "CPU" else None  # a GPU's ceilings are not this machine's BLAS and FMA
    cells, reasons = [], []
    for model in options.models:
        for batch in options.batches:
            cell = Cell(model, batch)
            reasons += measure(cell, names, device, options.rounds, options.seconds, fma)
            cells.append(cell)
            print(table(rows_of(cell)), file=sys.stderr, flush=True)
    text = report(cells, device, machine.load_data().name, reasons)
    print(text)
    if options.write:
        machine.write_section(f"step-{device.lower()}", text)
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
