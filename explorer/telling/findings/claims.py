"""The published claims that a sweep's file states, held against the data."""

import math

from explorer.asking.questions import Claim
from explorer.judging import stats
from explorer.judging.runs import typical_deviation
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.words import difference, nested, points, with_n


def find(study: Study) -> list[Sentence]:
    return [*summary(study), *one_by_one(study)]


def summary(study: Study) -> list[Sentence]:
    """Which of the published claims the data bear out against each of their rivals, which not, and which are wrong."""
    sentences = []
    for judged in _with_claims(study):
        ended: dict[str, list[str]] = {"borne out": [], "not shown against every rival": [], "contradicted": []}
        for claim in judged.sweep.claims:
            words = [verdict.verdict for verdict in _verdicts(judged, claim) if verdict.n > 1]
            if "better" in words:
                ended["contradicted"].append(claim.says)
            elif words:
                all_worse = words == ["worse"] * len(claim.rivals)
                ended["borne out" if all_worse else "not shown against every rival"].append(claim.says)
        parts = [f"{len(claims)} {how} ({'; '.join(claims)})" for how, claims in ended.items() if claims]
        whose = f"Published {judged.sweep.published.table} winners" if judged.sweep.published else judged.sweep.title
        count = sum(map(len, ended.values()))
        if parts:
            sentences.append(f"**{whose}**: of {count} claims, {'; '.join(parts)} at n = {judged.seeds}.")
    return sentences


def one_by_one(study: Study) -> list[Sentence]:
    """Each claim: winner minus rival on validation, paired, Holm-corrected within the claim, and the power it had."""
    found = [_told(judged, claim) for judged in _with_claims(study) for claim in judged.sweep.claims]
    return [sentence for sentence in found if sentence]


def _with_claims(study: Study) -> list[SweepResult]:
    """A table run with other settings than its own is not what was published."""
    return study.where(lambda judged: judged.sweep.claims and not judged.request.overrides)


def _verdicts(judged: SweepResult, claim: Claim) -> list[stats.Verdict]:
    """The rivals that have results against the published winner; empty where it has none itself."""
    winner = judged.by_label[claim.winner].validation
    there = {rival: scores for rival in claim.rivals if (scores := judged.by_label[rival].validation)}
    return stats.verdicts(winner, there) if winner and there else []


def _told(judged: SweepResult, claim: Claim) -> Sentence:
    verdicts = _verdicts(judged, claim)
    if not verdicts:
        return ""
    told = []
    for verdict in verdicts:
        mirrored = stats.Paired(-verdict.difference, verdict.half_width, verdict.p, verdict.n)
        word = {"better": "worse than it", "worse": "better than it"}.get(verdict.verdict, verdict.verdict)
        told.append(f"{difference(mirrored)} against {verdict.label}{published(judged, verdict.label)}: {word}")
    ours, first = judged.by_label[claim.winner].validation, verdicts[0]
    nearest = judged.by_label[first.label].validation
    spread = typical_deviation({"": {seed: ours[seed] - nearest[seed] for seed in ours.keys() & nearest.keys()}})
    shown = stats.detectable_difference(spread, first.n, alpha=0.05 / len(verdicts))
    power = f" n = {first.n} would have shown {points(shown)} against {first.label} with 80 % power."
    head = f"**{claim.says}**: {claim.winner}{published(judged, claim.winner)} measures {with_n(ours)} on validation."
    return nested(f"{head}{'' if math.isnan(shown) else power} Its lead in points:", told)


def published(judged: SweepResult, label: str) -> str:
    """`` (published 82.9 %)``"""
    reference = judged.by_label[label].point.reference
    return "" if reference is None else f" (published {100 * reference:.1f} %)"


FINDING = Finding("claims", "Are the published winners distinguishable from their rivals?", find, summary)
