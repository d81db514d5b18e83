"""Runs one after the other in this process, each on all cores."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Bar
from explorer.running.engines import never, no_bars
from explorer.running.runner import Runner, Trained
from explorer.running.trackers import TrackedRun, Tracker

if TYPE_CHECKING:  # importing it for real imports tinygrad
    from explorer.training.trainer import Progress


class InProcess:
    """The engine of a single run, and of one after the other where nobody watches them."""

    def __init__(self, runner: Runner):
        self.runner = runner

    def run(
        self,
        configs: Sequence[Config],
        tracker: Tracker,
        needless: Callable[[Config], bool] = never,
        bars: Callable[[Config], Sequence[Bar]] = no_bars,
    ) -> Iterator[Trained]:
        for config in configs:
            if needless(config):
                continue
            run = TrackedRun(self.runner.id_of(config), config)

            def listen(progress: "Progress", run: TrackedRun = run) -> None:
                try:
                    tracker.looked(run, progress)
                except Exception as error:
                    raise _TrackerError(error) from error

            tracker.started(run)
            try:
                trained = self.runner.run(config, listen, bars(config))
            except UserError:
                raise
            except _TrackerError as error:
                raise error.cause from None
            except Exception as error:  # whatever went wrong in this run is this run's matter
                trained = Trained(self.runner.failed(config, f"{type(error).__name__}: {error}"))
            yield trained

    def close(self) -> None:
        self.runner.forget()


class _TrackerError(Exception):
    """What a tracker raised in the middle of a run: not the run's mistake, so it must not be recorded as one."""

    def __init__(self, cause: Exception):
        super().__init__(str(cause))
        self.cause = cause
