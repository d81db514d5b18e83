"""The tools that runs can be kept in besides the ledger: what each needs, and how it is opened."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from explorer.errors import UserError
from explorer.fields import nearest
from explorer.record import Record
from explorer.running.trackers import mlflow, tensorboard
from explorer.running.trackers.elsewhere import Destination, Elsewhere, Everywhere, Homes, without_password


class Open(Protocol):
    def __call__(self, where: str | None, results: Path | None) -> Destination:
        """``where`` as a person said it; without, a place in the folder of ``results``. Raises UserError for a place
        that cannot be one, and where neither is given."""
        ...


@dataclass(frozen=True)
class Kind:
    """A tool; ``package`` is what it imports, and ``requirements`` the file that brings it."""

    package: str
    requirements: str
    open: Open | None = None
    """None of one that recorded runs are exported to, and that cannot follow runs that go on."""
    watch: Callable[[str], str] = str
    """Where it is -> the command to look at it with, or its address."""


KINDS = {
    "tensorboard": Kind("tensorboardX", "requirements-tensorboard.txt", tensorboard.open_at, tensorboard.watch_command),
    "mlflow": Kind("mlflow", "requirements-mlflow.txt", mlflow.open_at, mlflow.watch_command),
    "parquet": Kind("pyarrow", "requirements-parquet.txt"),
}
TRACKERS = tuple(name for name, kind in KINDS.items() if kind.open)


@dataclass(frozen=True)
class Place:
    """A tool that a person named, and where: ``tensorboard:my/folder``."""

    name: str
    where: str | None = None

    def __str__(self) -> str:
        """As it is shown: an address without its password."""
        return self.name if self.where is None else f"{self.name}:{without_password(self.where)}"

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def check(self) -> None:
        """Raises UserError where its package is missing."""
        if importlib.util.find_spec(self.kind.package) is None:
            raise UserError(self._needs(self.kind.package))

    def open(self, results: Path | None) -> Destination:
        """Raises UserError as `check`, and for a place that cannot be one."""
        self.check()
        assert self.kind.open, "it is only exported to"
        try:
            return self.kind.open(self.where, results)
        except ModuleNotFoundError as error:  # something that the package itself needs
            raise UserError(self._needs(str(error.name))) from None

    def _needs(self, package: str) -> str:
        return f"{self.name} needs the package {package}; pip install -r {self.kind.requirements}"


def place(text: str, known: Sequence[str] = TRACKERS) -> Place:
    """``tensorboard`` or ``tensorboard:DIR``. Raises UserError for a tool that is not ``known``, and where nothing
    follows the colon."""
    name, colon, where = text.partition(":")
    if name not in known:
        raise UserError(f"{name!r} is no tool for this{nearest(name, known)}")
    if colon and not where:
        raise UserError(f"{name}: names no place after the colon; {name} alone takes the usual one")
    return Place(name, where or None)


def distinct(places: Sequence[Place]) -> tuple[Place, ...]:
    """The tools that a person named. Raises UserError where one is named twice, or its package is missing."""
    names = [one.name for one in places]
    for one in places:
        if names.count(one.name) > 1:
            raise UserError(f"{one.name} is given twice; each tool is tracked in once")
        one.check()
    return tuple(places)


@contextmanager
def kept(
    places: Sequence[Place],
    results: Path | None,
    homes: Homes,
    recorded: Callable[[], Iterable[Record]],
    catch_up: Callable[[Place], str],
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Everywhere]:
    """The tracker that keeps runs in all these tools until it is left, and those ``recorded``, asked for at the
    beginning and at the end, as well. ``say`` hears where to look; ``catch_up``: as of `Elsewhere`.

    Raises UserError for a place that cannot be one.
    """
    opened = [(one, one.open(results)) for one in places]
    for one, destination in opened:
        say(f"{one.name}: {one.kind.watch(destination.where)}")
    with Everywhere(*(Elsewhere(one.name, there, homes, catch_up(one)) for one, there in opened)) as everywhere:
        if opened:
            everywhere.complete(recorded())
        yield everywhere
        if opened:  # a study may have asked for what was recorded for another reason
            everywhere.complete(recorded())
