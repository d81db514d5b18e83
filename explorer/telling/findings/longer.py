"""Each lengthening of a run against the length before it, the estimate first, and how far each is shown to help."""

import itertools
from collections.abc import Sequence

from explorer.fields import text_of
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.relations import Relation
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import estimate, listed

LENGTHS = ("epochs", "steps")  # the fields that say how long a run is


def find(study: Study) -> list[Sentence]:
    found = [told(judged) for judged in study.sweeps if judged.numeric_knob in LENGTHS and judged.seeds >= MIN_RUNS]
    return [sentence for sentence in found if sentence]


def told(judged: SweepResult) -> Sentence:
    """Of a sweep of one number: what each step up gains, and which are shown to help; empty below two points."""
    knob = judged.sweep.knobs[0]
    labels = sorted(judged.validation, key=lambda label: judged.number(label, knob))
    steps = [
        (f"{text_of(judged.value(a, knob))} to {text_of(judged.value(b, knob))}", judged.relations.of(b, a))
        for a, b in itertools.pairwise(labels)
    ]
    head = f"{name_of(judged.model, judged.dataset)}, validation points gained by {knob}"
    return in_steps(head, [(name, step, estimate(step)) for name, step in steps])


def in_steps(head: str, steps: Sequence[tuple[str, Relation, str]]) -> Sentence:
    """What each step up gains, its name, relation and words given, and which steps are shown to help; empty without
    any."""
    if not steps:
        return ""
    each = "; ".join(f"{name}: {told}" for name, _, told in steps)
    return f"{head}: {each}. {_summary([(name, step) for name, step, _ in steps])}"


def _summary(steps: list[tuple[str, Relation]]) -> str:
    """Which lengthenings are shown to help, which likely do, which hurt, and which are open: each step by itself."""
    kinds = {
        "Shown to help": [n for n, s in steps if s.certainty is Certainty.SURE and s.difference > 0],
        "likely to help": [n for n, s in steps if s.certainty is Certainty.LIKELY and s.difference > 0],
        "to hurt": [n for n, s in steps if s.is_worse],
        "not settled": [n for n, s in steps if s.certainty is Certainty.UNKNOWN],
    }
    told = "; ".join(f"{kind}: {listed(names)}" for kind, names in kinds.items() if names)
    return f"{told[0].upper()}{told[1:]}."


FINDING = Finding("longer", "When do more epochs or steps help, up and down?", find)
