"""A heat map of two crossed knobs: mean validation accuracy, the best cell framed, and those that tie with it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.fields import text_of
from explorer.judging.runs import Lost
from explorer.judging.sweeps import SweepResult
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, axis_of, bar_of, heading, seeds_words
from explorer.telling.plots.picture import GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class HeatFacts(Facts):
    """cells[row][column]; None where nothing was measured; ``lost`` beside it, None where nothing was run."""

    row_axis: str
    column_axis: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Bar | None, ...], ...]
    lost: tuple[tuple[Lost | None, ...], ...]
    best: tuple[int, int] | None
    ties: tuple[tuple[int, int], ...]
    baseline: tuple[int, int] | None


def facts(judged: SweepResult) -> HeatFacts | None:
    """The first knob down, the second across, in the sweep's order.

    None where the sweep does not cross two knobs, or no run ended well.
    """
    if not judged.is_pair or not judged.validation:
        return None
    row_knob, column_knob = judged.sweep.knobs
    rows, columns = judged.values(row_knob), judged.values(column_knob)
    place = {
        label: (rows.index(judged.value(label, row_knob)), columns.index(judged.value(label, column_knob)))
        for label in (outcome.label for outcome in judged.distinct)
    }
    cells: list[list[Bar | None]] = [[None] * len(columns) for _ in rows]
    lost: list[list[Lost | None]] = [[None] * len(columns) for _ in rows]
    for outcome in judged.distinct:
        row, column = place[outcome.label]
        cells[row][column] = bar_of(outcome.validation)
        lost[row][column] = outcome.lost if outcome.records else None
    winner = judged.winner
    return HeatFacts(
        title=heading(judged),
        caption="Mean validation accuracy in % ± half its 95 % interval, "
        f"{seeds_words([len(scores) for scores in judged.validation.values()])}.",
        row_axis=axis_of(row_knob),
        column_axis=axis_of(column_knob),
        rows=tuple(map(text_of, rows)),
        columns=tuple(map(text_of, columns)),
        cells=tuple(map(tuple, cells)),
        lost=tuple(map(tuple, lost)),
        best=place[winner.label] if winner else None,
        ties=tuple(place[label] for label in winner.ties) if winner else (),
        baseline=place.get(judged.baseline),
    )


def draw(facts: HeatFacts) -> "Figure":
    import matplotlib

    rows, columns = len(facts.rows), len(facts.columns)
    wide = columns > 5 or rows > 6
    figure = picture.frame(max(7.0, 1.8 + 1.15 * columns), max(4.0, 2.1 + 0.72 * rows), facts.title, facts.caption)
    axes = figure.subplots()
    means = np.array([[100 * cell.mean if cell else np.nan for cell in row] for row in facts.cells])
    known = means[np.isfinite(means)]
    bottom = picture.limits([Bar(mean / 100, None, 1) for mean in known])[0]
    cut = bottom > known.min()
    low, high = max(bottom, float(known.min())), float(known.max())
    colors = matplotlib.colormaps["viridis"].with_extremes(bad="#dddddd")
    image = axes.imshow(means, cmap=colors, vmin=low, vmax=max(high, low + 0.01), aspect="auto")
    for row in range(rows):
        for column in range(columns):
            cell, best = facts.cells[row][column], (row, column) == facts.best
            shade = (100 * cell.mean - low) / max(high - low, 0.01) if cell else 1.0
            axes.text(
                column,
                row,
                "\n".join(_lines(cell, facts.lost[row][column])),
                ha="center",
                va="center",
                color="white" if shade < 0.6 else "black",
                fontsize=9.5 if wide else 11,
                fontweight="bold" if best else "normal",
                linespacing=1.05,
            )
            if best or (row, column) in facts.ties:
                _frame(axes, row, column, 0.46, VERMILION, "-" if best else ":", 3.0 if best else 2.4)
            if (row, column) == facts.baseline:  # inside the other, which it may have too
                _frame(axes, row, column, 0.41, "white", "--", 1.8)
    axes.grid(False)
    axes.set_xticks(range(columns), facts.columns)
    axes.set_yticks(range(rows), facts.rows)
    axes.set_xlabel(facts.column_axis)
    axes.set_ylabel(facts.row_axis)
    scale = figure.colorbar(image, ax=axes, extend="min" if cut else "neither", pad=0.02)
    scale.set_label("validation accuracy (%)")
    axes.set_title(
        "solid frame: best; dotted: as good, as far as can be told; dashed: baseline",
        fontsize=10.5,
        color=GREY,
        fontweight="normal",
    )
    return figure


def _lines(cell: Bar | None, lost: Lost | None) -> list[str]:
    """What stands in a cell: its mean, half its interval, and the runs it has no result of."""
    if lost is None:
        return ["not run"]
    lines = [f"{100 * cell.mean:.2f}"] if cell else []
    if cell and cell.half_width is not None:
        low, high = cell.mean - cell.half_width, cell.mean + cell.half_width
        inside = low >= 0 and high <= 1
        lines.append(
            f"±{100 * cell.half_width:.2f}" if inside else f"{100 * max(low, 0):.0f} to {100 * min(high, 1):.0f}"
        )
    elif cell and cell.runs:
        lines = [f"{100 * run:.2f}" for run in cell.runs]
    return lines + picture.lost_words(lost)


def _frame(axes: "Axes", row: int, column: int, half: float, color: str, style: str, width: float) -> None:
    from matplotlib.patches import Rectangle

    corner, side = (column - half, row - half), 2 * half
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=color, linestyle=style, linewidth=width))
