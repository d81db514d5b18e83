"""The published claims that a sweep's file states, held against the data."""

from explorer.asking.questions import Claim
from explorer.judging.certainty import MIN_RUNS, Certainty, of_all
from explorer.judging.relations import Relation
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.words import estimate, nested, plural, with_n


def find(study: Study) -> list[Sentence]:
    return [*summary(study), *one_by_one(study)]


def summary(study: Study) -> list[Sentence]:
    """Which of the published claims the data bear out against each of their rivals, which not, and which are wrong."""
    sentences = []
    for judged in _with_claims(study):
        words = (
            "borne out",
            "likely borne out",
            "not shown against every rival",
            "likely contradicted",
            "contradicted",
        )
        ended: dict[str, list[str]] = {word: [] for word in words}
        for claim in judged.sweep.claims:
            if word := _ended(judged, claim):
                ended[word].append(claim.says)
        parts = [f"{len(claims)} {how} ({'; '.join(claims)})" for how, claims in ended.items() if claims]
        whose = f"Published {judged.sweep.published.table} winners" if judged.sweep.published else judged.sweep.title
        count = sum(map(len, ended.values()))
        if parts:
            sentences.append(f"**{whose}**: of {plural(count, 'claim')}, {'; '.join(parts)} at n = {judged.seeds}.")
    return sentences


def _ended(judged: SweepResult, claim: Claim) -> str:
    """What became of a claim; empty where no rival can be compared. It is as sure as the least sure of its rivals; a
    rival that is better contradicts it."""
    against = [relation for relation in _leads(judged, claim).values() if relation.n >= MIN_RUNS]
    if not against:
        return ""
    if contradicted := [relation.certainty for relation in against if relation.is_worse]:
        return "contradicted" if max(contradicted) is Certainty.SURE else "likely contradicted"
    shown = of_all(r.certainty if r.is_better else Certainty.UNKNOWN for r in against)
    if len(against) < len(claim.rivals) or shown is Certainty.UNKNOWN:
        return "not shown against every rival"
    return "borne out" if shown is Certainty.SURE else "likely borne out"


def one_by_one(study: Study) -> list[Sentence]:
    """Each claim: winner minus rival on validation, Holm-corrected within the claim."""
    found = [_told(judged, claim) for judged in _with_claims(study) for claim in judged.sweep.claims]
    return [sentence for sentence in found if sentence]


def _with_claims(study: Study) -> list[SweepResult]:
    """A table run with other settings than its own is not what was published."""
    return study.where(lambda judged: judged.sweep.claims and not judged.request.overrides)


def _leads(judged: SweepResult, claim: Claim) -> dict[str, Relation]:
    """Rival -> the published winner against it, of those with results; empty where it has none itself."""
    winner, there = judged.distinct_label(claim.winner), judged.relations.points
    rivals = {rival: judged.distinct_label(rival) for rival in claim.rivals}  # a row may be another's experiment
    if winner not in there:
        return {}
    return {rival: judged.relations.of(winner, run) for rival, run in rivals.items() if run in there}


def _told(judged: SweepResult, claim: Claim) -> Sentence:
    leads = _leads(judged, claim)
    if not leads:
        return ""
    told = [f"against {rival}{published(judged, rival)}: {estimate(lead)}" for rival, lead in leads.items()]
    ours = judged.by_label[claim.winner].validation
    head = f"**{claim.says}**: {claim.winner}{published(judged, claim.winner)} measures {with_n(ours)} on validation."
    return nested(f"{head} Its lead in points:", told)


def published(judged: SweepResult, label: str) -> str:
    """`` (published 82.9 %)``"""
    reference = judged.by_label[label].point.reference
    return "" if reference is None else f" (published {100 * reference:.1f} %)"


FINDING = Finding("claims", "Are the published winners distinguishable from their rivals?", find, summary)
