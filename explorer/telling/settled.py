"""How a settled sweep is told: its table, and what is settled of its questions, in the report and in the terminal."""

import math

from explorer.asking.settle import Against
from explorer.judging.settled import SettledSweep
from explorer.telling import on_the_way, tables
from explorer.telling.words import figure, listed, plural, points

MANY = 1000  # seeds: more than this is not told apart


def table(one: SettledSweep) -> str:
    """What is settled, in Markdown, the leader in bold."""
    return tables.text_table(tables.bold(rows(one), one.leader))


def rows(one: SettledSweep) -> list[tables.Row]:
    """A row a point: how many seeds it got, its accuracy, and what it is against the baseline."""
    ways = on_the_way.columns([result.finished.values() for result in one.points.values()])
    found: list[tables.Row] = []
    for (label, result), way in zip(one.points.items(), ways, strict=True):
        against = one.against(label)
        found.append(
            {
                "point": label,
                "n": len(result.validation),
                "validation %": figure(result.validation),
                "test %": figure(result.test),
                "against baseline": _difference(against),
                "verdict": verdict(one, against),
                **way,
            }
        )
    return found


def verdict(one: SettledSweep, against: Against) -> str:
    if against.word == "equivalent":
        return f"equivalent (within ±{points(one.settlement.margins.delta)})"
    if against.word == "given up":
        return f"undecided, would take {seeds(against.needs)}"
    return against.word


def _difference(against: Against) -> str:
    if against.word == "baseline" or math.isnan(against.difference):
        return "-"
    width = "" if math.isnan(against.half_width) else f" ± {100 * against.half_width:.2f}"
    return f"{100 * against.difference:+.2f}{width}"


def seeds(needs: float) -> str:
    """About how many seeds: ``about 60 seeds``, ``over 1,000 seeds``."""
    if math.isnan(needs):
        return "an unknown number of seeds"
    return f"over {MANY:,} seeds" if needs > MANY else f"about {math.ceil(needs)} seeds"


def sentences(one: SettledSweep) -> list[str]:
    """What is settled, at what cost, and what is not."""
    settlement = one.settlement
    at_most = len(one.points) * settlement.cap
    words = [point.word for point in settlement.against]
    compared = [word for word in words if word != "baseline"]
    counts = {word: compared.count(word) for word in ("better", "worse", "equivalent", "given up", "open", "no result")}
    names = {"given up": "undecided", "open": "still open", "no result": "without a result"}
    told = ", ".join(f"{count} {names.get(word, word)}" for word, count in counts.items() if count)
    spent = f"{plural(one.runs, 'run')} in {plural(settlement.looks, 'look')} (at most {at_most:,})"
    found = [f"Against the baseline {one.labels[words.index('baseline')]}: {told}."]
    if one.leader is None:
        found.append("Best: no point has a result yet.")
    elif settlement.best.ended == "settled":
        margin = points(settlement.margins.epsilon)
        but = f" (left in the race: {listed(one.rivals)})" if one.rivals else ""
        found.append(f"Best: {one.leader}, settled; no point is better by {margin} or more{but}.")
    else:
        needs = f"; it would take {seeds(settlement.best.needs)}" if settlement.best.ended == "undecided" else ""
        found.append(f"Best: {settlement.best.ended}. {one.leader} leads, {listed(one.rivals)} may be better{needs}.")
    found.append(f"{settlement.ended.capitalize()} after {spent}.")
    return found
