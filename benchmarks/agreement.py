"""Whether the kernels train as tinygrad's own code does: a run's first losses, and the accuracies of several seeds.

    python -m benchmarks.agreement
    python -m benchmarks.agreement --models cnn --batch 128 --steps 100 --write

Each net at its defaults with KERNELS=1 and KERNELS=0. tinygrad's own code takes 20 milliseconds for an image of the
CNN, so the batches are small and the steps few, and 500 test images are measured. They agree where each of the first
losses is within 1e-3 of the other's, and the mean accuracies differ by no more than a seed's standard deviation.
Rounding alone makes runs drift apart later: longer ones can only be compared by their accuracies.
"""

import argparse
import dataclasses
import statistics
import sys

import numpy as np
from tabulate import tabulate

from benchmarks import machine
from explorer.config import make_config
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.running.prepare import prepared

LOSSES, TOLERANCE = 20, 1e-3
TEST_IMAGES = 500
HEADERS = (
    "model",
    "batch",
    "steps",
    f"first {LOSSES} losses differ by",
    "accuracy, own kernels",
    "accuracy, tinygrad's code",
    "difference",
    "n",
    "",
)


def trained(model: str, batch: int, steps: int, seeds: int, data: Dataset, kernels: bool) -> tuple[list[float], ...]:
    """(the losses of seed 0, the test accuracy of each seed)"""
    fields = {"model": model, "dataset": data.name, "batch_size": batch, "steps": steps, "train_on": "all"}
    configs = [make_config({**fields, "eval_every": steps, "seed": seed}) for seed in range(seeds)]
    results, whose = [], "own kernels" if kernels else "tinygrad"
    with prepared("CPU", kernels):
        from explorer.training.trainer import Trainer  # importing it imports tinygrad, which reads its device once

        trainer = Trainer(configs[0], data.of)
        for config in configs:
            print(f"  {model}: {whose}, seed {config.seed}", file=sys.stderr, flush=True)
            results.append(trainer.run(config, data))
            if results[-1].test_accuracy is None:
                raise UserError(f"seed {config.seed} of the {model} did not end well: {results[-1].error}")
    return results[0].losses, [result.test_accuracy or 0.0 for result in results]


def row_of(
    model: str, batch: int, ours: tuple[list[float], ...], theirs: tuple[list[float], ...]
) -> tuple[list[str], bool]:
    """(the table's row, whether they agree), given what `trained` found with and without the kernels."""
    losses, other = (np.array(found[0]) for found in (ours, theirs))
    off = float(np.abs(losses[:LOSSES] / other[:LOSSES] - 1).max())
    means = [statistics.mean(found[1]) for found in (ours, theirs)]
    noise = [statistics.stdev(found[1]) for found in (ours, theirs)]
    agree = off <= TOLERANCE and abs(means[0] - means[1]) <= max(noise)
    accuracies = [f"{100 * mean:.2f} ± {100 * deviation:.2f} %" for mean, deviation in zip(means, noise, strict=True)]
    difference = f"{100 * (means[0] - means[1]):+.2f}"
    word = "they agree" if agree else "**they do not agree**"
    return [model, str(batch), str(len(losses)), f"{off:.1e}", *accuracies, difference, str(len(ours[1])), word], agree


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
