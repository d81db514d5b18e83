"""Nets of several sizes in one sweep or study: what more units cost, in seconds and in parameters, and what they give.
No prose, no drawing."""

from collections.abc import Mapping
from dataclasses import dataclass

from explorer.fields import Value, text_of
from explorer.judging.runs import Scores, mean
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.record import Record

SIZES = ("width", "filters", "units", "units1")
"""The fields that say how wide a net is, of whatever model."""


@dataclass(frozen=True)
class Sized:
    """A point of a sweep, or a value of a study at its best setting, by the seeds that judge it."""

    label: str
    value: str
    """Of the field that says how wide it is."""
    scores: Scores
    """Validation accuracies."""
    seconds: float
    """Of training, the mean."""
    parameters: int


@dataclass(frozen=True)
class Sizes:
    """``lines``: what the other knob is, as ``depth 2`` (empty without one) -> nets, the fewest parameters first."""

    knob: str
    lines: dict[str, tuple[Sized, ...]]


def sizes_of(judged: SweepResult | StudyResult) -> Sizes | None:
    """Of a grid over a net's width, alone or crossed with another knob, or of a study of it; None of all else, and
    where fewer than two points of a line have a result."""
    fields = judged.fields
    knob = next((field for field in SIZES if field in fields), None)
    if knob is None or len(fields) > 2 or (isinstance(judged, SweepResult) and judged.sweep.kind != "grid"):
        return None
    other = next((field for field in fields if field != knob), None)
    lines: dict[str, list[Sized]] = {}
    for label, scores in judged.validation.items():
        values, records = _of(judged, label)
        seconds = {seed: record.seconds.train for seed, record in records.items() if record.status == "ok"}
        name = f"{other.replace('_', ' ')} {text_of(values.get(other))}" if other else ""
        parameters = next(iter(records.values())).parameters
        one = Sized(label, text_of(values.get(knob)), dict(scores), mean(seconds), parameters)
        lines.setdefault(name, []).append(one)
    kept = {name: tuple(sorted(line, key=lambda one: one.parameters)) for name, line in lines.items() if len(line) > 1}
    return Sizes(knob, kept) if kept else None


def _of(judged: SweepResult | StudyResult, label: str) -> tuple[Mapping[str, Value | None], Mapping[int, Record]]:
    """What a point says, and the records that judge it."""
    if isinstance(judged, SweepResult):
        return judged.by_label[label].point.values, judged.by_label[label].records
    one = judged.by_label[label]
    return one.contender.values, one.fresh.fresh if one.fresh else {}
