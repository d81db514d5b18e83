"""What is recorded already and what is to be. The parent process alone has a Recorder: it alone writes the ledger."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from explorer.asking.search import Search
from explorer.asking.stopping import Stopping
from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Record, run_id
from explorer.running import nets, predictions
from explorer.running.budget import Budget, OutOfTimeError
from explorer.running.claims import Claims
from explorer.running.engines import Engine, no_bars
from explorer.running.runner import Trained, may_lead
from explorer.running.store import Store
from explorer.running.trackers import TrackedRun, Tracker

LOOK_AGAIN_SECONDS = 0.5  # how often runs that another process trains are asked about


class Recorder:
    """Looks runs on one data set up in a store and appends new ones to it.

    With ``own_only`` what the published study has counts as not recorded: a run of one's own is to be trained here.
    With ``keeps_best`` the net of a run that leads is kept unasked, and what it says of the test images.
    """

    def __init__(self, store: Store, digest: str, own_only: bool = False, keeps_best: bool = False):
        self.store, self.digest, self.own_only, self.keeps_best = store, digest, own_only, keeps_best
        self.claims = Claims(store.folder)
        self.best: dict[tuple[object, object], float] | None = None
        """(model, data set) -> the best validation accuracy of its runs of seed 0."""
        self.own_best: dict[tuple[object, object], float] = {}
        """The same, of the records that are written here: a person's own nets do not compete with the study's."""

    def recorded(self, config: Config, or_cut: bool = False) -> Record | None:
        """The record of this very run, if it has been run to its end, ``or_cut``; a failed run does not count, nor does
        a record that states other settings than its id says."""
        record = self.store.find(run_id(config.identity(), self.digest), self.own_only)
        if record is None or _states_another(record, config, self.digest):
            return None
        if not (record.is_whole or (or_cut and record.status == "cut")):
            return None
        return record

    def prepare(self) -> None:
        """Read all records, once: a line that is no record is refused before anything is computed, not after."""
        if self.best is not None:
            return
        self.store.prepare()
        self.best = {}
        for record in self.store.records():
            if "dataset" in record.config and record.seed == 0 and record.val_accuracy is not None:
                for best in (self.best, self.own_best) if record.own or self.store.alone else (self.best,):
                    best[_kind(record)] = max(record.val_accuracy, best.get(_kind(record), 0.0))

    def keep(self, trained: Trained) -> Record:
        """Append the record, and keep the predictions and the net of a run that leads: to have them later is to train
        once more. A net that was asked for is kept in any case."""
        self.prepare()
        assert self.best is not None
        record, accuracy, kind = trained.record, trained.record.val_accuracy, _kind(trained.record)
        self.store.append(record)
        leads = accuracy is not None and accuracy >= self.best.get(kind, 0.0)
        leads_own = may_lead(record.configuration) and (accuracy or 0.0) >= self.own_best.get(kind, 0.0)
        if trained.logits is not None and (leads or (leads_own and self.keeps_best)):
            predictions.save(self.store.folder, record.id, trained.logits)
        if trained.net is not None and ((leads_own and self.keeps_best) or trained.net.about.asked):
            nets.save(self.store.folder, trained.net)
        if trained.logits is not None and accuracy is not None:
            for best in (self.best, self.own_best):
                best[kind] = max(accuracy, best.get(kind, 0.0))
        return record


class HoldingNets(Recorder):
    """Holds on to the nets of its runs, by the ids of their records: they are to be asked, and not kept."""

    def __init__(self, store: Store, digest: str):
        super().__init__(store, digest)
        self.nets: dict[str, nets.Net | None] = {}

    def keep(self, trained: Trained) -> Record:
        self.nets[trained.record.id] = trained.net
        return super().keep(replace(trained, net=None))


def _states_another(record: Record, config: Config, digest: str) -> bool:
    try:
        return record.configuration != config or record.data.digest != digest
    except UserError:  # settings that no version of this program knows are not these
        return True


def _kind(record: Record) -> tuple[object, object]:
    return record.config["model"], record.config["dataset"]


def foresee(search: Search, recorder: Recorder, force: bool = False, or_cut: bool = False) -> Sequence[Config]:
    """The runs that ``search`` would still train, as far as it knows; it is told what is recorded, nothing is trained.

    ``search`` should be a fresh one, and cannot be answered afterwards.
    """
    while not force and (asked := search.ask()):
        found = [(config, recorder.recorded(config, or_cut)) for config in asked]
        for config, record in found:
            if record is not None:
                search.tell(config, record)
        if any(record is None for _, record in found):
            break
    return search.upcoming()


def answer(
    search: Search,
    engine: Engine,
    recorder: Recorder,
    tracker: Tracker,
    force: bool = False,
    budget: Budget | None = None,
    stopping: Stopping | None = None,
) -> Iterator[Record]:
    """Train what ``search`` asks for until it asks no more, keep every record and yield it as its run ends.

    A run that is recorded already is told to the search from there, and trained only with ``force``. A run that another
    process trains meanwhile is left to it, and waited for at the end; should that process end without a record, the run
    is trained here. Where ``budget`` is over it ends before the search does. ``stopping`` cuts tries early; without it
    a run that was cut is trained whole. Raises UserError before anything is computed where the ledger holds a foreign
    line.
    """
    recorder.prepare()
    desk = _Desk(search, engine, recorder, tracker, force, budget, stopping)
    try:
        while asked := search.ask():
            waiting = [config for config in asked if not desk.known(config)]
            while waiting:
                waiting = yield from desk.train(waiting)
            if budget and budget.spent:
                return
    except OutOfTimeError:
        return
    finally:
        recorder.claims.close()


@dataclass
class _Desk:
    """What the runs of one search pass over."""

    search: Search
    engine: Engine
    recorder: Recorder
    tracker: Tracker
    force: bool
    budget: Budget | None
    stopping: Stopping | None

    def known(self, config: Config) -> Record | None:
        """The record of the run, where there is one: it is told to the search."""
        record = None if self.force else self.recorder.recorded(config, or_cut=self.stopping is not None)
        if record is not None:
            self.tell(config, record)
        return record

    def tell(self, config: Config, record: Record) -> None:
        self.search.tell(config, record)
        if self.stopping:
            self.stopping.tell(config, record)

    def train(self, configs: Sequence[Config]) -> Generator[Record, None, list[Config]]:
        """Train what no other process has claimed, then wait for the others; returns those they left unrecorded."""
        claims, budget, tracker = self.recorder.claims, self.budget, self.tracker
        runs = {config: TrackedRun(run_id(config.identity(), self.recorder.digest), config) for config in configs}
        by_id = {run.id: run.config for run in runs.values()}
        elsewhere: list[Config] = []

        def needless(config: Config) -> bool:
            """Whether another process trains the run, or has recorded it since we looked, or no time is left for it."""
            run = runs[config]
            if budget is not None and not budget.has_time_for(config):
                return True
            claimed = claims.take(run.id)
            record = self.known(config)  # asked last: what was claimed before is recorded now
            if record is not None:
                claims.release(run.id)
                tracker.finished(run, record)
            elif not claimed and not self.force:
                elsewhere.append(config)
                return True
            return record is not None

        bars = self.stopping.bars if self.stopping else no_bars
        for trained in self.engine.run(configs, budget.watch(tracker) if budget else tracker, needless, bars):
            record = self.recorder.keep(trained)
            claims.release(record.id)
            config = by_id[record.id]
            tracker.finished(runs[config], record)
            self.tell(config, record)
            yield record
        left: list[Config] = []
        if elsewhere:
            tracker.awaited([runs[config] for config in elsewhere])
        while elsewhere and not left:
            if budget:
                budget.look()
            time.sleep(LOOK_AGAIN_SECONDS)
            asked, elsewhere[:] = list(elsewhere), []
            left = [config for config in asked if not needless(config)]
        return left + elsewhere
