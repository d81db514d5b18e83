"""Hypotheses that the data surely reject: what was expected and is not so."""

from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import hypothesis, reason


def find(study: Study) -> list[Sentence]:
    asked: list[tuple[SweepResult | StudyResult, str]] = [
        (judged, judged.question.hypothesis) for judged in study.studies
    ]
    asked += [(judged, judged.sweep.hypothesis) for judged in study.sweeps]
    return [
        f"{name_of(judged.model, judged.dataset)}, {judged.slug}: “{stated}” is surely rejected: "
        f"{reason(judged.hypothesis)} (sure)."
        for judged, stated in asked
        if judged.hypothesis and stated and hypothesis(judged.hypothesis) == "rejected"
    ]


FINDING = Finding("surprises", "What turned out otherwise than expected?", find)
