"""Where recorded runs stand, for the tools that people watch: in which sweeps, studies and searches, and what their
point is called there."""

from collections.abc import Callable, Iterable, Sequence

from explorer.asking.questions import Sweep
from explorer.asking.studies import StudyQuestion
from explorer.config import Config
from explorer.judging.runs import Runs
from explorer.judging.settled import SettledSweep
from explorer.judging.studies import StudyResult, replayed
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.record import Record
from explorer.running.requests import Request
from explorer.running.trackers.facts import Home, experiment_of, home
from explorer.telling import words

Label = Callable[[Config], str | None]
"""Point -> what it is called; None for one that it does not know."""


def home_of(config: Config, digest: str, asked: Iterable[tuple[Request, Label]] = ()) -> list[Home]:
    """The homes of a run: in each of these sweeps that know it, else among the runs of its model and data set."""
    found = [
        home(experiment_of(request), request.name, label, config, digest)
        for request, labelled in asked
        if (label := labelled(config.point)) is not None
    ]
    alone = f"{config.dataset}/{config.model}"
    return list(dict.fromkeys(found)) or [home(alone, "", words.short_name(config.point), config, digest)]


class Shelves:
    """The homes of runs that are trained now. ``digest_of``: data set -> its data's digest."""

    def __init__(self, digest_of: Callable[[str], str]):
        self.digest_of = digest_of
        self.asked: list[tuple[Request, Label]] = []

    def add(self, request: Request, label: Label) -> None:
        """A sweep, study or search that they are trained for."""
        self.asked.append((request, label))

    def __call__(self, config: Config) -> list[Home]:
        return home_of(config, self.digest_of(config.dataset), self.asked)


def homes_of(study: Study) -> dict[str, list[Home]]:
    """id -> homes, of the records that any sweep, study or search of the study is made of."""
    found: dict[str, list[Home]] = {}
    for request, label, records in _asked(study):
        for record in records:
            there = found.setdefault(record.id, [])
            there += [
                new for new in home_of(record.configuration, record.data.digest, [(request, label)]) if new not in there
            ]
    return found


def _asked(study: Study) -> Iterable[tuple[Request, Label, Sequence[Record]]]:
    for sweep in study.sweeps:
        yield sweep.request, label_of(sweep.sweep), records_of(sweep, study.runs)
    for tuned in study.studies:
        yield tuned.request, label_of(tuned.question, study.runs), records_of(tuned, study.runs)
    for settled in study.settled:
        yield settled.request, label_of(settled.sweep), records_of(settled, study.runs)


def label_of(question: Sweep | StudyQuestion, runs: Runs | None = None) -> Label:
    """What its points are called; those of a study as far as ``runs`` have told it."""
    if isinstance(question, Sweep):
        labels = {point.config: point.label for point in reversed(question.points)}
        return lambda point: labels.get(point)
    return replayed(question, runs or Runs([])).label


def records_of(judged: SweepResult | StudyResult | SettledSweep, runs: Runs) -> list[Record]:
    """The records that a sweep, a study or a search is made of, its fresh seeds among them."""
    if isinstance(judged, SettledSweep):
        return [record for point in judged.points.values() for record in point.records.values()]
    if isinstance(judged, SweepResult):
        return [
            record for outcome in judged.distinct for record in (*outcome.records.values(), *outcome.fresh.values())
        ]
    found = [runs.find(run) or runs.cut.get(run.point, {}).get(run.seed) for run in judged.runs]
    return [record for record in found if record is not None]
