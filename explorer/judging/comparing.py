"""Two configurations set against each other: which ones a person means, and the test between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from explorer.config import Config
from explorer.errors import UserError
from explorer.fields import nearest
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.relations import Relation, Relations
from explorer.judging.runs import ConfigResult, Runs, Scores
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult


@dataclass(frozen=True)
class Comparison:
    """Two configurations; ``validation`` is the second against the first and decides. None where either has no run.

    ``scores``: what it rests on, of each. ``fresh``: whether these are of fresh seeds. ``judge``: the sweep or study
    whose word it is; None where none has both, and the test is of these two alone.
    """

    first: ConfigResult
    second: ConfigResult
    validation: Relation | None
    scores: tuple[Scores, Scores]
    fresh: bool
    judge: SweepResult | StudyResult | None = None


def compare(first: ConfigResult, second: ConfigResult, study: Study) -> Comparison:
    """In the words of a sweep or study that has both, so that two configurations are the same to each other wherever
    one reads of them; else as one comparison, by fresh seeds where both have `MIN_RUNS`, or by those that choose."""
    if (found := study.judge_of(second.config, first.config)) is not None:
        judge, b, a = found
        scores = judge.validation[a], judge.validation[b]
        return Comparison(first, second, judge.relations.of(b, a), scores, judge.fresh_alone, judge)
    fresh = min(len(first.fresh_validation), len(second.fresh_validation)) >= MIN_RUNS
    one, other = (run.fresh_validation if fresh else run.validation for run in (first, second))
    relations = Relations({"first": one, "second": other}, "first", trend=study.runs.validation_trend)
    return Comparison(first, second, relations.of("second", "first") if one and other else None, (one, other), fresh)


def by_name(sweeps: Iterable[SweepResult]) -> dict[str, ConfigResult]:
    """``dataset/model/sweep/label`` -> the point of that name, of points with any record."""
    return {
        f"{sweep.dataset}/{sweep.model}/{sweep.slug}/{outcome.label}": outcome
        for sweep in sweeps
        for outcome in sweep.outcomes
        if outcome.records
    }


def recorded_as(word: str | Config, runs: Runs, named: Mapping[str, ConfigResult]) -> ConfigResult:
    """The configuration a person means by a record's id (its first letters do), or by the end of its name: its label
    in a sweep, with as much of ``dataset/model/sweep/`` before it as it takes to name one; or by the Config itself.

    Raises UserError where that names none, with the nearest, or several, with their names.
    """
    if isinstance(word, Config):
        found = next((item for item in runs.configurations if item.config == word.point), None)
        if found is None:
            raise UserError(f"no run of this configuration is recorded: {word.to_json()}")
        return found
    matches = {
        item.config: (record.id, item)
        for item in runs.configurations
        for record in (*item.records.values(), *item.fresh.values())
        if len(word) >= 4 and record.id.startswith(word)
    }
    for name, outcome in named.items():
        if f"/{name}".endswith(f"/{word}"):
            matches.setdefault(outcome.config, (name, outcome))
    if len(matches) == 1:
        return next(iter(matches.values()))[1]
    if matches:
        names = [repr(name) for name, _ in matches.values()]
        more = ", ..." if len(names) > 6 else ""
        raise UserError(f"{word!r} names {len(names)} configurations; say which: {', '.join(names[:6])}{more}")
    if not runs.configurations:
        raise UserError(f"{word!r} names nothing: no run is recorded yet")
    labels = [name.split("/", 3)[3] for name in named]
    close = nearest(word, labels) if labels else "; give the id of a record"
    raise UserError(f"no recorded configuration is called {word!r}{close if len(close) < 200 else ''}")
