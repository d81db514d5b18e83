"""Cutting tries that will not win before they end: ``--stop half`` and ``--stop hyperband``.

For searches and the tries of a study alone, which look for the best and throw the rest away. A sweep judges all its
points, and the mean of those runs of a point that were not cut would flatter it.

A policy is told what came of runs and gives each run, as it starts, the bars it has to clear. So workers need no word
in the middle of a run, and what is cut depends on the runs that had ended when it began.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from explorer.asking.rules import StopRule
from explorer.config import Config
from explorer.datasets.dataset import LOOK_IMAGES
from explorer.record import Bar, Record

HALF = 0.5
BEHIND = 0.005
ERRORS = 3.0
RUNGS = (0.125, 0.25, 0.5)
ENOUGH = 3  # tries that must have passed a rung before it cuts any


class Stopping(Protocol):
    """A policy of cutting runs."""

    def tell(self, config: Config, record: Record) -> None:
        """What came of a run, cut or not."""
        ...

    def bars(self, config: Config) -> tuple[Bar, ...]:
        """What a run that starts now has to clear, the earliest first."""
        ...


class Never:
    """``--stop off``"""

    def tell(self, config: Config, record: Record) -> None: ...

    def bars(self, config: Config) -> tuple[Bar, ...]:
        return ()


def one_group(config: Config) -> object:
    """All runs compete with one another."""
    return None


def is_try(config: Config) -> bool:
    """Whether a run of a search or a study is a try, and no further seed of what was chosen already."""
    return config.seed == 0


class HalfWay:
    """Cuts at half-way alone, and only what is far behind the best of its group there: by more than 0.5 points and by
    more than 3 standard errors of a difference of two accuracies, each measured on so many images as a look takes
    (binomial; the images are the same, so that is on the safe side)."""

    def __init__(self, group: Callable[[Config], object] = one_group):
        self.group = group
        self.best: dict[object, tuple[float, int]] = {}

    def tell(self, config: Config, record: Record) -> None:
        accuracy, images = accuracy_at(record, HALF), images_of(record)
        if accuracy is not None and accuracy > self.best.get(self.group(config), (-1.0, 0))[0]:
            self.best[self.group(config)] = accuracy, images

    def bars(self, config: Config) -> tuple[Bar, ...]:
        if not is_try(config) or self.group(config) not in self.best:
            return ()
        return (Bar(HALF, just_behind(*self.best[self.group(config)])),)


class Halving:
    """Asynchronous successive halving (Li et al. 2020, arXiv:1810.05934; Hyperband's inner loop): at each rung a run
    goes on only if it is in the better half of those of its group that came so far. Most of the saving, and the risk
    that what starts slowly is dropped though it would win."""

    def __init__(self, group: Callable[[Config], object] = one_group):
        self.group = group
        self.seen: defaultdict[tuple[object, float], list[float]] = defaultdict(list)

    def tell(self, config: Config, record: Record) -> None:
        for rung in RUNGS:
            if (accuracy := accuracy_at(record, rung)) is not None:
                self.seen[self.group(config), rung].append(accuracy)

    def bars(self, config: Config) -> tuple[Bar, ...]:
        if not is_try(config):
            return ()
        there = [(rung, sorted(self.seen[self.group(config), rung], reverse=True)) for rung in RUNGS]
        return tuple(Bar(rung, seen[(len(seen) - 1) // 2]) for rung, seen in there if len(seen) >= ENOUGH)


def policy(rule: StopRule, group: Callable[[Config], object] = one_group) -> Stopping:
    """The policy of that name. Runs compete within their ``group``: in a study, those of one scientific value."""
    if rule == "off":
        return Never()
    return HalfWay(group) if rule == "half" else Halving(group)


def accuracy_at(record: Record, share: float) -> float | None:
    """The validation accuracy of the first look at this share of the planned steps or later; None where none was."""
    steps = record.steps or record.config.get("steps")  # schema 1 says it in the configuration alone
    if not steps:
        return None
    return next((look.val_accuracy for look in record.history if look.step >= share * steps), None)


def images_of(record: Record) -> int:
    """How many images a look of the run took."""
    return min(LOOK_IMAGES, record.data.validation or LOOK_IMAGES)


def just_behind(best: float, images: int) -> float:
    """The accuracy that is 0.5 points and 3 standard errors behind ``best``, whichever is more: what is lower is
    cut."""
    low, high = 0.0, best
    for _ in range(40):  # the standard error is that at the accuracy sought
        middle = (low + high) / 2
        error = math.sqrt((best * (1 - best) + middle * (1 - middle)) / images)
        if best - middle > max(BEHIND, ERRORS * error):
            low = middle
        else:
            high = middle
    return low
