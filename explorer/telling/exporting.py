"""Recorded runs, chosen to be kept elsewhere, each with its homes."""

from dataclasses import dataclass

from explorer.errors import UserError
from explorer.judging.runs import Runs
from explorer.judging.study import Study, of_requests
from explorer.record import Record, Status
from explorer.running.store import Store
from explorer.running.trackers import TrackedRun
from explorer.running.trackers.facts import Home
from explorer.telling.homes import home_of, homes_of


@dataclass(frozen=True)
class Wanted:
    """Which runs; None and empty where it does not matter."""

    models: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    dataset: str | None = None
    status: Status | None = None
    own: bool = False
    """A person's own alone."""


@dataclass(frozen=True)
class Exported:
    """A run to be kept elsewhere."""

    run: TrackedRun
    record: Record
    homes: tuple[Home, ...]


@dataclass(frozen=True)
class Export:
    """What is to be kept elsewhere, and how many records are not, because this version of the program does not know
    their configuration, or it is not the one that their id says."""

    runs: tuple[Exported, ...]
    study: Study
    left_out: int

    @property
    def records(self) -> list[Record]:
        return [one.record for one in self.runs]


def export(store: Store, wanted: Wanted) -> Export:
    """The records that are wanted, one of each run: the last one, of those that did not fail if there is any. Raises
    UserError where there is none."""
    records = store.records()
    study = of_requests(Runs(records), store.requests())
    homes = homes_of(study)
    newest: dict[str, Record] = {}
    for record in records:
        if record.id not in newest or record.status != "failed" or newest[record.id].status == "failed":
            newest[record.id] = record
    found, left_out = [], 0
    for record in newest.values():
        if not _is_wanted(record, wanted, store.alone):
            continue
        if (run := _run_of(record)) is None:
            left_out += 1
            continue
        there = homes.get(record.id) or home_of(run.config, record.data.digest)
        if there := [home for home in there if not wanted.sweeps or home.sweep in wanted.sweeps]:
            found.append(Exported(run, record, tuple(there)))
    if not found:
        raise UserError(f"no such run is recorded in {store.folder}")
    return Export(tuple(found), study, left_out)


def _is_wanted(record: Record, wanted: Wanted, alone: bool) -> bool:
    return (
        (not wanted.models or record.config["model"] in wanted.models)
        and wanted.dataset in (None, record.config.get("dataset"))
        and wanted.status in (None, record.status)
        and (record.own or alone or not wanted.own)
    )


def _run_of(record: Record) -> TrackedRun | None:
    try:
        return None if record.is_altered else TrackedRun(record.id, record.configuration)
    except UserError:
        return None
