"""Whether the kernels train as tinygrad's own code does: a run's first losses, and the accuracies of several seeds.

    python -m benchmarks.agreement
    python -m benchmarks.agreement --models cnn --batch 128 --steps 100 --write

Each net at its defaults with KERNELS=1 and KERNELS=0. tinygrad's own code takes 20 milliseconds for an image of the
CNN, so the batches are small and the steps few, and 500 test images are measured. They agree where each of the first
losses is within 1e-3 of the other's, and the mean accuracies differ by no more than a seed's standard deviation.

Rounding alone makes runs drift apart: where two values of a pooling window all but tie, the last digit decides which
one learns. How far shows tinygrad's own code trained again, its learning rate a thousandth higher. A net that drifts
further than that by itself cannot be held to 1e-3: it agrees where the kernels' losses stay within that drift, and
the first three, which come before it, within 1e-5.
"""

import argparse
import dataclasses
import statistics
import sys
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from benchmarks import machine
from explorer.config import make_config
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.running.prepare import prepared

LOSSES, TOLERANCE = 20, 1e-3
FIRST, FIRST_TOLERANCE = 3, 1e-5
MOVED = 1.001  # times the learning rate, to see how a net drifts by itself
TEST_IMAGES = 500
HEADERS = (
    "model",
    "batch",
    "steps",
    f"first {FIRST} losses differ by",
    f"first {LOSSES}",
    f"first {LOSSES} of tinygrad's, rate x{MOVED}",
    "accuracy, own kernels",
    "accuracy, tinygrad's code",
    "difference",
    "n",
    "",
)


@dataclass(frozen=True)
class Found:
    losses: list[float]
    """Of seed 0."""
    moved: list[float]
    """Of seed 0, its learning rate moved."""
    accuracies: list[float]
    """On the test images, of each seed."""


def trained(model: str, batch: int, steps: int, seeds: int, data: Dataset, kernels: bool) -> Found:
    fields = {"model": model, "dataset": data.name, "batch_size": batch, "steps": steps, "train_on": "all"}
    configs = [make_config({**fields, "eval_every": steps, "seed": seed}) for seed in range(seeds)]
    whose = "own kernels" if kernels else "tinygrad"
    with prepared("CPU", kernels):
        from explorer.training.trainer import Trainer  # importing it imports tinygrad, which reads its device once

        trainer = Trainer(configs[0], data.of)
        results = []
        for config in (*configs, configs[0].model_copy(update={"lr": configs[0].lr * MOVED})):
            print(f"  {model}: {whose}, seed {config.seed}, lr {config.lr:g}", file=sys.stderr, flush=True)
            results.append(trainer.run(config, data))
            if results[-1].test_accuracy is None:
                raise UserError(f"seed {config.seed} of the {model} did not end well: {results[-1].error}")
    *results, moved = results
    return Found(results[0].losses, moved.losses, [result.test_accuracy or 0.0 for result in results])


def apart(losses: list[float], others: list[float], count: int) -> float:
    """The largest relative difference of the first ``count``."""
    return float(np.abs(np.array(losses[:count]) / np.array(others[:count]) - 1).max())


def row_of(model: str, batch: int, ours: Found, theirs: Found) -> tuple[list[str], bool]:
    """(the table's row, whether they agree), given what `trained` found with and without the kernels."""
    first, off = (apart(ours.losses, theirs.losses, count) for count in (FIRST, LOSSES))
    drift = apart(theirs.moved, theirs.losses, LOSSES)
    means = [statistics.mean(found.accuracies) for found in (ours, theirs)]
    noise = [statistics.stdev(found.accuracies) for found in (ours, theirs)]
    alike = off <= TOLERANCE or (first <= FIRST_TOLERANCE and off <= drift)
    agree = alike and abs(means[0] - means[1]) <= max(noise)
    accuracies = [f"{100 * mean:.2f} ± {100 * deviation:.2f} %" for mean, deviation in zip(means, noise, strict=True)]
    difference = f"{100 * (means[0] - means[1]):+.2f}"
    word = "they agree" if agree else "**they do not agree**"
    losses = [f"{value:.1e}" for value in (first, off, drift)]
    count = len(ours.accuracies)
    return [model, str(batch), str(len(ours.losses)), *losses, *accuracies, difference, str(count), word], agree


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agreement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", default="mlp,cnn", help="default mlp,cnn")
    parser.add_argument("--batch", type=int, default=16, help="images a step (default 16)")
    parser.add_argument("--steps", type=int, default=40, help=f"of each run, at least {LOSSES} (default 40)")
    parser.add_argument("--seeds", type=int, default=5, help="at least 2 (default 5)")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    if options.steps < LOSSES or options.seeds < 2 or options.batch < 1:
        parser.error(f"--steps must be at least {LOSSES}, --seeds at least 2, --batch at least 1")
    data = machine.load_data()
    data = dataclasses.replace(
        data, test_images=data.test_images[:TEST_IMAGES], test_labels=data.test_labels[:TEST_IMAGES]
    )
    rows, agree = [], True
    for model in options.models.split(","):
        how = (model, options.batch, options.steps, options.seeds, data)
        row, same = row_of(model, options.batch, trained(*how, kernels=True), trained(*how, kernels=False))
        rows.append(row)
        agree = agree and same
    table = tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True)
    text = "\n".join([*machine.description("CPU", data.name), "", table])
    print(text)
    if options.write:
        machine.write_section("agreement", text)
    return 0 if agree else 1


if __name__ == "__main__":
    machine.leave_with(main)
