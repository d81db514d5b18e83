"""Two configurations set against each other: which ones a person means, and the test between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from explorer.config import Config
from explorer.errors import UserError
from explorer.fields import nearest
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.moderation import Trend
from explorer.judging.relations import Relation, Relations
from explorer.judging.runs import ConfigResult, Runs
from explorer.judging.sweeps import SweepResult


@dataclass(frozen=True)
class Comparison:
    """Two configurations; ``validation`` is the second against the first and decides. None where either has no run.

    ``fresh``: whether it rests on fresh seeds, which both have.
    """

    first: ConfigResult
    second: ConfigResult
    validation: Relation | None
    fresh: bool


def compare(first: ConfigResult, second: ConfigResult, trend: Trend | None = None) -> Comparison:
    """As one comparison, by fresh seeds where both have `MIN_RUNS`, else by those that choose; ``trend`` as for
    `Relations`."""
    fresh = min(len(first.fresh_validation), len(second.fresh_validation)) >= MIN_RUNS
    a, b = (run.fresh_validation if fresh else run.validation for run in (first, second))
    relation = Relations({"first": a, "second": b}, "first", trend=trend).of("second", "first") if a and b else None
    return Comparison(first, second, relation, fresh)


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
