"""What all drawings share: colours, style, the frame around a plot, axes, rows, notes; and a figure made a PNG.

Accuracies come as fractions and are shown in per cent; near 100 %, where they would lie flat, as errors on a log axis.
All is to be read at half size, too: no letter is smaller than SMALL. matplotlib is imported only where something is
drawn.
"""

import io
import itertools
import math
import statistics
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from explorer.judging.runs import Lost
    from explorer.telling.plots.facts import Bar

# Okabe and Ito's palette: told apart with every common colour blindness.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#000000",
)  # fmt: skip
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
GREY, PALE = "#5c5c5c", "#b4b4b4"
SMALL = 11.5  # points
OFF_MIDDLE = {"validation": -0.13, "test": 0.13}  # of a row: the two stand one above the other
DPI = 110
STYLE = {
    "font.size": 13, "axes.titlesize": 13, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 13, "xtick.labelsize": 12, "ytick.labelsize": 12, "legend.fontsize": 12,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e3e3e3",
    "axes.axisbelow": True, "lines.linewidth": 2.0, "lines.markersize": 7, "errorbar.capsize": 4,
    "legend.frameon": False, "figure.facecolor": "white", "savefig.facecolor": "white",
    "text.parse_math": False,  # titles and labels are people's own words: a $ in them starts no formula
}  # fmt: skip


def png_of(draw: "Callable[[], Figure]") -> bytes:
    """The figure that ``draw`` makes, in our style and no other: a person's own matplotlibrc changes nothing."""
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with matplotlib.style.context(["default", STYLE]):
        figure = draw()
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return _in_few_colors(buffer)


def _in_few_colors(png: io.BytesIO) -> bytes:
    """The PNG with a palette of 256 colours, a third of the size: the pictures are a few colours and their edges."""
    from PIL import Image

    image = Image.open(png).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def frame(width: float, height: float, title: str, caption: str) -> "Figure":
    """An empty figure (inches) with its title above and its caption below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(textwrap.fill(title, int(width * 8.4)), x=0.01, ha="left", fontsize=14, fontweight="bold")
    figure.supxlabel(textwrap.fill(caption, int(width * 11.7)), x=0.01, ha="left", fontsize=SMALL, color=GREY)
    return figure


def wrapped(text: str, width: int) -> str:
    """Text in as many lines as it takes: nothing of it is cut, for the words that tell two apart may be the last."""
    return textwrap.fill(text, width, break_on_hyphens=False)


NEAR_ALL = 0.95  # from here on accuracies are shown as errors
NO_ERROR = 0.01  # per cent, where a log axis needs an end


@dataclass(frozen=True)
class Scale:
    """How accuracies, fractions, lie on an axis: in per cent, or as ``error`` in per cent on a log axis, where halving
    the errors is as long a way at 99 % as at 90 %. ``low`` and ``high`` are its ends, in what it shows."""

    error: bool
    low: float
    high: float

    def of(self, accuracy: float) -> float:
        """What is shown of an accuracy; no error at all lies at the axis's end."""
        return max(100.0 * (1.0 - accuracy), self.low) if self.error else 100.0 * accuracy

    def is_beyond(self, accuracy: float) -> bool:
        """Whether it is worse than all that the axis shows."""
        return self.of(accuracy) > self.high if self.error else self.of(accuracy) < self.low

    def arms(self, bar: "Bar") -> tuple[float, float]:
        """How far a mean's interval goes down and up the axis, within 0 and 100 %."""
        here, half = self.of(bar.mean), 100 * (bar.half_width or 0.0)
        return min(half, max(here - self.low, 0.0) if self.error else here), min(half, 100.0 - here)

    def label(self, whose: str = "") -> str:
        return f"{whose} {'error (%, log scale)' if self.error else 'accuracy (%)'}".strip()

    def put_on(self, axes: "Axes", across: bool) -> None:
        """Makes it the axes' x axis, where ``across``, or their y axis."""
        if self.error:
            log_axis(axes, "x" if across else "y", (self.low, self.high))
        else:
            (axes.set_xlim if across else axes.set_ylim)(self.low, self.high)


def scale(bars: "Sequence[Bar]", more: Sequence[float] = ()) -> Scale:
    """The axis that shows the good points apart. ``more`` are fractions to keep in sight."""
    if max(bar.mean for bar in bars) < NEAR_ALL:
        return Scale(False, *limits(bars, more))
    return Scale(True, *error_limits(bars, more))


def error_limits(bars: "Sequence[Bar]", more: Sequence[float] = ()) -> tuple[float, float]:
    """The ends of a log axis of errors in per cent: as `limits`, but what is far below the rest is so by its ratio."""
    errors = sorted(max(100 * (1 - bar.mean), NO_ERROR) for bar in bars)
    best, middle, worst = errors[0], errors[len(errors) // 2], errors[-1]
    reach = max(math.log(middle / best) * 3, math.log(5)) if len(errors) >= 4 else math.inf
    if math.log(worst / best) > 1.6 * reach:
        worst = best * math.exp(reach)
    seen = [(max(100 * (1 - bar.mean), NO_ERROR), 100 * (bar.half_width or 0.0)) for bar in bars]
    seen = [(error, half) for error, half in seen if error <= worst]
    widths = [half for _, half in seen if half]
    widest = 3 * statistics.median(widths) if widths else 0.0
    ends = [
        end for error, half in seen for end in (max(error - min(half, widest), error / 3), error + min(half, widest))
    ]
    ends += [max(100 * (1 - value), NO_ERROR) for value in more if 100 * (1 - value) <= worst * 1.5]
    low, high = min(ends), max(ends)
    room = max(high / low, 1.2) ** 0.06
    return low / room, min(high * room, 100.0)


def limits(bars: "Sequence[Bar]", more: Sequence[float] = ()) -> tuple[float, float]:
    """An axis in per cent that shows the good points apart: those far below the rest fall off it, as do ends of
    intervals many times the others'. ``more`` are fractions to keep in sight."""
    means = sorted((100 * bar.mean for bar in bars), reverse=True)
    top, middle = means[0], means[len(means) // 2]
    # Far below: by a multiple of what lies between the best and the middle, once there is a middle to speak of.
    reach = max(3 * (top - middle), 1.0) if len(means) >= 4 else math.inf
    lowest = top - reach if top - means[-1] > 1.6 * reach else means[-1]
    seen = [bar for bar in bars if 100 * bar.mean >= lowest]
    widths = [100 * bar.half_width for bar in seen if bar.half_width is not None]
    widest = 3 * statistics.median(widths) if widths else 0.0
    ends = [100 * bar.mean + sign * min(100 * (bar.half_width or 0.0), widest) for bar in seen for sign in (-1, 1)]
    ends = [min(max(end, 0.0), 100.0) for end in ends]  # no interval of an accuracy goes beyond
    ends += [100 * value for value in more if 100 * value >= lowest - reach / 2]
    low, high = min(ends), max(ends)
    room = 0.06 * max(high - low, 0.4)
    return max(low - room, -1.0), min(high + room, max(100.2, top + 0.2))


def error_bars(
    axes: "Axes", name: str, places: Sequence[float], bars: "Sequence[Bar]", scale: Scale, across: bool, **style: Any
) -> None:
    """Validation filled and blue, test open and orange; the intervals run along y, or ``across`` along x."""
    color, marker, face = (BLUE, "o", BLUE) if name == "validation" else (ORANGE, "s", "white")
    means, widths = [scale.of(bar.mean) for bar in bars], list(zip(*map(scale.arms, bars), strict=True))
    style |= {"color": color, "marker": marker, "markerfacecolor": face, "label": name}
    for place, bar in zip(places, bars, strict=True):  # too few for an interval: each run, small
        at, runs = [place] * len(bar.runs), [scale.of(run) for run in bar.runs]
        axes.plot(*((runs, at) if across else (at, runs)), marker, color=color, markersize=3.5, alpha=0.7, zorder=3)
    if across:
        axes.errorbar(means, list(places), xerr=widths, **style)
    else:
        axes.errorbar(list(places), means, yerr=widths, **style)


def dots(axes: "Axes", name: str, bars: "Sequence[Bar | None]", scale: Scale) -> None:
    """A dot with its interval for each row from the top that has a bar within the axis."""
    shown = [(y + OFF_MIDDLE[name], bar) for y, bar in enumerate(bars) if bar and not scale.is_beyond(bar.mean)]
    if shown:
        places, seen = [y for y, _ in shown], [bar for _, bar in shown]
        style = {"linestyle": "none", "markersize": 7, "capsize": 2.5, "linewidth": 1.8}
        error_bars(axes, name, places, seen, scale, across=True, **style)


ROW_LABEL = 50  # letters in a line of a row's label


def rows_height(labels: Sequence[str], each: float = 0.42) -> float:
    """Inches that rows with these labels take, ``each`` at least; never less than three of them."""
    lines = [wrapped(label, ROW_LABEL).count("\n") + 1 for label in labels]
    most = max((sum(pair) for pair in itertools.pairwise(lines)), default=1) / 2  # of two that lie side by side
    return max(each, 0.1 + 0.19 * most) * max(len(labels), 3)


def row_labels(axes: "Axes", labels: Sequence[str], bold: Sequence[bool] = ()) -> None:
    """Rows from the top, each with its label."""
    axes.set_yticks(range(len(labels)), [wrapped(label, ROW_LABEL) for label in labels])
    for tick, heavy in zip(axes.get_yticklabels(), bold, strict=False):
        tick.set_fontweight("bold" if heavy else "normal")
    axes.set_ylim(len(labels) - 0.4, -0.6)


def beside(axes: "Axes", text: str, y: float, scale: Scale, beyond: bool = True, color: str = VERMILION) -> None:
    """A note at the edge where the worst lies, on what is ``beyond`` it, or is nowhere at all."""
    right = scale.error
    if beyond:
        text = f"{text} ▶" if right else f"◀ {text}"
    axes.annotate(
        text, (0.99 if right else 0.01, y), xycoords=axes.get_yaxis_transform(), ha="right" if right else "left",
        va="center", fontsize=SMALL, color=color, zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )  # fmt: skip


def end_labels(axes: "Axes", ends: "Sequence[tuple[float, float, str, str]]", width: int = 22) -> None:
    """The names of lines at the right edge, in place of a legend, each as high as its line ends or next to that.

    ``ends``: x and y of a line's end, its name, its colour. To be called once the axes have their limits.
    """
    right = axes.get_xlim()[1]
    to_share = axes.transScale + axes.transLimits
    told = sorted(
        (float(to_share.transform((x, y))[1]), x, y, wrapped(name, width), color) for x, y, name, color in ends
    )
    figure = axes.get_figure(root=True)
    inches = figure.get_size_inches()[1] - 1.6 if figure else 1.0  # of the axes, about
    halves = [(0.13 + 0.19 * name.count("\n") / 2) / inches + 0.008 for _, _, _, name, _ in told]
    for (_, x, y, name, color), place in zip(told, _spread([share for share, *_ in told], halves), strict=True):
        if x < right:
            axes.plot([x, right], [y, y], ":", color=color, linewidth=1.0, zorder=1)
        axes.annotate(
            name, (1.015, place), xycoords="axes fraction", ha="left", va="center", fontsize=12, color=color,
            fontweight="bold", linespacing=0.95, annotation_clip=False,
        )  # fmt: skip


def _spread(places: Sequence[float], halves: Sequence[float]) -> list[float]:
    """Ascending places moved apart until none is nearer to the next than their halves, as little as that takes."""
    groups: list[tuple[float, list[int]]] = []  # where a block of touching names begins, and whose names they are
    for index in range(len(places)):
        groups.append((places[index] - halves[index], [index]))
        while len(groups) > 1:
            (below, first), (above, second) = groups[-2:]
            if above >= below + 2 * sum(halves[one] for one in first):
                break
            members, offset, starts = first + second, 0.0, []
            for one in members:
                starts.append(places[one] - halves[one] - offset)
                offset += 2 * halves[one]
            groups[-2:] = [(statistics.fmean(starts), members)]
    found = []
    for start, members in groups:
        for one in members:
            found.append(start + halves[one])
            start += 2 * halves[one]
    return found


def lost_words(lost: "Lost") -> list[str]:
    """``2/3 diverged``, a line a way to be lost."""
    counts = (("diverged", lost.diverged), ("failed", lost.failed))
    return [f"{count}/{lost.of} {status}" for status, count in counts if count]


def aim(line: Callable[..., Any], target: float | None, scale: Scale) -> None:
    """The line of the test set's aim, along or across; nothing without one."""
    if target is not None:
        line(scale.of(target), color=GREEN, linestyle="-.", linewidth=1.6, label="aim (test)", zorder=1)


def number_ticks(axes: "Axes", values: Sequence[float], log: bool) -> None:
    """The grid's own values as ticks, where they have the room."""
    from matplotlib.ticker import NullLocator

    if len(values) <= 9:
        axes.set_xticks(list(values), [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
    elif log:
        log_axis(axes)


def log_axis(axes: "Axes", which: str = "x", ends: tuple[float, float] | None = None, most: int = 8) -> None:
    """A log axis with plain numbers, ``most`` of them; its ends are given, or those of what is drawn so far."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis, set_ends = (axes.xaxis, axes.set_xlim) if which == "x" else (axes.yaxis, axes.set_ylim)
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = sorted(ends or (axes.get_xlim() if which == "x" else axes.get_ylim()))
    set_ends(low, high)
    axis.set_major_locator(FixedLocator(plain_ticks(low, high, most)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def plain_ticks(low: float, high: float, most: int) -> list[float]:
    """Numbers a reader takes in at once between two ends of a log axis: as many as fit, ``most`` at most."""
    from matplotlib.ticker import MaxNLocator

    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found: list[float] = []
    for parts in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 6, 8)):
        ticks = [part * 10.0**power for power in range(first, last + 1) for part in parts]
        ticks = [float(f"{tick:.3g}") for tick in ticks if low <= tick <= high]
        found = ticks if len(ticks) <= most else found
    if len(found) < 3:
        found = [float(tick) for tick in MaxNLocator(min(most, 5)).tick_values(low, high) if low <= tick <= high]
    return found


def legend(axes: "Axes", side: str = "left") -> None:
    """Above the axes, under the title, where it can cover nothing: in a row from the left or up to the right edge, or
    with long labels (then also for one alone) one below the other."""
    handles, labels = axes.get_legend_handles_labels()
    fits = sum(len(label) + 6 for label in labels) < 90
    if len(labels) > 1 or not fits:
        axes.legend(
            handles,
            [textwrap.fill(label, 84) for label in labels],
            loc="lower left" if side == "left" else "lower right",
            bbox_to_anchor=(0.0 if side == "left" else 1.0, 1.0),
            ncols=len(labels) if fits else 1,
            borderaxespad=0.2,
            columnspacing=1.4,
        )
