"""How much of its test accuracy each configuration keeps where the test images move. No prose, no drawing.

Test images are all there is to move, so test is judged here, and nothing is chosen by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from explorer import datasets, models
from explorer.config import Config
from explorer.judging.relations import Relations
from explorer.judging.runs import Runs, Scores
from explorer.running.shifted import Shifted


@dataclass(frozen=True)
class ShiftResult:
    """A configuration, and of each of its nets that was measured, by seed, the test accuracies on images moved by 0, 1,
    2, ... pixels."""

    config: Config
    measured: dict[int, tuple[float, ...]]

    @property
    def pixels(self) -> int:
        """As far as all of them were measured."""
        return min(map(len, self.measured.values())) - 1

    def at(self, pixels: int) -> Scores:
        """Seed -> test accuracy on images moved so far."""
        return {seed: accuracy[pixels] for seed, accuracy in self.measured.items()}

    def lost(self, pixels: int) -> Scores:
        """Seed -> what it has there less what it has where they stay put."""
        return {seed: accuracy[pixels] - accuracy[0] for seed, accuracy in self.measured.items()}


@dataclass(frozen=True)
class Moved:
    """The configurations whose nets were measured on one data set, in the models' order, the least shifted in training
    first."""

    dataset: str
    results: tuple[ShiftResult, ...]

    @cached_property
    def pixels(self) -> int:
        """As far as all of them were measured."""
        return min(one.pixels for one in self.results)

    def relations(self, pixels: int) -> Relations:
        """Every configuration against every other, by the test accuracy on images moved so far; labels are their places
        here, ``"0"``, ``"1"``, ... Seeds are counted from 0, for fresh ones choose as little as others here."""
        scores = {
            str(place): dict(enumerate(score for _, score in sorted(one.at(pixels).items())))
            for place, one in enumerate(self.results)
        }
        labels = list(scores)
        every = [(a, b) for number, a in enumerate(labels) for b in labels[number + 1 :]]
        return Relations(scores, None, [every])


def moved(runs: Runs, measured: Mapping[str, Shifted]) -> tuple[Moved, ...]:
    """What was measured of the nets of these runs, a data set each, in the registry's order."""
    found: dict[str, dict[Config, dict[int, tuple[float, ...]]]] = {}
    for record in runs.counted if measured else ():
        if record.id in measured and record.status == "ok":
            of = found.setdefault(record.point.dataset, {}).setdefault(record.point, {})
            of[record.seed] = measured[record.id].accuracy
    order = models.names()

    def place(one: ShiftResult) -> tuple[int, float]:
        return order.index(one.config.model), float(one.config.shift or 0)

    return tuple(
        Moved(dataset, tuple(sorted((ShiftResult(config, by) for config, by in of.items()), key=place)))
        for dataset, of in sorted(found.items(), key=lambda item: datasets.rank(item[0]))
    )
