"""What the data say of a hypothesis: "the best point is among these". No prose."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.relations import Relations

Reason = Literal[
    "unfinished",  # of the planned runs, some are not done
    "no result",  # no point has a validation accuracy
    "no expected result",  # no expected point has one
    "no other result",  # nor has any point outside the expected ones
    "too few runs",  # for any verdict
    "expected beats others",  # label beats every point outside
    "other beats expected",  # label, not expected, beats every expected point
    "expected not run",  # label beats every expected point but the others, which have no result
    "expected leads",  # label, expected, is best, but is not shown to beat the others
    "other leads",  # label, not expected, is best, but is not shown to beat the others
]


@dataclass(frozen=True)
class HypothesisVerdict:
    """What became of a hypothesis, how sure that is, and why. ``label`` is the point that decides, ``others`` those it
    is not shown to beat or that lack a result; ``done`` of ``planned`` runs of an unfinished sweep."""

    verdict: Literal["confirmed", "rejected", "undecided"]
    reason: Reason
    certainty: Certainty = Certainty.UNKNOWN
    label: str = ""
    others: tuple[str, ...] = ()
    done: int = 0
    planned: int = 0


def verdict_so_far(found: Relations, expected: Collection[str], done: int, planned: int) -> HypothesisVerdict | None:
    """`hypothesis_verdict` of what was asked for, once all its runs are done; None where nothing is expected."""
    if not expected:
        return None
    if done < planned:
        return HypothesisVerdict("undecided", "unfinished", done=done, planned=planned)
    if not found.points:
        return HypothesisVerdict("undecided", "no result")
    return hypothesis_verdict(found, expected)


def hypothesis_verdict(found: Relations, expected: Collection[str]) -> HypothesisVerdict:
    """Of "the best point is among ``expected``": *confirmed*, *rejected* (sure or likely) or *undecided*.

    Confirmed: the winner is expected and beats every point outside. Rejected: some point outside beats every expected
    one. Else undecided. An expected point without a result keeps a hypothesis from being rejected. The points should be
    all of the finished sweep: of a point not run nothing can be known.
    """
    inside = [label for label in found.labels if label in expected]
    outside = [label for label in found.labels if label not in expected]
    missing = tuple(label for label in expected if label not in found.labels)
    if not inside:
        return HypothesisVerdict("undecided", "no expected result")
    if not outside:
        return HypothesisVerdict("undecided", "no other result")
    if max(len(scores) for scores in found.points.values()) < MIN_RUNS or found.winner is None:
        return HypothesisVerdict("undecided", "too few runs")
    best = found.winner.label
    for least in (Certainty.SURE, Certainty.LIKELY):

        def beats(label: str, other: str, least: Certainty = least) -> bool:
            relation = found.of(label, other)
            return relation.certainty >= least and relation.difference > 0

        if best in inside and all(beats(best, other) for other in outside):
            return HypothesisVerdict("confirmed", "expected beats others", least, best)
        for label in dict.fromkeys([best, *outside]):
            if label in outside and all(beats(label, other) for other in inside):
                if missing:
                    return HypothesisVerdict("undecided", "expected not run", label=label, others=missing)
                return HypothesisVerdict("rejected", "other beats expected", least, label)
    rivals = outside if best in inside else inside
    held = tuple(label for label in rivals if not found.of(best, label).is_better)
    return HypothesisVerdict(
        "undecided", "expected leads" if best in inside else "other leads", label=best, others=held
    )  # fmt: skip
