"""A run's looks as text: a line a look, with a bar for its error."""

import math
from collections.abc import Sequence

from explorer.record import Look, Record

NARROWEST_BAR = 10


def curve(record: Record, width: int = 80, bar: str = "█") -> str:
    """The looks of a run, at most ``width`` columns wide: step, losses, accuracy, and the error as a bar on a log axis,
    so that 2 % and 1 % are told apart as 20 % and 10 % are. Empty where there are none."""
    looks = list(record.history)
    if not looks:
        return ""
    errors = [_error(look) for look in looks]
    what = "validation" if looks[-1].val_accuracy is not None else "training"
    rows = [
        (f"{look.step:,}", f"{look.train_loss:.4f}", "" if look.val_loss is None else f"{look.val_loss:.4f}",
         f"{100 * (1 - error):.2f} %")
        for look, error in zip(looks, errors, strict=True)
    ]  # fmt: skip
    heads = ("step", "training loss", "validation loss", what)
    widths = [max(len(head), *(len(row[place]) for row in rows)) for place, head in enumerate(heads)]
    room = max(NARROWEST_BAR, width - sum(widths) - 2 * len(widths))
    least, most = _axis(errors)
    lines = ["  ".join([*_right(heads, widths), f"error, log axis from {_percent(least)}"[:room]])]
    for row, error in zip(rows, errors, strict=True):
        length = 0 if error <= least else round(room * math.log(error / least) / math.log(most / least))
        lines.append("  ".join([*_right(row, widths), bar * length]).rstrip())
    return "\n".join(lines)


def _error(look: Look) -> float:
    return 1 - (look.train_accuracy if look.val_accuracy is None else look.val_accuracy)


def _axis(errors: Sequence[float]) -> tuple[float, float]:
    """From 1, 2 or 5 times a power of ten below the least error to the greatest."""
    above = [error for error in errors if error > 0]
    if not above:
        return 0.001, 1.0
    power = 10.0 ** math.floor(math.log10(min(above)))
    least = max(power * step for step in (0.5, 1, 2, 5) if power * step < min(above))
    return least, max(above)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"


def _right(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
