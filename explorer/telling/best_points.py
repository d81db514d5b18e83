"""The best eight points of a sweep that crosses so many knobs that its own table shows no order: a table, and what
they have in common."""

from collections.abc import Sequence

from explorer.fields import Value, text_of
from explorer.judging.runs import mean
from explorer.judging.sweeps import PointResult, SweepResult
from explorer.running.leader import covered
from explorer.telling import on_the_way, tables
from explorer.telling.words import figure, knob_name, listed, seconds

MOST = 8
KNOBS = 3  # a sweep of fewer is read off its own table or map


def best(judged: SweepResult) -> list[PointResult]:
    """The winner and those with the best means after it; none of a sweep of few knobs or few points."""
    won = judged.winner
    if won is None or len(judged.sweep.knobs) < KNOBS or len(judged.validation) <= MOST:
        return []
    may_lead = covered({label: len(scores) for label, scores in judged.validation.items()})
    others = sorted(may_lead, key=lambda label: (label != won.label, -mean(judged.validation[label])))
    return [judged.by_label[label] for label in others[:MOST]]


def told(judged: SweepResult) -> list[str]:
    """The table, and the sentence that says what the best have in common; nothing where there is no such table."""
    found = best(judged)
    if not found or judged.winner is None:
        return []
    ways = on_the_way.columns([one.finished.values() for one in found])
    rows = [
        {
            "rank": rank,
            **{knob_name(knob): text_of(one.point.values.get(knob)) for knob in judged.sweep.knobs},
            "n": len(one.validation),
            "validation %": figure(one.validation),
            "test %": tables.marked(one),
            "to the best": judged.winner.standing(one.label),
            "seconds": seconds(one.mean_seconds),
            **way,
        }
        for rank, (one, way) in enumerate(zip(found, ways, strict=True), 1)
    ]
    return [f"**The best {len(found)} of {len(judged.validation)} points**: {in_common(judged, found)}.", "",
            tables.text_table(rows), ""]  # fmt: skip


def in_common(judged: SweepResult, found: Sequence[PointResult]) -> str:
    """``optimizer adam (tried: sgd and adam); depth 2 to 4 (tried: 1 to 4)``"""
    parts = []
    for knob in judged.sweep.knobs:
        here, tried = ([one.point.values.get(knob) for one in some] for some in (found, judged.distinct))
        if len(set(map(text_of, tried))) > 1:
            parts.append(f"{knob_name(knob)} {_span(here)} (tried: {_span(tried)})")
    return "; ".join(parts)


def _span(values: Sequence[Value | None]) -> str:
    """Numbers from end to end, words each."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
        low, high = text_of(min(numbers)), text_of(max(numbers))
        return low if low == high else f"{low} to {high}"
    return listed(list(dict.fromkeys(map(text_of, values))))
