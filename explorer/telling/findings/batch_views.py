"""Batch size at equal steps beside batch size at equal images: each size tuned where a study did that."""

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import figure, standing


def find(study: Study) -> list[Sentence]:
    sentences = []
    for dataset, model in study.pairs:
        mine: list[SweepResult | StudyResult] = [
            *(judged for judged in study.studies if (judged.dataset, judged.model) == (dataset, model)),
            *(judged for judged in study.of(dataset, model) if judged.seeds >= MIN_RUNS),
        ]
        parts = []
        for at in ("steps", "images"):
            judged = next((judged for judged in mine if judged.equal == at and judged.winner), None)
            if judged and judged.winner:
                best = judged.winner.label
                how = ", each tuned," if isinstance(judged, StudyResult) else ""
                told = f"at equal {at}{how} {best} has the best mean, {figure(judged.validation[best])} %"
                parts.append(f"{told} ({standing(judged.winner)})")
        if len(parts) == 2:
            sentences.append(f"{name_of(model, dataset)}: {'; '.join(parts)}.")
    return sentences


FINDING = Finding("batch-views", "Is batch size worth something beyond the images it shows?", find)
