"""What all drawings share: colours, style, the frame around a plot, axes, rows, notes; and a figure made a PNG.

Numbers come as fractions and are shown in per cent. matplotlib is imported only where something is drawn.
"""

import io
import math
import statistics
import textwrap
from collections.abc import Callable, Sequence
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
GREY = "#666666"
OFF_MIDDLE = {"validation": -0.13, "test": 0.13}  # of a row: the two stand one above the other
DPI = 110
STYLE = {
    "font.size": 12, "axes.titlesize": 13, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 12, "xtick.labelsize": 11, "ytick.labelsize": 11, "legend.fontsize": 10.5,
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
    figure.suptitle(textwrap.fill(title, int(width * 10.5)), x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.supxlabel(textwrap.fill(caption, int(width * 12.5)), x=0.01, ha="left", fontsize=10.5, color=GREY)
    return figure


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


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
    axes: "Axes", name: str, places: Sequence[float], bars: "Sequence[Bar]", across: bool, **style: Any
) -> None:
    """Validation filled and blue, test open and orange; the intervals run along y, or ``across`` along x."""
    color, marker, face = (BLUE, "o", BLUE) if name == "validation" else (ORANGE, "s", "white")
    means = [100 * bar.mean for bar in bars]
    halves = [100 * (bar.half_width or 0.0) for bar in bars]
    widths = [  # to the left and to the right (or down and up), within 0 and 100 %
        [min(half, mean) for half, mean in zip(halves, means, strict=True)],
        [min(half, 100.0 - mean) for half, mean in zip(halves, means, strict=True)],
    ]
    style |= {"color": color, "marker": marker, "markerfacecolor": face, "label": name}
    for place, bar in zip(places, bars, strict=True):  # too few for an interval: each run, small
        at, runs = [place] * len(bar.runs), [100 * run for run in bar.runs]
        axes.plot(*((runs, at) if across else (at, runs)), marker, color=color, markersize=3.5, alpha=0.7, zorder=3)
    if across:
        axes.errorbar(means, list(places), xerr=widths, **style)
    else:
        axes.errorbar(list(places), means, yerr=widths, **style)


def dots(axes: "Axes", name: str, bars: "Sequence[Bar | None]", low: float) -> None:
    """A dot with its interval for each row from the top that has a bar of ``low`` per cent or more."""
    shown = [(y + OFF_MIDDLE[name], bar) for y, bar in enumerate(bars) if bar and 100 * bar.mean >= low]
    if shown:
        places, seen = [y for y, _ in shown], [bar for _, bar in shown]
        error_bars(axes, name, places, seen, across=True, linestyle="none", markersize=6, capsize=2.5, linewidth=1.6)


def row_labels(axes: "Axes", labels: Sequence[str], bold: Sequence[bool] = ()) -> None:
    """Rows from the top, each with its label, in two lines at most: words that tell two apart may be the last."""
    texts = [textwrap.fill(label, 48, max_lines=2, placeholder="…") for label in labels]
    axes.set_yticks(range(len(labels)), texts)
    for tick, heavy in zip(axes.get_yticklabels(), bold, strict=False):
        tick.set_fontweight("bold" if heavy else "normal")
    axes.set_ylim(len(labels) - 0.4, -0.6)


def beside(axes: "Axes", text: str, y: float) -> None:
    """A note at the left edge, on what lies beyond it."""
    left = axes.get_yaxis_transform()
    axes.annotate(text, (0.01, y), xycoords=left, va="center", fontsize=10, color=VERMILION, zorder=6)


def lost_words(lost: "Lost") -> list[str]:
    """``2/3 diverged``, a line a way to be lost."""
    counts = (("diverged", lost.diverged), ("failed", lost.failed))
    return [f"{count}/{lost.of} {status}" for status, count in counts if count]


def aim(line: Callable[..., Any], target: float | None) -> None:
    """The line of the test set's aim, along or across; nothing without one."""
    if target is not None:
        line(100 * target, color=GREEN, linestyle="-.", linewidth=1.6, label="aim (test)", zorder=1)


def number_ticks(axes: "Axes", values: Sequence[float], log: bool) -> None:
    """The grid's own values as ticks, where they have the room."""
    from matplotlib.ticker import NullLocator

    if len(values) <= 9:
        axes.set_xticks(list(values), [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
    elif log:
        log_axis(axes)


def log_axis(axes: "Axes") -> None:
    """A log x axis with plain numbers: 1, 2, 5, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


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
