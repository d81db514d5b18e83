"""What the best point of a sweep gains over the one that its file counts gains from."""

from explorer.judging.runs import mean
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import estimate


def find(study: Study) -> list[Sentence]:
    sentences = []
    for judged in study.sweeps:
        if judged.sweep.gain_over is None:
            continue
        base = judged.distinct_label(judged.sweep.gain_over)
        verdicts = judged.verdicts_over(base)
        if not verdicts:
            continue
        top = max(verdicts, key=lambda label: mean(judged.validation[label]))
        sentences.append(
            f"{name_of(judged.model, judged.dataset)}, {judged.slug}: on validation {top} is "
            f"{estimate(verdicts[top])}, in points, against {base}."
        )
    return sentences


FINDING = Finding("gains", "How much is gained from steps, augmentation, dropout and batch normalization?", find)
