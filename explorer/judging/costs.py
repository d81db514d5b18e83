"""What it would cost to know: to ask what was not asked yet, to end what was begun, to settle what is open. In seconds
on one core, by the recorded runs most alike; None where there is none like them."""

from collections.abc import Iterable
from functools import partial

from explorer import models
from explorer.config import Config
from explorer.datasets import find
from explorer.datasets.entry import Entry
from explorer.judging.runs import ConfigResult, Runs
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.running.estimates import Estimator


class Costs:
    """Going by the runs of a study."""

    def __init__(self, runs: Runs):
        self._records = runs.counted
        self._estimators: dict[str, Estimator] = {}

    def of(self, runs: Iterable[Config]) -> float | None:
        seconds = 0.0
        for run in runs:
            if (one := self._of_run(run)) is None:
                return None
            seconds += one
        return seconds

    def _of_run(self, run: Config) -> float | None:
        if run.dataset not in self._estimators:
            if (entry := find(run.dataset)) is None or run.model not in models.names():
                return None
            self._estimators[run.dataset] = Estimator(self._records, partial(_training_images, entry))
        return self._estimators[run.dataset](run)

    def left(self, judged: SweepResult | StudyResult) -> float | None:
        """Of the runs that a sweep or a study has not made yet, a study's as many as there may be."""
        return self.of(judged.to_run())


def _training_images(entry: Entry, config: Config) -> int:
    return entry.split(config.train_on)[0]


def of_a_run(result: ConfigResult) -> float:
    """The mean over a configuration's runs, fresh ones too."""
    records = [*result.records.values(), *result.fresh.values()]
    return sum(record.seconds.total for record in records) / len(records) if records else 0.0


def of_a_seed(judged: SweepResult | StudyResult) -> float:
    """Of one more seed for all its points; of a study for each value's winner."""
    if isinstance(judged, SweepResult):
        return sum(of_a_run(outcome) for outcome in judged.distinct)
    return sum(of_a_run(one.fresh) for one in judged.contenders if one.fresh)
