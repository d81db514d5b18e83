"""``best``: the best configuration of a model on each data set, as the command that trains it."""

import argparse
from pathlib import Path

from explorer import datasets, models
from explorer.cli.command import Command
from explorer.cli.options import add_results, results_of
from explorer.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", nargs="?", choices=models.names(), help="the model (default: every one)")
    parser.add_argument("--dataset", metavar="NAME", help="on this data set alone (default: on every one)")
    add_results(parser.add_argument_group("where"))


def run(namespace: argparse.Namespace) -> int:
    return best(results_of(namespace, there=True), namespace.which, namespace.dataset)


def best(results: Path | None, which: str | None, on: str | None = None) -> int:
    from explorer.judging.runs import Runs
    from explorer.running.store import Store
    from explorer.telling import words

    store = Store(results, read_only=True)
    runs = Runs(store.records())
    found = sorted({run.config.dataset for run in runs.configurations}, key=datasets.rank)
    found = [dataset for dataset in found if on in (None, dataset)]
    said = 0
    for model in [which] if which else models.names():
        for dataset in found:
            ranked = runs.ranked(model, dataset)
            if not ranked:
                continue
            first, said = ranked[0], said + 1
            print(
                f"# {model} on {dataset}: validation {words.with_n(first.validation)}, "
                f"test {words.tested(first)}, "
                f"{words.seconds(first.mean_seconds)} s of training; chosen on validation\n"
                f"{words.training_command(first.config)}"
            )
    if not said:
        of = f"{which or 'any model'}{f' on {on}' if on else ''}"
        raise UserError(f"no finished run of {of} is recorded in {store.folder}")
    return 0


COMMAND = Command("best", "the best configuration of each model, as the command that trains it", add_arguments, run)
