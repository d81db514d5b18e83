"""Where a study's time went: tries, finalists, fresh seeds, value by value."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.asking.tuning import STAGES
from explorer.judging.studies import StudyResult
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, names_of_points, study_heading
from explorer.telling.plots.picture import BLUE, GREEN, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = (ORANGE, GREEN, BLUE)


@dataclass(frozen=True)
class SpentFacts(Facts):
    """A row a value of ``names``, in the question's order; of each stage its runs and their seconds of training."""

    names: str
    labels: tuple[str, ...]
    stages: tuple[str, ...]
    runs: tuple[tuple[int, ...], ...]
    seconds: tuple[tuple[float, ...], ...]


def facts(judged: StudyResult) -> SpentFacts | None:
    """None as long as nothing has run."""
    rows = [one for one in judged.contenders if one.tries]
    if not rows:
        return None
    runs = tuple(tuple(len(stage) for stage in one.spent) for one in rows)
    share = sum(row[-1] for row in runs) / sum(map(sum, runs))
    names = names_of_points([one.label for one in rows], judged.question.scientific)
    return SpentFacts(
        title=study_heading(judged),
        caption=f"{sum(map(sum, runs)):,} runs, {100 * share:.0f} % of them on fresh seeds, which alone judge. Seconds "
        "are those of training alone; beside each bar its runs.",
        names=names.shared,
        labels=names.labels,
        stages=STAGES,
        runs=runs,
        seconds=tuple(tuple(round(sum(stage), 2) for stage in one.spent) for one in rows),
    )


def draw(facts: SpentFacts) -> "Figure":
    figure = picture.frame(8, 2.2 + picture.rows_height(facts.labels), facts.title, facts.caption)
    axes = figure.subplots()
    left = [0.0] * len(facts.labels)
    for place, (stage, color) in enumerate(zip(facts.stages, COLORS, strict=True)):
        widths = [row[place] for row in facts.seconds]
        axes.barh(range(len(left)), widths, left=left, height=0.62, color=color, label=stage)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for y, (end, row) in enumerate(zip(left, facts.runs, strict=True)):
        text = " + ".join(map(str, row))
        axes.annotate(text, (end, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=12)
    picture.row_labels(axes, facts.labels)
    axes.set_xlim(0, 1.18 * max(left) or 1.0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel(facts.names)
    picture.legend(axes, side="right")
    return figure
