"""Which knobs matter: how far each moves the accuracy, beside what the seed alone does."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, Pair, seeds_words
from explorer.telling.plots.picture import BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Knob:
    """A sweep's effect: standard deviation of its points' means, seed noise taken out; range; the seed's own spread."""

    sweep: str
    effect: float
    range: float
    noise: float
    p: float
    points: int
    n: int


@dataclass(frozen=True)
class ImportanceFacts(Facts):
    rows: tuple[Knob, ...]


def facts(pair: Pair) -> ImportanceFacts | None:
    """The sweeps about one thing, the greatest effect first; None where nothing was repeated."""
    rows = []
    for judged in pair.sweeps:
        found = judged.importance
        if judged.role == "knob" and not math.isnan(found.p):
            rows.append(
                Knob(judged.slug, found.corrected, found.spread.range, judged.noise, found.p, found.points, found.n)
            )
    if not rows:
        return None
    rows.sort(key=lambda row: (-row.effect, row.sweep))
    return ImportanceFacts(
        title=f"Which knobs matter: {pair.name}",
        caption="Standard deviation of validation accuracy over a knob's values, "
        f"{seeds_words([row.n for row in rows])}. A knob's grid sets its reach: a wider one moves more.",
        rows=tuple(rows),
    )


def draw(facts: ImportanceFacts) -> "Figure":
    count = len(facts.rows)
    figure = picture.frame(8, 2.0 + 0.42 * max(count, 3), facts.title, facts.caption)
    axes = figure.subplots()
    floor = 0.01  # in points of a per cent, where a log axis needs an end: an effect of 0 lies at it
    for y, row in enumerate(facts.rows):
        effect, noise = max(100 * row.effect, floor), max(100 * row.noise, floor)
        matters = row.p <= 0.05
        # Only places mean something on a log axis, lengths do not: the line leads from the seed's spread to the knob's.
        axes.plot([noise, effect], [y, y], color="#c8c8c8", linewidth=2, zorder=2)
        axes.plot(noise, y, "|", color=GREY, markersize=15, markeredgewidth=3, label="seed alone" if y == 0 else None)
        axes.plot(effect, y, "o", color=BLUE, mfc=BLUE if matters else "white", markersize=9, zorder=4)
        axes.annotate(
            f"{100 * row.effect:.2f}" if 100 * row.effect >= floor else f"< {floor}",
            (effect, y),
            xytext=(10 if effect >= noise else -10, 0),
            textcoords="offset points",
            ha="left" if effect >= noise else "right",  # away from the seed's mark
            va="center",
            fontsize=10.5,
        )
    axes.plot([], [], "o", color=BLUE, label="knob (p ≤ 0.05)")
    axes.plot([], [], "o", color=BLUE, mfc="white", label="knob (no effect shown)")
    picture.log_axis(axes)
    shown = [max(100 * value, floor) for row in facts.rows for value in (row.effect, row.noise)]
    axes.set_xlim(min(shown) / 3, max(shown) * 2.5)
    picture.row_labels(axes, [row.sweep for row in facts.rows])
    axes.set_xlabel("effect on validation accuracy (points of a per cent, log scale)")
    picture.legend(axes)
    return figure
