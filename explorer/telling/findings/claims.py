"""The claims that a sweep's file states, published ones and others, held against the data pair by pair."""

from collections.abc import Sequence

from explorer.asking.questions import Claim
from explorer.judging.certainty import MIN_RUNS, Certainty, of_all
from explorer.judging.relations import Relation
from explorer.judging.settled import margins
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import estimate, listed, nested, plural, points, with_n


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
            "true of some pairs and false of others",
            "likely contradicted",
            "contradicted",
        )
        ended: dict[str, list[str]] = {word: [] for word in words}
        for claim in judged.sweep.claims:
            if word := _ended(judged, claim):
                ended[word].append(claim.says)
        parts = [f"{len(claims)} {how} ({'; '.join(claims)})" for how, claims in ended.items() if claims]
        published = judged.sweep.published
        whose = f"Published {published.table} winners" if published else f"{judged.sweep.title}, {_where(judged)}"
        count = sum(map(len, ended.values()))
        if parts:
            sentences.append(f"**{whose}**: of {plural(count, 'claim')}, {'; '.join(parts)} at n = {judged.seeds}.")
    return sentences


def _ended(judged: SweepResult, claim: Claim) -> str:
    """What became of a claim; empty where no pair can be compared. It is as sure as the least sure of its pairs; a
    rival that is better contradicts it, unless it is right of another pair."""
    against = [relation for relation in _leads(judged, claim).values() if relation.n >= MIN_RUNS]
    if not against:
        return ""
    if claim.suffices:
        return _enough(judged, claim, against)
    if contradicted := [relation.certainty for relation in against if relation.is_worse]:
        if any(relation.is_better for relation in against):
            return "true of some pairs and false of others"
        return "contradicted" if max(contradicted) is Certainty.SURE else "likely contradicted"
    shown = of_all(r.certainty if r.is_better else Certainty.UNKNOWN for r in against)
    if len(against) < len(claim.pairs) or shown is Certainty.UNKNOWN:
        return "not shown against every rival"
    return "borne out" if shown is Certainty.SURE else "likely borne out"


def _enough(judged: SweepResult, claim: Claim, against: Sequence[Relation]) -> str:
    """Of a claim that something suffices: *likely* at most, unless a rival is surely better, for the intervals are
    those of one comparison each."""
    delta = margins(judged.dataset).delta
    if beaten := [relation for relation in against if relation.high < -delta]:
        return "contradicted" if any(one.certainty is Certainty.SURE for one in beaten) else "likely contradicted"
    shown = len(against) == len(claim.pairs) and all(relation.low > -delta for relation in against)
    return "likely borne out" if shown else "not shown against every rival"


def one_by_one(study: Study) -> list[Sentence]:
    """Each claim: winner minus rival on validation, Holm-corrected within the claim."""
    found = [_told(judged, claim) for judged in _with_claims(study) for claim in judged.sweep.claims]
    return [sentence for sentence in found if sentence]


def _with_claims(study: Study) -> list[SweepResult]:
    """A table run with other settings than its own is not what was published."""
    return study.where(lambda judged: judged.sweep.claims and not judged.request.overrides)


def _where(judged: SweepResult) -> str:
    return name_of(judged.model, judged.dataset)


def _leads(judged: SweepResult, claim: Claim) -> dict[tuple[str, str], Relation]:
    """Pair -> its first against its second, of those with results."""
    there = judged.relations.points
    runs = {label: judged.distinct_label(label) for pair in claim.pairs for label in pair}  # rows may share their runs
    return {
        (one, rival): judged.relations.of(runs[one], runs[rival])
        for one, rival in claim.pairs
        if runs[one] in there and runs[rival] in there
    }


def _told(judged: SweepResult, claim: Claim) -> Sentence:
    leads = _leads(judged, claim)
    if not leads:
        return ""
    firsts = list(dict.fromkeys(one for one, _ in leads))
    measured = listed(
        [f"{one}{published(judged, one)} measures {with_n(judged.by_label[one].validation)}" for one in firsts]
    )
    told = [
        f"{f'{one} ' if len(firsts) > 1 else ''}against {rival}{published(judged, rival)}: {estimate(lead)}"
        for (one, rival), lead in leads.items()
    ]
    ended = f" {_ended(judged, claim).capitalize()}." if not judged.sweep.published else ""
    margin = f" (to {points(margins(judged.dataset).delta)})" if claim.suffices else ""
    where = "" if judged.sweep.published else f" {_where(judged)}:"
    head = f"**{claim.says}**{margin}:{where} {measured} on validation.{ended}"
    return nested(f"{head} {'Its lead' if len(firsts) == 1 else 'Their leads'} in points:", told)


def published(judged: SweepResult, label: str) -> str:
    """`` (published 82.9 %)``"""
    reference = judged.by_label[label].point.reference
    return "" if reference is None else f" (published {100 * reference:.1f} %)"


FINDING = Finding("claims", "What becomes of the claims of earlier studies?", find, summary)
