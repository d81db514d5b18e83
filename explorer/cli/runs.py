"""``runs``: what is recorded, each run once, the newest last; `show` tells all of one."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer import models
from explorer.cli import output
from explorer.cli.command import Command
from explorer.cli.options import add_results, results_of, whole
from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.record import Record

LAST = 20
NARROW = 120  # columns: below, the day is left out


COLUMNS = {
    "configuration": output.Column("configuration", 1), "seed": output.Column("seed", align="right"),
    "val %": output.Column("val %", align="right", style="bold"), "test %": output.Column("test %", align="right"),
}  # fmt: skip


@dataclass(frozen=True)
class RunsOptions:
    model: str | None
    dataset: str | None
    status: str | None
    own: bool
    best: bool
    last: int
    results: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", choices=models.names(), help="runs of this model alone")
    parser.add_argument("--dataset", metavar="NAME", help="runs on this data set alone")
    parser.add_argument("--status", choices=("ok", "diverged", "failed"), help="runs that ended so")
    parser.add_argument("--own", action="store_true", help="your own runs, not those of the published study")
    parser.add_argument(
        "--best",
        action="store_true",
        help="the best by validation accuracy, the best of all last, in place of the newest",
    )
    parser.add_argument("--last", type=whole, default=LAST, metavar="N", help=f"how many runs (default: {LAST})")
    add_results(parser.add_argument_group("where"))


def run(namespace: argparse.Namespace) -> int:
    return show_runs(
        RunsOptions(
            namespace.model,
            namespace.dataset,
            namespace.status,
            namespace.own,
            namespace.best,
            namespace.last,
            results_of(namespace, there=True),
        )
    )


def show_runs(options: RunsOptions) -> int:
    from explorer.running import nets
    from explorer.running.store import Store

    store = Store(options.results, read_only=True)
    wanted = {"model": options.model, "dataset": options.dataset}
    every = {record.id: record for record in store.records()}.values()  # of one run the last, one's own before others
    found = [
        record
        for record in every
        if all(value in (None, record.config.get(name)) for name, value in wanted.items())
        and options.status in (None, record.status)
        and (record.own or store.alone or not options.own)
    ]
    if not found:
        raise UserError(f"no such run is recorded in {store.folder}")
    found.sort(key=lambda record: (record.val_accuracy or 0.0) if options.best else record.started)
    shown = found[-options.last :]
    kept = {one.record.id for one in nets.all_kept(store.folders)}
    rows = [_row(record, record.id in kept) for record in shown]
    without = {"began"} if output.width() < NARROW else set()
    without |= {"whose"} if store.alone else set()
    without |= {"net"} if not any(row["net"] for row in rows) else set()
    columns = [COLUMNS.get(head, output.Column(head)) for head in rows[0] if head not in without]
    output.table(columns, [[row[column.head] for column in columns] for row in rows])
    if len(shown) < len(found):
        print(f"the last {len(shown)} of {len(found):,}; --last N shows more, show ID all of one")
    return 0


def _row(record: "Record", kept: bool) -> dict[str, str]:
    """Column's head -> cell."""
    from explorer.telling import words

    try:
        name = words.short_name(record.configuration)
    except UserError:
        name = "of another version of this program"
    figures = [record.status, ""]
    if record.status == "ok":
        accuracies = (record.val_accuracy, record.test_accuracy)
        figures = ["-" if figure is None else f"{100 * figure:.2f}" for figure in accuracies]
    config = record.config
    return {
        "id": record.id[:8], "began": record.started[:10], "model": str(config["model"]),
        "data": str(config.get("dataset", "")), "configuration": name, "seed": str(record.seed), "val %": figures[0],
        "test %": figures[1], "net": "kept" if kept else "", "whose": "own" if record.own else "study",
    }  # fmt: skip


COMMAND = Command("runs", "the runs that are recorded: the newest, or the best", add_arguments, run)
