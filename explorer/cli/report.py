"""``report``: REPORT.md and everything it shows, from the ledger."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.command import Command
from explorer.cli.options import Places
from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.running.store import Store


@dataclass(frozen=True)
class ReportOptions:
    places: Places
    published: bool
    quiet: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    Places.add_arguments(parser.add_argument_group("where"))
    parser.add_argument("--published", action="store_true", help="the published study alone, without your own sweeps")
    parser.add_argument("--quiet", action="store_true", help="name the report alone, not all that was written")


def run(namespace: argparse.Namespace) -> int:
    return report(ReportOptions(Places.of(namespace), namespace.published, namespace.quiet))


def report(options: ReportOptions) -> int:
    results = options.places.results
    if results and not results.is_dir():
        raise UserError(f"{results}: no such folder; --results names the one that holds runs.jsonl")
    from explorer.running.store import Store

    files = rebuild(Store(results, read_only=True), options.places, published_only=options.published)
    print("\n".join(map(str, files)) if not options.quiet else files[-1])
    return 0


def rebuild(store: "Store", places: Places, data_dir: Path | None = None, published_only: bool = False) -> list[Path]:
    """REPORT.md, CSVs and pictures from the store's records; returns the files, the report last.

    A person's own sweeps have a section of their own, which ``published_only`` leaves out.
    """
    from explorer.judging import study
    from explorer.judging.runs import Runs
    from explorer.running import predictions
    from explorer.telling import report

    asked = [request for request in store.requests(published_only) if request.own]
    own = study.of_requests(Runs(store.records()), asked, "own") if asked else None
    predict = predictions.reader(store.folders, data_dir)
    runs = Runs(store.records(published_only=True), store.damaged(published_only))
    mine, my_settled, my_studies = (own.sweeps, own.settled, own.studies) if own else ((), (), ())
    return report.rebuild(
        runs, store.published_folder, places.media, places.report, predict, mine, my_settled, my_studies
    )


COMMAND = Command("report", "rebuild REPORT.md, its tables and pictures from the ledger", add_arguments, run)
