"""How the ledger grows: seconds and peak memory of the commands that read it, at 4,000, 20,000 and 100,000 records.

    python -m benchmarks.ledger                     all three sizes
    python -m benchmarks.ledger --records 100000    one of them

The records are the shipped ones over and over, with other seeds, in a temporary folder. Each command is a process of
its own, as a person starts it, so its seconds hold Python's start and all imports.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from tabulate import tabulate

from benchmarks.machine import PROJECT
from explorer.record import ConfigFields, Record, run_id, stored
from explorer.running import requests
from explorer.running.ledger import FILE, Ledger

SIZES = (4_000, 20_000, 100_000)
SHIPPED = PROJECT / "results"
APPEND = """
import sys
from pathlib import Path
from msgspec.structs import replace
from explorer.running.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
record = ledger.find(sys.argv[2])
ledger.append(record)
"""


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    processor: float
    """Seconds of processor time: what an idle machine would take of one core."""
    megabytes: float
    """At its peak."""


def synthetic(count: int, schema: int) -> Iterator[bytes]:
    """``count`` lines made of the shipped records, in the schema asked for: every round has other seeds and ids."""
    ledger = Ledger(SHIPPED, read_only=True)
    shipped = list(zip(ledger.records(), (SHIPPED / FILE).read_bytes().splitlines(), strict=True))
    for number, (record, line) in enumerate(itertools.islice(itertools.cycle(shipped), count)):
        turn = number // len(shipped)
        if schema == 2:
            yield stored(reseeded(record, turn)) if turn else stored(record)
        elif turn:
            moved = reseeded(record, turn)
            seeds = (f'"seed":{one.seed}}}'.encode() for one in (record, moved))
            yield line.replace(record.id.encode(), moved.id.encode()).replace(*seeds)
        else:
            yield line


def reseeded(record: Record, turn: int) -> Record:
    """The record as it would stand with another seed."""
    config = ConfigFields(record.settings, record.seed + 1000 * turn)
    identity = {**record.point.identity(), "seed": config.seed}
    return replace(record, id=run_id(identity, record.data.digest), config=config, history=tuple(record.history))


def cost(words: list[str]) -> Cost:
    """One process: wall seconds, and the most memory it held."""
    started = time.perf_counter()
    process = subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    with process.stdout, process.stderr:
        process.stdout.read()
        said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"error: {' '.join(words)} failed: {said.strip()[-300:]}")
    return Cost(
        seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    )


def measure(count: int, schema: int, only: list[str]) -> list[tuple[str, int, Cost]]:
    """The cost of each command with a ledger of so many records."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        results.mkdir()
        shutil.copy(SHIPPED / requests.FILE, results)
        with open(results / FILE, "wb") as file:
            file.writelines(line + b"\n" for line in synthetic(count, schema))
        size = (results / FILE).stat().st_size
        first = Ledger(SHIPPED, read_only=True).records()[0]
        explorer = [sys.executable, "mnist_explorer.py"]
        config = {**first.config}
        flags = [f"--{name.replace('_', '-')}" for name in ("lr", "optimizer", "steps", "seed", "dataset")]
        values = [str(config[name]) for name in ("lr", "optimizer", "steps", "seed", "dataset")]
        chosen = [word for pair in zip(flags, values, strict=True) for word in pair]
        where = ["--results", str(results)]
        commands = {
            "find a recorded run": [*explorer, config["model"], *chosen, *where],
            "list": [*explorer, "list", *where],
            "best": [*explorer, "best", *where],
            "compare": [*explorer, "compare", first.id, "mnist/mlp/lr/lr 0.001", *where],
            "report": [*explorer, "report", *where, "--media", f"{folder}/media", "--report", f"{folder}/REPORT.md"],
            "append": [sys.executable, "-c", APPEND, str(results), first.id],
        }
        measured = []
        for name, words in commands.items():
            if not only or name.split()[0] in only:
                measured.append((name, size, cost(words)))
                print(f"{count:,} records, {name}: {measured[-1][2]}", file=sys.stderr, flush=True)
        return measured


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--records", type=int, action="append", metavar="N", help="so many records (may be repeated)")
    parser.add_argument("--schema", type=int, choices=(1, 2), default=2, help="how the lines are written (default: 2)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="one command, e.g. best")
    options = parser.parse_args()
    rows = []
    for count in options.records or SIZES:
        if count < 1:
            parser.error("--records must be at least 1")
        for name, size, taken in measure(count, options.schema, options.only):
            rows.append(
                (
                    name,
                    f"{count:,}",
                    f"{size / 1e6:.0f}",
                    f"{taken.seconds:.2f}",
                    f"{taken.processor:.2f}",
                    f"{taken.megabytes:.0f}",
                )
            )
    columns = ("command", "records", "file, MB", "seconds", "processor seconds", "peak memory, MB")
    print(tabulate(rows, columns, "github", colalign=("left", "right", "right", "right", "right", "right")))


if __name__ == "__main__":
    main()
