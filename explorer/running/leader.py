"""Who leads while runs go on: by the mean over seeds, never by the luckiest single run. For trackers: no numpy."""

import statistics
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from explorer.seeds import MIN_RUNS, is_fresh

P = TypeVar("P", bound=Hashable)


@dataclass(frozen=True)
class Leader(Generic[P]):
    """The point with the best mean, a fraction, over ``n`` seeds."""

    point: P
    mean: float
    n: int


def covered(counts: Mapping[P, int]) -> list[P]:
    """The points that may lead: those with at least half the seeds of the median point. The mean of the few seeds that
    are done, or that survived, flatters a point."""
    there = {point: count for point, count in counts.items() if count}
    if not there:
        return []
    enough = statistics.median(there.values()) / 2
    return [point for point, count in there.items() if count >= enough]


def leader(points: Mapping[P, Mapping[int, float]]) -> Leader[P] | None:
    """Of point -> seed -> validation accuracy, the best mean among the points covered; of equal ones the first.

    Once a point has `MIN_RUNS` seeds, single runs do not lead: the best of many, the tries of a study or a search, is
    mostly the luckiest. One seed less than another has is no hindrance, for a sweep's seeds come in rounds. Fresh seeds
    do not choose, so they do not count. None without any score.
    """
    choosing = {
        point: [score for seed, score in scores.items() if not is_fresh(seed)] for point, scores in points.items()
    }
    counts = {point: len(scores) for point, scores in choosing.items()}
    least = min(MIN_RUNS, max(counts.values(), default=0)) / 2
    may_lead = covered({point: count for point, count in counts.items() if count >= least})
    if not may_lead:
        return None
    best = max(may_lead, key=lambda point: statistics.fmean(choosing[point]))
    return Leader(best, statistics.fmean(choosing[best]), len(choosing[best]))
