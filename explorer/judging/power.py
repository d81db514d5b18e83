"""What so many seeds could have shown of a difference, and how many it takes to show one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.judging import stats
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.pairs import PAIRED_FROM
from explorer.judging.relations import ALPHA
from explorer.judging.runs import Scores, typical_deviation

HALF_A_POINT = 0.005


@dataclass(frozen=True)
class Power:
    """What comparisons could show of a difference, with 80 % power, by the spread of the median one."""

    n: int
    comparisons: int
    spread: float
    """The standard deviation over seeds: of the differences where the test is paired, else of the scores."""
    paired: bool

    @property
    def detectable(self) -> float:
        """The smallest true difference found, as a fraction."""
        return stats.detectable_difference(self.spread, self.n, alpha=self._alpha, paired=self.paired)

    def needed(self, difference: float = HALF_A_POINT) -> int:
        """Seeds it would take to find a true difference, a fraction. Never under `MIN_RUNS`."""
        seeds = stats.seeds_needed(self.spread, difference, alpha=self._alpha, paired=self.paired)
        return max(MIN_RUNS, seeds)

    @property
    def _alpha(self) -> float:
        """At the first step of Holm."""
        return ALPHA / self.comparisons


def power_of(scores: Mapping[str, Scores], pairs: Sequence[tuple[str, str]], n: int) -> Power:
    """Of so many pairs of points, by the test that ``n`` seeds get (see `pairs`)."""
    paired = n >= PAIRED_FROM
    if paired:
        spreads = {
            f"{a} {b}": {seed: scores[a][seed] - scores[b][seed] for seed in scores[a] if seed in scores[b]}
            for a, b in pairs
        }
    else:
        spreads = {label: scores[label] for pair in pairs for label in pair}
    return Power(n, len(pairs), typical_deviation(spreads), paired)
