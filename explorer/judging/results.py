"""Which records speak for which point of a sweep, and what the statistics say of them. No prose, no drawing.

Validation scores choose and judge; test scores are only reported.
"""

import json
import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from explorer.asking.questions import Point, Sweep, expected_labels
from explorer.config import Config, field_info, fields_for, flag_of, make_config
from explorer.errors import UserError
from explorer.fields import limits, text_of
from explorer.judging import stats
from explorer.record import UNKNOWN, Record
from explorer.running.requests import Request

HALF_A_POINT = 0.005
Scores = dict[int, float]


def key_of(config: Mapping[str, Any]) -> str:
    """What identifies a configuration whatever its seed, from its JSON form."""
    fields = {name: value for name, value in config.items() if name != "seed" and value is not None}
    return json.dumps(fields, sort_keys=True)


class Runs:
    """The records that may stand side by side, by configuration and seed, and a sentence on each kind left out.

    Of one data set only the records of its commonest data digest and tinygrad version are kept (of equals the one
    recorded last): other data or another training engine never mixes into a table. Of one configuration and seed
    the newest record counts, one that did not fail before one that did.
    """

    def __init__(self, records: Iterable[Record]):
        records = list(records)
        self.left_out: list[str] = []
        foreign = [record for record in records if not _is_readable(record)]
        if foreign:
            records = [record for record in records if _is_readable(record)]
            words = f"{len(foreign)} record{'' if len(foreign) == 1 else 's'}"
            self.left_out.append(f"{words} of another version of this program, whose fields are no longer known.")
        self.kept: list[Record] = []
        self.by_config: dict[str, dict[int, Record]] = {}
        self._ranked: dict[tuple[str, str], list[ConfigResult]] = {}
        order = {id(record): index for index, record in enumerate(records)}
        for dataset in sorted({record.config["dataset"] for record in records}):
            of_dataset = [record for record in records if record.config["dataset"] == dataset]
            for what, value_of in (
                ("data digest", lambda record: record.data.digest),
                ("tinygrad", lambda record: record.environment.tinygrad),
            ):
                counts = Counter(value_of(record) for record in of_dataset)
                last = {value_of(record): order[id(record)] for record in of_dataset}
                chosen = max(counts, key=lambda value: (counts[value], last[value]))
                for value, count in sorted(counts.items()):
                    if value != chosen:
                        words = f"{count} record{'' if count == 1 else 's'} of {dataset} with {what} {value}"
                        self.left_out.append(f"{words}: the other {counts[chosen]} have {chosen}.")
                of_dataset = [record for record in of_dataset if value_of(record) == chosen]
            self.kept += of_dataset
        for record in self.kept:
            runs = self.by_config.setdefault(key_of(record.config), {})
            if record.seed not in runs or record.status != "failed" or runs[record.seed].status == "failed":
                runs[record.seed] = record

    def of(self, config: Config, seeds: int | None = None) -> dict[int, Record]:
        """seed -> record of a configuration, for seeds 0 to ``seeds`` - 1 (all there are without it), in order."""
        runs = self.by_config.get(key_of(config.to_json()), {})
        return {seed: runs[seed] for seed in sorted(runs) if seeds is None or seed < seeds}

    def ranked(self, model: str, dataset: str) -> list["ConfigResult"]:
        """`best_first`, remembered: nearly every section asks for it."""
        if (model, dataset) not in self._ranked:
            self._ranked[model, dataset] = best_first(self, model, dataset)
        return self._ranked[model, dataset]

    @cached_property
    def configurations(self) -> list["ConfigResult"]:
        """Every configuration that was ever run, the order of its first record."""
        return [
            ConfigResult(next(iter(runs.values())).point, {s: runs[s] for s in sorted(runs)})
            for runs in self.by_config.values()
        ]


def _is_readable(record: Record) -> bool:
    """Whether this version knows the record's configuration, and the record says its data and engine."""
    try:
        return bool(record.point) and UNKNOWN not in (record.data.digest, record.environment.tinygrad)
    except UserError:
        return False


@dataclass(frozen=True)
class Lost:
    """The runs of a configuration that have no result, ``of`` so many."""

    diverged: int
    failed: int
    of: int
    steps: tuple[int, ...]
    """At which runs diverged, as far as their records say: ascending, each once."""


@dataclass(frozen=True)
class ConfigResult:
    """A configuration and its records by seed."""

    config: Config
    records: dict[int, Record]

    @cached_property
    def validation(self) -> Scores:
        return self._scores("val_accuracy")

    @cached_property
    def test(self) -> Scores:
        return self._scores("test_accuracy")

    @cached_property
    def seconds(self) -> Scores:
        """Training seconds, without compiling and looking."""
        return {seed: record.seconds.train for seed, record in self.records.items() if record.status == "ok"}

    @property
    def mean_seconds(self) -> float:
        return float(np.mean(list(self.seconds.values()))) if self.seconds else math.nan

    @property
    def statuses(self) -> Counter[str]:
        return Counter(record.status for record in self.records.values())

    @property
    def lost_runs(self) -> Lost:
        steps = {record.diverged_at for record in self.records.values() if record.diverged_at is not None}
        return Lost(self.statuses["diverged"], self.statuses["failed"], len(self.records), tuple(sorted(steps)))

    @property
    def lost(self) -> str:
        """The runs without a result in words: ``2 of 5 diverged (step 12, 40)``; empty where there are none."""
        words = []
        for status in ("diverged", "failed"):
            ended = [record for record in self.records.values() if record.status == status]
            if ended:
                steps = sorted({record.diverged_at for record in ended if record.diverged_at is not None})
                where = f" (step {', '.join(map(str, steps))})" if steps else ""
                words.append(f"{len(ended)} of {len(self.records)} {status}{where}")
        return "; ".join(words)

    def _scores(self, name: str) -> Scores:
        """Finite scores of the runs that ended well."""
        return {
            seed: float(getattr(record, name))
            for seed, record in self.records.items()
            if record.status == "ok" and getattr(record, name) is not None
        }


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
    """A sweep with its records, judged. Labels are those of distinct configurations, in the sweep's order."""

    def __init__(self, request: Request, sweep: Sweep, runs: Runs, slug: str | None = None):
        self.request, self.sweep = request, sweep
        self.slug = slug or request.name
        self.outcomes = [
            PointResult(point.config, runs.of(point.config, request.seeds), point) for point in sweep.points
        ]
        self.distinct = [outcome for outcome in self.outcomes if outcome.point.same_as is None]

    @property
    def runs_done(self) -> int:
        return sum(len(outcome.records) for outcome in self.distinct)

    @property
    def runs_planned(self) -> int:
        return self.request.seeds * len(self.distinct)

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

    @cached_property
    def baseline(self) -> str:
        """The baseline's label, or that of the distinct point it repeats."""
        point = self.by_label[self.sweep.baseline].point
        return point.same_as or point.label

    @cached_property
    def verdicts(self) -> dict[str, stats.Verdict]:
        """Every other point with a result against the baseline; empty where the baseline has none."""
        if self.baseline not in self.validation:
            return {}
        others = {label: scores for label, scores in self.validation.items() if label != self.baseline}
        return {verdict.label: verdict for verdict in stats.verdicts(self.validation[self.baseline], others)}

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
        labels = [point.same_as or point.label for point in self.sweep.points if point.label in expected]
        return list(dict.fromkeys(labels))

    @cached_property
    def hypothesis(self) -> stats.HypothesisVerdict | None:
        """None where the sweep states nothing to check."""
        if not self.expected:
            return None
        if not self.complete:
            return stats.HypothesisVerdict("undecided", f"{self.runs_done} of {self.runs_planned} runs are done")
        if not self.validation:
            return stats.HypothesisVerdict("undecided", "no point has a validation accuracy")
        return stats.hypothesis_verdict(self.validation, self.expected)

    @cached_property
    def power(self) -> "Power | None":
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

    def values(self, knob: str) -> list[Any]:
        """The distinct values of a knob in the sweep's order; lists are tuples."""
        return list(dict.fromkeys(_hashable(outcome.point.values.get(knob)) for outcome in self.distinct))

    def value(self, label: str, knob: str) -> Any:
        return _hashable(self.by_label[label].point.values.get(knob))

    @cached_property
    def edges(self) -> list[tuple[str, str]]:
        """(knob, "low" | "high") for each numeric axis of a grid on whose edge the winner lies."""
        if self.winner is None or self.sweep.kind != "grid":
            return []
        found: list[tuple[str, str]] = []
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
    def varies_one_thing(self) -> bool:
        """One knob, or a list of ways to do one thing (augmentation, optimizers): neither pairs nor recipes."""
        if self.sweep.kind == "grid":
            return len(self.sweep.knobs) == 1
        return self.request.name not in ("combined", "final") and not self.request.name.startswith("published")

    @cached_property
    def is_pair(self) -> bool:
        """Two knobs crossed: the main picture is a heat map."""
        if len(self.sweep.knobs) != 2 or self.sweep.kind != "grid":
            return False
        rows, columns = (self.values(knob) for knob in self.sweep.knobs)
        return len(rows) > 1 and len(columns) > 1 and len(rows) * len(columns) == len(self.distinct)


def typical_deviation(points: Mapping[str, Scores]) -> float:
    """The median over points of the standard deviation over seeds; nan where no point has two."""
    deviations = [float(np.std(list(scores.values()), ddof=1)) for scores in points.values() if len(scores) > 1]
    return float(np.median(deviations)) if deviations else math.nan


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _bounds(knob: str) -> tuple[float | None, float | None]:
    """The least and greatest value a field takes, where it takes them (dropout cannot go below 0)."""
    try:
        return limits(field_info(knob))
    except KeyError:  # an axis that is no field of its own, such as units1
        return None, None


def best_first(runs: Runs, model: str, dataset: str) -> list[ConfigResult]:
    """Configurations of a model on a data set that validation can rank, the best mean first.

    Once anything was repeated, what was not is left out: the best of many single runs is mostly the luckiest.
    """
    measured = [
        run
        for run in runs.configurations
        if run.config.model == model and run.config.dataset == dataset and run.validation
    ]
    if any(len(run.validation) > 1 for run in measured):
        measured = [run for run in measured if len(run.validation) > 1]
    if not measured:
        return []
    by_name = {str(index): run for index, run in enumerate(measured)}
    best = by_name[stats.winner({name: run.validation for name, run in by_name.items()}).label]
    others = sorted(
        (run for run in measured if run is not best),
        key=lambda run: -stats.mean_interval(list(run.validation.values())).mean,
    )
    return [best, *others]


def slices(runs: Sequence[ConfigResult], knob: str) -> list[dict[Any, ConfigResult]]:
    """Sets of configurations that differ in one field alone, value -> configuration, three values or more a set."""
    groups: dict[str, dict[Any, ConfigResult]] = {}
    for run in runs:
        if run.validation:
            config = run.config.to_json()
            value = _hashable(config.pop(knob, None))
            groups.setdefault(key_of(config), {})[value] = run
    return [group for group in groups.values() if len(group) >= 3]


def training_command(config: Config) -> str:
    """The shortest command that trains this configuration, seed included where it is not 0."""
    flags: dict[str, Any] = {}
    for field in fields_for(config.model):
        value = config.get(field)
        if value is not None and value != make_config({"model": config.model, **flags}).get(field):
            flags[field] = value
    return " ".join(["python mnist_explorer.py", config.model, *flag_words(flags)])


def flag_words(values: Mapping[str, Any]) -> list[str]:
    """Fields as command-line words: ``--lr 0.003 --units 512,128 --batchnorm on``."""
    return [f"{flag_of(field)} {text_of(value)}" for field, value in values.items()]


def sweep_command(request: Request) -> str:
    """The command that runs a sweep again (finished runs are not repeated)."""
    words = ["python mnist_explorer.py", request.model, f"--sweep {shlex.quote(request.path or request.name)}"]
    words += [f"--dataset {request.dataset}"] if request.dataset != "mnist" else []
    return " ".join([*words, f"--seeds {request.seeds}", *flag_words(request.overrides)])


def short_name(config: Config) -> str:
    """A configuration by what sets it apart from its model's defaults: ``lr 0.003, batch 64, 2000 steps``."""
    words = []
    default = make_config({"model": config.model, "optimizer": config.optimizer})
    for field in fields_for(config.model):
        value = config.get(field)
        if value is None or field in ("dataset", "seed", "eval_every", "steps_per_epoch"):
            continue
        if field == "optimizer":
            words += [str(value)] if value != "adam" else []
        elif value == default.get(field):
            continue
        elif field in ("steps", "epochs"):
            each = f" of {config.steps_per_epoch} steps" if field == "epochs" and config.steps_per_epoch else ""
            words.append(f"{value} {field if value != 1 else field[:-1]}{each}")
        elif field in ("activation", "lr_schedule", "scaling"):
            words.append(str(value) + (" inputs" if field == "scaling" else ""))
        elif field == "train_on":
            words.append("trained on all")
        elif field in ("sampling", "pivot"):
            words += [f"{value} {field}"] if value not in ("nearest", "center") else []
        else:
            words.append(f"{field.removesuffix('_size').replace('_', ' ')} {text_of(value)}")
    return ", ".join(words) or "defaults"
