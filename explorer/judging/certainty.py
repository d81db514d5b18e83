"""How sure an answer is: the one place that says what *sure*, *likely* and *unknown* mean.

- *sure*: the main test shows it: a Welch or paired t test over at least `MIN_RUNS` runs of either side, corrected
  within the sweep so that a sweep without differences gets a false word in 5 % at most.
- *likely*: only the second opinion shows it: the same comparison, corrected alike, with variances moderated by the
  trend over the whole study; or the main test does, on the very seeds that made the choice it speaks of.
- *unknown*: neither does, or there are too few runs.

What rests on several comparisons is as sure as the least sure of them.
"""

from collections.abc import Iterable
from enum import IntEnum

from explorer.seeds import MIN_RUNS as MIN_RUNS


class Certainty(IntEnum):
    """Ordered: the greater, the surer."""

    UNKNOWN = 0
    LIKELY = 1
    SURE = 2

    @property
    def word(self) -> str:
        return self.name.lower()


def of_test(shown: bool, second: bool) -> Certainty:
    """Of one comparison: whether the main test shows it, and whether the second opinion does."""
    return Certainty.SURE if shown else Certainty.LIKELY if second else Certainty.UNKNOWN


def of_all(parts: Iterable[Certainty]) -> Certainty:
    """Of what needs every one of them; unknown where there are none."""
    return min(parts, default=Certainty.UNKNOWN)


def by_chosen_seeds(certainty: Certainty) -> Certainty:
    """Of a figure taken from the seeds that chose what it is a figure of: never more than likely."""
    return min(certainty, Certainty.LIKELY)
