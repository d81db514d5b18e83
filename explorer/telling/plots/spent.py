"""Where seeds and time were spent: a study's or a search's on tries, finalists and fresh seeds, a settled sweep's look
by look."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.asking.tuning import STAGES
from explorer.judging.settled import SettledSweep
from explorer.judging.studies import ContenderResult, StudyResult
from explorer.record import Record
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, heading, names_of_points, study_heading
from explorer.telling.plots.picture import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION
from explorer.telling.words import plural, setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = (ORANGE, GREEN, BLUE, VERMILION, PURPLE, BLACK)
Spent = tuple[tuple[float, ...], ...]
"""Of each stage, the seconds of training of its runs."""


@dataclass(frozen=True)
class SpentFacts(Facts):
    """A row a value of ``names``, in the question's order; of each stage its runs, and how long its part of the bar is,
    in what ``axis`` says."""

    names: str
    labels: tuple[str, ...]
    stages: tuple[str, ...]
    runs: tuple[tuple[int, ...], ...]
    axis: str
    lengths: tuple[tuple[float, ...], ...]


def facts(judged: StudyResult | SettledSweep) -> SpentFacts | None:
    """None as long as nothing has run. A sweep's bars are seeds: they are what its looks gave out."""
    if isinstance(judged, SettledSweep):
        return _of_looks(judged)
    if judged.question.scientific:
        rows = [(one.label, one.spent) for one in judged.contenders if one.tries]
    else:
        rows = [row for one in judged.contenders for row in _settings(one)]
    if not rows:
        return None
    runs = tuple(tuple(len(stage) for stage in spent) for _, spent in rows)
    share = sum(row[-1] for row in runs) / sum(map(sum, runs))
    names = names_of_points([label for label, _ in rows], judged.question.scientific)
    return SpentFacts(
        title=study_heading(judged),
        caption=f"{sum(map(sum, runs)):,} runs, {100 * share:.0f} % of them on fresh seeds, which alone judge. Seconds "
        "are those of training alone; beside each bar its runs.",
        names=names.shared,
        labels=names.labels,
        stages=STAGES,
        runs=runs,
        axis="seconds of training",
        lengths=tuple(tuple(round(sum(stage), 2) for stage in spent) for _, spent in rows),
    )


def _settings(one: ContenderResult) -> list[tuple[str, Spent]]:
    """A row a finalist of a search, which has one value alone, and a row for all tries that went no further."""
    tried = {found.run.config: found for found in one.tries}
    rows: list[tuple[str, Spent]] = []
    for run in one.finalists:
        first = tried.pop(run.config)
        more = [record for seed, record in run.records.items() if seed]
        fresh = one.fresh.fresh.values() if one.fresh and one.fresh.config == run.config else ()
        rows.append((setting(first.setting), (_seconds(first.run.records.values()), _seconds(more), _seconds(fresh))))
    if rest := [record for other in tried.values() for record in other.run.records.values()]:
        rows.append(("all other tries" if rows else "tries", (_seconds(rest), (), ())))
    return rows


def _seconds(records: Iterable[Record]) -> tuple[float, ...]:
    return tuple(record.seconds.train for record in records)


def _of_looks(judged: SettledSweep) -> SpentFacts | None:
    runs = tuple(judged.spent.values())
    taken = max((number for row in runs for number, count in enumerate(row, 1) if count), default=0)
    if not taken:
        return None
    runs = tuple(row[:taken] for row in runs)
    names = names_of_points(judged.labels, judged.sweep.knobs)
    most = len(judged.labels) * judged.settlement.cap
    return SpentFacts(
        title=heading(judged),
        caption=f"{plural(sum(map(sum, runs)), 'run')} of {most:,} at most, a colour a look, named by the seeds "
        "that a point then has: it got more only as long as its question was open. Beside each bar its runs, look by "
        "look.",
        names=names.shared,
        labels=names.labels,
        stages=tuple(map(str, judged.looks[:taken])),
        runs=runs,
        axis="seeds",
        lengths=runs,
    )


def draw(facts: SpentFacts) -> "Figure":
    figure = picture.frame(8, 2.2 + picture.rows_height(facts.labels), facts.title, facts.caption)
    axes = figure.subplots()
    left = [0.0] * len(facts.labels)
    for place, (stage, color) in enumerate(zip(facts.stages, COLORS, strict=False)):
        lengths = [row[place] for row in facts.lengths]
        axes.barh(range(len(left)), lengths, left=left, height=0.62, color=color, label=stage)
        left = [start + length for start, length in zip(left, lengths, strict=True)]
    for y, (end, row) in enumerate(zip(left, facts.runs, strict=True)):
        text = " + ".join(str(count) for count in row if count)
        axes.annotate(text, (end, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=12)
    picture.row_labels(axes, facts.labels)
    axes.set_xlim(0, 1.18 * max(left) or 1.0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(facts.axis)
    axes.set_ylabel(facts.names)
    picture.legend(axes, side="right")
    return figure
