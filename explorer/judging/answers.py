"""What the study answers to its main questions: of each knob the best values, their worth, and how sure that is.

Typed values, for whoever tells them. `certainty` says what sure, likely and unknown mean.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from explorer.judging import stats
from explorer.judging.certainty import Certainty, of_all
from explorer.judging.relations import Relation
from explorer.judging.runs import TestFigure
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult

Subject = str
"""What is asked about: a field, or one of the words of `subject_of`."""


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
        """How far the means of worst and best lie apart, as a fraction; a sweep's hopeless point is left out."""
        hopeless = self.judged.hopeless if isinstance(self.judged, SweepResult) else None
        return (hopeless.rest if hopeless else stats.knob_importance(self.judged.validation)).spread.range

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
    if "lr_schedule" in judged.fields:
        return "lr_schedule"
    if set(judged.fields) & {"angle", "scale", "shift"}:
        return "augmentation"
    first = judged.fields[0] if judged.fields else ""
    return f"{first} at equal {judged.equal}" if judged.equal else first


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
