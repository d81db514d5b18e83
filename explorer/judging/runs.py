"""Which records may stand side by side, and what they say of each configuration. No prose, no drawing.

Validation scores choose and judge; test scores are only reported. Of a configuration the seeds that choose stand apart
from the fresh ones (see explorer.seeds), which only tell the figures of what was chosen without them.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from explorer.config import Config, fields_for
from explorer.errors import UserError
from explorer.fields import Value
from explorer.files import Damaged
from explorer.judging import moderation
from explorer.judging.certainty import MIN_RUNS
from explorer.record import UNKNOWN, Record, Settings, Status
from explorer.running.leader import leader
from explorer.running.ledger import NAMED
from explorer.seeds import is_fresh

Scores = dict[int, float]


@dataclass(frozen=True)
class LeftOut:
    """Records that do not stand with the others: ``unreadable`` ones are of another version of this program,
    ``altered`` ones have an id that is not that of their configuration and data, ``damaged`` ones are lines of a ledger
    that are no records; the rest differ from what most records of their data set have in one thing.

    ``named``: the first few of the altered or damaged ones, by id or by line."""

    why: Literal["unreadable", "altered", "damaged", "data digest", "tinygrad"]
    count: int
    dataset: str = ""
    value: str = ""
    kept_value: str = ""
    kept_count: int = 0
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lost:
    """The runs of a configuration that have no result, ``of`` so many."""

    diverged: int
    failed: int
    of: int
    steps: tuple[int, ...]
    """At which runs diverged, as far as their records say: ascending, each once."""


class Runs:
    """The records that may stand side by side, by configuration and seed, and what was left out.

    Of one data set only the records of its commonest data digest and tinygrad version are kept (of equals the one
    recorded last; where there is a published study, it decides): other data or another training engine never mixes
    into a table. Of one configuration and seed the newest record counts, one that did not fail before one that did.
    ``damaged``: the ledger's lines that are no records.
    """

    def __init__(self, records: Iterable[Record], damaged: Sequence[Damaged] = ()):
        records = list(records)
        self.left_out: list[LeftOut] = []
        if damaged:
            places = tuple(f"{one.path.name} line {one.line}" for one in damaged if one.line)
            self.left_out.append(LeftOut("damaged", len(damaged), named=places))
        readable = [record for record in records if _is_readable(record)]
        if len(readable) < len(records):
            self.left_out.append(LeftOut("unreadable", len(records) - len(readable)))
        if altered := [record.id for record in readable if record.is_altered]:
            self.left_out.append(LeftOut("altered", len(altered), named=tuple(altered[:NAMED])))
            readable = [record for record in readable if not record.is_altered]
        self.kept: list[Record] = []
        self.by_config: dict[Config, dict[int, Record]] = {}
        self.cut: dict[Config, dict[int, Record]] = {}
        self._ranked: dict[tuple[str, str], list[ConfigResult]] = {}
        by_dataset: dict[str, list[Record]] = {}
        for record in readable:
            by_dataset.setdefault(record.point.dataset, []).append(record)
        for dataset in sorted(by_dataset):
            alike = self._commonest(by_dataset[dataset], dataset, "data digest", lambda record: record.data.digest)
            self.kept += self._commonest(alike, dataset, "tinygrad", lambda record: record.environment.tinygrad)
        by_settings: dict[Settings, dict[int, Record]] = {}  # to hash a Config for every record takes seconds
        for record in self.kept:
            runs = by_settings.get(record.settings)
            if runs is None:
                runs = by_settings[record.settings] = self.by_config.setdefault(record.point, {})
            seed = record.seed
            if record.status == "cut":  # no result of its configuration: its search alone knows of it
                self.cut.setdefault(record.point, {})[seed] = record
                continue
            if seed not in runs or record.status != "failed" or runs[seed].status == "failed":
                runs[seed] = record

    def _commonest(
        self,
        records: list[Record],
        dataset: str,
        what: Literal["data digest", "tinygrad"],
        value_of: Callable[[Record], str],
    ) -> list[Record]:
        """The records with the commonest value; the others are noted as left out."""
        deciding = [record for record in records if not record.own] or records
        counts = Counter(value_of(record) for record in deciding)
        last = {value_of(record): index for index, record in enumerate(deciding)}
        chosen = max(counts, key=lambda value: (counts[value], last[value]))
        for value, count in sorted(Counter(value_of(record) for record in records).items()):
            if value != chosen:
                self.left_out.append(LeftOut(what, count, dataset, value, chosen, counts[chosen]))
        return [record for record in records if value_of(record) == chosen]

    def of(self, config: Config, seeds: int | None = None) -> dict[int, Record]:
        """seed -> record of a configuration, for seeds 0 to ``seeds`` - 1 (all that choose without it), in order."""
        runs = self.by_config.get(config.point, {})
        return {seed: runs[seed] for seed in sorted(runs) if not is_fresh(seed) and (seeds is None or seed < seeds)}

    def fresh_of(self, config: Config) -> dict[int, Record]:
        """seed -> record of a configuration, for the seeds that chose nothing, in order."""
        runs = self.by_config.get(config.point, {})
        return {seed: runs[seed] for seed in sorted(runs) if is_fresh(seed)}

    def find(self, config: Config) -> Record | None:
        """The record of one run, whatever its seed."""
        return self.by_config.get(config.point, {}).get(config.seed)

    @property
    def counted(self) -> list[Record]:
        """One record of each configuration and seed: what the tables are made of."""
        return [runs[seed] for runs in self.by_config.values() for seed in sorted(runs)]

    @cached_property
    def configurations(self) -> list["ConfigResult"]:
        """Every configuration that was ever run, the order of its first record."""
        return [ConfigResult(config, self.of(config), fresh=self.fresh_of(config)) for config in self.by_config]

    @property
    def repeats(self) -> int:
        """Records of a configuration and seed that another record of them stands for."""
        return len(self.kept) - sum(map(len, self.by_config.values()))

    @cached_property
    def validation_trend(self) -> moderation.Trend | None:
        """How validation accuracies usually spread over seeds; None for few configurations."""
        return moderation.fitted([list(run.validation.values()) for run in self.configurations])

    @cached_property
    def test_trend(self) -> moderation.Trend | None:
        """How test accuracies usually spread over seeds."""
        return moderation.fitted([list(run.test.values()) for run in self.configurations])

    def ranked(self, model: str, dataset: str) -> list["ConfigResult"]:
        """Configurations of a model on a data set that validation can rank, the best first: the one place where the
        best is chosen.

        The first is that of `leader`, the others follow by their means. Once anything was repeated, what was run
        less often (than `MIN_RUNS` times) is left out: the best of many single runs is mostly the luckiest. Remembered,
        for nearly every section asks.
        """
        if (model, dataset) not in self._ranked:
            mine = [run for run in self.configurations if (run.config.model, run.config.dataset) == (model, dataset)]
            self._ranked[model, dataset] = _best_first(mine)
        return self._ranked[model, dataset]


def _best_first(measured: Iterable["ConfigResult"]) -> list["ConfigResult"]:
    measured = [run for run in measured if run.validation]
    enough = min(MIN_RUNS, max((len(run.validation) for run in measured), default=0))
    measured = [run for run in measured if len(run.validation) >= enough]
    first = leader({place: run.validation for place, run in enumerate(measured)})
    if first is None:
        return []
    best = measured[first.point]
    others = sorted((run for run in measured if run is not best), key=lambda run: -mean(run.validation))
    return [best, *others]


def _is_readable(record: Record) -> bool:
    """Whether this version knows the record's configuration, and the record says its data and engine."""
    try:
        return bool(record.point) and UNKNOWN not in (record.data.digest, record.environment.tinygrad)
    except UserError:
        return False


@dataclass(frozen=True)
class ConfigResult:
    """A configuration and its records by seed: ``records`` those that choose, ``fresh`` those that only judge."""

    config: Config
    records: dict[int, Record]
    fresh: dict[int, Record] = field(default_factory=dict, kw_only=True)

    @cached_property
    def finished(self) -> dict[int, Record]:
        """The records of the runs that ended well."""
        return _well(self.records)

    @cached_property
    def validation(self) -> Scores:
        return {seed: run.val_accuracy for seed, run in self.finished.items() if run.val_accuracy is not None}

    @cached_property
    def test(self) -> Scores:
        return {seed: run.test_accuracy for seed, run in self.finished.items() if run.test_accuracy is not None}

    @cached_property
    def test_figure(self) -> "TestFigure":
        """What its test accuracy is told by: fresh seeds, where `MIN_RUNS` of them ended well."""
        fresh = self.fresh_test
        return TestFigure(fresh, True) if len(fresh) >= MIN_RUNS else TestFigure(self.test, False)

    @cached_property
    def fresh_finished(self) -> dict[int, Record]:
        """The records of fresh seeds that ended well."""
        return _well(self.fresh)

    @cached_property
    def fresh_validation(self) -> Scores:
        """Validation accuracies of the fresh seeds."""
        return {seed: run.val_accuracy for seed, run in self.fresh_finished.items() if run.val_accuracy is not None}

    @cached_property
    def fresh_test(self) -> Scores:
        """Test accuracies of the fresh seeds."""
        return {seed: run.test_accuracy for seed, run in self.fresh_finished.items() if run.test_accuracy is not None}

    @cached_property
    def seconds(self) -> Scores:
        """Training seconds, without compiling and looking."""
        return {seed: run.seconds.train for seed, run in self.finished.items()}

    @property
    def mean_seconds(self) -> float:
        return mean(self.seconds) if self.seconds else math.nan

    @cached_property
    def total_steps(self) -> int:
        """Steps of a run that ended well, however its length was said; 0 where none did."""
        run = next(iter(self.finished.values()), None)
        if run is None:
            return 0
        # Schema 1 says no length but in the configuration and in the looks, the last of which is at the end.
        return self.config.steps or run.steps or (run.history[-1].step if run.history else 0)

    @property
    def parameters(self) -> int:
        """Numbers that training sets."""
        return next(run.parameters for run in (*self.records.values(), *self.fresh.values()))

    @property
    def statuses(self) -> Counter[Status]:
        return Counter(run.status for run in self.records.values())

    @property
    def lost(self) -> Lost:
        steps = {run.diverged_at for run in self.records.values() if run.diverged_at is not None}
        return Lost(self.statuses["diverged"], self.statuses["failed"], len(self.records), tuple(sorted(steps)))


@dataclass(frozen=True)
class TestFigure:
    """A configuration's test accuracies by seed, and whether the seeds are fresh. Those that chose it were lucky, on
    validation and test alike, so of a winner they tell too much."""

    scores: Scores
    fresh: bool


def _well(records: Mapping[int, Record]) -> dict[int, Record]:
    return {seed: record for seed, record in records.items() if record.status == "ok"}


def mean(scores: Mapping[int, float]) -> float:
    return float(np.mean(list(scores.values())))


def typical_deviation(points: Mapping[str, Scores]) -> float:
    """The median over points of the standard deviation over seeds; nan where no point has two."""
    deviations = [float(np.std(list(scores.values()), ddof=1)) for scores in points.values() if len(scores) > 1]
    return float(np.median(deviations)) if deviations else math.nan


def slices(runs: Sequence[ConfigResult], knob: str) -> list[dict[Value, ConfigResult]]:
    """Sets of configurations that differ in one field alone, value -> configuration, three values or more a set."""
    groups: dict[tuple[tuple[str, Value | None], ...], dict[Value, ConfigResult]] = {}
    for run in runs:
        value = run.config.get(knob)
        if run.validation and value is not None:
            fields = ["model", *(field for field in fields_for(run.config.model) if field != knob)]
            groups.setdefault(tuple((field, run.config.get(field)) for field in fields), {})[value] = run
    return [group for group in groups.values() if len(group) >= 3]
