"""How runs came to their accuracy, as columns of a table: how soon, how steadily they ended, and their losses."""

import math
from collections.abc import Iterable, Mapping, Sequence

from explorer.judging.frame import MARKS, means
from explorer.record import Record

MOST_MARKS = 4  # of those that some point reached, the highest
LAST_LOOKS, LOSSES, GAP = "last looks, points", "train / validation loss", "gap, points"
LEGEND = (
    "*Steps to*: the first look at which so much of the validation slice was right, a dash where some run never came "
    "there; no finer than the looks that are recorded, 25 of a run at most. *Last looks*: the standard deviation of a "
    "run's validation accuracy over the last five of them, how much its end depends on the step it ended at. *Loss*: "
    "of training batches and of all validation images, in brackets the second less the first. *Gap*: accuracy on the "
    "last training batches, seen through dropout and augmentation where there are any, less that on all validation "
    "images. All are means over seeds."
)


def columns(points: Sequence[Iterable[Record]]) -> list[dict[str, str]]:
    """Head -> cell, of each point's runs that ended well: the same heads for all of them. A column in which no point
    has a figure is left out."""
    found = [means(records) for records in points]
    rows = [{steps_head(marks): _steps(one, marks)} if (marks := _reached(found)) else {} for one in found]
    for row, one in zip(rows, found, strict=True):
        row[LAST_LOOKS] = _points(one["unsteadiness"])
        row[LOSSES] = _losses(one)
        row[GAP] = _points(one["gap"], "+")
    empty = {head for head in (rows[0] if rows else ()) if all(row[head] == "-" for row in rows)}
    return [{head: cell for head, cell in row.items() if head not in empty} for row in rows]


def is_head(head: str) -> bool:
    """Whether a column of that head is one of these."""
    return head in (LAST_LOOKS, LOSSES, GAP) or head.startswith("steps to ")


def steps_head(marks: Sequence[int]) -> str:
    return f"steps to {' / '.join(map(str, marks))} %"


def _reached(found: Sequence[Mapping[str, float]]) -> tuple[int, ...]:
    """The highest marks that every run of some point reached."""
    marks = [mark for mark in MARKS if any(not math.isnan(one[f"steps_to_{mark}"]) for one in found)]
    return tuple(marks[-MOST_MARKS:])


def _steps(one: Mapping[str, float], marks: Sequence[int]) -> str:
    steps = [one[f"steps_to_{mark}"] for mark in marks]
    return " / ".join("-" if math.isnan(step) else f"{step:.0f}" for step in steps)


def _points(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{100 * value:{sign}.2f}"


def _losses(one: Mapping[str, float]) -> str:
    train, validation, gap = (one[name] for name in ("train_loss", "val_loss", "loss_gap"))
    if math.isnan(train) or math.isnan(validation):
        return "-" if math.isnan(train) else f"{train:.3f} / -"
    return f"{train:.3f} / {validation:.3f} ({gap:+.3f})"
