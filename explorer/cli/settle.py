"""``--sweep NAME --settle``: seeds look by look, where the sweep's question is open, then what is settled of it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from explorer import datasets
from explorer.asking import documents, questions, racing, studies
from explorer.asking.search import Stage
from explorer.asking.settle import Settle
from explorer.cli import console, output, tracking
from explorer.cli.command import typed
from explorer.cli.options import SweepOptions
from explorer.cli.report import rebuild
from explorer.cli.sweep import watch
from explorer.config import Config
from explorer.errors import UserError
from explorer.judging.runs import Runs
from explorer.judging.settled import search, settled
from explorer.record import Record
from explorer.running.budget import Budget
from explorer.running.engines import Engine, WorkerSetup
from explorer.running.engines.choice import computers
from explorer.running.estimates import Estimator, patience
from explorer.running.following import Follower
from explorer.running.prepare import prepared
from explorer.running.recorder import Recorder, answer, foresee
from explorer.running.requests import Request
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Several, Tracker
from explorer.running.trackers.terminal import duration
from explorer.telling import homes, tables
from explorer.telling import settled as telling
from explorer.telling.homes import Shelves


@dataclass(frozen=True)
class Asked:
    """A sweep to be settled."""

    sweep: questions.Sweep
    request: Request
    search: Settle

    @property
    def name(self) -> str:
        return f"{self.sweep.model} {self.sweep.dataset} {self.sweep.name}"

    @property
    def labels(self) -> dict[Config, str]:
        return {point.config: point.label for point in reversed(self.sweep.points)}


class OneLook:
    """The runs of one look of another search, which is told what comes of them."""

    def __init__(self, search: Settle, runs: Sequence[Config]):
        self.search, self.runs = search, runs

    def ask(self) -> Sequence[Config]:
        asked, self.runs = self.runs, ()
        return asked

    def tell(self, config: Config, record: Record) -> None:
        self.search.tell(config, record)

    def upcoming(self) -> Sequence[Config]:
        return self.search.upcoming()

    def stages(self) -> Sequence[Stage]:
        return self.search.stages()


def run(options: SweepOptions) -> int:
    store = Store(options.places.results)
    runners: dict[str, Runner] = {}
    asked = plan(options, runners)
    quiet = options.quiet or options.json_lines
    expected = Estimator(store.records(), lambda run: runners[run.dataset].data.split(run.train_on)[0])
    for one in asked:
        if not quiet:
            print(announcement(one, options.cap, expected), flush=True)
    if options.dry_run:
        return 0
    budget = Budget(options.budget, expected) if options.budget else None
    failed = 0
    shelves = Shelves(lambda dataset: runners[dataset].data.digest)
    for one in asked:
        shelves.add(one.request, homes.label_of(one.sweep))
    with (
        closing(computers(options.where, options.machine.device, options.machine.kernels)) as place,
        prepared(options.machine.device, options.machine.kernels),
        console.told_of_interruption(store, "the same command goes on where this one stopped"),
        tracking.kept(options.track, store, shelves, quiet, lambda: recorded(asked, store)) as elsewhere,
    ):
        for one in asked:
            store.note(one.request)
            runner = runners[one.sweep.dataset]
            setup = WorkerSetup(options.asked.data or one.sweep.dataset, options.data_dir)
            engine = place.engine(runner, setup, patience(store.records()))
            total = len(still_to_do(one, options, store, runners))
            with closing(engine), followed(one, store, total) as follower:
                recorder = Recorder(store, runner.data.digest, keeps_best=True)
                others = Several(follower, elsewhere)
                failed += settle(one, options, engine, recorder, budget, expected, place.jobs, others)
            if budget and budget.spent:
                break
    if budget and budget.spent and not quiet:
        left = sum(len(still_to_do(one, options, store, runners)) for one in asked)
        print(f"The time is over; the same command goes on, with {left:,} runs more at most", flush=True)
    return conclude(options, store, asked, failed, quiet)


def recorded(asked: Sequence[Asked], store: Store) -> list[Record]:
    """What is recorded of these at the seeds that settle them."""
    runs = Runs(store.records())
    return [record for one in asked for record in homes.records_of(settled(one.request, one.sweep, runs), runs)]


def still_to_do(one: Asked, options: SweepOptions, store: Store, runners: Mapping[str, Runner]) -> Sequence[Config]:
    """The runs that it takes at most, those that are recorded left out."""
    return foresee(search(one.sweep, options.cap), Recorder(store, runners[one.sweep.dataset].data.digest))


def followed(one: Asked, store: Store, total: int) -> Follower:
    """What lets the page follow it. How many seeds a point will have is not known."""
    return Follower(
        store.folder,
        title=f"{one.sweep.title}, settled ({one.sweep.model}, {one.sweep.dataset})",
        command=typed(*sys.argv[1:]),
        requests=[],
        points=[point.config for point in one.sweep.points if point.same_as is None],
        label=lambda config: one.labels[config.point],
        seeds=0,
        total=total,
    )


def plan(options: SweepOptions, runners: dict[str, Runner]) -> list[Asked]:
    """The sweeps, checked before anything is computed. Adds a Runner for each data set to ``runners``."""
    wanted = options.asked
    overrides = {field: value for field, value in wanted.values.items() if field != "dataset"}
    dataset = None if wanted.data is None else str(wanted.values["dataset"])
    asked = []
    for name in documents.names(options.which, wanted.model, dataset):
        if studies.is_study(name, wanted.model):
            raise UserError(f"{name!r} is a study, which has fresh seeds of its own; --settle is for sweeps")
        sweep = questions.load(name, wanted.model, dataset, overrides, options.yes, wanted.named)
        if sweep.dataset not in runners:
            runners[sweep.dataset] = Runner(datasets.load(wanted.data or sweep.dataset, options.data_dir))
        runners[sweep.dataset].check(point.config for point in sweep.points)
        own_data = wanted.data if wanted.own_data else None
        request = Request(
            sweep.name, sweep.model, sweep.dataset, overrides, options.cap, sweep.path, own_data, settle=True
        )
        try:
            asked.append(Asked(sweep, request, search(sweep, options.cap)))
        except UserError as error:
            raise UserError(f"sweep {sweep.name!r}: {error}") from None
    return asked


def announcement(one: Asked, cap: int, expected: Callable[[Config], float | None]) -> str:
    """How many runs it takes, at least and at most, and how long these are, where runs like them have been timed."""
    points, schedule = len(one.search.points), [n for n, _ in racing.looks(cap)]
    counts = ", ".join(map(str, schedule[:-1])) + f" and {schedule[-1]}" if schedule[1:] else str(schedule[0])
    least, most = points * schedule[0], points * schedule[-1]
    told = f"{one.name}: {points} points, looks at {counts} seeds: {least:,} to {most:,} runs"
    seconds = [found for point in one.labels if (found := expected(point)) is not None]
    if not seconds:
        return f"{told}; no run like these has been timed yet"
    each = sum(seconds) / len(seconds)
    return f"{told}, about {duration(least * each)} to {duration(most * each)} on one process"


def settle(
    one: Asked,
    options: SweepOptions,
    engine: Engine,
    recorder: Recorder,
    budget: Budget | None,
    expected: Estimator,
    jobs: int,
    others: Tracker,
) -> int:
    """Take look after look until nothing is open, or the time is over; how many runs failed."""
    failed, quiet = 0, options.quiet or options.json_lines
    known: list[Record] = []  # of the looks before too: who leads does so over all its seeds
    while not (budget and budget.spent) and (runs := one.search.ask()):
        records = {config: recorder.recorded(config) for config in runs}
        known += [record for record in records.values() if record is not None]
        waiting = [config for config, record in records.items() if record is None]
        points = len({config.point for config in runs})
        if not quiet:
            n = one.search.races.schedule[one.search.races.done][0]
            print(
                f"look at {n} seeds: {points} of {len(one.search.points)} points open, {len(waiting)} runs to do",
                flush=True,
            )
        with watch(options, waiting, lambda config: one.labels[config.point], known, expected, jobs) as tracker:
            both = Several(tracker, others)
            for record in answer(OneLook(one.search, runs), engine, recorder, both, budget=budget):
                known.append(record)
                failed += record.status == "failed"
    return failed


def conclude(options: SweepOptions, store: Store, asked: Sequence[Asked], failed: int, quiet: bool) -> int:
    """What is settled, in the terminal and in the report."""
    if failed:
        print(f"{failed} runs failed; the same command tries them again", file=sys.stderr)
    files = rebuild(store, options.places, options.data_dir)
    if quiet:
        return int(bool(failed))
    runs = Runs(store.records())
    for one in asked:
        found = settled(one.request, one.sweep, runs)
        output.say(f"\n{one.sweep.title} ({one.sweep.model}, {one.sweep.dataset}): {one.sweep.question}")
        rows = telling.rows(found)
        output.rows(rows, spare=(*tables.spare(rows), "test %", "against baseline"))
        for sentence in telling.sentences(found):
            output.say(sentence)
    print(f"  {files[-1]}")
    return int(bool(failed))
