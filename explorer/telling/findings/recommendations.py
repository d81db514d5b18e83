"""What to choose, knob by knob, over all models and data sets: one sentence a knob, as sure as its evidence.

Where a study tuned each value, it is the evidence; else the sweep that compares the values at one setting.
"""

from collections.abc import Sequence

from explorer.judging.answers import Answer, answers
from explorer.judging.certainty import MIN_RUNS, Certainty, of_all
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import knob_name, listed, value_of

SUBJECTS = {
    "lr": "learning rate", "lr_schedule": "learning rate schedule", "batchnorm": "batch normalization",
    "steps": "training steps",
}  # fmt: skip
"""What is asked about, where its own word is not the plain one."""


def find(study: Study) -> list[Sentence]:
    by_subject: dict[str, list[Answer]] = {}
    for answer in answers(study):
        by_subject.setdefault(answer.subject, []).append(answer)
    return [_told(subject, evidence(mine)) for subject, mine in by_subject.items() if evidence(mine)]


def evidence(mine: Sequence[Answer]) -> list[Answer]:
    """Of each model and data set the one answer that counts: that of a study before that of a sweep; of equals that
    with the most seeds. Those with too few runs count for nothing."""
    found: dict[tuple[str, str], Answer] = {}
    for answer in mine:
        if answer.n < MIN_RUNS:
            continue
        other = found.get(answer.pair)
        if other is None or (answer.tuned, answer.n) > (other.tuned, other.n):
            found[answer.pair] = answer
    return list(found.values())


def common_best(mattering: Sequence[Answer]) -> list[str]:
    """The values that are among the best in each of these."""
    first, *others = [[_value(answer, label) for label in answer.best] for answer in mattering]
    return [value for value in first if all(value in other for other in others)]


def rule(mine: Sequence[Answer]) -> str:
    """A row's rule of thumb: what is among the best wherever the knob made a difference."""
    mattering = _mattering(evidence(mine))
    if not mattering:
        return "no difference shown anywhere"
    if common := common_best(mattering):
        where = "wherever it matters" if len(mattering) > 1 else "in the one place where it matters"
        return f"{common[0]} is among the best {where}"
    return "the best value depends on model and data"


def _mattering(found: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in found if answer.matters is not Certainty.UNKNOWN]


def _told(subject: str, found: Sequence[Answer]) -> Sentence:
    """``**Optimizer**: take muon (sure). It is among the best for MLP on MNIST (each tuned) and ...``"""
    name = SUBJECTS.get(subject, knob_name(subject))
    head, mattering = f"**{name[0].upper()}{name[1:]}**", _mattering(found)
    if not mattering:
        where = listed([name_of(answer.judged.model, answer.judged.dataset) for answer in found])
        return f"{head}: leave it as it is (unknown). No difference is shown for {where}."
    without = [answer for answer in found if answer not in mattering]
    rest = f" No difference is shown for {listed([_where(answer) for answer in without])}." if without else ""
    if common := common_best(mattering):
        certainty = of_all(answer.certainty for answer in mattering)
        places = listed([_where(answer) for answer in mattering])
        one = "It is" if len(common) == 1 else "Each is"
        return f"{head}: take {_either(common)} ({certainty.word}). {one} among the best for {places}.{rest}"
    each = "; ".join(
        f"{_either([_value(answer, label) for label in answer.best])} for {_where(answer)} ({answer.certainty.word})"
        for answer in mattering
    )
    return f"{head}: no one value serves all: {each}.{rest}"


def _either(values: Sequence[str]) -> str:
    return " or ".join(values) if len(values) < 4 else f"{values[0]}, or one of {len(values) - 1} as good"


def _where(answer: Answer) -> str:
    return name_of(answer.judged.model, answer.judged.dataset) + (", each tuned" if answer.tuned else "")


def _value(answer: Answer, label: str) -> str:
    return value_of(label, answer.judged.fields)


FINDING = Finding("recommendations", "What should one choose?", find)
