"""A length of time for all that is to be trained: it ends in time, and nothing that is done is lost."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from explorer.config import Config
from explorer.record import Record
from explorer.running.trackers import TrackedRun, Tracker

if TYPE_CHECKING:  # importing it for real imports tinygrad
    from explorer.training.trainer import Progress


class OutOfTimeError(Exception):
    """The time is over in the middle of runs: they are given up."""


class Budget:
    """So many seconds from now. ``expected``: the seconds a run should take, None where nobody knows.

    No run is started that should not end in time; one that takes longer than expected is given up when the time is
    over, and is not recorded.
    """

    def __init__(
        self,
        seconds: float,
        expected: Callable[[Config], float | None] = lambda config: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.expected, self.clock = expected, clock
        self.ends = clock() + seconds
        self.spent = False
        """Whether a run was not started, or was given up, for want of time."""

    def has_time_for(self, config: Config) -> bool:
        fits = self.clock() + (self.expected(config) or 0.0) < self.ends
        self.spent = self.spent or not fits
        return fits

    def look(self) -> None:
        """Raises OutOfTimeError when the time is over."""
        if self.clock() >= self.ends:
            self.spent = True
            raise OutOfTimeError

    def watch(self, tracker: Tracker) -> Tracker:
        """The tracker, which gives the runs up when the time is over: it raises OutOfTimeError."""
        return _Watched(tracker, self)


class _Watched:
    def __init__(self, tracker: Tracker, budget: Budget):
        self.tracker, self.budget = tracker, budget

    def awaited(self, runs: Sequence[TrackedRun]) -> None:
        self.tracker.awaited(runs)

    def started(self, run: TrackedRun) -> None:
        self.tracker.started(run)

    def tried_again(self, run: TrackedRun, reason: str) -> None:
        self.tracker.tried_again(run, reason)

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        self.budget.look()
        self.tracker.looked(run, progress)

    def finished(self, run: TrackedRun, record: Record) -> None:
        self.tracker.finished(run, record)
