"""``export``: what is recorded, for the tools that people watch, and for those they compute with."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer import models
from explorer.cli.command import Command
from explorer.cli.options import add_results, results_of
from explorer.cli.tracking import target
from explorer.errors import UserError
from explorer.fields import nearest

if TYPE_CHECKING:
    from explorer.record import Status
    from explorer.running.store import Store
    from explorer.running.trackers.kinds import Place
    from explorer.telling.exporting import Exported, Wanted

PARQUET = "parquet"


@dataclass(frozen=True)
class ExportOptions:
    to: "Place"
    words: tuple[str, ...]
    """Models and sweeps, of which alone to export."""
    dataset: str | None
    status: "Status | None"
    own: bool
    results: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="a model or a sweep: of these alone (export mlp, export lr)"
    )
    parser.add_argument(
        "--to", type=target, required=True, metavar="TOOL",
        help="tensorboard[:DIR]: event files; mlflow[:URL]: a server's address or sqlite:///FILE; parquet[:DIR]: "
        "runs.parquet, a row a run, and looks.parquet, a row a look (default: beside the records)",
    )  # fmt: skip
    parser.add_argument("--dataset", metavar="NAME", help="runs on this data set alone")
    parser.add_argument("--status", choices=("ok", "diverged", "failed", "cut"), help="that ended so")
    parser.add_argument("--own", action="store_true", help="your own runs, not those of the published study")
    add_results(parser.add_argument_group("where"))


def run(namespace: argparse.Namespace) -> int:
    results = results_of(namespace, there=True)
    words = tuple(namespace.words)
    return export(ExportOptions(namespace.to, words, namespace.dataset, namespace.status, namespace.own, results))


def export(options: ExportOptions) -> int:
    """Writes them; typed twice, nothing is there twice."""
    from explorer.running.store import Store
    from explorer.telling import exporting

    options.to.check()
    store = Store(options.results, read_only=True)
    found = exporting.export(store, wanted(options, store))
    if options.to.name == PARQUET:
        from explorer.judging import parquet

        folder = Path(options.to.where).expanduser() if options.to.where else store.folder / PARQUET
        told = [f"{len(found.runs):,} runs", *map(str, parquet.write(folder, found.records, found.study.sweeps))]
    else:
        told = send(found.runs, options.to, store)
    if found.left_out:
        told.insert(1, f"{found.left_out:,} records are left out: they are of another version of this program")
    print("\n".join(told))
    return 0


def wanted(options: ExportOptions, store: "Store") -> "Wanted":
    """Raises UserError for a word that is no model and no sweep that was asked for."""
    from explorer.telling.exporting import Wanted

    sweeps = list(dict.fromkeys(request.name for request in store.requests()))
    for word in options.words:
        if word not in (*models.names(), *sweeps):
            raise UserError(
                f"{word!r} is no model and no sweep that was run{nearest(word, [*models.names(), *sweeps])}"
            )
    return Wanted(
        tuple(word for word in options.words if word in models.names()),
        tuple(word for word in options.words if word in sweeps),
        options.dataset,
        options.status,
        options.own,
    )


def send(runs: "Sequence[Exported]", to: "Place", store: "Store") -> list[str]:
    """Keep the runs there; returns what is said of it. Raises UserError where it cannot be written."""
    from explorer.running.trackers.elsewhere import reason

    destination = to.open(store.folder)
    new = 0
    try:
        for one in progress(runs):
            new += destination.ended(one.run, one.record, one.homes)
        destination.flush()
        destination.close()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{new:,} runs written; the same command goes on where this one stopped") from None
    except Exception as error:  # whatever a foreign library raises
        what = f"{to.name} ({destination.where}) cannot be written: {reason(error)}"
        raise UserError(f"{what}; {new:,} runs written, the same command goes on") from error
    there = f", {len(runs) - new:,} were there already" if new < len(runs) else ""
    return [f"{new:,} runs written{there}", to.kind.watch(destination.where)]


def progress(runs: "Sequence[Exported]") -> "Iterable[Exported]":
    """The runs one by one, with a bar on a terminal."""
    if not sys.stderr.isatty():
        return runs
    from rich.console import Console
    from rich.progress import track

    console = Console(file=getattr(sys.stderr, "unescaped", sys.stderr))
    return track(runs, "exporting", console=console, transient=True)


COMMAND = Command("export", "the recorded runs for TensorBoard or MLflow, or as Parquet files", add_arguments, run)
