"""Two configurations set against each other: which ones a person means, and a paired test between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from explorer.config import Config
from explorer.errors import UserError
from explorer.fields import nearest
from explorer.judging import stats
from explorer.judging.runs import ConfigResult, Runs
from explorer.judging.sweeps import SweepResult


@dataclass(frozen=True)
class Comparison:
    """Two configurations; ``validation`` decides, ``test`` is only reported. None: fewer than two common seeds."""

    first: ConfigResult
    second: ConfigResult
    validation: stats.Paired | None
    test: stats.Paired | None


def compare(first: ConfigResult, second: ConfigResult) -> Comparison:
    """Paired over the seeds both have; the difference is the second's minus the first's, as a fraction."""

    def paired(a: Mapping[int, float], b: Mapping[int, float]) -> stats.Paired | None:
        common = sorted(a.keys() & b.keys())
        if len(common) < 2:
            return None
        return stats.paired_test([a[seed] for seed in common], [b[seed] for seed in common])

    validation = paired(first.validation, second.validation)
    return Comparison(first, second, validation, paired(first.test, second.test))


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
        for record in item.records.values()
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
