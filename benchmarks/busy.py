"""How much slower a training step gets when others use the machine: busy loops beside it, on all threads and on one.

    python -m benchmarks.busy
    python -m benchmarks.busy --models mlp --batches 32,512 --write

A person's machine is rarely empty. What is promised: with as many busy loops as there are cores a step takes no more
than 3 times its quiet time, with twice as many no more than 5 times, and all threads are never slower than one.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tabulate import tabulate

from benchmarks import machine
from benchmarks.contenders import Contender
from benchmarks.step import MODELS, note, numbers, words
from explorer.machine import cores

HEADERS = ("model", "batch", "busy loops", "threads", "ms/step", "min-max", "to quiet, all threads", "n")
LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with a killed benchmark
SETTLING_SECONDS = 0.5  # until the system has spread the loops over the cores


@contextlib.contextmanager
def strangers(count: int) -> Iterator[None]:
    """So many processes that never rest, of other programs as far as the system knows."""
    loops = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(count)]
    try:
        time.sleep(SETTLING_SECONDS)
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def start(model: str, batch: int, threads: int) -> Contender:
    os.environ["KERNEL_THREADS"] = str(threads)
    try:
        return Contender("ours", model, batch, "CPU")
    finally:
        del os.environ["KERNEL_THREADS"]


def measure(model: str, batch: int, rounds: int, seconds: float) -> list[list[str]]:
    """The table's rows of one net at one batch size; the two thread counts take turns."""
    with contextlib.ExitStack() as stack:
        playing = {}
        for threads in (cores(), 1):
            playing[threads] = start(model, batch, threads)
            stack.callback(playing[threads].close)
        found: dict[tuple[int, int], list[float]] = {}
        for _ in range(rounds):
            for loops in (0, cores(), 2 * cores()):
                note(f"{model} {batch}: beside {loops} busy loops")
                with strangers(loops):
                    for threads, one in playing.items():
                        steps = max(3, round(seconds / one.step_seconds))
                        found.setdefault((loops, threads), []).append(1000 * one.turn(steps))
    quiet = statistics.median(found[0, cores()])
    return [
        [
            model,
            str(batch),
            str(loops),
            str(threads),
            f"{statistics.median(values):.2f}",
            machine.spread(values, 2),
            f"{statistics.median(values) / quiet:.2f}",
            str(len(values)),
        ]
        for (loops, threads), values in found.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.busy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=words(MODELS), default=list(MODELS), help="mlp,cnn")
    parser.add_argument("--batches", type=numbers, default=[128], help="default 128")
    parser.add_argument("--rounds", type=int, default=5, help="turns under each load (default 5)")
    parser.add_argument("--seconds", type=float, default=2, help="quiet seconds in a turn (default 2)")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds must be at least 1 and --seconds more than 0")
    busy = [found for _ in range(5) if (found := machine.busy_cores()) is not None]
    rows = [
        row
        for model in options.models
        for batch in options.batches
        for row in measure(model, batch, options.rounds, options.seconds)
    ]
    lines = machine.description("CPU", machine.load_data().name)
    lines += [f"- {machine.strangers_line(busy)}"] if busy else []
    table = tabulate(rows, HEADERS, tablefmt="github", colalign=("left", *["right"] * 7), disable_numparse=True)
    text = "\n".join([*lines, "", table])
    print(text)
    if options.write:
        machine.write_section("busy", text)
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
