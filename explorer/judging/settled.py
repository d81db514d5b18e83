"""What ``--settle`` has settled of a sweep, found again from the records: the search is asked and told what they
say."""

from dataclasses import dataclass
from itertools import pairwise

from explorer import datasets, seeds
from explorer.asking import racing
from explorer.asking.questions import Sweep
from explorer.asking.racing import Margins
from explorer.asking.settle import Against, Settle, Settlement
from explorer.datasets.entry import Entry
from explorer.judging.runs import ConfigResult, Runs
from explorer.running.requests import Request


@dataclass(frozen=True)
class SettledSweep:
    """A sweep that was asked for with ``--settle``, and its points' records at the seeds it took."""

    request: Request
    sweep: Sweep
    settlement: Settlement
    points: dict[str, ConfigResult]
    """Label -> records, of distinct configurations, in the sweep's order."""
    slug: str
    """What its files are called by, see `sweeps.slug_of`."""
    own: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.points)

    def against(self, label: str) -> Against:
        return self.settlement.against[self.labels.index(label)]

    @property
    def runs(self) -> int:
        return sum(self.settlement.seeds)

    @property
    def looks(self) -> tuple[int, ...]:
        """How many seeds a point has at each look, as far as the cap."""
        return tuple(n for n, _ in racing.looks(self.settlement.cap))

    @property
    def spent(self) -> dict[str, tuple[int, ...]]:
        """Label -> of each look the runs that it added."""
        steps = [set(seeds.settling(n)) - set(seeds.settling(before)) for before, n in pairwise((0, *self.looks))]
        return {label: tuple(len(step & one.records.keys()) for step in steps) for label, one in self.points.items()}

    @property
    def leader(self) -> str | None:
        place = self.settlement.best.leader
        return None if place is None else self.labels[place]

    @property
    def rivals(self) -> tuple[str, ...]:
        """What may be better than the leader; once the race is settled, not by more than the margin."""
        return tuple(self.labels[place] for place in self.settlement.best.rivals)


def margins(dataset: str) -> Margins:
    """What counts as no difference on a data set: as its entry says, else as an entry that says nothing."""
    entry = datasets.find(dataset)
    return Margins(entry.epsilon, entry.delta) if entry else Margins(Entry.epsilon, Entry.delta)


def search(sweep: Sweep, cap: int) -> Settle:
    """The search that settles a sweep. Raises UserError as `Settle` does."""
    points = [point for point in sweep.points if point.same_as is None]
    named = next(point for point in sweep.points if point.label == sweep.baseline)
    baseline = next(index for index, point in enumerate(points) if point.config == named.config)
    return Settle([point.config for point in points], baseline, margins(sweep.dataset), cap)


def settled(request: Request, sweep: Sweep, runs: Runs, slug: str | None = None) -> SettledSweep:
    """How far the sweep is settled by these records."""
    asking = search(sweep, request.seeds)
    kept: dict[str, ConfigResult] = {
        point.label: ConfigResult(point.config, {}) for point in sweep.points if point.same_as is None
    }
    label_of = {result.config: label for label, result in kept.items()}
    while asked := asking.ask():
        found = {config: runs.of(config).get(config.seed) for config in asked}
        for config, record in found.items():
            if record is not None:
                kept[label_of[config.point]].records[config.seed] = record
        if not all(found.values()):
            break
        for config, record in found.items():
            assert record is not None
            asking.tell(config, record)
    return SettledSweep(request, sweep, asking.settlement, kept, slug or request.name, request.own)
