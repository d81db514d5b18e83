"""``compare``: a paired test between two configurations, named by a record's id or by a sweep's label."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from explorer.cli.command import Command
from explorer.cli.options import add_results, results_of


@dataclass(frozen=True)
class CompareOptions:
    results: Path | None
    first: str
    second: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for which in ("first", "second"):
        parser.add_argument(which, metavar="ID|LABEL", help="a record's id, or [dataset/model/sweep/]label")
    add_results(parser.add_argument_group("where"))


def run(namespace: argparse.Namespace) -> int:
    return compare(CompareOptions(results_of(namespace), namespace.first, namespace.second))


def compare(options: CompareOptions) -> int:
    from explorer.judging import comparing, study
    from explorer.judging.runs import Runs
    from explorer.running.store import Store
    from explorer.telling import words

    store = Store(options.results, read_only=True)
    runs = Runs(store.records())
    named = comparing.by_name(study.of_requests(runs, store.requests()).sweeps)
    first, second = (comparing.recorded_as(word, runs, named) for word in (options.first, options.second))
    both = comparing.compare(first, second)
    for what, a, b, paired in (
        ("validation (decides)", first.validation, second.validation, both.validation),
        ("test (only reported)", first.test, second.test, both.test),
    ):
        print(what)
        print(f"  A {words.short_name(first.config)}: {words.figure(a)} % (n={len(a)})")
        print(f"  B {words.short_name(second.config)}: {words.figure(b)} % (n={len(b)})")
        if paired is None:
            common = len(a.keys() & b.keys())
            print(f"  {common} common seed{'s' * (common != 1)}: no verdict")
            continue
        word = "no difference shown" if paired.p > 0.05 else "B is better" if paired.difference > 0 else "A is better"
        print(f"  B - A: {words.difference_with_n(paired)} points, p = {paired.p:.3g}: {word}")
    return 0


COMMAND = Command("compare", "paired test between two configurations", add_arguments, run)
