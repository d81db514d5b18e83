"""A study or a search with its records, judged: what each value was tuned to, and what fresh seeds say of that.

The tries and the finalists' seeds choose; the fresh seeds of each value's winner judge, and nothing else does. No
prose, no drawing.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from explorer.asking.ranges import Setting, Side
from explorer.asking.search import Stage
from explorer.asking.studies import Contender, StudyQuestion
from explorer.asking.tuning import StudySearch, Try, Tuning
from explorer.config import Config
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.hypothesis import HypothesisVerdict, verdict_so_far
from explorer.judging.power import Power, power_of
from explorer.judging.relations import Relation, Relations, Winner
from explorer.judging.runs import ConfigResult, Runs
from explorer.judging.sweeps import Equal, Origin, bounds_of, equal_in, slug_of
from explorer.record import Record
from explorer.running.requests import Request
from explorer.seeds import FIRST_FRESH_SEED, fresh


@dataclass(frozen=True)
class TryResult:
    """A setting and its run at seed 0."""

    setting: Setting
    run: ConfigResult
    accuracy: float
    """On validation, a fraction; 0 where the run diverged or failed, of one that was cut that of its last look."""


@dataclass(frozen=True)
class ContenderResult:
    """A value that the study asks about, tuned as far as its runs are done."""

    contender: Contender
    tries: tuple[TryResult, ...]
    """Those that are done, in the order they were proposed."""
    finalists: tuple[ConfigResult, ...]
    """At the choosing seeds, the best try first."""
    setting: Setting | None
    """The winner's; None as long as it is not known, or where every try came to nothing."""
    chosen: ConfigResult | None
    """The winner at the choosing seeds: they were lucky for it, so they judge nothing."""
    fresh: ConfigResult | None
    """The winner at the fresh seeds."""

    @property
    def label(self) -> str:
        return self.contender.label

    @cached_property
    def edges(self) -> tuple[tuple[str, Side], ...]:
        """Nuisances of which the winner lies at the edge of its range, and the edge: beyond it may be better."""
        if self.setting is None:
            return ()
        sides = ((one.field, one.edge(self.setting[one.field], *bounds_of(one.field))) for one in self.contender.ranges)
        return tuple((field, side) for field, side in sides if side is not None)

    @cached_property
    def spent(self) -> tuple[tuple[float, ...], ...]:
        """Of each stage, the seconds of training of its runs: tries, finalists at their further seeds, fresh seeds."""
        more = [run for one in self.finalists for run in one.records.values() if run.seed]
        return (
            tuple(run.seconds.train for one in self.tries for run in one.run.records.values()),
            tuple(run.seconds.train for run in more),
            tuple(run.seconds.train for run in self.fresh.fresh.values()) if self.fresh else (),
        )

    @cached_property
    def lost(self) -> int:
        """Tries that diverged or failed."""
        return sum(one.accuracy == 0 for one in self.tries)


class StudyResult:
    """A study or a search with its records, judged."""

    fresh_alone: ClassVar[bool] = True
    """Its words come of seeds that chose nothing."""

    def __init__(
        self,
        request: Request,
        question: StudyQuestion,
        runs: Runs,
        slug: str | None = None,
        origin: Origin = "published",
    ):
        self.request, self.question, self.origin = request, question, origin
        self.slug = slug or request.name
        search = replayed(question, runs)
        self.stages: Sequence[Stage] = search.stages()
        self._to_run = search.upcoming()
        self.contenders = tuple(_result(tuning, runs) for tuning in search.tunings)
        self.runs = search.runs
        self._trend = runs.validation_trend
        self.elsewhere: dict[tuple[str, str], Callable[[], Relation]] = {}
        """Pairs of values whose word is that of another study, see `sweeps.share_words`."""

    @property
    def model(self) -> str:
        return self.request.model

    @property
    def dataset(self) -> str:
        return self.request.dataset

    @property
    def title(self) -> str:
        return self.question.title

    @property
    def fields(self) -> tuple[str, ...]:
        """What is asked about, in the file's order; none of a search."""
        return self.question.scientific

    @cached_property
    def equal(self) -> Equal | None:
        """What all runs of a study of batch sizes share, as `SweepResult.equal`."""
        return equal_in([one.contender.config({}) for one in self.contenders], self.fields)

    @cached_property
    def numeric_knob(self) -> str | None:
        """The one number that is asked about, if that is what it is."""
        if len(self.fields) != 1 or len(self.contenders) < 2:
            return None
        values = [one.contender.values[self.fields[0]] for one in self.contenders]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        return self.fields[0] if numbers else None

    @property
    def runs_done(self) -> int:
        return sum(stage.done for stage in self.stages)

    @property
    def runs_left(self) -> int:
        return len(self._to_run)

    def to_run(self) -> list[Config]:
        """As many runs as it may still take; where a choice is open, another run stands for the one to be chosen."""
        return self._to_run

    @property
    def complete(self) -> bool:
        return not self.runs_left

    @cached_property
    def fresh(self) -> dict[str, dict[int, float]]:
        """Value -> fresh seed, counted from 0 -> validation accuracy; values without a result left out."""
        found = {one.label: one.fresh.fresh_validation for one in self.contenders if one.fresh}
        first = FIRST_FRESH_SEED
        return {label: {seed - first: score for seed, score in by.items()} for label, by in found.items() if by}

    @property
    def validation(self) -> dict[str, dict[int, float]]:
        """What judges, as of a sweep: `fresh`."""
        return self.fresh

    @property
    def configs(self) -> dict[str, Config]:
        """Value -> its best configuration, of values with a result on fresh seeds."""
        return {label: one.fresh.config for label in self.fresh if (one := self.by_label[label]).fresh}

    @cached_property
    def relations(self) -> Relations:
        """Every value against every other, on fresh seeds alone. All pairs are asked about beforehand, so Holm's
        correction runs over them. Fresh seeds are counted from 0 here: among themselves they are as any others."""
        return Relations(self.fresh, None, [list(itertools.combinations(self.fresh, 2))], self._trend, self.elsewhere)

    @property
    def winner(self) -> Winner | None:
        return self.relations.winner

    @cached_property
    def hypothesis(self) -> HypothesisVerdict | None:
        """Judged by fresh seeds; None where the file states nothing to check."""
        return verdict_so_far(self.relations, self.question.expected, self.runs_done, self.runs_done + self.runs_left)

    @cached_property
    def power(self) -> Power | None:
        """What this many fresh seeds could have shown of two values; None where there are too few."""
        n = min(map(len, self.fresh.values()), default=0)
        if n < MIN_RUNS or len(self.fresh) < 2:
            return None
        return power_of(self.fresh, list(itertools.combinations(self.fresh, 2)), n)

    @property
    def pairs(self) -> int:
        return len(self.fresh) * (len(self.fresh) - 1) // 2

    @cached_property
    def pairs_shown(self) -> int:
        """Pairs of values of which one is surely better."""
        found = itertools.combinations(self.fresh, 2)
        return sum(self.relations.of(a, b).certainty is Certainty.SURE for a, b in found)

    @cached_property
    def by_label(self) -> dict[str, ContenderResult]:
        return {one.label: one for one in self.contenders}


def judge(
    asked: Sequence[tuple[Request, StudyQuestion]], runs: Runs, known: Sequence[Request], origin: Origin = "published"
) -> list[StudyResult]:
    """Each study that was asked for, with its records, in the order given; ``known`` as for `sweeps.judge`."""
    return [StudyResult(request, question, runs, slug_of(request, known), origin) for request, question in asked]


def replayed(question: StudyQuestion, runs: Runs) -> StudySearch:
    """The search, told all that is recorded of what it asks for."""
    search = StudySearch(question)
    while asked := search.ask():
        found = [(config, _record(runs, config)) for config in asked]
        for config, record in found:
            if record is not None:
                search.tell(config, record)
        if any(record is None for _, record in found):
            break
    return search


def _record(runs: Runs, config: Config) -> Record | None:
    return runs.find(config) or runs.cut.get(config.point, {}).get(config.seed)


def _result(tuning: Tuning, runs: Runs) -> ContenderResult:
    question, winner = tuning.question, tuning.winner

    def at(one: Try, seeds: Sequence[int]) -> dict[int, Record]:
        there = runs.by_config.get(one.config, {})
        return {seed: there[seed] for seed in seeds if seed in there}

    tries = []
    for one in tuning.tries:
        if one.config in tuning.told and (record := _record(runs, one.config)):
            run = ConfigResult(one.config, {one.config.seed: record})
            tries.append(TryResult(one.setting, run, tuning.told[one.config]))
    return ContenderResult(
        tuning.contender,
        tuple(tries),
        tuple(ConfigResult(one.config, at(one, range(question.seeds))) for one in tuning.finalists),
        winner.setting if winner else None,
        ConfigResult(winner.config, at(winner, range(question.seeds))) if winner else None,
        ConfigResult(winner.config, {}, fresh=at(winner, fresh(question.fresh_seeds))) if winner else None,
    )


@dataclass(frozen=True)
class ExpectedBest:
    """What the best of k tries should give, for k = 1 to their number: its mean and standard deviation, fractions."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def expected_best(scores: Sequence[float]) -> ExpectedBest:
    """The expected maximum of k scores drawn from these with replacement (Dodge et al. 2019, arXiv:1909.03004,
    equation 7), and its standard deviation: P(max <= v) is the share of scores up to v to the power of k.

    Raises ValueError without any score.
    """
    if not len(scores):
        raise ValueError("the best of no tries is not to be had")
    ordered = np.sort(np.array(scores, np.float64))
    n = len(ordered)
    up_to = (np.arange(n + 1) / n)[None, :] ** np.arange(1, n + 1)[:, None]  # (k, place)
    chance = np.diff(up_to, axis=1)
    mean = chance @ ordered
    deviation = np.sqrt(np.maximum(0.0, chance @ ordered**2 - mean**2))
    return ExpectedBest(tuple(map(float, mean)), tuple(map(float, deviation)))
