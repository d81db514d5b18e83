"""A heat map of two crossed knobs: mean validation accuracy, the best cell framed, and those that tie with it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.fields import text_of
from explorer.judging.runs import Lost
from explorer.judging.sweeps import SweepResult
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, axis_of, bar_of, heading, intervals_of, seeds_words
from explorer.telling.plots.picture import GREY

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
    winner, counts = judged.winner, [len(scores) for scores in judged.validation.values()]
    return HeatFacts(
        title=heading(judged),
        caption=f"In the cells the {'mean in % ± half its 95 % interval' if intervals_of(counts) else 'runs in %'}, "
        f"{seeds_words(counts)}.",
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
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import FuncFormatter, NullLocator

    rows, columns = len(facts.rows), len(facts.columns)
    figure = picture.frame(max(7.5, 2.0 + 1.2 * columns), max(4.2, 2.3 + 0.74 * rows), facts.title, facts.caption)
    axes = figure.subplots()
    scale = picture.scale([Bar(cell.mean, None, 1) for row in facts.cells for cell in row if cell])
    means = np.array([[scale.of(cell.mean) if cell else np.nan for cell in row] for row in facts.cells])
    low, high = max(scale.low, float(np.nanmin(means))), min(scale.high, float(np.nanmax(means)))
    cut = float(np.nanmax(means)) > scale.high if scale.error else float(np.nanmin(means)) < scale.low
    high = max(high, low * 1.001 if scale.error else low + 0.01)
    norm = LogNorm(low, high, clip=True) if scale.error else Normalize(low, high, clip=True)
    # The best is bright on either scale.
    colors = matplotlib.colormaps["viridis_r" if scale.error else "viridis"].with_extremes(bad="#dddddd")
    image = axes.imshow(means, cmap=colors, norm=norm, aspect="auto")
    for row in range(rows):
        for column in range(columns):
            cell, best = facts.cells[row][column], (row, column) == facts.best
            shade = float(norm(means[row, column])) if cell else 1.0
            bright = not cell or (shade < 0.4 if scale.error else shade > 0.6)
            axes.text(
                column,
                row,
                "\n".join(_lines(cell, facts.lost[row][column], scale)),
                ha="center",
                va="center",
                color="black" if bright else "white",
                fontsize=picture.SMALL if columns > 5 else 12.5,
                fontweight="bold" if best else "normal",
                linespacing=1.05,
            )
            if best or (row, column) in facts.ties:
                _frame(axes, row, column, 0.45, "white", "-", 5.0)
                _frame(axes, row, column, 0.45, "black", "-" if best else ":", 3.0 if best else 2.6)
            if (row, column) == facts.baseline:  # inside the other, which it may have too
                _frame(axes, row, column, 0.38, "black", "-", 3.2)
                _frame(axes, row, column, 0.38, "white", "--", 1.8)
    axes.grid(False)
    axes.set_xticks(range(columns), facts.columns)
    axes.set_yticks(range(rows), facts.rows)
    axes.set_xlabel(facts.column_axis)
    axes.set_ylabel(facts.row_axis)
    extend = "neither" if not cut else "max" if scale.error else "min"
    legend = figure.colorbar(image, ax=axes, extend=extend, pad=0.02)
    legend.set_label(f"validation {'error (%, log scale)' if scale.error else 'accuracy (%)'}")
    if scale.error:
        legend.set_ticks(picture.plain_ticks(low, high, 6), minor=False)
        legend.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        legend.ax.yaxis.set_minor_locator(NullLocator())
    axes.set_title(
        "solid frame: best; dotted: as good, as far as can be told; dashed: baseline",
        fontsize=picture.SMALL,
        color=GREY,
        fontweight="normal",
    )
    return figure


def _lines(cell: Bar | None, lost: Lost | None, scale: picture.Scale) -> list[str]:
    """What stands in a cell: its mean, half its interval, and the runs it has no result of."""
    if lost is None:
        return ["not run"]
    lines = [f"{scale.of(cell.mean):.2f}"] if cell else []
    if cell and cell.half_width is not None:
        here, half = 100 * (1 - cell.mean if scale.error else cell.mean), 100 * cell.half_width
        inside = here - half >= 0 and here + half <= 100
        lines.append(f"±{half:.2f}" if inside else f"{max(here - half, 0):.0f} to {min(here + half, 100):.0f}")
    elif cell and cell.runs:
        lines = [f"{scale.of(run):.2f}" for run in cell.runs]
    return lines + picture.lost_words(lost)


def _frame(axes: "Axes", row: int, column: int, half: float, color: str, style: str, width: float) -> None:
    from matplotlib.patches import Rectangle

    corner, side = (column - half, row - half), 2 * half
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=color, linestyle=style, linewidth=width))
