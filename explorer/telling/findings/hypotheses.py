"""How many hypotheses ended how."""

from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.words import hypothesis


def top(study: Study) -> list[Sentence]:
    words = ("confirmed", "likely confirmed", "rejected", "likely rejected", "undecided")
    ended: dict[str, list[str]] = {word: [] for word in words}
    asked: list[SweepResult | StudyResult] = [*study.sweeps, *study.studies]
    for judged in asked:
        if judged.hypothesis:
            ended[hypothesis(judged.hypothesis)].append(f"{judged.dataset} {judged.model} {judged.slug}")
    parts = [
        f"{len(labels)} {word}" + (f" ({', '.join(labels)})" if word != "undecided" else "")
        for word, labels in ended.items()
        if labels
    ]
    return [f"**Hypotheses** about which point is best: {'; '.join(parts)}."] if parts else []


FINDING = Finding("hypotheses", top=top)
