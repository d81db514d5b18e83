"""Accuracy by knob: a line along a numeric axis, else a row of dots a point, best first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.judging import stats
from explorer.judging.runs import Lost
from explorer.judging.sweeps import SweepResult
from explorer.telling.names import aim_of
from explorer.telling.plots import picture
from explorer.telling.plots.facts import (
    Bar,
    Facts,
    axis_of,
    bar_of,
    heading,
    intervals_of,
    names_of_points,
    seeds_words,
)
from explorer.telling.plots.picture import BLACK, BLUE, GREY, ORANGE, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Row:
    """One point of a sweep. ``name``: what tells it from the other rows; x is set on a numeric axis; ``reference`` is a
    published figure."""

    label: str
    name: str
    x: float | None
    validation: Bar | None
    test: Bar | None
    reference: float | None
    lost: Lost

    @property
    def shown(self) -> Bar | None:
        """The bar that places the row: validation's, the test set's where there is no other."""
        return self.validation or self.test


@dataclass(frozen=True)
class AccuracyFacts(Facts):
    """``axis`` names the x axis; None: a dot plot, whose rows are values of ``names`` (empty where they are of
    nothing in common). ``target`` is the test set's aim, where it comes into sight."""

    axis: str | None
    names: str
    log: bool
    rows: tuple[Row, ...]
    baseline: str | None
    winner: str | None
    target: float | None

    @property
    def bars(self) -> list[Bar]:
        return [bar for row in self.rows for bar in (row.validation, row.test) if bar]

    @property
    def kept_in_sight(self) -> list[float]:
        """Figures that an axis should reach, though no run of ours has them."""
        references = [row.reference for row in self.rows if row.reference is not None]
        return references + ([self.target] if self.target is not None else [])


def facts(judged: SweepResult) -> AccuracyFacts | None:
    """Every point with its figures: in the order of x on a numeric axis, else the best validation mean first.

    None where no run ended well.
    """
    knob = judged.numeric_knob
    tried = [outcome for outcome in judged.distinct if outcome.records]
    names = names_of_points([outcome.label for outcome in tried], judged.sweep.knobs)
    rows = [
        Row(
            outcome.label,
            name,
            float(outcome.point.values[knob]) if knob else None,
            bar_of(outcome.validation),
            bar_of(outcome.test),
            outcome.point.reference,
            outcome.lost,
        )
        for outcome, name in zip(tried, names.labels, strict=True)
    ]
    if not any(row.shown for row in rows):
        return None
    if knob:
        rows.sort(key=lambda row: row.x if row.x is not None else 0.0)
    else:
        rows.sort(key=lambda row: -row.shown.mean if row.shown else 1.0)
    present = {row.label for row in rows}
    counts = [row.test.n for row in rows if row.test]
    return AccuracyFacts(
        title=heading(judged),
        caption=f"{'Mean and 95 % interval' if intervals_of(counts) else 'The runs, too few for intervals'}, "
        f"{seeds_words(counts)}. Validation chooses; test is only reported." + ("" if knob else " Bold: the best."),
        axis=axis_of(knob) if knob else None,
        names="" if knob else names.shared,
        log=bool(knob) and is_geometric([row.x for row in rows if row.x is not None]),
        rows=tuple(rows),
        baseline=judged.baseline if judged.baseline in present else None,
        winner=judged.winner.label if judged.winner else None,
        target=_target_in_sight(judged),
    )


def is_geometric(values: Sequence[float]) -> bool:
    """Whether numbers ask for a log axis: all above 0, wide, and with steps about alike on it."""
    ordered = sorted(set(values))
    if len(ordered) < 3 or ordered[0] <= 0 or ordered[-1] / ordered[0] < 8:
        return False
    ratios = np.log(np.divide(ordered[1:], ordered[:-1]))
    return float(ratios.max() / ratios.min()) < 2.35  # 1, 3, 10, 100 is such a grid, 1, 2, 3, 4, 8 is not


def _target_in_sight(judged: SweepResult) -> float | None:
    """The aim for the test set, where a point comes within a point of a per cent of it."""
    target = aim_of(judged.request.model, judged.request.dataset)
    means = [stats.mean_interval(list(outcome.test.values())).mean for outcome in judged.distinct if outcome.test]
    return target if target is not None and means and max(means) >= target - 0.01 else None


def draw(facts: AccuracyFacts) -> "Figure":
    return _draw_line(facts, facts.axis) if facts.axis else _draw_dots(facts)


def _draw_line(facts: AccuracyFacts, axis: str) -> "Figure":
    figure = picture.frame(8, 5, facts.title, facts.caption)
    axes = figure.subplots()
    rows = [(row.x, row) for row in facts.rows if row.x is not None]
    if facts.log:
        axes.set_xscale("log")
    scale = picture.scale(facts.bars, facts.kept_in_sight)
    scale.put_on(axes, across=False)
    validation = [(x, row.validation) for x, row in rows if row.validation]
    test = [(x, row.test) for x, row in rows if row.test]
    for name, shown, line, color in (("test", test, ":", ORANGE), ("validation", validation, "-", BLUE)):
        axes.plot([x for x, _ in shown], [scale.of(bar.mean) for _, bar in shown], line, color=color, zorder=2)
        inside = [(x, bar) for x, bar in shown if not scale.is_beyond(bar.mean)]
        if inside:
            places, bars = [x for x, _ in inside], [bar for _, bar in inside]
            picture.error_bars(axes, name, places, bars, scale, across=False, linestyle="none", zorder=3)
    picture.aim(axes.axhline, facts.target, scale)
    for x, row in rows:
        if row.label == facts.baseline:
            axes.axvline(x, color=GREY, linestyle="--", linewidth=1.3, zorder=1, label="baseline")
        beyond = row.validation if row.validation and scale.is_beyond(row.validation.mean) else None
        notes = [f"{scale.of(beyond.mean):.1f} %"] if beyond else []
        notes += picture.lost_words(row.lost)
        if notes:
            above, edge = scale.error, axes.get_xaxis_transform()  # where the worst lies
            marker = "X" if not beyond else "^" if above else "v"
            axes.plot(x, 0.98 if above else 0.02, marker, color=VERMILION, transform=edge, clip_on=False, zorder=5)
            axes.annotate(
                "\n".join(notes),
                (x, 0.98 if above else 0.02),
                xycoords=edge,
                xytext=(0, -9 if above else 9),
                textcoords="offset points",
                ha="center",
                va="top" if above else "bottom",
                fontsize=picture.SMALL,
                color=VERMILION,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
                zorder=6,
            )
    picture.number_ticks(axes, [x for x, _ in rows], facts.log)
    axes.margins(x=0.06)
    axes.set_xlabel(axis)
    axes.set_ylabel(scale.label())
    picture.legend(axes)
    return figure


def _draw_dots(facts: AccuracyFacts) -> "Figure":
    count = len(facts.rows)
    names = [row.name for row in facts.rows]
    height = 2.2 + picture.rows_height(names, 0.38) if count <= 30 else 2.4 + 0.25 * count
    figure = picture.frame(8, height, facts.title, facts.caption)
    axes = figure.subplots()
    scale = picture.scale(facts.bars, facts.kept_in_sight)
    scale.put_on(axes, across=True)
    picture.dots(axes, "validation", [row.validation for row in facts.rows], scale)
    picture.dots(axes, "test", [row.test for row in facts.rows], scale)
    published = [(y, row.reference) for y, row in enumerate(facts.rows) if row.reference is not None]
    inside = [(y, reference) for y, reference in published if not scale.is_beyond(reference)]
    if inside:
        x = [scale.of(reference) for _, reference in inside]
        axes.plot(x, [y for y, _ in inside], "D", color=BLACK, mfc="none", label="published", zorder=4)
    picture.aim(axes.axvline, facts.target, scale)
    for y, row in enumerate(facts.rows):
        here = row.shown.mean if row.shown else None
        if row.label == facts.baseline and here is not None and not scale.is_beyond(here):
            axes.axvline(scale.of(here), color=GREY, linestyle="--", linewidth=1.3, zorder=1, label="baseline")
        notes = [f"{scale.of(here):.1f} %"] if here is not None and scale.is_beyond(here) else []
        if row.reference is not None and scale.is_beyond(row.reference):
            notes.append(f"published {scale.of(row.reference):.1f} %")
        beyond = bool(notes)
        notes += picture.lost_words(row.lost)
        if notes:
            picture.beside(axes, ", ".join(notes), y, scale, beyond)
    picture.row_labels(axes, names, [row.label == facts.winner for row in facts.rows])
    axes.set_xlabel(scale.label() + (": lower is better" if scale.error else ""))
    axes.set_ylabel(facts.names)
    picture.legend(axes, side="right")  # the labels at the left may leave the axes little room
    return figure
