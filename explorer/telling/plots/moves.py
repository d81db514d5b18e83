"""How the best setting moves with the value that is asked about: a panel a nuisance, a row a value."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.asking.ranges import Range
from explorer.fields import text_of
from explorer.judging.studies import ContenderResult, StudyResult
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, axis_of, names_of_points, study_heading
from explorer.telling.plots.picture import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 3


@dataclass(frozen=True)
class Row:
    """A value in a panel: the places of its tries from the worst to the best, and of its best setting. ``low`` and
    ``high`` are the ends of its range; None where the nuisance does not apply to it."""

    tries: tuple[float, ...]
    best: float | None
    low: float | None
    high: float | None
    edge: bool


@dataclass(frozen=True)
class Panel:
    """A nuisance. ``words``: what its places 0, 1, 2, ... are called, where it takes words."""

    axis: str
    log: bool
    words: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class MovesFacts(Facts):
    """``labels``: the values of ``names``, a row each."""

    names: str
    labels: tuple[str, ...]
    panels: tuple[Panel, ...]


def facts(judged: StudyResult) -> MovesFacts | None:
    """None as long as no value has its best setting."""
    rows = [one for one in judged.contenders if one.tries]
    if not any(one.setting for one in rows):
        return None
    names = names_of_points([one.label for one in rows], judged.question.scientific)
    return MovesFacts(
        title=study_heading(judged),
        caption="The best setting of each value (diamond; hollow where it lies at the edge of its range), among its "
        "tries: the darker, the better.",
        names=names.shared,
        labels=names.labels,
        panels=tuple(_panel(field, rows) for field in judged.question.nuisances[:PANELS]),
    )


def _panel(field: str, rows: list[ContenderResult]) -> Panel:
    ranges = {one.label: next((part for part in one.contender.ranges if part.field == field), None) for one in rows}
    known = [one for one in ranges.values() if one is not None]
    words = tuple(dict.fromkeys(text_of(value) for one in known for value in one.values if not one.numbers))
    return Panel(
        axis_of(field),
        not words and all(one.log or (len(one.numbers) > 2 and min(one.numbers) > 0) for one in known),
        words,
        tuple(_row(field, one, ranges[one.label], words) for one in rows),
    )


def _row(field: str, one: ContenderResult, range_: Range | None, words: tuple[str, ...]) -> Row:
    if range_ is None:
        return Row((), None, None, None, False)

    def place(value: object) -> float:
        return float(words.index(text_of(value))) if words else float(str(value))

    tries = sorted((tried for tried in one.tries if field in tried.setting), key=lambda tried: tried.accuracy)
    ends = [place(value) for value in range_.values] or [range_.low, range_.high]
    best = place(one.setting[field]) if one.setting else None
    at_edge = field in [name for name, _ in one.edges]
    return Row(tuple(place(tried.setting[field]) for tried in tries), best, min(ends), max(ends), at_edge)


def draw(facts: MovesFacts) -> "Figure":
    rows, count = len(facts.labels), len(facts.panels)
    figure = picture.frame(8 if count < 3 else 10, 2.2 + picture.rows_height(facts.labels), facts.title, facts.caption)
    every = figure.subplots(1, count, squeeze=False)[0]
    for number, (axes, panel) in enumerate(zip(every, facts.panels, strict=True)):
        _draw_panel(axes, panel, most=6 // count + 2)
        picture.row_labels(axes, facts.labels if number == 0 else [""] * rows)
        if number:
            axes.tick_params(axis="y", length=0)
    every[0].set_ylabel(facts.names)
    return figure


def _draw_panel(axes: "Axes", panel: Panel, most: int) -> None:
    """``most``: so many numbers have room on the axis."""
    for y, row in enumerate(panel.rows):
        if row.low is None or row.high is None:
            axes.annotate(
                "does not apply", (0.5, y), xycoords=axes.get_yaxis_transform(), ha="center", va="center",
                fontsize=picture.SMALL,
                color=GREY,
            )  # fmt: skip
            continue
        axes.plot([row.low, row.high], [y, y], "|-", color=GREY, linewidth=1.0, markersize=9, zorder=1)
        for rank, value in enumerate(row.tries, 1):
            axes.plot(value, y, "o", color=BLUE, alpha=0.08 + 0.5 * (rank / len(row.tries)) ** 2, markersize=6,
                      markeredgewidth=0, zorder=2)  # fmt: skip
        if row.best is not None:
            axes.plot(row.best, y, "D", color=VERMILION, markersize=8, mfc="white" if row.edge else VERMILION,
                      mew=1.6, zorder=4)  # fmt: skip
    from matplotlib.ticker import MaxNLocator

    if panel.words:
        axes.set_xticks(range(len(panel.words)), panel.words, rotation=30 if len(panel.words) > 4 else 0)
    if panel.log:
        ends = [end for row in panel.rows for end in (row.low, row.high) if end]
        room = (max(ends) / min(ends)) ** 0.08
        picture.log_axis(axes, "x", (min(ends) / room, max(ends) * room), most)
    elif not panel.words:
        axes.xaxis.set_major_locator(MaxNLocator(most))
        axes.margins(x=0.08)
    axes.set_xlabel(panel.axis)
