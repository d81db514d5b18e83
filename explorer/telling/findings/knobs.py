"""Which knobs move the accuracy, among those that were run, and which were not run or not shown to."""

from explorer.judging.certainty import Certainty
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import listed, plural, points

FEW_KNOBS = 4  # so few that were run are no ranking of all there are


def top(study: Study) -> list[Sentence]:
    return [sentence for dataset, model in study.pairs for sentence in _of_model(study, dataset, model)]


def _of_model(study: Study, dataset: str, model: str) -> list[Sentence]:
    found = study.knobs(dataset, model)
    if not found.ranked:
        return []
    by = {word: [j for j in found.ranked if j.relations.effect is word] for word in Certainty}
    of = len(found.ranked) + len(found.not_ranked)
    parts = []
    if by[Certainty.SURE]:
        alone = len(found.ranked) <= FEW_KNOBS
        head = "an effect is shown of" if alone else "the greatest effects shown are those of"
        parts.append(f"{head} {listed([_effect(judged) for judged in by[Certainty.SURE]])}")
    if by[Certainty.LIKELY]:
        parts.append(f"likely there is one of {listed([_effect(judged) for judged in by[Certainty.LIKELY]])}")
    if by[Certainty.UNKNOWN]:
        parts.append(f"not settled: {listed([judged.title for judged in by[Certainty.UNKNOWN]])}")
    if found.not_ranked:
        parts.append(f"not run often enough to say: {listed([sweep.title for sweep in found.not_ranked])}")
    ranked = f"{len(found.ranked)} of {plural(of, 'knob')} run"
    spread = "standard deviations over each grid, seed noise taken out, the hopeless point of a grid left out and named"
    return [f"**Knobs, {name_of(model, dataset)}** ({ranked}): {'; '.join(parts)} ({spread})."]


def _effect(judged: SweepResult) -> str:
    """``Learning rate (1.80 points against the seed's 0.44; 8.69 with lr 1e-05)``"""
    told = f"{judged.title} ({points(judged.reach)} against the seed's {100 * judged.noise:.2f}"
    hopeless = judged.hopeless
    return told + (f"; {100 * judged.importance.corrected:.2f} with {hopeless.label})" if hopeless else ")")


FINDING = Finding("knobs", top=top)
