"""Who leads while runs go on: by the mean over seeds, never by the luckiest single run. For trackers: no numpy."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from explorer.seeds import is_fresh


@dataclass(frozen=True)
class Leader:
    """The point with the best mean, a fraction, over ``n`` seeds."""

    label: str
    mean: float
    n: int


def covered(counts: Mapping[str, int]) -> list[str]:
    """The points that may lead: those with at least half the seeds of the median point. The mean of the few seeds that
    are done, or that survived, flatters a point."""
    there = {label: count for label, count in counts.items() if count}
    if not there:
        return []
    enough = statistics.median(there.values()) / 2
    return [label for label, count in there.items() if count >= enough]


def leader(points: Mapping[str, Mapping[int, float]]) -> Leader | None:
    """Of label -> seed -> validation accuracy, the best mean among the points covered; of equal ones the first.

    Fresh seeds do not choose, so they do not count. None without any score.
    """
    choosing = {
        label: [score for seed, score in scores.items() if not is_fresh(seed)] for label, scores in points.items()
    }
    may_lead = covered({label: len(scores) for label, scores in choosing.items()})
    if not may_lead:
        return None
    best = max(may_lead, key=lambda label: statistics.fmean(choosing[label]))
    return Leader(best, statistics.fmean(choosing[best]), len(choosing[best]))
