"""Diminishing returns of units: what each widening of a net gains, and what it costs in time and parameters."""

import itertools
import math

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.sizes import Sized, sizes_of
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.findings.longer import in_steps
from explorer.telling.names import name_of
from explorer.telling.words import estimate, knob_name


def find(study: Study) -> list[Sentence]:
    judged: tuple[SweepResult | StudyResult, ...] = (*study.studies, *study.sweeps)
    return [sentence for one in judged if (sentence := _told(one))]


def _told(judged: SweepResult | StudyResult) -> Sentence:
    """Of a sweep or a study of the width alone; empty of another, and below `MIN_RUNS` seeds."""
    found = sizes_of(judged)
    if found is None or len(judged.fields) > 1:
        return ""
    (line,) = found.lines.values()
    line = tuple(one for one in line if len(one.scores) >= MIN_RUNS)
    steps = [
        (f"{a.value} to {b.value}", judged.relations.of(b.label, a.label), _cost(a, b))
        for a, b in itertools.pairwise(line)
    ]
    tuned = ", each tuned" if isinstance(judged, StudyResult) else ""
    head = f"{name_of(judged.model, judged.dataset)}, validation points gained by {knob_name(found.knob)}{tuned}"
    return in_steps(head, [(name, step, f"{estimate(step)}, for {cost}") for name, step, cost in steps])


def _cost(small: Sized, large: Sized) -> str:
    """``1.9 times the training seconds and 2.3 times the parameters``"""
    parts = [(large.seconds, small.seconds, "training seconds"), (large.parameters, small.parameters, "parameters")]
    told = [
        f"{more / less:.1f} times the {what}" for more, less, what in parts if less > 0 and math.isfinite(more / less)
    ]
    return " and ".join(told)


FINDING = Finding("returns", "Where do more units stop paying?", find)
