"""The best configurations of a model on a data set, one below the other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.telling.names import aim_of
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, Pair, bar_of, seeds_words
from explorer.telling.words import short_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 12


@dataclass(frozen=True)
class RankingFacts(Facts):
    """``target``: the test set's aim. Test is of fresh seeds, where a configuration has them."""

    labels: tuple[str, ...]
    validation: tuple[Bar, ...]
    test: tuple[Bar | None, ...]
    target: float | None


def facts(pair: Pair) -> RankingFacts | None:
    """The best configurations by validation; None for fewer than two."""
    if len(pair.ranked) < 2:
        return None
    shown = pair.ranked[:MOST]
    validation = [bar for bar in (bar_of(run.validation) for run in shown) if bar]
    fresh = [run.test_figure.fresh for run in shown]
    whose = " Test: fresh seeds, where a configuration has them." if any(fresh) else " Test: the seeds that chose."
    return RankingFacts(
        title=f"Top configurations: {pair.name}",
        caption=f"{len(shown)} of {len(pair.ranked)} configurations by mean validation accuracy, "
        f"{seeds_words([bar.n for bar in validation])}"
        + (", 95 % intervals." if any(bar.half_width is not None for bar in validation) else ".")
        + whose,
        labels=tuple(short_name(run.config) for run in shown),
        validation=tuple(validation),
        test=tuple(bar_of(run.test_figure.scores) for run in shown),
        target=aim_of(pair.model, pair.dataset),
    )


def draw(facts: RankingFacts) -> "Figure":
    figure = picture.frame(9, 2.0 + 0.4 * max(len(facts.labels), 3), facts.title, facts.caption)
    axes = figure.subplots()
    shown = [bar for bar in (*facts.validation, *facts.test) if bar]
    low, high = picture.limits(shown, [facts.target] if facts.target is not None else [])
    axes.set_xlim(low, high)
    for name, bars in (("validation", facts.validation), ("test", facts.test)):
        picture.dots(axes, name, bars, low)
        for y, bar in enumerate(bars):
            if bar and 100 * bar.mean < low:
                picture.beside(axes, f"◀ {name} {100 * bar.mean:.1f} %", y + 2 * picture.OFF_MIDDLE[name])
    picture.aim(axes.axvline, facts.target)
    picture.row_labels(axes, facts.labels)
    axes.set_xlabel("accuracy (%)")
    picture.legend(axes)
    return figure
