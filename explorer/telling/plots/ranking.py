"""The best configurations of a model on a data set, one below the other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.telling.names import aim_of
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, Pair, bar_of, names_of_configs, seeds_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 12


@dataclass(frozen=True)
class RankingFacts(Facts):
    """``labels``: what not all of them share. ``target``: the test set's aim. Test is of fresh seeds, where a
    configuration has them."""

    labels: tuple[str, ...]
    validation: tuple[Bar, ...]
    test: tuple[Bar | None, ...]
    target: float | None


def facts(pair: Pair) -> RankingFacts | None:
    """The best configurations by validation; None for fewer than two."""
    if len(pair.ranked) < 2:
        return None
    shown = pair.ranked[:MOST]
    names = names_of_configs([run.config for run in shown])
    validation = [bar for bar in (bar_of(run.validation) for run in shown) if bar]
    fresh = [run.test_figure.fresh for run in shown]
    whose = " Test: fresh seeds, where a configuration has them." if any(fresh) else " Test: the seeds that chose."
    return RankingFacts(
        title=f"Top configurations: {pair.name}",
        caption=f"{len(shown)} of {len(pair.ranked)} configurations by mean validation accuracy, "
        f"{seeds_words([bar.n for bar in validation])}"
        + (", 95 % intervals." if any(bar.half_width is not None for bar in validation) else ".")
        + whose
        + (f" All: {names.shared}." if names.shared else ""),
        labels=names.labels,
        validation=tuple(validation),
        test=tuple(bar_of(run.test_figure.scores) for run in shown),
        target=aim_of(pair.model, pair.dataset),
    )


def draw(facts: RankingFacts) -> "Figure":
    figure = picture.frame(9.5, 2.1 + picture.rows_height(facts.labels), facts.title, facts.caption)
    axes = figure.subplots()
    shown = [bar for bar in (*facts.validation, *facts.test) if bar]
    scale = picture.scale(shown, [facts.target] if facts.target is not None else [])
    scale.put_on(axes, across=True)
    for name, bars in (("validation", facts.validation), ("test", facts.test)):
        picture.dots(axes, name, bars, scale)
        for y, bar in enumerate(bars):
            if bar and scale.is_beyond(bar.mean):
                picture.beside(axes, f"{name} {scale.of(bar.mean):.1f} %", y + 2 * picture.OFF_MIDDLE[name], scale)
    picture.aim(axes.axvline, facts.target, scale)
    picture.row_labels(axes, facts.labels)
    axes.set_xlabel(scale.label() + (": lower is better" if scale.error else ""))
    picture.legend(axes)
    return figure
