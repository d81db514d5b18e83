"""What to choose, knob by knob, over all models and data sets: one sentence a knob, as sure as its evidence.

Where a study tuned each value, it is the evidence; else the sweep that compares the values at one setting.
"""

import math
from collections import Counter
from collections.abc import Sequence

from explorer.judging.answers import Answer, about, answers, used_by
from explorer.judging.certainty import MIN_RUNS, Certainty, of_all
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import knob_name, listed, times, value_of, values_of

SUBJECTS = {
    "lr": "learning rate", "lr_schedule": "learning rate schedule", "batchnorm": "batch normalization",
    "steps": "training steps",
}  # fmt: skip
"""What is asked about, where its own word is not the plain one."""


def find(study: Study) -> list[Sentence]:
    by_subject: dict[str, list[Answer]] = {}
    for answer in answers(study):
        by_subject.setdefault(answer.subject, []).append(answer)
    return [
        f"{_told(subject, evidence(mine))} In the best configurations: {used}."
        if (used := used_by_the_best(study, mine))
        else _told(subject, evidence(mine))
        for subject, mine in by_subject.items()
        if evidence(mine)
    ]


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
    """A row's rule of thumb: what is among the best where the knob made a difference, at what price, and where it made
    none."""
    found = evidence(mine)
    mattering = _mattering(found)
    if not mattering:
        return "no difference shown"
    without = [_where(answer) for answer in found if answer not in mattering]
    rest = f"; no difference shown for {listed(without)}" if without else ""
    if common := common_best(mattering):
        where = listed([_where(answer) for answer in mattering])
        return f"{common[0]} is among the best for {where}{_price(mattering, common[0])}{rest}"
    return f"the best value depends on model and data{rest}"


def _price(mattering: Sequence[Answer], value: str) -> str:
    """``, at 6 to 18 times the training time``: where a value is dear."""
    found = [answer.price(label) for answer in mattering for label in answer.best if _value(answer, label) == value]
    dear = sorted(one for one in found if not math.isnan(one))
    if not dear:
        return ""
    low, high = times(dear[0]), times(dear[-1])
    return f", at {low if low == high else f'{low} to {high}'} times the training time"


def used_by_the_best(study: Study, mine: Sequence[Answer]) -> str:
    """``0.02 in 3, 0.003 in 1``: what the best configurations have of what these are about, of the models that have
    it; empty where none has."""
    fields = about(mine[0].judged)
    counted = Counter(
        values_of(values) for best in study.leaders.values() if (values := used_by(best, fields)) is not None
    )
    between = "; " if any("," in value for value in counted) else ", "
    return between.join(f"{value} in {count}" for value, count in counted.most_common())


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
    return name_of(answer.judged.model, answer.judged.dataset) + (" (each tuned)" if answer.tuned else "")


def _value(answer: Answer, label: str) -> str:
    return value_of(label, answer.judged.fields)


FINDING = Finding("recommendations", "What should one choose?", find)
