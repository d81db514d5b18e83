"""What tuning is worth, and how much of it is needed: the best validation accuracy to expect of so many tries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.judging.studies import StudyResult, expected_best
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, study_heading
from explorer.telling.plots.picture import BLACK, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DASHES = ("-", "--", ":")  # of the lines beyond the first six


@dataclass(frozen=True)
class TriesFacts(Facts):
    """A curve a value, the best after all tries first: mean and standard deviation of the best of 1, 2, ... tries."""

    labels: tuple[str, ...]
    means: tuple[tuple[float, ...], ...]
    deviations: tuple[tuple[float, ...], ...]


def facts(judged: StudyResult) -> TriesFacts | None:
    """None for fewer than two tries; values whose tries all came to nothing are left out."""
    curves = [(one.label, expected_best([tried.accuracy for tried in one.tries]))
              for one in judged.contenders if len(one.tries) > max(1, one.lost)]  # fmt: skip
    curves.sort(key=lambda item: -item[1].mean[-1])
    if not curves:
        return None
    return TriesFacts(
        title=study_heading(judged),
        caption="The best validation accuracy (seed 0) to expect of so many of these tries, with a band of one "
        "standard deviation (Dodge et al. 2019). A lost run counts as 0.",
        labels=tuple(label for label, _ in curves),
        means=tuple(curve.mean for _, curve in curves),
        deviations=tuple(curve.deviation for _, curve in curves),
    )


def draw(facts: TriesFacts) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    figure = picture.frame(8, 5, facts.title, facts.caption)
    axes = figure.subplots()
    colors = (*SERIES, BLACK)
    for number, (label, means, deviations) in enumerate(zip(facts.labels, facts.means, facts.deviations, strict=True)):
        tries = range(1, len(means) + 1)
        color, dash = colors[number % len(colors)], DASHES[number // len(colors) % len(DASHES)]
        axes.plot(tries, [100 * mean for mean in means], dash, color=color, label=label, zorder=3)
        ends = [
            [100 * min(max(mean + sign * deviation, 0.0), means[-1] if sign > 0 else 1.0)
             for mean, deviation in zip(means, deviations, strict=True)]
            for sign in (-1, 1)
        ]  # fmt: skip
        axes.fill_between(tries, ends[0], ends[1], color=color, alpha=0.10, linewidth=0, zorder=2)
    third = [means[min(2, len(means) - 1)] for means in facts.means]
    top = 100 * max(means[-1] for means in facts.means)
    low = 100 * min(third)
    room = 0.08 * max(top - low, 0.4)
    axes.set_ylim(low - room, top + room)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("tries")
    axes.set_ylabel("validation accuracy of the best (%)")
    axes.legend(loc="lower right")  # the curves rise to the right: there they leave room
    return figure
