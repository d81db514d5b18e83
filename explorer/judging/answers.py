"""What the study answers to its main questions: of each knob the best values, their worth, and how sure that is.

Typed values, for whoever tells them. `certainty` says what sure, likely and unknown mean.
"""

from dataclasses import dataclass

from explorer.judging import stats
from explorer.judging.certainty import Certainty, of_all
from explorer.judging.relations import Relation
from explorer.judging.runs import TestFigure
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult


@dataclass(frozen=True)
class Answer:
    """The best of a sweep's points."""

    sweep: SweepResult
    """The evidence: its table, runs and pictures."""
    best: tuple[str, ...]
    """Labels: the winner, then the points that tie with it."""
    certainty: Certainty
    """That no other point is the best: as sure as the least sure of the words that set the others aside."""
    estimate: Relation | None
    """The winner against the baseline; where it is the baseline, against the best of the points set aside, or of all.
    None without another point."""
    validation: stats.Interval
    """Of the winner, over the seeds that choose."""
    test: TestFigure
    n: int
    """The winner's seeds."""
    matters: Certainty
    """That the points differ at all."""

    @property
    def alone(self) -> bool:
        return len(self.best) == 1


def answer_of(judged: SweepResult) -> Answer | None:
    """None where no point has a validation accuracy."""
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
    beside = judged.baseline if won.label != judged.baseline and judged.baseline in judged.validation else None
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
        judged.by_label[won.label].test_figure,
        len(scores),
        judged.relations.effect,
    )


def answers(study: Study) -> list[Answer]:
    """Of every sweep about one knob, in the study's order."""
    found = [answer_of(judged) for judged in study.where(lambda judged: judged.role == "knob")]
    return [answer for answer in found if answer is not None]
