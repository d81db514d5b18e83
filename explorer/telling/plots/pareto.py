"""Accuracy against training time: which configurations nothing quicker beats."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.judging import stats
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, Pair, bar_of, names_of_configs, seeds_words
from explorer.telling.plots.picture import GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 8


@dataclass(frozen=True)
class ParetoFacts(Facts):
    """Mean training seconds and validation accuracy of every configuration, quickest first. ``named``: places of some
    that nothing quicker beats, from end to end, and ``labels`` what they do not all share."""

    seconds: tuple[float, ...]
    accuracy: tuple[Bar, ...]
    front: tuple[bool, ...]
    named: tuple[int, ...]
    labels: tuple[str, ...]


def facts(pair: Pair) -> ParetoFacts | None:
    """Every configuration that validation ranks, against its training seconds; None for fewer than two."""
    runs = sorted((run for run in pair.ranked if run.mean_seconds > 0), key=lambda run: run.mean_seconds)
    if len(runs) < 2:
        return None
    bars = [bar_of(run.validation) for run in runs]
    accuracy = [shown for shown in bars if shown]
    front = stats.pareto_front([run.mean_seconds for run in runs], [shown.mean for shown in accuracy])
    scale = picture.scale(accuracy)
    seen = [place for place, bar in enumerate(accuracy) if front[place] and not scale.is_beyond(bar.mean)]
    # A long front cannot name every point: its ends and some between.
    named = seen if len(seen) <= NAMED else [seen[round(i * (len(seen) - 1) / (NAMED - 1))] for i in range(NAMED)]
    names = names_of_configs([runs[place].config for place in named])
    hidden = sum(scale.is_beyond(bar.mean) for bar in accuracy)
    return ParetoFacts(
        title=f"{'Error' if scale.error else 'Accuracy'} against training time: {pair.name}",
        caption=f"{len(runs)} configurations, {seeds_words([shown.n for shown in accuracy])}; "
        "training seconds without compiling and looking."
        + (f" {hidden} of them are so bad that they lie beyond the axis." if hidden else "")
        + (f" {len(named)} of the {sum(front)} orange points have a number." if len(named) < sum(front) else "")
        + (f" All that have one: {names.shared}." if names.shared else ""),
        seconds=tuple(run.mean_seconds for run in runs),
        accuracy=tuple(accuracy),
        front=tuple(map(bool, front)),
        named=tuple(named),
        labels=names.labels,
    )


def draw(facts: ParetoFacts) -> "Figure":
    key = [
        picture.wrapped(f"{number}  {label}", 80).replace("\n", "\n    ")
        for number, label in enumerate(facts.labels, 1)
    ]
    scale = picture.scale(facts.accuracy)
    lines = sum(part.count("\n") + 1 for part in key)
    figure = picture.frame(8, 5.0 + 0.21 * lines, facts.title, facts.caption)
    axes = figure.subplots()
    seconds, means = np.array(facts.seconds), np.array([scale.of(bar.mean) for bar in facts.accuracy])
    front = np.array(facts.front)
    arms = np.array([scale.arms(bar) for bar in facts.accuracy]).T
    known = any(bar.half_width is not None for bar in facts.accuracy)
    axes.errorbar(
        seconds[front], means[front], yerr=arms[:, front],
        label=f"nothing quicker beats it{' (with its 95 % interval)' if known else ''}",
        color=VERMILION, marker="o", zorder=3, capsize=3, elinewidth=1.0,
    )  # fmt: skip
    axes.plot(seconds[~front], means[~front], "o", color=GREY, alpha=0.45, markersize=5, label="the others")
    scale.put_on(axes, across=False)
    for number, place in enumerate(facts.named, start=1):
        axes.annotate(
            str(number), (seconds[place], means[place]), xytext=(-9, -13 if scale.error else 13), ha="center",
            va="center", textcoords="offset points", fontsize=13, fontweight="bold", color=VERMILION, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
        )  # fmt: skip
    axes.set_xlabel("training time (seconds, log scale)")
    axes.set_ylabel(scale.label("validation"))
    picture.log_axis(axes)
    picture.legend(axes)
    axes.annotate("\n".join(key), (0.0, 0.0), xytext=(-30, -48), va="top", fontsize=picture.SMALL, color=VERMILION,
                  xycoords="axes fraction", textcoords="offset points")  # fmt: skip
    return figure
