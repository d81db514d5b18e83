"""``report``: REPORT.md and everything it shows, from the ledger."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.command import Command
from explorer.cli.options import Places, add_data_dir, data_dir_of, path, results_of
from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.running.store import Store


@dataclass(frozen=True)
class ReportOptions:
    places: Places
    published: bool
    quiet: bool
    html: Path | None
    data_dir: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    Places.add_arguments(parser.add_argument_group("where"))
    parser.add_argument("--published", action="store_true", help="the published study alone, without your own sweeps")
    parser.add_argument("--quiet", action="store_true", help="name the report alone, not all that was written")
    parser.add_argument(
        "--html", type=path, metavar="FILE",
        help="write the page of the command `page` as one file that opens from disk, and nothing else",
    )  # fmt: skip
    add_data_dir(parser)


def run(namespace: argparse.Namespace) -> int:
    results_of(namespace, there=True)
    if namespace.published and namespace.results:
        raise UserError("--published leaves out your own sweeps, which a folder named by --results does not tell apart")
    if namespace.html and (namespace.media or namespace.report):
        raise UserError("--html is one file with all in it; leave out --media and --report")
    places = Places.of(namespace)
    return report(ReportOptions(places, namespace.published, namespace.quiet, namespace.html, data_dir_of(namespace)))


def report(options: ReportOptions) -> int:
    from explorer.running.store import Store

    store = Store(options.places.results, read_only=True)
    if options.html is not None:
        print(write_html(store, options.html, options.published, options.data_dir))
        return 0
    files = rebuild(store, options.places, options.data_dir, options.published)
    print("\n".join(map(str, files)) if not options.quiet else files[-1])
    return 0


def rebuild(store: "Store", places: Places, data_dir: Path | None = None, published_only: bool = False) -> list[Path]:
    """REPORT.md, CSVs and pictures from the store's records; returns the files, the report last.

    A person's own sweeps have a section of their own, which ``published_only`` leaves out.
    """
    from explorer.judging import study
    from explorer.judging.runs import Runs
    from explorer.judging.shifts import moved
    from explorer.running import predictions, shifted
    from explorer.telling import report

    asked = [request for request in store.requests(published_only) if request.own]
    own = study.of_requests(Runs(store.records()), asked, "own") if asked else None
    predict = predictions.reader(store.folders, data_dir)
    runs = Runs(store.records(published_only=True), store.damaged(published_only))
    mine, my_settled, my_studies = (own.sweeps, own.settled, own.studies) if own else ((), (), ())
    measured = {} if store.alone or published_only else shifted.read([store.folder])
    return report.rebuild(
        runs, store.published_folder, places.media, places.report, predict, mine, my_settled, my_studies,
        moved(Runs(store.records()), measured) if measured else (),
    )  # fmt: skip


def write_html(store: "Store", path: Path, published_only: bool, data_dir: Path | None) -> Path:
    """The page as one file; returns its path. UserError where it cannot be written."""
    from explorer.files import print_to_stderr, write_atomically
    from explorer.judging import study
    from explorer.judging.runs import Runs
    from explorer.running import nets, predictions
    from explorer.telling.page import gallery, html
    from explorer.telling.page.nets import known, weights

    if path.is_dir():
        raise UserError(f"{path}: is a folder; --html names the file to write")
    runs = Runs(store.records(published_only), store.damaged(published_only))
    judged = study.of_requests(runs, store.requests(published_only))
    mistakes = gallery.galleries(judged, predictions.reader(store.folders, data_dir))
    folders = [store.published_folder] if published_only else store.folders
    files = {kept.record.id: kept.path for kept in nets.all_kept(folders, say=False)}
    kept = []
    for one in known(folders, print_to_stderr):
        try:
            kept.append((one, weights(nets.load(files[one.id]))))
        except UserError as error:  # a damaged net costs the page no more than itself
            print_to_stderr(f"{error}; it is left out")
    content = html.whole(judged, mistakes, kept)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UserError(f"{path}: the page could not be written ({error.strerror or error})") from error
    return path


COMMAND = Command(
    "report", "make REPORT.md, its tables and pictures anew from all that is recorded", add_arguments, run
)
