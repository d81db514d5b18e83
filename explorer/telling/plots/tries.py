"""What tuning is worth, and how much of it is needed: the best validation accuracy to expect of so many tries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.judging.studies import StudyResult, expected_best
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, names_of_points, study_heading
from explorer.telling.plots.picture import BLACK, GREY, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DASHES = ("-", "--", ":")  # of the lines beyond the first six


@dataclass(frozen=True)
class TriesFacts(Facts):
    """A curve a value of ``names``, the best after all tries first: mean and standard deviation of the best of 1, 2,
    ... tries."""

    names: str
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
    names = names_of_points([label for label, _ in curves], judged.question.scientific)
    return TriesFacts(
        title=study_heading(judged),
        caption="The best validation accuracy (seed 0) to expect of so many of these tries, with a band of one "
        "standard deviation (Dodge et al. 2019). A lost run counts as 0.",
        names=names.shared,
        labels=names.labels,
        means=tuple(curve.mean for _, curve in curves),
        deviations=tuple(curve.deviation for _, curve in curves),
    )


def draw(facts: TriesFacts) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    figure = picture.frame(8, 5.2, facts.title, facts.caption)
    axes = figure.subplots()
    colors = (*SERIES, BLACK)
    # What a first try alone is worth would leave the ends, which are compared, flat.
    ends_at, thirds = [means[-1] for means in facts.means], [means[min(2, len(means) - 1)] for means in facts.means]
    top, worst = max(ends_at), min(ends_at)
    bottom = max(min(thirds), top - 3 * max(top - worst, 0.005))
    scale = picture.scale([Bar(top, None, 1), Bar(min(bottom, worst), None, 1)])
    ends = []
    for number, (label, means, deviations) in enumerate(zip(facts.labels, facts.means, facts.deviations, strict=True)):
        tries = range(1, len(means) + 1)
        color, dash = colors[number % len(colors)], DASHES[number // len(colors) % len(DASHES)]
        axes.plot(tries, [scale.of(mean) for mean in means], dash, color=color, linewidth=2.4, zorder=3)
        band = [
            [scale.of(min(max(mean + sign * deviation, 0.0), means[-1] if sign > 0 else 1.0))
             for mean, deviation in zip(means, deviations, strict=True)]
            for sign in (-1, 1)
        ]  # fmt: skip
        axes.fill_between(tries, band[0], band[1], color=color, alpha=0.10, linewidth=0, zorder=2)
        ends.append((float(len(means)), scale.of(means[-1]), label, color))
    scale.put_on(axes, across=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0.8, max(map(len, facts.means)))
    picture.end_labels(axes, ends)
    axes.set_title(facts.names, loc="right", fontsize=12, fontweight="normal", color=GREY)
    axes.set_xlabel("tries")
    axes.set_ylabel(f"validation {'error' if scale.error else 'accuracy'} of the best (%{', log scale' * scale.error})")
    return figure
