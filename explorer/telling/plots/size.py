"""What more units give and cost: accuracy against training seconds and against parameters, a line a depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.judging.sizes import Sizes, sizes_of
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, bar_of, heading, seeds_words, study_heading
from explorer.telling.plots.picture import BLACK, SERIES
from explorer.telling.words import knob_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = (*SERIES, BLACK)
MARKERS = "os^Dv*"


@dataclass(frozen=True)
class Line:
    """Nets of growing width: mean training seconds, parameters and validation accuracy of each."""

    name: str
    widths: tuple[str, ...]
    seconds: tuple[float, ...]
    parameters: tuple[int, ...]
    accuracy: tuple[Bar, ...]


@dataclass(frozen=True)
class SizeFacts(Facts):
    lines: tuple[Line, ...]


def facts(judged: SweepResult | StudyResult) -> SizeFacts | None:
    """None of what is not about the width of nets, and of more lines than can be told apart."""
    found = sizes_of(judged)
    if found is None or not 0 < len(found.lines) <= len(COLORS):
        return None
    lines = tuple(
        Line(
            name,
            tuple(one.value for one in line),
            tuple(one.seconds for one in line),
            tuple(one.parameters for one in line),
            tuple(bar for one in line if (bar := bar_of(one.scores))),
        )
        for name, line in found.lines.items()
    )
    study = isinstance(judged, StudyResult)
    return SizeFacts(
        title=study_heading(judged) if isinstance(judged, StudyResult) else heading(judged),
        caption=f"{_told(found)} {seeds_words([bar.n for line in lines for bar in line.accuracy])}"
        f"{', fresh ones, each value at its own best setting' if study else ''}; 95 % intervals. Training seconds "
        "without compiling and looking.",
        lines=lines,
    )


def _told(found: Sizes) -> str:
    """Which widths the dots of the lines are, the fewest parameters first."""
    each = dict.fromkeys(tuple(one.value for one in line) for line in found.lines.values())
    (widths, *others) = each
    return f"Dots along a line: {knob_name(found.knob)} {', '.join(widths) if not others else 'growing'}."


def draw(facts: SizeFacts) -> "Figure":
    figure = picture.frame(11, 5.2, facts.title, facts.caption)
    left, right = figure.subplots(1, 2, sharey=True)
    scale = picture.scale([bar for line in facts.lines for bar in line.accuracy])
    scale.put_on(left, across=False)
    for number, line in enumerate(facts.lines):
        thousands = tuple(parameters / 1000 for parameters in line.parameters)
        for axes, across in ((left, line.seconds), (right, thousands)):
            shown = [(x, bar) for x, bar in zip(across, line.accuracy, strict=True) if not scale.is_beyond(bar.mean)]
            axes.errorbar(
                [x for x, _ in shown], [scale.of(bar.mean) for _, bar in shown],
                yerr=list(zip(*(scale.arms(bar) for _, bar in shown), strict=True)) or None,
                color=COLORS[number], marker=MARKERS[number], label=line.name, elinewidth=1.0, capsize=3,
            )  # fmt: skip
            if len(facts.lines) == 1:
                _name_dots(axes, line, across, scale)
    ends = [[value for line in facts.lines for value in line.seconds if value > 0]]
    ends.append([value / 1000 for line in facts.lines for value in line.parameters])
    for axes, what, values in ((left, "training time (seconds", ends[0]), (right, "parameters (thousands", ends[1])):
        if values:
            room = 1.05 * (max(values) / min(values)) ** 0.08
            picture.log_axis(axes, "x", (min(values) / room, max(values) * room), most=5)
        axes.set_xlabel(f"{what}, log scale)")
    left.set_ylabel(scale.label("validation"))
    if len(facts.lines) > 1:  # in one row over both panels, which must not make room for it beside each other
        left.set_title(" ")
        legend = left.legend(
            loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(facts.lines), borderaxespad=0.2, columnspacing=1.2
        )
        legend.set_in_layout(False)
    return figure


def _name_dots(axes: "Axes", line: Line, across: Sequence[float], scale: picture.Scale) -> None:
    """Each width beside its dot; the last one's to its left, where the axes end."""
    last = len(across) - 1
    for place, (x, bar) in enumerate(zip(across, line.accuracy, strict=True)):
        if not scale.is_beyond(bar.mean):
            axes.annotate(
                line.widths[place], (x, scale.of(bar.mean)), xytext=(-7, -15) if place == last else (7, 7),
                ha="right" if place == last else "left", textcoords="offset points", fontsize=picture.SMALL,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.4},
            )  # fmt: skip
