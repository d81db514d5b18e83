"""All there is to say something about: the runs, the sweeps over them, and the best of each model and data set."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from explorer import datasets, models
from explorer.asking import documents, questions, studies
from explorer.asking.questions import Sweep
from explorer.asking.studies import StudyQuestion
from explorer.config import Config
from explorer.errors import UserError
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.pairs import holm
from explorer.judging.relations import ALPHA
from explorer.judging.runs import ConfigResult, Runs, mean
from explorer.judging.settled import SettledSweep, settled
from explorer.judging.shifts import Moved, moved
from explorer.judging.studies import StudyResult
from explorer.judging.studies import judge as judge_studies
from explorer.judging.sweeps import Origin, SweepResult, judge, share_words, slug_of, whose_word
from explorer.running import requests, shifted
from explorer.running.requests import Request

WITHIN = 0.005  # "about as good as the best", as a fraction


@dataclass(frozen=True)
class Unreadable:
    """A sweep that was run, but whose question can no longer be read."""

    request: Request
    why: str


@dataclass(frozen=True)
class Best:
    """A configuration that the table of best ones shows, and what it is the best by."""

    dataset: str
    model: str
    why: Literal["accuracy", "time", "accuracy per second"]
    result: ConfigResult


@dataclass(frozen=True)
class Across:
    """The main verdicts of all sweeps together: each sweep is corrected within itself alone. ``shown`` of ``compared``
    are better or worse, and ``survive`` would be if Holm's correction ran over all of them."""

    sweeps: int
    compared: int
    shown: int
    survive: int


@dataclass(frozen=True)
class Knobs:
    """The sweeps about one knob that can be ranked, the greatest effect first, and those that cannot: not run, or with
    too few runs to say anything. Ranked by what is left without a hopeless point."""

    ranked: tuple[SweepResult, ...]
    too_few: tuple[SweepResult, ...]
    not_run: tuple[Sweep, ...]

    @property
    def not_ranked(self) -> tuple[Sweep, ...]:
        """For want of runs."""
        return (*(judged.sweep for judged in self.too_few), *self.not_run)


@dataclass(frozen=True)
class Study:
    """The runs and the sweeps over them, in the order of data set, model and name."""

    runs: Runs
    sweeps: tuple[SweepResult, ...]
    unreadable: tuple[Unreadable, ...] = ()
    studies: tuple[StudyResult, ...] = ()
    """Studies and searches: each value at its best."""
    settled: tuple[SettledSweep, ...] = ()
    """Those asked for with ``--settle``: they have seeds and verdicts of their own."""
    moved: tuple[Moved, ...] = ()
    """What was measured on test images that move, a data set each."""

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """(dataset, model) with any record, in the registries' order; data sets they do not know come last."""
        there = {(run.config.dataset, run.config.model) for run in self.runs.configurations}
        return sorted(there, key=lambda pair: (datasets.rank(pair[0]), models.names().index(pair[1])))

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(dataset for dataset, _ in self.pairs))

    def of(self, dataset: str, model: str) -> list[SweepResult]:
        """The sweeps of one model on one data set."""
        return [judged for judged in self.sweeps if (judged.dataset, judged.model) == (dataset, model)]

    def where(self, wanted: Callable[[SweepResult], object]) -> list[SweepResult]:
        return [judged for judged in self.sweeps if wanted(judged)]

    @cached_property
    def across(self) -> Across:
        """How many verdicts against a baseline there are, and how many would survive one correction over all sweeps."""
        verdicts = [v for judged in self.sweeps for v in judged.verdicts.values() if v.n >= MIN_RUNS]
        found = [verdict for verdict in verdicts if not verdict.home]  # each pair once
        corrected = holm(np.array([verdict.p for verdict in found]))
        shown = sum(verdict.certainty is Certainty.SURE for verdict in found)
        sweeps = sum(any(v.n >= MIN_RUNS for v in judged.verdicts.values()) for judged in self.sweeps)
        return Across(sweeps, len(found), shown, int((corrected <= ALPHA).sum()))

    def sharing_baseline(self, judged: SweepResult) -> list[SweepResult]:
        """The other sweeps whose baseline is the same configuration: the same runs are behind all their verdicts."""
        return [other for other in self.sweeps if other is not judged and _baseline(other) == _baseline(judged)]

    @cached_property
    def shared_baselines(self) -> dict[Config, list[SweepResult]]:
        """Baseline -> the sweeps that it serves, where there are several, that with the most first."""
        found: dict[Config, list[SweepResult]] = {}
        for judged in self.sweeps:
            found.setdefault(_baseline(judged), []).append(judged)
        return dict(sorted(((c, s) for c, s in found.items() if len(s) > 1), key=lambda item: -len(item[1])))

    def knobs(self, dataset: str, model: str) -> Knobs:
        """The sweeps about one knob of a model on a data set: ranked only among those run."""
        mine = [judged for judged in self.of(dataset, model) if judged.role == "knob"]
        enough = [judged for judged in mine if judged.importance.n >= MIN_RUNS and judged.importance.points > 1]
        run = {judged.sweep.knobs for judged in mine}
        there = [_of_one_knob(name, model, dataset) for name in documents.available(model, dataset)]
        not_run = [sweep for sweep in there if sweep and sweep.knobs not in run]
        return Knobs(
            tuple(sorted(enough, key=lambda judged: -judged.reach)),
            tuple(judged for judged in mine if judged not in enough),
            tuple(not_run),
        )

    @cached_property
    def _places(self) -> dict[Config, list[tuple[SweepResult | StudyResult, str]]]:
        """Configuration -> the sweeps and studies that have it with a result, and what they call it."""
        found: dict[Config, list[tuple[SweepResult | StudyResult, str]]] = {}
        judges: list[SweepResult | StudyResult] = [*self.sweeps, *self.studies]
        for judged in judges:
            for label, config in judged.configs.items():
                found.setdefault(config, []).append((judged, label))
        return found

    def judge_of(self, one: Config, against: Config) -> tuple[SweepResult | StudyResult, str, str] | None:
        """The sweep or study whose word on two configurations holds, and what it calls them; None where none has
        both."""
        others = {id(judged): label for judged, label in self._places.get(against, [])}
        both = [
            (judged, label, others[id(judged)])
            for judged, label in self._places.get(one, [])
            if id(judged) in others and one != against
        ]
        return whose_word(both) if both else None

    def not_run(self, dataset: str, model: str) -> list[SweepResult | StudyResult]:
        """The shipped studies and sweeps that nobody asked for, with what few of their runs others have made."""
        if (dataset, model) not in self._not_run:  # several pages ask, and each study is replayed
            self._not_run[dataset, model] = self._find_not_run(dataset, model)
        return self._not_run[dataset, model]

    @cached_property
    def _not_run(self) -> dict[tuple[str, str], list[SweepResult | StudyResult]]:
        return {}

    def _find_not_run(self, dataset: str, model: str) -> list[SweepResult | StudyResult]:
        asked = {judged.request.name for judged in self.of(dataset, model) if not judged.request.path}
        asked |= {judged.request.name for judged in self.studies if (judged.dataset, judged.model) == (dataset, model)}
        found: list[SweepResult | StudyResult] = []
        for name in studies.available(model, dataset):
            with contextlib.suppress(UserError):  # who runs it is told why it cannot be read
                if name not in asked:
                    question = studies.load(name, model, dataset, yes=True)
                    found.append(StudyResult(Request(name, model, dataset, seeds=question.seeds), question, self.runs))
        for name in documents.available(model, dataset):
            with contextlib.suppress(UserError):
                if name not in asked:
                    sweep = questions.load(name, model, dataset, yes=True)
                    request = Request(name, model, dataset, seeds=sweep.seeds_default)
                    found.append(SweepResult(request, sweep, self.runs))
        return found

    @cached_property
    def best(self) -> list[Best]:
        """Per data set and model: the most accurate on validation, the quickest within half a point of it (where that
        is another), and the one with the most accuracy above guessing per second of training."""
        found = []
        for dataset, model in self.pairs:
            ranked = self.runs.ranked(model, dataset)
            if not ranked:
                continue
            found.append(Best(dataset, model, "accuracy", ranked[0]))
            near = [run for run in ranked if mean(run.validation) >= mean(ranked[0].validation) - WITHIN]
            if (quick := min(near, key=lambda run: run.mean_seconds)) is not ranked[0]:
                found.append(Best(dataset, model, "time", quick))
            efficient = max(ranked, key=lambda run: _gain_per_second(run, classes(dataset)))
            found.append(Best(dataset, model, "accuracy per second", efficient))
        return found

    @cached_property
    def leaders(self) -> dict[tuple[str, str], ConfigResult]:
        """Data set and model -> the most accurate configuration on validation."""
        return {(item.dataset, item.model): item.result for item in self.best if item.why == "accuracy"}


def _baseline(judged: SweepResult) -> Config:
    return judged.by_label[judged.baseline].config


def _of_one_knob(name: str, model: str, dataset: str) -> Sweep | None:
    """A shipped sweep about one knob; None for one about other things, or that cannot be read."""
    try:
        sweep = questions.load(name, model, dataset, yes=True)
    except UserError:
        return None
    return sweep if sweep.role == "knob" and sweep.knobs else None


def _gain_per_second(run: ConfigResult, count: int | None) -> float:
    guessing = 1 / count if count else 0.0
    return (mean(run.validation) - guessing) / max(run.mean_seconds, 1e-3)


def classes(dataset: str) -> int | None:
    """How many classes a data set has; None for a person's own data that are not at hand."""
    entry = datasets.find(dataset)
    return len(entry.classes) if entry else None


def read(runs: Runs, results: Path) -> Study:
    """The study in ``results``: its sweeps with any record, judged, and those that can no longer be read.

    UserError where the list of sweeps cannot be read.
    """
    return replace(of_requests(runs, requests.read(results)), moved=moved(runs, shifted.read([results])))


def of_requests(runs: Runs, known: Sequence[Request], origin: Origin = "published") -> Study:
    """The sweeps that were asked for, with any record among ``runs``, judged; and those that can no longer be read."""
    asked, tuned, unreadable = [], [], []
    for request in known:
        name = request.path or request.name
        try:
            if request.search or studies.is_study(name, request.model):
                tuned.append((request, loaded_study(request)))
            else:
                sweep = questions.load(name, request.model, request.dataset, request.overrides, yes=True)
                asked.append((request, sweep))
        except UserError as error:
            unreadable.append(Unreadable(request, str(error)))
    fixed = [(request, sweep) for request, sweep in asked if not request.settle]
    judged, judged_studies = judge(fixed, runs, known, origin), judge_studies(tuned, runs, known, origin)
    share_words([*judged, *judged_studies])
    judged = sorted((found for found in judged if found.runs_done), key=_order)
    judged_studies = sorted((found for found in judged_studies if found.runs_done), key=_order)
    looked = [settled(request, sweep, runs, slug_of(request, known)) for request, sweep in asked if request.settle]
    return Study(
        runs,
        tuple(judged),
        tuple(unreadable),
        tuple(judged_studies),
        tuple(one for one in looked if one.settlement.looks),
    )


def loaded_study(request: Request) -> StudyQuestion:
    """The question of a study or a search that was asked for. Raises UserError where it cannot be read any more."""
    name = request.path or (request.name.removesuffix(f"-{request.search}") if request.search else request.name)
    return studies.load(
        name, request.model, request.dataset, request.overrides, method=request.search, tries=request.tries,
        fresh_seeds=request.fresh_seeds or None, yes=True,
    )  # fmt: skip


def _order(judged: SweepResult | StudyResult) -> tuple[object, ...]:
    return (
        datasets.rank(judged.dataset), models.names().index(judged.model), judged.request.name,
        judged.slug != judged.request.name, judged.slug,
    )  # fmt: skip
