"""Test accuracy where the test images move: a line a configuration, over the pixels they are moved by."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.judging.shifts import Moved
from explorer.telling import shifts
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, bar_of, seeds_words
from explorer.telling.plots.picture import BLACK, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = (*SERIES, BLACK)
MOST = len(COLORS)
DASHES = {True: "-", False: "--"}  # trained with shifts, and without


@dataclass(frozen=True)
class Line:
    """A configuration; ``model`` numbers it among the models, ``accuracy`` is that at 0, 1, 2, ... pixels."""

    name: str
    model: int
    shifted: bool
    accuracy: tuple[Bar, ...]


@dataclass(frozen=True)
class ShiftsFacts(Facts):
    lines: tuple[Line, ...]


def facts(moved: Moved) -> ShiftsFacts | None:
    """The first `MOST` configurations; None of images that were not moved."""
    if moved.pixels < 1:
        return None
    shown = moved.results[:MOST]
    models = list(dict.fromkeys(one.config.model for one in shown))
    lines = tuple(
        Line(
            name,
            models.index(one.config.model),
            bool(one.config.shift),
            tuple(bar for pixels in range(moved.pixels + 1) if (bar := bar_of(one.at(pixels)))),
        )
        for name, one in zip(shifts.names(moved), shown, strict=False)
    )
    return ShiftsFacts(
        title=f"Test images that move: {shifts.what(moved)}",
        caption="Nets asked about test images moved by whole pixels up, down, left and right, the mean of the four; "
        f"{seeds_words([bar.n for line in lines for bar in line.accuracy])}, 95 % intervals.",
        lines=lines,
    )


def draw(facts: ShiftsFacts) -> "Figure":
    figure = picture.frame(9, 5.2, facts.title, facts.caption)
    axes = figure.subplots()
    ends = []
    for line in facts.lines:
        # all of it is shown, however poor: the fall is what this is about
        means = [100 * bar.mean for bar in line.accuracy]
        arms = [[min(100 * (bar.half_width or 0.0), mean), min(100 * (bar.half_width or 0.0), 100 - mean)]
                for bar, mean in zip(line.accuracy, means, strict=True)]  # fmt: skip
        color = COLORS[line.model % len(COLORS)]
        axes.errorbar(
            range(len(means)), means, yerr=list(zip(*arms, strict=True)), color=color, linestyle=DASHES[line.shifted],
            marker="o" if line.shifted else "s", mfc=color if line.shifted else "white", capsize=3, elinewidth=1.0,
        )  # fmt: skip
        ends.append((float(len(means) - 1), means[-1], line.name, color))
    axes.set_xticks(range(max(len(line.accuracy) for line in facts.lines)))
    axes.set_xlim(-0.2, max(len(line.accuracy) for line in facts.lines) - 0.8)
    axes.set_xlabel("test images moved by (pixels)")
    axes.set_ylabel("test accuracy (%)")
    picture.end_labels(axes, ends)
    return figure
