"""Which of the sweeps about one thing move the accuracy, and which were not shown to."""

import math

from explorer.judging import stats
from explorer.judging.runs import mean
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import listed, points

FEW_SEEDS = 5  # below it the test of whether a knob matters at all has next to no power


def top(study: Study) -> list[Sentence]:
    return [sentence for dataset, model in study.pairs for sentence in _of_model(study, dataset, model)]


def _of_model(study: Study, dataset: str, model: str) -> list[Sentence]:
    sweeps = [j for j in study.of(dataset, model) if j.role == "knob" and not math.isnan(j.importance.p)]
    if not sweeps:
        return []
    sweeps.sort(key=lambda judged: -judged.importance.corrected)
    shown = [judged for judged in sweeps if judged.importance.p <= 0.05]
    silent = [judged for judged in sweeps if judged.importance.p > 0.05]
    parts = []
    if shown:
        named = [
            f"{judged.slug} ({points(judged.importance.corrected)} against the seed's {100 * judged.noise:.2f}"
            f"{_mostly(judged)})"
            for judged in shown
        ]
        parts.append(f"accuracy depends most on {listed(named)}")
    if silent:
        few = [judged.slug for judged in silent if judged.importance.n < FEW_SEEDS]
        whose = "" if len(few) == len(silent) else f" of {listed(few)}"
        caveat = f", where fewer than {FEW_SEEDS} seeds{whose} leave the test next to no power" if few else ""
        parts.append(f"no effect was shown of {listed([judged.slug for judged in silent])}{caveat}")
    return [f"**Knobs, {name_of(model, dataset)}**: {'; '.join(parts)} (standard deviations over each grid)."]


def _mostly(judged: SweepResult) -> str:
    """``, 2.10 without sgd 0.001``: where without its worst point a sweep has less than half the effect."""
    worst = min(judged.validation, key=lambda label: mean(judged.validation[label]))
    others = {label: scores for label, scores in judged.validation.items() if label != worst}
    rest = stats.knob_importance(others).corrected
    return f", {100 * rest:.2f} without {worst}" if rest < judged.importance.corrected / 2 else ""


FINDING = Finding("knobs", top=top)
