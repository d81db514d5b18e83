"""The rows of a published MNIST table, end to end, from the start of a process to its end: 11 of the MLP, 9 of the CNN.

    python -m benchmarks.sweep
    python -m benchmarks.sweep --model cnn --write
    python -m benchmarks.sweep --contenders ours,torch,torch-fused --rounds 5

Ours and PyTorch each do all rows in one process and take turns; stock tinygrad does each row in a process of its own,
as the published study ran, once. Stock's CNN would take hours: a few steps of each batch size are timed, and the rows
reckoned from them. See benchmarks/README.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from benchmarks import machine
from benchmarks.contenders import TORCH_MISSING, stock_layers, stock_step, torch_net
from explorer.datasets.dataset import LOOK_IMAGES
from explorer.errors import UserError
from explorer.running.ledger import Ledger


class Row(NamedTuple):
    """One published configuration, as stated; all else is Adam, SiLU and the default net."""

    lr: float
    batch: int
    steps: int


SECTIONS = {"mlp": "sweep", "cnn": "sweep-cnn"}  # model -> its section of benchmarks/README.md
ROUNDS = {"mlp": 3, "cnn": 1}  # turns of ours and PyTorch unless told otherwise; a CNN's takes minutes
STOCK_LOOK_STEPS = 10  # the published study measured the whole test set every 10 steps
STOCK_LIMIT_SECONDS = 300  # beyond it the MLP's long rows are extrapolated from the short ones
SAMPLE_STEPS = 5  # of stock's CNN, each batch size: the first compiles, the second captures, the others are timed
SAMPLE_LOOKS = 3  # the third is timed
SAMPLE_IMAGES = 500  # of a look in a sample; its seconds grow with the images
TITLES = {
    "ours": "ours, one process",
    "torch": "PyTorch eager, one process",
    "torch-fused": "PyTorch eager, Adam(fused=True), one process",
    "stock": "stock tinygrad, a process a row",
}
CONTENDERS = "ours,torch,stock"


@dataclass
class Timing:
    """What became of one contender."""

    seconds: list[float]
    accuracies: list[float]  # of the test set, of the last turn, in any order; none where no row was trained
    remark: str = ""


def published(model: str, trial: int | None = None) -> list[Row]:
    """The rows that the model's question file states; in a trial none is longer than so many steps."""
    question = tomllib.loads((machine.PROJECT / "sweeps" / f"published-{model}.toml").read_text(encoding="utf-8"))
    rows = [Row(point["lr"], point["batch_size"], point["steps"]) for point in question[model]["points"]]
    return [row._replace(steps=min(row.steps, trial or row.steps)) for row in rows]


def ours(model: str, rows: list[Row], folder: str) -> None:
    """All rows through the explorer's runner, records in a ledger in ``folder``."""
    from explorer.config import make_config
    from explorer.running.recorder import Recorder
    from explorer.running.runner import Runner
    from explorer.running.store import Store
    from explorer.training import compiler
    from explorer.training import device as environment

    compiler.ensure_compiler()
    environment.open_device()
    dataset = machine.load_data()
    runner, recorder = Runner(dataset), Recorder(Store(Path(folder)), dataset.digest)
    for row in sorted(rows, key=lambda row: row.batch):  # one shape after the other: its step is captured once
        fields = {"model": model, "dataset": dataset.name, "lr": row.lr, "batch_size": row.batch, "steps": row.steps}
        recorder.keep(runner.run(make_config(fields)))


def torch_loop(model: str, rows: list[Row], fused: bool) -> list[float]:
    """The same work in PyTorch: the same rows, passes without replacement, looks and final figures. Test accuracies."""
    import torch
    from torch.nn import functional

    from explorer.config import make_config
    from explorer.training.looks import look_every

    torch.set_num_threads(machine.cores())
    dataset = machine.load_data()
    training, validation = dataset.split("split")
    images = torch.tensor(dataset.train_images).reshape(-1, 1, 28, 28)
    labels = torch.tensor(dataset.train_labels).long()
    test_images = torch.tensor(dataset.test_images).reshape(-1, 1, 28, 28)
    test_labels = torch.tensor(dataset.test_labels).long()

    def measure(net: Any, images: Any, labels: Any) -> tuple[float, float]:
        net.eval()
        with torch.no_grad():  # in parts: the CNN's first layer makes 74 kB of an image
            logits = torch.cat([net(part.float().div_(255)) for part in images.split(LOOK_IMAGES)])
            accuracy = (logits.argmax(1) == labels).float().mean()
            loss = functional.cross_entropy(logits, labels)
        net.train()
        return loss.item(), accuracy.item()

    accuracies = []
    for row in rows:
        torch.manual_seed(0)
        net = torch_net(model)
        optimizer = torch.optim.Adam(net.parameters(), lr=row.lr, fused=True if fused else None)
        every = look_every(make_config({"model": model, "batch_size": row.batch}), row.steps, validation)
        waiting = torch.empty(0, dtype=torch.long)
        losses = []
        for step in range(1, row.steps + 1):
            while len(waiting) < row.batch:
                waiting = torch.cat([waiting, torch.randperm(training)])
            chosen, waiting = waiting[: row.batch], waiting[row.batch :]
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(images[chosen].float().div_(255)), labels[chosen])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if step % every == 0 and step < row.steps:  # the last one is among the final figures
                look = slice(training, training + LOOK_IMAGES)
                measure(net, images[look], labels[look])
        measure(net, images[training:], labels[training:])
        accuracies.append(measure(net, test_images, test_labels)[1])
    return accuracies


def stock_start(model: str) -> tuple[list[Any], Any, Any, Any, Any]:
    """(layers, images, labels, test images, test labels), the arrays on the device."""
    from explorer.training import compiler

    compiler.ensure_compiler()
    from tinygrad import Tensor

    dataset = machine.load_data()
    images, test_images = (
        Tensor(part.reshape(-1, 1, 28, 28)).realize() for part in (dataset.train_images, dataset.test_images)
    )
    labels, test_labels = (Tensor(part).realize() for part in (dataset.train_labels, dataset.test_labels))
    Tensor.manual_seed(0)
    return stock_layers(model), images, labels, test_images, test_labels


def stock_measure(layers: list[Any], images: Any, labels: Any) -> Any:
    """A TinyJit that returns the accuracy on all of these images, on the device."""
    from tinygrad import TinyJit

    @TinyJit
    def measure() -> Any:
        return ((images.float() / 255).sequential(layers).argmax(1) == labels).mean().realize()

    return measure


def stock_row(model: str, row: Row) -> dict[str, float]:
    """One row as tinygrad's example trains: the test set every 10 steps; its accuracy, and the late steps' seconds."""
    layers, images, labels, test_images, test_labels = stock_start(model)
    from tinygrad.helpers import Context

    step = stock_step(layers, images, labels, row.batch, row.lr)
    measure = stock_measure(layers, test_images, test_labels)
    # Timed from look to look; the first two looks and steps compile and capture.
    spans, start, accuracy = [], time.perf_counter(), 0.0
    for number in range(1, row.steps + 1):
        with Context(TRAINING=1):
            step()
        if number % STOCK_LOOK_STEPS == 0 or number == row.steps:
            accuracy = measure().item()
            spans.append((time.perf_counter() - start) / STOCK_LOOK_STEPS)
            start = time.perf_counter()
    return {"accuracy": accuracy, "step_seconds": float(np.median(spans[2:] or spans))}


def stock_sample(model: str, batch: int) -> dict[str, float]:
    """Seconds of a step at this batch size and of a look at the whole test set, measured on a few of each."""
    layers, images, labels, test_images, test_labels = stock_start(model)
    from tinygrad.helpers import Context

    step = stock_step(layers, images, labels, batch)
    measure = stock_measure(
        layers, *(part[:SAMPLE_IMAGES].contiguous().realize() for part in (test_images, test_labels))
    )

    def seconds(once: Any, times: int) -> list[float]:
        spans = []
        for _ in range(times):
            start = time.perf_counter()
            once().item()
            spans.append(time.perf_counter() - start)
        return spans

    with Context(TRAINING=1):
        steps = seconds(step, SAMPLE_STEPS)
    looks = seconds(measure, SAMPLE_LOOKS)
    late = float(np.median(steps[2:]))
    share = len(test_images) / min(SAMPLE_IMAGES, len(test_images))
    return {
        "sampling_seconds": SAMPLE_STEPS * late + SAMPLE_LOOKS * looks[-1],
        "step_seconds": late,
        "look_seconds": share * looks[-1],
    }


def timed(arguments: list[str]) -> tuple[float, str]:
    """(seconds, standard output) of a Python process, from before its start to after its end."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=machine.PROJECT,
        env={**os.environ, "DEV": "CPU"},
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise UserError(f"python {' '.join(arguments)} ended with code {done.returncode}: {said[-1][:200]}")
    return seconds, done.stdout


def worker(name: str, model: str, *rest: str) -> list[str]:
    """The arguments of a Python process that is one contender."""
    return ["-m", "benchmarks.sweep", "--model", model, "--worker", name, *rest]


def time_ours(model: str, rows: list[Row], trial: list[str]) -> tuple[float, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        # as a person would type it: mnist_explorer.py MODEL --sweep published-MODEL --seeds 1 --quiet --results FOLDER
        seconds, _ = timed([*worker("ours", model, folder), *trial])
        records = Ledger(Path(folder), read_only=True).records()
    if len(records) != len(rows) or any(record.status != "ok" for record in records):
        raise UserError(f"ours made {len(records)} records for {len(rows)} rows, or one that is not ok")
    return seconds, [record.test_accuracy or 0.0 for record in records]


def time_torch(name: str, model: str, trial: list[str]) -> tuple[float, list[float]]:
    seconds, output = timed([*worker(name, model), *trial])
    return seconds, json.loads(output.splitlines()[-1])


def sample_stock(model: str, rows: list[Row]) -> Timing:
    """Every row reckoned from a few steps of its batch size and from looks at a part of the test set."""
    total = spent = 0.0
    for batch in sorted({row.batch for row in rows}):
        note(f"stock tinygrad: {SAMPLE_STEPS} steps of {batch} images")
        seconds, output = timed(worker("stock-sample", model, str(batch)))
        sample = json.loads(output.splitlines()[-1])
        spent += seconds
        start = seconds - sample["sampling_seconds"]  # interpreter, data, compiling
        for steps in (row.steps for row in rows if row.batch == batch):
            looks = -(-steps // STOCK_LOOK_STEPS)
            total += start + steps * sample["step_seconds"] + looks * sample["look_seconds"]
    remark = (
        f"extrapolated from {SAMPLE_STEPS} steps of each batch size and looks at {SAMPLE_IMAGES} images, "
        f"which took {spent:.0f} s"
    )
    return Timing([total], [], remark)


def time_stock(model: str, rows: list[Row]) -> Timing:
    """Every row in its own process; where that would take too long, the long rows by what the short ones show."""
    shortest = min(row.steps for row in rows)
    measured: dict[int, float] = {}
    late: dict[int, list[float]] = {}  # batch -> seconds of a step, a figure a row
    accuracies: list[float] = []

    def run(number: int) -> None:
        row = rows[number]
        note(f"stock tinygrad: row {number + 1} of {len(rows)}, {row.steps} steps")
        seconds, output = timed(worker("stock", model, *map(str, row)))
        answer = json.loads(output.splitlines()[-1])
        measured[number] = seconds
        late.setdefault(row.batch, []).append(answer["step_seconds"])
        accuracies.append(answer["accuracy"])

    for number, row in enumerate(rows):
        if row.steps == shortest:
            run(number)

    def estimate(row: Row) -> float:
        alike = [seconds for number, seconds in measured.items() if rows[number].batch == row.batch]
        return statistics.median(alike) + (row.steps - shortest) * statistics.median(late[row.batch])

    missing = {number: estimate(row) for number, row in enumerate(rows) if number not in measured}
    if sum(missing.values()) <= STOCK_LIMIT_SECONDS:
        for number in missing:
            run(number)
        return Timing([sum(measured.values())], accuracies)
    remark = (
        f"{len(measured)} rows of {shortest} steps took {sum(measured.values()):.0f} s; "
        f"the other {len(missing)} rows are extrapolated from their late steps"
    )
    return Timing([sum(measured.values()) + sum(missing.values())], accuracies, remark)


def table(timings: dict[str, Timing]) -> str:
    """GitHub's Markdown: a row a contender, seconds for the whole sweep."""
    base = statistics.median(timings["torch"].seconds) if "torch" in timings else None
    rows = []
    for name, timing in timings.items():
        median = statistics.median(timing.seconds)
        rows.append(
            [
                TITLES[name],
                f"{median:.1f}",
                machine.spread(timing.seconds, 1),
                f"{median / base:.2f}" if base else "",
                f"{100 * statistics.mean(timing.accuracies):.2f} % ({len(timing.accuracies)})"
                if timing.accuracies
                else "",
                str(len(timing.seconds)),
                timing.remark,
            ]
        )
    headers = ("contender", "seconds", "min-max", "to PyTorch eager", "mean test accuracy (rows)", "n", "")
    alignment = ("left", "right", "right", "right", "right", "right", "left")
    return tabulate(rows, headers, tablefmt="github", colalign=alignment, disable_numparse=True)


def note(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def measure(model: str, names: list[str], rounds: int, trial: int | None) -> tuple[dict[str, Timing], list[str]]:
    """(timings, remarks). Ours and PyTorch alternate; a stranger's load is looked at before each turn."""
    rows, flags, remarks = published(model, trial), ["--trial", str(trial)] if trial else [], []
    timings: dict[str, Timing] = {}
    strangers = []
    alternating = [name for name in names if name != "stock"]
    if machine.installed("torch") == "not installed" and any(name.startswith("torch") for name in names):
        note(TORCH_MISSING)
        remarks.append(f"PyTorch is left out: {TORCH_MISSING}")
        alternating = [name for name in alternating if name == "ours"]
    for number in range(rounds):
        for name in alternating:
            note(f"round {number + 1} of {rounds}: {TITLES[name]}")
            strangers.append(machine.busy_cores(0.5))
            seconds, accuracies = time_ours(model, rows, flags) if name == "ours" else time_torch(name, model, flags)
            timing = timings.setdefault(name, Timing([], []))
            timing.seconds.append(seconds)
            timing.accuracies = accuracies
    if "stock" in names:
        timings["stock"] = (sample_stock if model == "cnn" else time_stock)(model, rows)
    known = [busy for busy in strangers if busy is not None]
    if known:
        remarks.append(machine.strangers_line(known))
    return timings, remarks


def work(model: str, words: list[str], trial: int | None) -> None:
    """What a contender's own process does."""
    name, *rest = words
    if name == "ours":
        ours(model, published(model, trial), *rest)
    elif name == "stock":
        lr, batch, steps = rest
        print(json.dumps(stock_row(model, Row(float(lr), int(batch), int(steps)))), flush=True)
    elif name == "stock-sample":
        print(json.dumps(stock_sample(model, int(rest[0]))), flush=True)
    else:
        print(json.dumps(torch_loop(model, published(model, trial), name == "torch-fused")), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=SECTIONS, default="mlp", help="whose published rows (default: mlp)")
    parser.add_argument("--contenders", default=CONTENDERS, help=f"of {','.join(TITLES)} (default: {CONTENDERS})")
    parser.add_argument("--rounds", type=int, help="turns of ours and PyTorch (default: 3 of the mlp, 1 of the cnn)")
    parser.add_argument("--trial", type=int, metavar="STEPS", help="cut every row to so many steps, to try this out")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.model, options.worker, options.trial)
        sys.stdout.flush()
        os._exit(0)  # as the explorer's own command line ends
    names = options.contenders.split(",")
    if unknown := [name for name in names if name not in TITLES]:
        parser.error(f"contender {unknown[0]!r} is unknown; choose from {', '.join(TITLES)}")
    rounds = ROUNDS[options.model] if options.rounds is None else options.rounds
    if rounds < 1 or (options.trial is not None and options.trial < 1):
        parser.error("--rounds and --trial must be at least 1")
    if options.trial and options.write:
        parser.error("--trial times another piece of work than the published rows; leave out --write")

    timings, remarks = measure(options.model, list(dict.fromkeys(names)), rounds, options.trial)
    lines = machine.description("CPU", machine.load_data().name) + [f"- {remark}" for remark in remarks]
    text = "\n".join([*lines, "", table(timings)])
    print(text)
    if options.write:
        machine.write_section(SECTIONS[options.model], text)
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
