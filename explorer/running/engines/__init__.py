"""Where runs are computed: in this process, in processes of this machine, or elsewhere."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Bar
from explorer.running.runner import Runner, Trained
from explorer.running.trackers import Tracker

if TYPE_CHECKING:  # importing it for real imports tinygrad
    from explorer.training.trainer import Progress

TRIES = 2  # a run whose worker died or that raised is tried once more: another run may have taken its memory
TICK_SECONDS = 0.5  # how often silent workers are looked after
Patience: TypeAlias = Callable[[Config], float]
"""Config -> seconds without a sign of life after which its worker is taken for stuck, and killed."""


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to train: the data set (its name, or the path of a person's own), and the folder it lies in
    (None: where it is found); ``keep``: whether it hands over every run's net (see `Runner`)."""

    dataset: str
    data_dir: Path | None = None
    keep: bool = False

    def runner(self) -> Runner:
        """Raises UserError where the data set is not to be had."""
        from explorer import datasets

        return Runner(datasets.load(self.dataset, self.data_dir), self.keep)


@dataclass(frozen=True)
class Broken:
    """A run could not be brought to an end."""

    reason: str


@dataclass(frozen=True)
class Mistaken:
    """A run met a person's mistake, which every run would meet."""

    line: str


News: TypeAlias = "Progress | Trained | Broken | Mistaken"
"""What a worker says of its run."""


class EngineLostError(UserError):
    """The machines that an engine computes on cannot be reached any more. What had ended is kept."""

    exit_code = 1


def never(config: Config) -> bool:
    """Whether a run is not needed any more: it always is."""
    return False


def no_bars(config: Config) -> Sequence[Bar]:
    """What a run has to clear on its way: nothing."""
    return ()


def for_ever(config: Config) -> float:
    """No silence is too long."""
    return math.inf


class Engine(Protocol):
    """Trains configs of one data set. Whoever uses it keeps the records: no engine and no worker writes the ledger."""

    def run(
        self,
        configs: Sequence[Config],
        tracker: Tracker,
        needless: Callable[[Config], bool] = never,
        bars: Callable[[Config], Sequence[Bar]] = no_bars,
    ) -> Iterator[Trained]:
        """Train every config and yield what came of it as it ends, in the order they end, each config once but those
        that are ``needless``, which is asked as each is about to start. So are its ``bars``: a run that misses one is
        cut there, and yields a record of status ``cut``.

        ``tracker`` hears of each run's start and looks, wherever it is trained; ``finished`` is for the caller to
        tell once the record is kept. A run that cannot be brought to an end (its worker dies, its memory runs out,
        its code raises) yields a record of status ``failed`` with the reason, and costs no other run. A UserError
        passes through: it would be every run's.
        """
        ...

    def close(self) -> None:
        """End the workers, if there are any. The engine is done then."""
        ...
