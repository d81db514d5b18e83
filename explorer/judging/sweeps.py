"""A sweep with its records, judged: winner, verdicts, ties, hypothesis, edges, power. No prose, no drawing."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from explorer.asking.questions import Point, Role, Sweep, expected_labels
from explorer.config import field_info
from explorer.fields import Value, limits, text_of
from explorer.judging import stats
from explorer.judging.runs import ConfigResult, Runs, Scores, typical_deviation
from explorer.running.requests import Request

HALF_A_POINT = 0.005
Origin = Literal["published", "own"]


@dataclass(frozen=True)
class PointResult(ConfigResult):
    """A point of a sweep with its records."""

    point: Point

    @property
    def label(self) -> str:
        return self.point.label


@dataclass(frozen=True)
class Power:
    """What a sweep could show of a difference from its baseline, with 80 % power, by the spread of its median point."""

    n: int
    comparisons: int
    detectable: float
    """The smallest true difference found, as a fraction."""
    needed: int
    """Seeds it would take to find half a point of a per cent."""


class SweepResult:
    """A sweep with its records, judged. Labels are those of distinct configurations, in the sweep's order.

    ``slug`` tells it from sweeps of the same name that were run in another way. ``origin``: whether it is part of the
    published study or a person's own.
    """

    def __init__(
        self, request: Request, sweep: Sweep, runs: Runs, slug: str | None = None, origin: Origin = "published"
    ):
        self.request, self.sweep, self.origin = request, sweep, origin
        self.slug = slug or request.name
        self.outcomes = [
            PointResult(point.config, runs.of(point.config, request.seeds), point) for point in sweep.points
        ]
        self.distinct = [outcome for outcome in self.outcomes if outcome.point.same_as is None]

    @property
    def model(self) -> str:
        return self.request.model

    @property
    def dataset(self) -> str:
        return self.request.dataset

    @property
    def role(self) -> Role:
        return self.sweep.role

    @property
    def runs_done(self) -> int:
        return sum(len(outcome.records) for outcome in self.distinct)

    @property
    def runs_planned(self) -> int:
        return self.request.seeds * len(self.distinct)

    @cached_property
    def kernels(self) -> Counter[int]:
        """Version of the kernels -> runs they made; 0 where there were none."""
        return Counter(record.environment.kernels for outcome in self.distinct for record in outcome.records.values())

    @property
    def complete(self) -> bool:
        return self.runs_done == self.runs_planned

    @cached_property
    def by_label(self) -> dict[str, PointResult]:
        return {outcome.label: outcome for outcome in self.outcomes}

    @cached_property
    def validation(self) -> dict[str, Scores]:
        """label -> seed -> validation accuracy, points without a result left out."""
        return {outcome.label: outcome.validation for outcome in self.distinct if outcome.validation}

    def distinct_label(self, label: str) -> str:
        """The label itself, or that of the distinct point it repeats."""
        return self.by_label[label].point.same_as or label

    @cached_property
    def baseline(self) -> str:
        """The baseline's label, or that of the distinct point it repeats."""
        return self.distinct_label(self.sweep.baseline)

    @cached_property
    def verdicts(self) -> dict[str, stats.Verdict]:
        """Every other point with a result against the baseline; empty where the baseline has none."""
        return self.verdicts_over(self.baseline)

    def verdicts_over(self, base: str) -> dict[str, stats.Verdict]:
        """Every other point with a result against ``base``; empty where that has none."""
        if base not in self.validation:
            return {}
        others = {label: scores for label, scores in self.validation.items() if label != base}
        return {verdict.label: verdict for verdict in stats.verdicts(self.validation[base], others)}

    @cached_property
    def winner(self) -> stats.Winner | None:
        return stats.winner(self.validation) if self.validation else None

    @cached_property
    def seeds(self) -> int:
        """The most seeds any point has a validation accuracy for."""
        return max((len(scores) for scores in self.validation.values()), default=0)

    @cached_property
    def noise(self) -> float:
        """The seed's own standard deviation, of the median point: one rate on the brink must not speak for all.

        nan without a repeat.
        """
        return typical_deviation(self.validation)

    @cached_property
    def importance(self) -> stats.Importance:
        return stats.knob_importance(self.validation)

    @cached_property
    def expected(self) -> list[str]:
        """Labels that the hypothesis expects to be best, of distinct configurations."""
        expected = expected_labels(self.sweep)
        labels = [self.distinct_label(point.label) for point in self.sweep.points if point.label in expected]
        return list(dict.fromkeys(labels))

    @cached_property
    def hypothesis(self) -> stats.HypothesisVerdict | None:
        """None where the sweep states nothing to check."""
        if not self.expected:
            return None
        if not self.complete:
            return stats.HypothesisVerdict("undecided", "unfinished", done=self.runs_done, planned=self.runs_planned)
        if not self.validation:
            return stats.HypothesisVerdict("undecided", "no result")
        return stats.hypothesis_verdict(self.validation, self.expected)

    @cached_property
    def power(self) -> Power | None:
        """What this many seeds could have shown; None where no point shares two seeds with the baseline."""
        base = self.validation.get(self.baseline, {})
        differences = {
            label: {seed: scores[seed] - base[seed] for seed in scores.keys() & base.keys()}
            for label, scores in self.validation.items()
            if label != self.baseline
        }
        differences = {label: scores for label, scores in differences.items() if len(scores) > 1}
        if not differences:
            return None
        n = round(float(np.median([len(scores) for scores in differences.values()])))
        spread, alpha = typical_deviation(differences), 0.05 / len(differences)  # the first step of Holm
        needed = stats.seeds_needed(spread, HALF_A_POINT, alpha=alpha, paired=True)
        return Power(n, len(differences), stats.detectable_difference(spread, n, alpha=alpha), needed)

    def values(self, knob: str) -> list[Value | None]:
        """The distinct values of a knob in the sweep's order."""
        return list(dict.fromkeys(self.value(outcome.label, knob) for outcome in self.distinct))

    def value(self, label: str, knob: str) -> Value | None:
        return self.by_label[label].point.values.get(knob)

    def number(self, label: str, knob: str) -> float:
        """The value of a numeric knob."""
        value = self.value(label, knob)
        if not isinstance(value, (int, float)):
            raise TypeError(f"{knob} of {label} is no number: {value!r}")
        return value

    @cached_property
    def edges(self) -> list[tuple[str, Literal["low", "high"]]]:
        """(knob, "low" | "high") for each numeric axis of a grid on whose edge the winner lies."""
        if self.winner is None or self.sweep.kind != "grid":
            return []
        found: list[tuple[str, Literal["low", "high"]]] = []
        for knob in self.sweep.knobs:
            lowest, highest = _bounds(knob)
            side = stats.edge_of_grid(self.value(self.winner.label, knob), self.values(knob), lowest, highest)
            if side:
                found.append((knob, side))
        return found

    @cached_property
    def numeric_knob(self) -> str | None:
        """The one numeric axis of a single-knob grid, if that is what this is."""
        if len(self.sweep.knobs) != 1 or self.sweep.kind != "grid":
            return None
        values = self.values(self.sweep.knobs[0])
        numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
        return self.sweep.knobs[0] if numbers and len(values) > 1 else None

    @property
    def equal(self) -> Literal["steps", "images"] | None:
        """What all runs of a sweep of batch sizes share: their steps, or the images they see. None for other sweeps."""
        if self.role != "knob" or "batch_size" not in self.sweep.knobs:
            return None
        if not {*self.sweep.knobs} <= {"batch_size", "steps"}:
            return None
        steps = [outcome.config.steps or 0 for outcome in self.distinct]
        images = {count * outcome.config.batch_size for count, outcome in zip(steps, self.distinct, strict=True)}
        if len(steps) < 2 or 0 in steps:
            return None
        return "steps" if len(set(steps)) == 1 else "images" if len(images) == 1 else None

    @cached_property
    def is_pair(self) -> bool:
        """Two knobs crossed, every cell another configuration: the main picture is a heat map."""
        if self.role != "pair" or len(self.sweep.knobs) != 2:
            return False
        rows, columns = (self.values(knob) for knob in self.sweep.knobs)
        return len(rows) * len(columns) == len(self.distinct)


def judge(
    asked: Sequence[tuple[Request, Sweep]],
    runs: Runs,
    known: Sequence[Request] = (),
    origin: Origin = "published",
) -> list[SweepResult]:
    """Each sweep that was asked for, with its records, in the order given.

    ``known`` are all requests there ever were, as `requests.read` gives them: one with the most seeds ever asked for
    takes the place of one like it, and of several of one name, model and data set each gets a slug of its own.
    """
    everything = list(known)
    everything += [request for request, _ in asked if request.key not in {other.key for other in everything}]
    return [
        SweepResult(request, sweep, runs, slug_of(request, everything), origin)
        for request, sweep in ((next((k for k in everything if k.key == r.key), r), s) for r, s in asked)
    ]


def slug_of(request: Request, known: Sequence[Request]) -> str:
    """What files and links call a sweep: its name, if it is the only one of that name for its model and data set.

    A sweep run in several ways (other overrides, another file) has as many entries; the first without overrides, else
    the first of all, keeps the plain name.
    """
    alike = [
        k for k in known
        if (k.name, k.model, k.dataset, k.settle) == (request.name, request.model, request.dataset, request.settle)
    ]  # fmt: skip
    plain = next((k for k in alike if not k.overrides and not k.path), alike[0] if alike else request)
    if request.key == plain.key:
        return request.name
    words = "-".join(f"{field}-{text_of(value)}" for field, value in sorted(request.overrides.items()))
    words = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in words)
    number = next(index for index, other in enumerate(alike) if other.key == request.key) + 1
    return f"{request.name}-{words[:40]}{'' if words and len(words) <= 40 and not request.path else number}"


def _bounds(knob: str) -> tuple[float | None, float | None]:
    """The least and greatest value a field takes, where it takes them (dropout cannot go below 0)."""
    try:
        return limits(field_info(knob))
    except KeyError:  # an axis that is no field of its own, such as units1
        return None, None


@dataclass(frozen=True)
class Interaction:
    """Whether the best value of one knob depends on the other."""

    tuned: str
    given: str
    best_at: tuple[tuple[Value | None, Value | None], ...]
    """(value of ``given``, the value of ``tuned`` with the best mean there)."""
    n: int
    """Seeds common to all cells."""
    effect: float = math.nan
    """Standard deviation of what cells have beyond the sum of row and column, noise taken out; nan if not tested."""
    noise: float = math.nan
    p: float = math.nan

    @property
    def shown(self) -> Literal["not tested", "shown", "not shown"]:
        return "not tested" if math.isnan(self.p) else "shown" if self.p <= 0.05 else "not shown"


def interaction_of(judged: SweepResult) -> Interaction:
    """Of a pair with any result: the best value of one knob at each of the other, and the test of the cells."""
    # Of two knobs the learning rate is the one to tune for the other, else the second for the first.
    tuned = "lr" if "lr" in judged.sweep.knobs else judged.sweep.knobs[1]
    given = next(knob for knob in judged.sweep.knobs if knob != tuned)
    cells = {(judged.value(label, given), judged.value(label, tuned)): s for label, s in judged.validation.items()}
    rows, columns = judged.values(given), judged.values(tuned)
    means = {cell: stats.mean_interval(list(scores.values())).mean for cell, scores in cells.items()}
    best_at = tuple(
        (row, max((c for r, c in cells if r == row), key=lambda column: means[row, column]))
        for row in rows
        if any(r == row for r, _ in cells)
    )
    seeds = sorted(set.intersection(*(set(scores) for scores in cells.values())))
    if len(seeds) < 2 or len(cells) < len(rows) * len(columns):
        return Interaction(tuned, given, best_at, len(seeds))
    scores = np.array([[[cells[row, column][seed] for seed in seeds] for column in columns] for row in rows])
    return Interaction(tuned, given, best_at, len(seeds), *stats.interaction(scores))
