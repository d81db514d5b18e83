"""How many hypotheses ended how."""

from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence


def top(study: Study) -> list[Sentence]:
    ended: dict[str, list[str]] = {"confirmed": [], "rejected": [], "undecided": []}
    for judged in study.sweeps:
        if judged.hypothesis:
            ended[judged.hypothesis.verdict].append(f"{judged.dataset} {judged.model} {judged.slug}")
    parts = [
        f"{len(labels)} {verdict}" + (f" ({', '.join(labels)})" if verdict != "undecided" else "")
        for verdict, labels in ended.items()
        if labels
    ]
    return [f"**Hypotheses** about which point is best: {'; '.join(parts)}."] if parts else []


FINDING = Finding("hypotheses", top=top)
