"""The report's tables: data frames for the CSVs, Markdown for REPORT.md, rows for the terminal, which draws its own."""

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from tabulate import tabulate

from explorer.config import Config
from explorer.fields import text_of
from explorer.judging import stats
from explorer.judging.frame import means
from explorer.judging.runs import ConfigResult, Scores
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import PointResult, SweepResult
from explorer.record import Record
from explorer.telling import on_the_way, tuned
from explorer.telling.words import difference, figure, hypothesis, knob_name, lost, seconds, setting, short_name

Row = dict[str, object]
"""Column's head -> cell."""


def verdict(judged: SweepResult, outcome: PointResult) -> str:
    """What is said of a point: a verdict, ``baseline``, whose runs it shares, and which runs have no result."""
    if outcome.point.same_as:
        return f"same runs as {outcome.point.same_as}"
    if not outcome.records:
        return "not run"
    if outcome.label == judged.baseline:
        words = "baseline"
    elif outcome.label in judged.verdicts:
        against = judged.verdicts[outcome.label]
        words = f"{against.word} (as in {against.home}, n={against.n})" if against.home else against.word
    else:
        words = "no validation figure" if outcome.test else "no result"
        if outcome.validation:
            words = "no verdict: the baseline has no result"
    return "; ".join(part for part in (words, lost(outcome.lost)) if part)


def frame(judged: SweepResult) -> pd.DataFrame:
    """One row a point, accuracies as fractions, seconds of training. Columns named after the record's fields."""
    rows = []
    for outcome in judged.outcomes:
        label = outcome.point.same_as or outcome.label
        validation, test = _interval(outcome.validation), _interval(outcome.test)
        against = judged.verdicts.get(label)
        rows.append(
            {
                "label": outcome.label,
                **{knob: text_of(outcome.point.values.get(knob)) for knob in judged.sweep.knobs},
                "n": max(validation.n, test.n),
                "val_accuracy": validation.mean,
                "val_low": validation.low,
                "val_high": validation.high,
                "test_accuracy": test.mean,
                "test_low": test.low,
                "test_high": test.high,
                "difference": against.difference if against else math.nan,
                "difference_low": against.low if against else math.nan,
                "difference_high": against.high if against else math.nan,
                "p_adjusted": against.p_adjusted if against else math.nan,
                "p_second_opinion": against.p_second if against else math.nan,
                "verdict": verdict(judged, outcome),
                "certainty": against.certainty.word if against else "",
                "standing": judged.winner.standing(label) if judged.winner and outcome.validation else "",
                **means(outcome.finished.values()),
                "train_seconds": outcome.mean_seconds,
                **{status: outcome.statuses[status] for status in ("ok", "diverged", "failed")},
                "reference": math.nan if outcome.point.reference is None else outcome.point.reference,
            }
        )
    return pd.DataFrame(rows)


def csv(judged: SweepResult) -> str:
    """The frame as CSV, 6 significant digits, empty where there is no figure."""
    return frame(judged).to_csv(index=False, float_format="%.6g", lineterminator="\n")


def sweep_table(judged: SweepResult, form: str = "github", width: int | None = None) -> str:
    """The comparison table of a sweep, the best in bold. ``form`` is tabulate's name of a format; what tells how the
    runs came there falls away where it is wider than ``width``."""
    rows, won = sweep_rows(judged), judged.winner
    ways = tuple(filter(on_the_way.is_head, rows[0]))
    if form == "github":  # a terminal has no room for it, and lists the ties below
        rows = bold(rows, won.label if won else None)
        for row, one in zip(rows, judged.outcomes, strict=True):
            row["to the best"] = won.standing(one.label) if won and one.validation else "-"
    return text_table(rows, form, width, ("seconds", *ways))


def sweep_rows(judged: SweepResult) -> list[Row]:
    """A row a point, in per cent."""
    published = any(outcome.point.reference is not None for outcome in judged.outcomes)
    crossed = judged.sweep.kind == "grid" and len(judged.sweep.knobs) > 1  # labels are then values alone: 256 / 1000
    head = " / ".join(knob.replace("_", " ") for knob in judged.sweep.knobs) if crossed else "point"
    ways = on_the_way.columns([outcome.finished.values() for outcome in judged.outcomes])
    rows: list[Row] = []
    for outcome, way in zip(judged.outcomes, ways, strict=True):
        against = judged.verdicts.get(outcome.label)
        row: Row = {
            head: outcome.label,
            "n": max(len(outcome.validation), len(outcome.test)),
            "validation %": figure(outcome.validation),
            "test %": figure(outcome.test),
            "against baseline": difference(against) if against else "-",
            "verdict": verdict(judged, outcome),
            "seconds": seconds(outcome.mean_seconds),
        }
        if published:
            row["published %"] = "-" if outcome.point.reference is None else f"{100 * outcome.point.reference:.2f}"
        rows.append(row | way)
    return rows


def spare(rows: Sequence[Row]) -> list[str]:
    """The columns that are left out first where there is little room, the first of all first."""
    return [*reversed([head for head in rows[0] if on_the_way.is_head(head)]), "seconds"] if rows else []


def bold(rows: Sequence[Row], label: str | None) -> list[Row]:
    """The rows, the one whose first cell is ``label`` in bold."""
    head = next(iter(rows[0]), "") if rows else ""
    return [{**row, head: f"**{label}**"} if row[head] == label else row for row in rows]


def text_table(
    rows: Sequence[Mapping[str, object]], form: str = "github", width: int | None = None, spare: Sequence[str] = ()
) -> str:
    """Rows with equal keys as a table; text is left as it is ("1e-05" is a label here, not a number). Where it is wider
    than ``width``, columns of ``spare`` fall away, the last first."""
    cells = [{key: str(value).replace("|", "\\|") for key, value in row.items()} for row in rows]
    align = ["right" if is_numeric(key) else "left" for key in cells[0]] if cells else None
    text = tabulate(cells, headers="keys", tablefmt=form, disable_numparse=True, colalign=align)
    if width is None or not spare or max(map(len, text.splitlines()), default=0) <= width:
        return text
    return text_table([{key: row[key] for key in row if key != spare[-1]} for row in rows], form, width, spare[:-1])


def is_numeric(head: str) -> bool:
    """Whether a column of that head has figures, which stand at its right."""
    return head == "n" or head.endswith(("%", "seconds", "points", "parameters"))


def comparison(sweeps: Sequence[SweepResult]) -> str:
    """A row a sweep: who won, by how much, and what became of the hypothesis."""
    rows = []
    for judged in sweeps:
        best = judged.winner
        against = judged.verdicts.get(best.label) if best else None
        rows.append(
            {
                "data": judged.dataset,
                "model": judged.model,
                "sweep": link(judged),
                "points": len(judged.distinct),
                "seeds": judged.seeds or max((len(outcome.test) for outcome in judged.distinct), default=0),
                "best on validation": best.label if best else "-",
                "validation %": figure(judged.validation[best.label]) if best else "-",
                "test %": marked(judged.by_label[best.label]) if best else "-",
                "ties": len(best.ties) if best else "-",
                "against baseline": f"{difference(against)}, {against.word}"
                if against
                else "is the baseline"
                if best and best.label == judged.baseline
                else "-",
                "hypothesis": hypothesis(judged.hypothesis) if judged.hypothesis else "-",
            }
        )
    return text_table(rows)


def link(judged: SweepResult | StudyResult) -> str:
    """A Markdown link to the sweep's own section, from any page behind REPORT.md."""
    return f"[{judged.slug}]({page_name(judged)}.md#{anchor(judged)})"


def page_name(judged: SweepResult | StudyResult) -> str:
    """The page that has the sweep's section, without its ending."""
    if judged.origin == "own":
        return "own"
    together = isinstance(judged, SweepResult) and judged.role != "knob"
    return f"{judged.dataset}-{judged.model}{'-grids' if together else ''}"


def anchor(judged: SweepResult | StudyResult) -> str:
    """The name of the sweep's own section, for links."""
    own = "own-" if judged.origin == "own" else ""
    return f"{own}{judged.dataset}-{judged.model}-{judged.slug}"


def ranking(ranked: Sequence[ConfigResult], most: int = 10) -> str:
    """The best configurations by mean validation accuracy."""
    ways = on_the_way.columns([run.finished.values() for run in ranked[:most]])
    return text_table(
        [
            {
                "rank": number,
                "configuration": short_name(run.config),
                "n": len(run.validation),
                "validation %": figure(run.validation),
                "test %": marked(run),
                "seconds": seconds(run.mean_seconds),
                "parameters": f"{run.parameters:,}",
                **way,
            }
            for number, (run, way) in enumerate(zip(ranked[:most], ways, strict=True), start=1)
        ]
    )


def marked(run: ConfigResult) -> str:
    """Its test figure, with a star where it is of fresh seeds."""
    return figure(run.test_figure.scores) + (" *" if run.test_figure.fresh else "")


def _interval(scores: Mapping[int, float]) -> stats.Interval:
    return stats.accuracy_interval(list(scores.values())) if scores else stats.Interval(math.nan, math.nan, math.nan, 0)


def study_table(judged: StudyResult) -> str:
    """What a study found, in Markdown, the best in bold."""
    return text_table(bold(study_rows(judged), judged.winner.label if judged.winner else None))


def study_rows(judged: StudyResult) -> list[Row]:
    """A row a value that a study asks about, the best first: its best setting, and what fresh seeds say of it."""
    won = judged.winner
    order = [won.label, *won.ties, *won.unknown, *won.likely_worse, *won.worse] if won else []
    shown = sorted(judged.contenders, key=lambda one: order.index(one.label) if one.label in order else len(order))
    ways = on_the_way.columns([one.fresh.fresh_finished.values() if one.fresh else () for one in shown])
    rows: list[Row] = []
    for one, way in zip(shown, ways, strict=True):
        validation, test = (one.fresh.fresh_validation, one.fresh.fresh_test) if one.fresh else ({}, {})
        row: Row = {
            "value": one.label,
            "best setting": setting(one.setting),
            "tries": len(one.tries),
            "n": len(validation),
            "validation %": figure(validation),
            "test %": figure(test),
            "against the best": tuned.verdict(judged, one.label),
            "at the edge": ", ".join(f"{side}est {knob_name(field)}" for field, side in one.edges) or "-",
        }
        rows.append(row | way)
    return rows


def study_csv(judged: StudyResult) -> str:
    """Every setting that ran, a row a stage: try (seed 0), finalist (all choosing seeds), winner (fresh seeds)."""
    rows = []
    for one in judged.contenders:
        stages: list[tuple[str, Config, Scores, Scores, Iterable[Record]]] = []
        stages += [
            ("try", tried.run.config, {0: tried.accuracy}, tried.run.test, tried.run.finished.values())
            for tried in one.tries
        ]
        stages += [("finalist", run.config, run.validation, run.test, run.finished.values()) for run in one.finalists]
        stages += [
            ("winner", run.config, run.fresh_validation, run.fresh_test, run.fresh_finished.values())
            for run in [one.fresh] if run
        ]  # fmt: skip
        for stage, config, validation, test, records in stages:
            on_validation, on_test = _interval(validation), _interval(test)
            rows.append(
                {
                    "value": one.label,
                    "stage": stage,
                    **{field: text_of(config.axis(field)) for field in judged.question.nuisances},
                    "n": on_validation.n,
                    "val_accuracy": on_validation.mean,
                    "val_half_width": on_validation.half_width,
                    "test_accuracy": on_test.mean,
                    "test_half_width": on_test.half_width,
                    **means(records),
                }
            )
    return pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
