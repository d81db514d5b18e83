"""A study at a glance: each value's tries, and what its best setting gives on fresh seeds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.judging.studies import StudyResult
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Bar, Facts, bar_of, intervals_of, names_of_points, seeds_words, study_heading
from explorer.telling.plots.picture import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class IsolationFacts(Facts):
    """A row a value of ``names``, the best mean of the fresh seeds first. ``tries``: validation accuracy at seed 0 of
    the settings that came to something; ``lost``: how many did not."""

    names: str
    labels: tuple[str, ...]
    tries: tuple[tuple[float, ...], ...]
    lost: tuple[int, ...]
    validation: tuple[Bar | None, ...]
    test: tuple[Bar | None, ...]


def facts(judged: StudyResult) -> IsolationFacts | None:
    """None as long as no value has a try that came to something."""
    rows = [one for one in judged.contenders if one.tries]
    bars = {one.label: bar_of(one.fresh.fresh_validation) if one.fresh else None for one in rows}
    best = {one.label: max(tried.accuracy for tried in one.tries) for one in rows}
    rows.sort(key=lambda one: -(bar.mean if (bar := bars[one.label]) else best[one.label]))
    if not any(best.values()):
        return None
    names = names_of_points([one.label for one in rows], judged.question.scientific)
    counts = [bar.n for bar in bars.values() if bar]
    told = ", 95 % intervals" if intervals_of(counts) else ""
    fresh = f"Its best setting on {seeds_words(counts)} that chose nothing{told}." if counts else ""
    return IsolationFacts(
        title=study_heading(judged),
        caption=f"Small dots: the tries, a setting each, validation at seed 0. {fresh}",
        names=names.shared,
        labels=names.labels,
        tries=tuple(tuple(tried.accuracy for tried in one.tries if tried.accuracy > 0) for one in rows),
        lost=tuple(one.lost for one in rows),
        validation=tuple(bars[one.label] for one in rows),
        test=tuple(bar_of(one.fresh.fresh_test) if one.fresh else None for one in rows),
    )


def draw(facts: IsolationFacts) -> "Figure":
    figure = picture.frame(9, 2.4 + picture.rows_height(facts.labels, 0.55), facts.title, facts.caption)
    axes = figure.subplots()
    bars = [bar for bar in (*facts.validation, *facts.test) if bar]
    tops = [Bar(max(row), None, 1) for row in facts.tries if row]
    middles = [Bar(sorted(row)[len(row) // 2], None, 1) for row in facts.tries if row]
    scale = picture.scale(bars + tops + middles)
    scale.put_on(axes, across=True)
    for y, (row, lost) in enumerate(zip(facts.tries, facts.lost, strict=True)):
        seen = [scale.of(accuracy) for accuracy in row if not scale.is_beyond(accuracy)]
        axes.plot(seen, [y + 0.3] * len(seen), "o", color=GREY, alpha=0.45, markersize=4, markeredgewidth=0, zorder=2)
        below = len(row) - len(seen)
        notes = [f"{below} more" if below else "", f"{lost} lost" if lost else ""]
        if any(notes):
            color = VERMILION if lost else GREY
            picture.beside(axes, ", ".join(filter(None, notes)), y + 0.3, scale, bool(below), color)
    axes.plot([], [], "o", color=GREY, alpha=0.45, markersize=4, markeredgewidth=0, label="tries (seed 0)")
    for name, shown in (("validation", facts.validation), ("test", facts.test)):
        picture.dots(axes, name, shown, scale)
    if first := facts.validation[0]:
        axes.axvline(scale.of(first.mean), color=BLUE, linestyle=":", linewidth=1.2, zorder=1)
    picture.row_labels(axes, facts.labels)
    axes.set_xlabel(scale.label() + (": lower is better" if scale.error else ""))
    axes.set_ylabel(facts.names)
    picture.legend(axes, side="right")
    return figure
