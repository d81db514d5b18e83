"""What the study answers to its main questions: of each knob the best values, their worth, and how sure that is.

Typed values, for whoever tells them. `certainty` says what sure, likely and unknown mean.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from explorer.config import AUGMENTATIONS, Config
from explorer.fields import Value
from explorer.judging import stats
from explorer.judging.certainty import Certainty, of_all
from explorer.judging.relations import Relation
from explorer.judging.runs import ConfigResult, TestFigure, mean
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import Hopeless, SweepResult

Subject = str
"""What is asked about: a field, or one of the words of `subject_of`."""
DEAR = 2.0
"""What trains over so many times as long as what it is compared with has a price that must be told."""


@dataclass(frozen=True)
class Answer:
    """The best of a sweep's points at one setting, or of a study's values, each at its own best setting."""

    judged: SweepResult | StudyResult
    """The evidence: its table, runs and pictures."""
    best: tuple[str, ...]
    """Labels: the winner, then the points that tie with it."""
    certainty: Certainty
    """That no other point is the best: as sure as the least sure of the words that set the others aside. Of a study
    that is not done nothing is sure."""
    estimate: Relation | None
    """The winner against the baseline; where it is the baseline or there is none, against the best of the points set
    aside, or of all. None without another point."""
    validation: stats.Interval
    """Of the winner, over the seeds that choose; of a study over its fresh seeds."""
    test: TestFigure
    n: int
    """The winner's seeds."""
    matters: Certainty
    """That the points differ at all."""

    @property
    def alone(self) -> bool:
        return len(self.best) == 1

    @property
    def range(self) -> float:
        """How far the means of worst and best lie apart, as a fraction."""
        return stats.knob_importance(self.judged.validation).spread.range

    @property
    def hopeless(self) -> Hopeless | None:
        """A sweep's worst point, where it alone makes more than half of the effect."""
        return self.judged.hopeless if isinstance(self.judged, SweepResult) else None

    @property
    def beside(self) -> str | None:
        """The point that prices are told by: a sweep's baseline, else what the winner is compared with."""
        if isinstance(self.judged, SweepResult) and self.judged.baseline in self.judged.validation:
            return self.judged.baseline
        return self.estimate.against if self.estimate else None

    def seconds(self, label: str) -> float:
        """A point's mean seconds of training, over the runs that judge it; nan without one."""
        if isinstance(self.judged, SweepResult):
            return self.judged.by_label[label].mean_seconds
        one = self.judged.by_label[label].fresh
        records = one.fresh_finished.values() if one else ()
        return mean({record.seed: record.seconds.train for record in records}) if records else math.nan

    def price(self, label: str) -> float:
        """How many times as long as `beside` a point trains, where that is over `DEAR`; nan where it is not."""
        base = self.seconds(self.beside) if self.beside is not None else math.nan
        times = self.seconds(label) / base if base > 0 else math.nan
        return times if times > DEAR else math.nan

    @property
    def tuned(self) -> bool:
        """Whether each value is at its own best setting, and fresh seeds alone judge."""
        return self.judged.fresh_alone

    @property
    def subject(self) -> Subject:
        return subject_of(self.judged)

    @property
    def pair(self) -> tuple[str, str]:
        """Data set and model."""
        return self.judged.dataset, self.judged.model


def subject_of(judged: SweepResult | StudyResult) -> Subject:
    """What a sweep or a study asks about: the field it varies first. One that varies schedules is about them, whichever
    optimizers it crosses them with; augmentations are one subject; batch sizes are two, by what the runs share."""
    fields = about(judged)
    if fields == AUGMENTATIONS:
        return "augmentation"
    first = fields[0] if fields else ""
    return f"{first} at equal {judged.equal}" if judged.equal else first


def about(judged: SweepResult | StudyResult) -> tuple[str, ...]:
    """The fields of `subject_of`: what a sweep changes besides, such as an optimizer's own rate, goes with them."""
    if "lr_schedule" in judged.fields:
        return ("lr_schedule",)
    return AUGMENTATIONS if set(judged.fields) & set(AUGMENTATIONS) else judged.fields[:1]


def used_by(best: ConfigResult, fields: Sequence[str]) -> dict[str, Value] | None:
    """What a configuration has of some fields; of ``steps`` all it takes, however its length is said. None where it
    has no value of one."""
    found = {field: best.total_steps or None if field == "steps" else best.config.axis(field) for field in fields}
    return {field: value for field, value in found.items() if value is not None} if None not in found.values() else None


def names_among_the_best(answer: Answer, values: dict[str, Value]) -> bool:
    """Whether one of an answer's best points has these values."""
    configs = [answer.judged.configs[label] for label in answer.best]
    return any(all(config.axis(field) == value for field, value in values.items()) for config in configs)


def usual_baseline(found: Iterable[Answer], model: str) -> Config | None:
    """The configuration that most sweeps of a model change one thing of; None where none says its length in steps."""
    baselines = [
        answer.judged.by_label[answer.judged.baseline].config
        for answer in found
        if isinstance(answer.judged, SweepResult) and answer.judged.model == model
    ]
    counted = Counter(config for config in baselines if config.steps)
    return counted.most_common(1)[0][0] if counted else None


def answer_of(judged: SweepResult | StudyResult) -> Answer | None:
    """None where no point has a validation accuracy, or a study none on fresh seeds."""
    won = judged.winner
    if won is None:
        return None
    best = (won.label, *won.ties)
    aside = [label for label in judged.validation if label not in best]
    certainty = of_all(
        relation.certainty if (relation := judged.relations.of(label, won.label)).is_worse else Certainty.UNKNOWN
        for label in aside
    )
    ranked = [*won.worse, *won.likely_worse, *won.unknown, *won.ties]
    base, test = None, None
    if isinstance(judged, SweepResult):
        base, test = judged.baseline, judged.by_label[won.label].test_figure
    elif one := judged.by_label[won.label].fresh:
        test = one.test_figure
        certainty = certainty if judged.complete else Certainty.UNKNOWN
    beside = base if won.label != base and base in judged.validation else None
    if beside is None and ranked:
        means = {label: stats.mean_interval(list(judged.validation[label].values())).mean for label in ranked}
        beside = max(aside or ranked, key=lambda label: means[label])
    scores = list(judged.validation[won.label].values())
    return Answer(
        judged,
        best,
        certainty,
        judged.relations.of(won.label, beside) if beside is not None else None,
        stats.accuracy_interval(scores),
        test or TestFigure({}, False),
        len(scores),
        judged.relations.effect,
    )


def answers(study: Study) -> list[Answer]:
    """Of every study, then of every sweep about one knob, in the study's order: what is tuned goes before what is at
    one setting for all."""
    asked: Iterable[SweepResult | StudyResult] = (
        *(judged for judged in study.studies if judged.fields),
        *study.where(lambda judged: judged.role == "knob"),
    )
    return [answer for judged in asked if (answer := answer_of(judged)) is not None]
