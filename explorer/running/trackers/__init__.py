"""Who hears of runs while they go on: a tracker is told that a run started, how far it is, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from explorer.config import Config
from explorer.record import Record

if TYPE_CHECKING:  # importing it for real imports tinygrad
    from explorer.training.trainer import Progress


@dataclass(frozen=True)
class TrackedRun:
    """Which run a tracker hears of: ``id`` is its record's."""

    id: str
    config: Config


class Tracker(Protocol):
    """Hears of any number of runs at once, in the parent process alone, whichever process trains them.

    Of each run: ``started`` once (again if its worker died and it is tried once more); ``looked`` about ten times a
    second, with ``progress.look`` set where the run looked at the validation set; ``finished`` once, when its record
    is kept, also where another process trained it meanwhile, which is then all that is heard of it. What a tracker
    raises ends the whole, not the run it was told of. One that cares for some of this alone derives from `Silent`.
    """

    def awaited(self, runs: Sequence[TrackedRun]) -> None:
        """Other processes train these runs; nothing else is left to do, and they are waited for."""
        ...

    def started(self, run: TrackedRun) -> None: ...

    def tried_again(self, run: TrackedRun, reason: str) -> None:
        """The run came to no end for this reason, and is tried once more."""
        ...

    def looked(self, run: TrackedRun, progress: "Progress") -> None: ...

    def finished(self, run: TrackedRun, record: Record) -> None: ...


class Silent:
    """Hears everything and says nothing."""

    def awaited(self, runs: Sequence[TrackedRun]) -> None:
        pass

    def started(self, run: TrackedRun) -> None:
        pass

    def tried_again(self, run: TrackedRun, reason: str) -> None:
        pass

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        pass

    def finished(self, run: TrackedRun, record: Record) -> None:
        pass


class Several:
    """Tells each of some trackers."""

    def __init__(self, *trackers: Tracker):
        self.trackers = trackers

    def awaited(self, runs: Sequence[TrackedRun]) -> None:
        for tracker in self.trackers:
            tracker.awaited(runs)

    def started(self, run: TrackedRun) -> None:
        for tracker in self.trackers:
            tracker.started(run)

    def tried_again(self, run: TrackedRun, reason: str) -> None:
        for tracker in self.trackers:
            tracker.tried_again(run, reason)

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        for tracker in self.trackers:
            tracker.looked(run, progress)

    def finished(self, run: TrackedRun, record: Record) -> None:
        for tracker in self.trackers:
            tracker.finished(run, record)
