"""``--track`` and ``--to``: the tools that runs are kept in too, as a person names them."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from explorer.cli.command import typed
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
    if not namespace.track:
        return ()
    from explorer.running.trackers import kinds

    return kinds.distinct(namespace.track)


def kept(
    places: "Sequence[Place]",
    store: "Store",
    homes: "Homes",
    quiet: bool,
    recorded: "Callable[[], Iterable[Record]]",
) -> "AbstractContextManager[Everywhere]":
    """As `kinds.kept`; unless ``quiet`` it is said where to look."""
    from explorer.running.trackers import kinds

    def catch_up(place: "Place") -> str:
        results = ["--results", str(store.folder)] if store.alone else []
        return typed("export", "--to", str(place), *results)

    def say(line: str) -> None:
        if not quiet:
            print(line, flush=True)

    return kinds.kept(places, store.folder, homes, recorded, catch_up, say)
