"""``report``: REPORT.md and everything it shows, from the ledger."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.command import Command
from explorer.cli.options import Places
from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.judging.runs import Runs


@dataclass(frozen=True)
class ReportOptions:
    places: Places
    quiet: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    Places.add_arguments(parser.add_argument_group("where"))
    parser.add_argument("--quiet", action="store_true", help="name the report alone, not all that was written")


def run(namespace: argparse.Namespace) -> int:
    return report(ReportOptions(Places.of(namespace), namespace.quiet))


def report(options: ReportOptions) -> int:
    results = options.places.results
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; --results names the one that holds runs.jsonl")
    from explorer.judging.runs import Runs
    from explorer.running.ledger import Ledger

    files = rebuild(options.places, Runs(Ledger(results, read_only=True).records()))
    print("\n".join(map(str, files)) if not options.quiet else files[-1])
    return 0


def rebuild(places: Places, runs: "Runs", data_dir: Path | None = None) -> list[Path]:
    """REPORT.md, CSVs and pictures from the ledger's runs; returns the files, the report last."""
    from explorer.running import predictions
    from explorer.telling import report

    predict = predictions.reader([places.results], data_dir)
    return report.rebuild(runs, places.results, places.media, places.report, predict=predict)


COMMAND = Command("report", "rebuild REPORT.md, its tables and pictures from the ledger", add_arguments, run)
