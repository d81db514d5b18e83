"""Ranges that a setting is drawn from, and quasi-random draws.

A place is a number from 0 to 1: where a value lies between the ends of its range, on a log scale where the range says.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from explorer.fields import Value

Setting = dict[str, Value]
"""Field -> value: one choice of everything that is tuned."""
Side = Literal["low", "high"]
DIGITS = 3  # significant ones of a drawn number: a person can type it, and 0.00123 is as good a rate as 0.0012345
EDGE = 0.1  # the outer tenth of a range counts as its edge


@dataclass(frozen=True)
class Range:
    """What one field is drawn from: the numbers from ``low`` to ``high``, or ``values`` one by one."""

    field: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    """Whether the field takes whole numbers alone."""
    values: tuple[Value, ...] = ()

    def at(self, place: float) -> Value:
        """The value at a place of 0 to 1: numbers with 3 significant digits, whole numbers each with an equal share (of
        a log scale where that is said)."""
        if self.values:
            return self.values[min(int(place * len(self.values)), len(self.values) - 1)]
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        if self.log:
            number = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        else:
            number = low + place * (high - low)
        return self.rounded(number)

    def rounded(self, number: float) -> int | float:
        """A number of the range as it is tried."""
        if self.whole:
            return int(min(max(round(number), self.low), self.high))
        return min(max(float(f"{number:.{DIGITS}g}"), self.low), self.high)

    def place(self, value: float) -> float:
        """Where a number lies, 0 to 1; one of ``values`` by its rank among them."""
        if self.values:
            return sorted(self.numbers).index(value) / max(1, len(self.values) - 1)
        scale = math.log if self.log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))

    @property
    def numbers(self) -> list[float]:
        """The values, where all are numbers; none where they have no order."""
        numbers = [value for value in self.values if isinstance(value, int | float) and not isinstance(value, bool)]
        return numbers if len(numbers) == len(self.values) else []

    def edge(self, value: Value, lowest: float | None, highest: float | None) -> Side | None:
        """The edge that a value lies at: in the outer tenth, or the first or last of three ``values`` or more. None
        where the field itself goes no further (``lowest`` and ``highest``: the least and greatest value it takes)."""
        if not isinstance(value, int | float) or (self.values and len(self.numbers) < 3):
            return None
        low, high = (min(self.numbers), max(self.numbers)) if self.values else (self.low, self.high)
        if (place := self.place(value)) <= EDGE and low != lowest:
            return "low"
        return "high" if place >= 1 - EDGE and high != highest else None


def setting_at(ranges: Sequence[Range], places: Mapping[str, float]) -> Setting:
    """The setting at these places (field -> 0 to 1), of the fields that have a range."""
    return {one.field: one.at(places[one.field]) for one in ranges}


def quasi_random(fields: Sequence[str], count: int, seed: int) -> list[dict[str, float]]:
    """``count`` places of every field, spread more evenly than random ones: a scrambled Halton sequence (Halton 1960,
    scrambled as in Owen 2017, arXiv:1706.02808). The first n of more are the same as n."""
    from scipy.stats import qmc

    drawn = qmc.Halton(len(fields), scramble=True, rng=seed).random(count)
    return [dict(zip(fields, map(float, row), strict=True)) for row in drawn]
