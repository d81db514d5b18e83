"""``compare``: a test between two configurations, named by a record's id or by a sweep's label."""

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
    return compare(CompareOptions(results_of(namespace, there=True), namespace.first, namespace.second))


def compare(options: CompareOptions) -> int:
    from explorer.judging import comparing, study
    from explorer.judging.runs import Runs
    from explorer.running.store import Store
    from explorer.telling import words

    store = Store(options.results, read_only=True)
    runs = Runs(store.records())
    judged = study.of_requests(runs, store.requests())
    named = comparing.by_name(judged.sweeps)
    first, second = (comparing.recorded_as(word, runs, named) for word in (options.first, options.second))
    both = comparing.compare(first, second, judged)
    print(f"validation (decides{', by fresh seeds' if both.fresh else ''})")
    for letter, run, scores in zip("AB", (first, second), both.scores, strict=True):
        print(f"  {letter} {words.short_name(run.config)}: {words.with_n(scores)}")
    told = f"{words.estimate(both.validation)}, in points" if both.validation else "no verdict: one has no run"
    print(f"  B against A: {told}")
    if both.judge and both.validation:
        print(f"  the word is that of {both.judge.slug}, corrected for all that it compares")
    print("test (only reported)")
    for letter, run in (("A", first), ("B", second)):
        print(f"  {letter} {words.with_n(run.test_figure.scores)}{', fresh seeds' * run.test_figure.fresh}")
    return 0


COMMAND = Command("compare", "whether one configuration is better than another: a test of the two", add_arguments, run)
