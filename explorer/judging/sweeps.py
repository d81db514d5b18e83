"""A sweep with its records, judged: winner, relations, hypothesis, edges, power. No prose, no drawing."""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np

from explorer.asking.questions import Point, Role, Sweep, expected_labels
from explorer.config import Config, field_info
from explorer.fields import Value, limits, text_of
from explorer.judging import stats
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.hypothesis import HypothesisVerdict, verdict_so_far
from explorer.judging.moderation import Trend, log_odds
from explorer.judging.power import Power, power_of
from explorer.judging.relations import ALPHA, Relation, Relations, Winner
from explorer.judging.runs import ConfigResult, Runs, Scores, mean, typical_deviation
from explorer.running.requests import Request

Origin = Literal["published", "own"]
Equal = Literal["steps", "images"]


@dataclass(frozen=True)
class PointResult(ConfigResult):
    """A point of a sweep with its records."""

    point: Point

    @property
    def label(self) -> str:
        return self.point.label


@dataclass(frozen=True)
class Hopeless:
    """A sweep's worst point, without which the sweep shows less than half the effect: ``rest``."""

    label: str
    rest: stats.Importance


class SweepResult:
    """A sweep with its records, judged. Labels are those of distinct configurations, in the sweep's order.

    ``slug`` tells it from sweeps of the same name that were run in another way. ``origin``: whether it is part of the
    published study or a person's own.
    """

    fresh_alone: ClassVar[bool] = False
    """Its words come of the seeds that choose."""

    def __init__(
        self, request: Request, sweep: Sweep, runs: Runs, slug: str | None = None, origin: Origin = "published"
    ):
        self.request, self.sweep, self.origin = request, sweep, origin
        self.slug = slug or request.name
        self.outcomes = [
            PointResult(point.config, runs.of(point.config, request.seeds), point, fresh=runs.fresh_of(point.config))
            for point in sweep.points
        ]
        self._runs = runs
        self.elsewhere: dict[tuple[str, str], Callable[[], Relation]] = {}
        """Pairs of points whose word is that of another sweep, see `share_words`."""
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
    def title(self) -> str:
        return self.sweep.title

    @property
    def fields(self) -> tuple[str, ...]:
        """What varies, in the file's order."""
        return self.sweep.knobs

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

    @property
    def configs(self) -> dict[str, Config]:
        """label -> configuration, of points with a result."""
        return {label: self.by_label[label].config for label in self.validation}

    def distinct_label(self, label: str) -> str:
        """The label itself, or that of the distinct point it repeats."""
        return self.by_label[label].point.same_as or label

    @cached_property
    def baseline(self) -> str:
        """The baseline's label, or that of the distinct point it repeats."""
        return self.distinct_label(self.sweep.baseline)

    @cached_property
    def relations(self) -> Relations:
        """Every point against every other: the one place where two of them are compared."""
        claimed = [
            [(self.distinct_label(one), self.distinct_label(rival)) for one, rival in claim.pairs]
            for claim in self.sweep.claims
        ]
        return Relations(self.validation, self.baseline, claimed, self.trend, self.elsewhere)

    @property
    def trend(self) -> Trend | None:
        """How validation accuracies usually spread, over all configurations there are."""
        return self._runs.validation_trend

    @cached_property
    def verdicts(self) -> dict[str, Relation]:
        """Every other point with a result against the baseline; empty where the baseline has none."""
        return self.verdicts_over(self.baseline)

    def verdicts_over(self, base: str) -> dict[str, Relation]:
        """Every other point with a result against ``base``; empty where that has none."""
        if base not in self.validation:
            return {}
        return {label: self.relations.of(label, base) for label in self.validation if label != base}

    @property
    def winner(self) -> Winner | None:
        return self.relations.winner

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
    def hopeless(self) -> Hopeless | None:
        """The worst point, where the others without it show less than half the effect; None where none is."""
        if len(self.validation) < 3:
            return None
        worst = min(self.validation, key=lambda label: mean(self.validation[label]))
        others = {label: scores for label, scores in self.validation.items() if label != worst}
        rest = stats.knob_importance(others)
        return Hopeless(worst, rest) if rest.corrected < self.importance.corrected / 2 else None

    @property
    def reach(self) -> float:
        """The knob's effect among the points that anybody would choose: without the hopeless one, if there is one."""
        return self.hopeless.rest.corrected if self.hopeless else self.importance.corrected

    @cached_property
    def expected(self) -> list[str]:
        """Labels that the hypothesis expects to be best, of distinct configurations."""
        expected = expected_labels(self.sweep)
        labels = [self.distinct_label(point.label) for point in self.sweep.points if point.label in expected]
        return list(dict.fromkeys(labels))

    @cached_property
    def hypothesis(self) -> HypothesisVerdict | None:
        """None where the sweep states nothing to check."""
        return verdict_so_far(self.relations, self.expected, self.runs_done, self.runs_planned)

    @cached_property
    def power(self) -> Power | None:
        """What this many seeds could have shown against the baseline; None where no point can be compared with it."""
        compared = [verdict for verdict in self.verdicts.values() if verdict.n >= MIN_RUNS]
        if not compared:
            return None
        n = round(float(np.median([verdict.n for verdict in compared])))
        return power_of(self.validation, [(verdict.label, self.baseline) for verdict in compared], n)

    def to_run(self) -> list[Config]:
        """The runs it asked for that have no record."""
        return [
            outcome.config.model_copy(update={"seed": seed})
            for outcome in self.distinct
            for seed in range(self.request.seeds)
            if seed not in outcome.records
        ]

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
            lowest, highest = bounds_of(knob)
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
    def equal(self) -> Equal | None:
        """What all runs of a sweep of batch sizes share: their steps, or the images they see. None for other sweeps."""
        if self.role != "knob":
            return None
        return equal_in([outcome.config for outcome in self.distinct], self.fields)

    @cached_property
    def is_pair(self) -> bool:
        """Two knobs crossed, every cell another configuration: the main picture is a heat map."""
        if self.role != "pair" or len(self.sweep.knobs) != 2:
            return False
        rows, columns = (self.values(knob) for knob in self.sweep.knobs)
        return len(rows) * len(columns) == len(self.distinct)


def equal_in(configs: Sequence[Config], varied: Collection[str]) -> Equal | None:
    """What configurations that differ in the batch size, and in nothing else but their steps, share."""
    if "batch_size" not in varied or not {*varied} <= {"batch_size", "steps"}:
        return None
    steps = [config.steps or 0 for config in configs]
    images = {count * config.batch_size for count, config in zip(steps, configs, strict=True)}
    if len(steps) < 2 or 0 in steps:
        return None
    return "steps" if len(set(steps)) == 1 else "images" if len(images) == 1 else None


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
    judged = [
        SweepResult(request, sweep, runs, slug_of(request, everything), origin)
        for request, sweep in ((next((k for k in everything if k.key == r.key), r), s) for r, s in asked)
    ]
    share_words(judged)
    return judged


class Words(Protocol):
    """What gives words to pairs of configurations: a sweep, or a study by its fresh seeds."""

    elsewhere: dict[tuple[str, str], Callable[[], Relation]]

    @property
    def slug(self) -> str: ...
    @property
    def fresh_alone(self) -> bool:
        """Whether fresh seeds alone judge."""
        ...

    @property
    def validation(self) -> Mapping[str, Scores]: ...
    @property
    def configs(self) -> Mapping[str, Config]:
        """Label -> configuration, of what has a result."""
        ...

    @property
    def relations(self) -> Relations: ...


Judge = TypeVar("Judge", bound=Words)


def share_words(judges: Sequence[Words]) -> None:
    """Gives two configurations that stand in several sweeps and studies one word in all of them.

    It is that of a study, whose fresh seeds chose neither; else of the sweep with the most runs of the two; of equal
    ones that with the fewest points, for it asks most directly. Nothing of what the runs say decides whose it is, so
    the correction within it holds.
    """
    numbers: dict[Config, int] = {}
    found: dict[tuple[int, int], list[tuple[Words, str, str]]] = {}
    for judged in judges:
        judged.elsewhere.clear()
        points = [(numbers.setdefault(config, len(numbers)), label) for label, config in judged.configs.items()]
        for (a, first), (b, second) in itertools.combinations(sorted(points), 2):
            found.setdefault((a, b), []).append((judged, first, second))

    for places in found.values():
        if len(places) > 1:
            home = whose_word(places)
            for judged, first, second in places:
                if judged is not home[0]:
                    judged.elsewhere[first, second] = partial(_word_of, home[0], home[1], home[2], first, second)
                    judged.elsewhere[second, first] = partial(_word_of, home[0], home[2], home[1], second, first)


def whose_word(places: Sequence[tuple[Judge, str, str]]) -> tuple[Judge, str, str]:
    """Of what has two configurations, by these labels: whose word on them holds, see `share_words`."""

    def runs_of(place: tuple[Judge, str, str]) -> tuple[bool, int, int]:
        judged, first, second = place
        n = min(len(judged.validation[first]), len(judged.validation[second]))
        return judged.fresh_alone, n, -len(judged.validation)

    return max(places, key=runs_of)


def _word_of(home: Words, label: str, against: str, here: str, here_against: str) -> Relation:
    """What ``home`` says of two points, in the words of a sweep that calls them otherwise."""
    return replace(home.relations.of(label, against), label=here, against=here_against, home=home.slug)


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


def bounds_of(knob: str) -> tuple[float | None, float | None]:
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
    accuracy: stats.Interaction | None = None
    """What cells have beyond the sum of row and column, in accuracy; None if not tested."""
    odds: stats.Interaction | None = None
    """The same in log-odds: near 100 % two knobs that each halve the errors cannot add up in accuracy."""

    @property
    def shown(self) -> Literal["not tested", "shown", "on one scale alone", "not shown"]:
        if self.accuracy is None or self.odds is None:
            return "not tested"
        scales = (self.accuracy.p <= ALPHA) + (self.odds.p <= ALPHA)
        return "shown" if scales == 2 else "on one scale alone" if scales else "not shown"

    @property
    def certainty(self) -> Certainty:
        """That there is one, whatever the scale."""
        return Certainty.SURE if self.shown == "shown" else Certainty.UNKNOWN


def interaction_of(judged: SweepResult) -> Interaction:
    """Of a pair with any result: the best value of one knob at each of the other, and the test of the cells."""
    # Of two knobs the learning rate is the one to tune for the other, else the second for the first.
    tuned = "lr" if "lr" in judged.sweep.knobs else judged.sweep.knobs[1]
    given = next(knob for knob in judged.sweep.knobs if knob != tuned)
    cells = {(judged.value(label, given), judged.value(label, tuned)): s for label, s in judged.validation.items()}
    rows, columns = judged.values(given), judged.values(tuned)
    means = {cell: mean(scores) for cell, scores in cells.items()}
    best_at = tuple(
        (row, max((c for r, c in cells if r == row), key=lambda column: means[row, column]))
        for row in rows
        if any(r == row for r, _ in cells)
    )
    seeds = sorted(set.intersection(*(set(scores) for scores in cells.values())))
    if len(seeds) < MIN_RUNS or len(cells) < len(rows) * len(columns):
        return Interaction(tuned, given, best_at, len(seeds))
    scores = np.array([[[cells[row, column][seed] for seed in seeds] for column in columns] for row in rows])
    on_odds = stats.interaction(log_odds(scores))
    return Interaction(tuned, given, best_at, len(seeds), stats.interaction(scores), on_odds)
