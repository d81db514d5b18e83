"""Hypotheses that the data surely reject: what was expected and is not so."""

from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import hypothesis, reason


def find(study: Study) -> list[Sentence]:
    return [
        f"{name_of(judged.model, judged.dataset)}, {judged.slug}: “{judged.sweep.hypothesis}” is surely rejected: "
        f"{reason(judged.hypothesis)} (sure)."
        for judged in study.sweeps
        if judged.hypothesis and judged.sweep.hypothesis and hypothesis(judged.hypothesis) == "rejected"
    ]


FINDING = Finding("surprises", "What turned out otherwise than expected?", find)
