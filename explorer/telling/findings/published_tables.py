"""Published tables as stated against as really run: how many of their figures lie where one more run would."""

import math
from dataclasses import dataclass, field

import numpy as np

from explorer.datasets.dataset import LOOK_IMAGES
from explorer.judging import stats
from explorer.judging.runs import Scores, mean, typical_deviation
from explorer.judging.study import Study
from explorer.judging.sweeps import PointResult, SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.tables import text_table
from explorer.telling.words import amount, figure, knob_name, listed, points, with_n


@dataclass
class Table:
    """A published table and the sweeps that are made of it, as its file states the rows and as they were really run."""

    name: str
    stated: list[SweepResult] = field(default_factory=list)
    run: list[SweepResult] = field(default_factory=list)


def tables(study: Study) -> list[Table]:
    """The published tables with any record, in the order of their first sweep."""
    found: dict[tuple[str, str, str], Table] = {}
    for judged in study.sweeps:
        published = judged.sweep.published
        if published and not judged.request.overrides:
            table = found.setdefault((published.table, judged.dataset, judged.model), Table(published.table))
            (table.run if published.made_as == "run" else table.stated).append(judged)
    return list(found.values())


def find(study: Study) -> list[Sentence]:
    sentences = []
    for table in tables(study):
        stated = [("as stated, " if table.run else "", judged) for judged in table.stated]
        counts = [f"{kind}{counted}" for kind, j in stated if (counted := _places(study, j))]
        counts += [f"as really run, {counted}" for judged in table.run if (counted := _places(study, judged))]
        if not counts:
            continue
        sentences.append(f"**Published {table.name} table**: {'; '.join(counts)}.")
        for judged in table.stated if table.run else []:
            sentences += _same_length_spread(table, judged)
        for judged in table.run:
            sentences += [*_one_experiment(table, judged), *best_look(judged)]
    return sentences


def verdicts(study: Study) -> list[Sentence]:
    """A sentence a table: how many of its figures lie where one more run would."""
    sentences = []
    for table in tables(study):
        kinds = [("with the settings that it states, " if table.run else "", judged) for judged in table.stated]
        kinds += [("with those that its program really used, ", judged) for judged in table.run]
        told: list[str] = []
        for kind, judged in kinds:
            words = [word for outcome in judged.outcomes if (word := _place(study, judged, outcome)[0])]
            if placed := [word for word in words if word in ("inside", "below", "above")]:
                again = "" if told else " figures come out again"
                told.append(f"{kind}{placed.count('inside')} of {len(placed)}{again}")
        if told:
            sentences.append(f"**{table.name}**: {'; '.join(told)}.")
    return sentences


def _places(study: Study, judged: SweepResult) -> str:
    """How many published figures lie where one more run would, and how wide that is; empty where none can be placed."""
    found = [_place(study, judged, outcome) for outcome in judged.outcomes]
    tested = [(word, interval) for word, interval in found if word in ("inside", "below", "above")]
    if not tested:
        return ""
    words = [word for word, _ in tested]
    widths = [interval.half_width for _, interval in tested]
    ends, middle = f"{100 * min(widths):.2f} to {points(max(widths))}", f"{100 * float(np.median(widths)):.2f}"
    wide = f"which reaches {ends} to either side, {middle} in the median"
    return (
        f"{words.count('inside')} of {len(tested)} published figures lie inside the 95 % prediction interval of one "
        f"more run ({wide}), {words.count('below')} below, {words.count('above')} above"
    )


def _shortest(judged: SweepResult) -> list[PointResult]:
    """The rows with a result whose runs are the shortest."""
    there = [outcome for outcome in judged.distinct if outcome.test]
    return [outcome for outcome in there if outcome.total_steps == min(other.total_steps for other in there)]


def _same_length_spread(table: Table, stated: SweepResult) -> list[Sentence]:
    """Rows of the shortest length: how far apart the published figures lie and the measured ones do."""
    rows = [(o, o.point.reference) for o in _shortest(stated) if o.point.reference is not None]
    if len(rows) < 2:
        return []
    published, means = [reference for _, reference in rows], [mean(outcome.test) for outcome, _ in rows]
    connected = [knob for knob in stated.sweep.knobs if len({stated.value(o.label, knob) for o, _ in rows}) > 1]
    return [
        f"The {len(rows)} published {table.name} rows of {rows[0][0].total_steps} steps lie "
        f"{points(max(published) - min(published))} apart; had {listed([knob_name(k) for k in connected])} been "
        f"connected, they would lie {points(max(means) - min(means))} apart on the test set, the seed's standard "
        f"deviation being {points(typical_deviation({o.label: o.test for o, _ in rows}))}."
    ]


def _one_experiment(table: Table, as_run: SweepResult) -> list[Sentence]:
    rows = _shortest(as_run)
    if len(rows) != 1 or len(rows[0].test) < 2:
        return []
    (row,) = rows
    return [
        f"As really run, the {table.name} rows of {row.total_steps} steps are one experiment: {with_n(row.test)} on "
        f"test, the seed's standard deviation being {points(typical_deviation({'': row.test}))}."
    ]


def best_look(as_run: SweepResult) -> list[Sentence]:
    """Where each published figure is the best of many looks: how much that adds, the best look against the last, both
    at the slice that looks see."""
    published = as_run.sweep.published
    longest = max(as_run.distinct, key=lambda outcome: outcome.total_steps)
    gains = {
        seed: run.best_val_accuracy - last
        for seed, run in longest.finished.items()
        if run.best_val_accuracy is not None and (last := run.history[-1].val_accuracy) is not None
    }
    if published is None or not published.best_look or len(gains) < 2:
        return []
    return [
        f"The {published.table} program published the best of its looks at the test set, one every "
        f"{longest.config.eval_every} steps: in the {longest.total_steps} steps as really run, the best look at the "
        f"validation images lies {amount(gains)} points above the last (n={len(gains)}), by choosing alone (of the "
        f"{LOOK_IMAGES:,} images of a look; on a test set of 10,000 chance weighs less, and so would this)."
    ]


def _alike(judged: SweepResult, label: str) -> Scores:
    """The point's scores on the split that its published figure is of."""
    outcome = judged.by_label[label]
    return outcome.validation if judged.sweep.reference_is == "validation" else outcome.test


def _place(study: Study, judged: SweepResult, outcome: PointResult) -> tuple[stats.Placed | None, stats.Interval]:
    """Where a published figure lies (None where there is none), and the prediction interval of one more run."""
    scores = _alike(judged, outcome.label)
    if not scores:
        return None, stats.Interval(math.nan, math.nan, math.nan, 0)
    on_validation = judged.sweep.reference_is == "validation"
    trend = study.runs.validation_trend if on_validation else study.runs.test_trend
    interval = stats.one_more(list(scores.values()), trend.prior(mean(scores)) if trend else None)
    reference = outcome.point.reference
    return (None if reference is None else stats.placed(reference, interval)), interval


def side_by_side(study: Study, stated: SweepResult | None, as_run: SweepResult | None = None) -> str:
    """A published table beside what was measured, as stated and as really run; rows are matched by their order."""
    rows = []
    kinds = [(judged, kind) for judged, kind in ((stated, "as stated"), (as_run, "as really run")) if judged]
    for index, outcome in enumerate(kinds[0][0].outcomes):
        reference = outcome.point.reference
        row = {"row": outcome.label, "published %": "-" if reference is None else f"{100 * reference:.2f}"}
        for judged, kind in kinds:
            if index < len(judged.outcomes):
                ours = judged.outcomes[index]
                word, interval = _place(study, judged, ours)
                row[f"{kind}, {judged.sweep.reference_is} %"] = figure(_alike(judged, ours.label))
                known = f"{100 * interval.low:.2f} to {100 * interval.high:.2f}" if interval.known else "-"
                row[f"{kind}: one more run, %"] = known
                row[f"{kind}: published is"] = word or "-"
        rows.append(row)
    return text_table(rows)


FINDING = Finding("published-tables", "Did the published MNIST tables vary what they said they varied?", find, find)
