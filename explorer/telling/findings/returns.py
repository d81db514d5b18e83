"""Diminishing returns of units: what each widening of the hidden layers gains."""

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.findings.longer import told

KNOBS = ("width",)


def find(study: Study) -> list[Sentence]:
    wider = [judged for judged in study.sweeps if judged.numeric_knob in KNOBS and judged.seeds >= MIN_RUNS]
    return [sentence for sentence in map(told, wider) if sentence]


FINDING = Finding("returns", "Where do more units stop paying?", find)
