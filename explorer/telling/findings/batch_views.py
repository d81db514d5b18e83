"""Batch size at equal steps beside batch size at equal images."""

from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import figure, listed


def find(study: Study) -> list[Sentence]:
    sentences = []
    for dataset, model in study.pairs:
        sweeps = [judged for judged in study.of(dataset, model) if judged.seeds > 1]
        parts = []
        for at in ("steps", "images"):
            judged = next((judged for judged in sweeps if judged.equal == at), None)
            if judged and judged.winner:
                best, ties = judged.winner.label, judged.winner.ties
                alone = f"tied with {listed(ties)}" if ties else "alone"
                parts.append(f"at equal {at} {best} is best with {figure(judged.validation[best])} % ({alone})")
        if len(parts) == 2:
            sentences.append(f"{name_of(model, dataset)}: {'; '.join(parts)}.")
    return sentences


FINDING = Finding("batch-views", "Is batch size worth something beyond the images it shows?", find)
