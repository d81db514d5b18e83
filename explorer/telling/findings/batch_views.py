"""Batch size at equal steps beside batch size at equal images."""

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.findings.sweep import standing
from explorer.telling.names import name_of
from explorer.telling.words import figure


def find(study: Study) -> list[Sentence]:
    sentences = []
    for dataset, model in study.pairs:
        sweeps = [judged for judged in study.of(dataset, model) if judged.seeds >= MIN_RUNS]
        parts = []
        for at in ("steps", "images"):
            judged = next((judged for judged in sweeps if judged.equal == at), None)
            if judged and judged.winner:
                best = judged.winner.label
                told = f"at equal {at} {best} has the best mean, {figure(judged.validation[best])} %"
                parts.append(f"{told} ({standing(judged.winner)})")
        if len(parts) == 2:
            sentences.append(f"{name_of(model, dataset)}: {'; '.join(parts)}.")
    return sentences


FINDING = Finding("batch-views", "Is batch size worth something beyond the images it shows?", find)
