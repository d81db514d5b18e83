"""Each lengthening of a run against the length before it, Holm-corrected, and the last one that paid."""

import itertools

from explorer.fields import text_of
from explorer.judging import stats
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import difference

LENGTHS = ("epochs", "steps")  # the fields that say how long a run is


def find(study: Study) -> list[Sentence]:
    found = [_told(judged) for judged in study.sweeps if judged.numeric_knob in LENGTHS and judged.seeds > 1]
    return [sentence for sentence in found if sentence]


def _told(judged: SweepResult) -> Sentence:
    knob = judged.sweep.knobs[0]
    labels = sorted(judged.validation, key=lambda label: judged.number(label, knob))
    pairs = []
    for shorter, further in itertools.pairwise(labels):
        a, b = judged.validation[shorter], judged.validation[further]
        common = sorted(a.keys() & b.keys())
        if len(common) > 1:
            pair = stats.paired_test([a[seed] for seed in common], [b[seed] for seed in common])
            pairs.append((text_of(judged.value(shorter, knob)), text_of(judged.value(further, knob)), pair))
    adjusted = stats.holm([pair.p for _, _, pair in pairs])
    told = [
        f"{shorter} to {further}: {difference(pair)}" + ("" if p <= 0.05 else " (no difference shown)")
        for (shorter, further, pair), p in zip(pairs, adjusted, strict=True)
    ]
    paid = [b for (_, b, pair), p in zip(pairs, adjusted, strict=True) if p <= 0.05 and pair.difference > 0]
    verdict = f"more {knob} were shown to help up to {paid[-1]}" if paid else "no lengthening was shown to help"
    if not told:
        return ""
    name = name_of(judged.model, judged.dataset)
    return f"{name}, validation points gained by {knob}: {'; '.join(told)}. So {verdict}."


FINDING = Finding("longer", "When do more epochs or steps help, up and down?", find)
