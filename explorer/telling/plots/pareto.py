"""Accuracy against training time: which configurations nothing quicker beats."""

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.judging import stats
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, Pair, bar_of, seeds_words
from explorer.telling.plots.picture import GREY, VERMILION
from explorer.telling.words import short_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ParetoFacts(Facts):
    """Mean training seconds and validation accuracy of every configuration, quickest first."""

    labels: tuple[str, ...]
    seconds: tuple[float, ...]
    accuracy: tuple[Bar, ...]
    front: tuple[bool, ...]


def facts(pair: Pair) -> ParetoFacts | None:
    """Every configuration that validation ranks, against its training seconds; None for fewer than two."""
    runs = sorted((run for run in pair.ranked if run.mean_seconds > 0), key=lambda run: run.mean_seconds)
    if len(runs) < 2:
        return None
    bars = [bar_of(run.validation) for run in runs]
    accuracy = [shown for shown in bars if shown]
    front = stats.pareto_front([run.mean_seconds for run in runs], [shown.mean for shown in accuracy])
    return ParetoFacts(
        title=f"Accuracy against training time: {pair.name}",
        caption=f"{len(runs)} configurations, {seeds_words([shown.n for shown in accuracy])}; "
        "training seconds without compiling and looking.",
        labels=tuple(short_name(run.config) for run in runs),
        seconds=tuple(run.mean_seconds for run in runs),
        accuracy=tuple(accuracy),
        front=tuple(map(bool, front)),
    )


def draw(facts: ParetoFacts) -> "Figure":
    figure = picture.frame(8, 6.2, facts.title, facts.caption)
    axes = figure.subplots()
    seconds, means = np.array(facts.seconds), np.array([100 * item.mean for item in facts.accuracy])
    front = np.array(facts.front)
    low, high = picture.limits(facts.accuracy)
    axes.set_xscale("log")
    axes.set_ylim(low, high)
    widths = np.array([100 * (item.half_width or 0.0) for item in facts.accuracy])
    widths = np.array([np.minimum(widths, means), np.minimum(widths, 100 - means)])  # down and up, within 0 and 100 %
    axes.errorbar(
        seconds[front],
        means[front],
        yerr=widths[:, front],
        label="Pareto front",
        color=VERMILION,
        marker="o",
        zorder=3,
        capsize=3,
    )
    axes.plot(seconds[~front], means[~front], "o", color=GREY, alpha=0.45, markersize=5, label="other configurations")
    shown = [int(index) for index in np.flatnonzero(front) if means[index] >= low]
    # A long front cannot name every point: its ends and some between, numbered, with a key below the plot.
    picked = shown if len(shown) <= 8 else [shown[round(i * (len(shown) - 1) / 7)] for i in range(8)]
    for number, index in enumerate(picked, start=1):
        axes.annotate(
            str(number),
            (seconds[index], means[index]),
            xytext=(-11, 6),
            textcoords="offset points",
            fontsize=11,
            fontweight="bold",
            color=VERMILION,
        )
    axes.set_xlabel("training time (seconds, log scale)")
    axes.set_ylabel("validation accuracy (%)")
    picture.log_axis(axes)
    picture.legend(axes)
    key = [
        textwrap.fill(f"{number}  {facts.labels[index]}", 105, subsequent_indent="    ")
        for number, index in enumerate(picked, start=1)
    ]
    hidden = int((means < low).sum())
    key += [f"{hidden} of them lie below the axis"] if hidden else []
    axes.annotate("\n".join(key), (0.0, 0.0), xytext=(0, -48), va="top", fontsize=10, color=VERMILION,
                  xycoords="axes fraction", textcoords="offset points")  # fmt: skip
    return figure
