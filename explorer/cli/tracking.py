"""``--track`` and ``--to``: the tools that runs are kept in too, as a person names them."""

import argparse
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.record import Record
    from explorer.running.store import Store
    from explorer.running.trackers.elsewhere import Everywhere, Homes
    from explorer.running.trackers.kinds import Place


def add_track(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--track", action="append", type=place, default=[], metavar="TOOL",
        help="keep the runs in this tool as well, as they go on: tensorboard[:DIR], or mlflow[:URL] with a server's "
        "address or sqlite:///FILE (default: beside the records; MLFLOW_TRACKING_URI); given twice, in both",
    )  # fmt: skip


def place(text: str) -> "Place":
    """A tool that follows runs, and where, for argparse."""
    from explorer.running.trackers import kinds

    return _place(text, kinds.TRACKERS)


def target(text: str) -> "Place":
    """A tool that recorded runs are exported to, and where, for argparse."""
    from explorer.running.trackers import kinds

    return _place(text, tuple(kinds.KINDS))


def _place(text: str, known: Sequence[str]) -> "Place":
    from explorer.running.trackers import kinds

    try:
        return kinds.place(text, known)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def tracked(namespace: argparse.Namespace) -> "tuple[Place, ...]":
    """The tools that a person named. Raises UserError where one is named twice, or its package is missing."""
    places: list[Place] = namespace.track
    for at, one in enumerate(places):
        if one.name in {other.name for other in places[:at]}:
            raise UserError(f"--track {one.name} is given twice; each tool is tracked in once")
        one.check()
    return tuple(places)


@contextmanager
def kept(
    places: "Sequence[Place]",
    store: "Store",
    homes: "Homes",
    quiet: bool,
    recorded: "Callable[[], Iterable[Record]]",
) -> "Iterator[Everywhere]":
    """The tracker that keeps runs in all these tools until it is left, and those ``recorded``, asked for at the
    beginning and at the end, as well. Unless ``quiet`` it is said where to look.

    Raises UserError for a place that cannot be one.
    """
    from explorer.running.trackers.elsewhere import Elsewhere, Everywhere

    opened = [(one, one.open(store.folder)) for one in places]
    for one, destination in opened:
        if not quiet:
            print(f"{one.name}: {one.kind.watch(destination.where)}", flush=True)
    results = ["--results", str(store.folder)] if store.alone else []
    with Everywhere(
        *(
            Elsewhere(one.name, destination, homes, command("export", "--to", str(one), *results))
            for one, destination in opened
        )
    ) as everywhere:
        if opened:
            everywhere.complete(recorded())
        yield everywhere
        if opened:  # a study may have asked for what was recorded for another reason
            everywhere.complete(recorded())


def command(*words: str) -> str:
    return shlex.join(["python", "mnist_explorer.py", *words])
