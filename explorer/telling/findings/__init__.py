"""The report's sentences, one file a finding, each computed from the data."""

from explorer.judging.study import Study
from explorer.telling.findings import (
    at_steps,
    batch_views,
    best,
    between,
    claims,
    each_tuned,
    factors,
    gains,
    hypotheses,
    knobs,
    longer,
    overfitting,
    published_tables,
    recommendations,
    returns,
    sgd,
    surprises,
    top_tenth,
    translation,
    worst,
)
from explorer.telling.findings.finding import Finding, Sentence

# In the order in which the report tells them.
FINDINGS: tuple[Finding, ...] = (
    recommendations.FINDING,
    best.FINDING,
    knobs.FINDING,
    each_tuned.FINDING,
    hypotheses.FINDING,
    at_steps.FINDING,
    claims.FINDING,
    sgd.FINDING,
    published_tables.FINDING,
    gains.FINDING,
    batch_views.FINDING,
    longer.FINDING,
    factors.FINDING,
    overfitting.FINDING,
    returns.FINDING,
    between.FINDING,
    translation.FINDING,
    surprises.FINDING,
    top_tenth.FINDING,
    worst.FINDING,
)


def top(study: Study) -> list[Sentence]:
    """What a reader with a minute should know."""
    return [sentence for finding in FINDINGS for sentence in finding.top(study)]


def answers(study: Study) -> list[tuple[Finding, list[Sentence]]]:
    """The study questions that have an answer, with it."""
    found = [(finding, finding.find(study)) for finding in FINDINGS if finding.question]
    return [(finding, sentences) for finding, sentences in found if sentences]
