"""What is said between this process, the liaison that speaks with Ray, and the workers on the nodes."""

from dataclasses import dataclass
from typing import TypeAlias

from explorer.config import Json
from explorer.record import Bar
from explorer.running.engines import WorkerSetup


@dataclass(frozen=True)
class Terms:
    """What workers are to do, the same for all: the data set, and how it is trained."""

    setup: WorkerSetup
    digest: str
    """Of the data set as it lies here."""
    data_variable: str | None
    """The folder of data sets that the environment names here."""
    device: str | None
    """None: the best that the node has."""
    kernels: bool | None
    threads: int


@dataclass(frozen=True)
class Task:
    """A configuration and what its run has to clear."""

    config: Json
    bars: tuple[Bar, ...]


# To the liaison


@dataclass(frozen=True)
class Begin:
    """End all workers; those to come have these terms (pickled). None: there are to be none."""

    terms: bytes | None


@dataclass(frozen=True)
class Want:
    """So many workers are of use, at most."""

    workers: int


@dataclass(frozen=True)
class Give:
    """A task (pickled) for a worker that has none."""

    worker: int
    task: bytes


@dataclass(frozen=True)
class Dismiss:
    """End a worker."""

    worker: int


@dataclass(frozen=True)
class Ship:
    """The data set (pickled), for nodes that do not have it."""

    data: bytes


# From the liaison


@dataclass(frozen=True)
class Room:
    """How many runs the nodes that may take part have room for; said first, and when it changes."""

    places: int


@dataclass(frozen=True)
class Begun:
    """The terms are taken. What was said before was of workers that are no more."""


@dataclass(frozen=True)
class Joined:
    """A worker is ready. ``node`` identifies its machine, ``label`` is what records may call it."""

    worker: int
    node: str
    label: str


@dataclass(frozen=True)
class Said:
    """A worker's messages, each pickled `News`."""

    worker: int
    messages: list[bytes]


@dataclass(frozen=True)
class Left:
    """A worker has died."""

    worker: int
    reason: str


@dataclass(frozen=True)
class Refused:
    """A node cannot take part."""

    line: str


@dataclass(frozen=True)
class NeedsData:
    """A node does not have the data set: it is to be shipped."""


@dataclass(frozen=True)
class Lost:
    """The cluster cannot be reached, or not any more."""

    reason: str


Order: TypeAlias = Begin | Want | Give | Dismiss | Ship
Report: TypeAlias = Room | Begun | Joined | Said | Left | Refused | NeedsData | Lost
