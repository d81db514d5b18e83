"""``--sweep``: train what is not recorded yet of one or more sweeps, then their tables, pictures and the report."""

import sys
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from explorer import datasets, machine
from explorer.asking import documents, questions
from explorer.asking.search import Listed
from explorer.cli import console
from explorer.cli.options import Places, SweepOptions
from explorer.cli.report import rebuild
from explorer.config import Config
from explorer.judging.runs import Runs
from explorer.judging.sweeps import SweepResult, judge
from explorer.record import run_id
from explorer.running import predictions
from explorer.running.engines import WorkerSetup
from explorer.running.engines.local import local_engine
from explorer.running.estimates import estimate
from explorer.running.prepare import device_for, prepared
from explorer.running.recorder import Recorder, answer
from explorer.running.requests import Request
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent, Tracker
from explorer.running.trackers.json_lines import JsonLines
from explorer.running.trackers.terminal import duration, many_runs
from explorer.training.device import usual_jobs


@dataclass(frozen=True)
class Planned:
    """A sweep the person named, and what there is to do for it."""

    sweep: questions.Sweep
    request: Request
    runs: list[Config]
    waiting: list[Config]
    """Of the runs, those neither recorded nor waiting for a sweep named before."""


def run(options: SweepOptions) -> int:
    store = Store(options.places.results)
    runners: dict[str, Runner] = {}
    planned = plan(options, store, runners)
    to_do = [config for one in planned for config in one.waiting]
    device = device_for(options.machine.device) if to_do else "CPU"
    jobs = min(options.jobs or usual_jobs(device), max(1, len(to_do)))
    quiet = options.quiet or options.json_lines
    if not quiet:
        print(plan_table(planned, runners, store, jobs), flush=True)
        if not options.jobs and jobs < min(machine.cores(), len(to_do)):
            print(f"{device}: one run at a time, because more would share it; --jobs says otherwise", flush=True)
    if options.dry_run:
        return 0
    for one in planned:
        store.note(one.request, trained=bool(one.waiting))
    if to_do:
        with (
            prepared(options.machine.device, options.machine.kernels),
            console.told_of_interruption(store, "the same command goes on where this one stopped"),
        ):
            for name, runner in runners.items():
                mine = [config for config in to_do if config.dataset == name]
                setup = WorkerSetup(options.asked.data or name, options.data_dir)
                engine = local_engine(runner, setup, jobs)
                recorder = Recorder(store, runner.data.digest)
                with watch(options, len(mine), labels_of(planned)) as tracker, closing(engine):
                    for _ in answer(Listed(mine), engine, recorder, tracker, options.force):
                        pass
    return conclude(options, store, planned)


def plan(options: SweepOptions, store: Store, runners: dict[str, Runner]) -> list[Planned]:
    """What there is to do, checked before anything is computed. Adds a Runner for each data set to ``runners``."""
    asked = options.asked
    overrides = {field: value for field, value in asked.values.items() if field != "dataset"}
    dataset = None if asked.data is None else str(asked.values["dataset"])
    found = [
        questions.load(name, asked.model, dataset, overrides, options.yes, asked.named)
        for name in documents.names(options.which, asked.model, dataset)
    ]
    planned: list[Planned] = []
    seen: set[Config] = set()
    for sweep in found:
        runs = questions.configs(sweep, options.seeds or sweep.seeds_default, options.yes)
        if sweep.dataset not in runners:
            runners[sweep.dataset] = Runner(datasets.load(asked.data or sweep.dataset, options.data_dir))
        runner = runners[sweep.dataset]
        runner.check(runs)
        recorder = Recorder(store, runner.data.digest)
        waiting = [run for run in runs if run not in seen and (options.force or not recorder.recorded(run))]
        seen.update(waiting)
        seeds = 1 + max(run.seed for run in runs)
        own_data = asked.data if asked.own_data else None
        request = Request(sweep.name, sweep.model, sweep.dataset, overrides, seeds, sweep.path, own_data)
        planned.append(Planned(sweep, request, runs, waiting))
    return planned


def plan_table(planned: list[Planned], runners: dict[str, Runner], store: Store, jobs: int) -> str:
    """What there is to do: a line a sweep, and how long it should take by the steps measured so far."""
    records = [record for record in store.records() if record.status == "ok" and record.step_ms]
    lines, seconds, unknown = [], 0.0, 0
    for one in planned:
        name = f"{one.sweep.model} {one.sweep.dataset} {one.sweep.name}"
        done = f"{len(one.runs) - len(one.waiting)} done, {len(one.waiting)} to do"
        lines.append(f"{name}: {len(one.sweep.points)} points, {len(one.runs)} runs, {done}")
        for config in one.waiting:
            training_images, _ = runners[config.dataset].data.split(config.train_on)
            found = estimate(config, records, training_images)
            seconds += found or 0.0
            unknown += found is None
    to_do = sum(len(one.waiting) for one in planned)
    if to_do:
        time_left = f"about {duration(seconds / jobs)} on {jobs} process{'es' if jobs > 1 else ''}"
        if unknown == to_do:
            time_left = "no run like these has been timed yet"
        elif unknown:
            time_left += f", not counting {unknown} runs of which none like it has been timed"
        lines.append(f"to do: {to_do} runs, {time_left}")
    return "\n".join(lines)


def labels_of(planned: list[Planned]) -> dict[Config, str]:
    """Point -> its label; what answers several sweeps has its name in the first."""
    labels: dict[Config, str] = {}
    for one in planned:
        for point in one.sweep.points:
            labels.setdefault(point.config, f"{one.sweep.name}: {point.label}" if len(planned) > 1 else point.label)
    return labels


def watch(options: SweepOptions, total: int, labels: dict[Config, str]) -> AbstractContextManager[Tracker]:
    if options.json_lines:
        return nullcontext(JsonLines(sys.stdout))
    return nullcontext(Silent()) if options.quiet else many_runs(total, labels)


def conclude(options: SweepOptions, store: Store, planned: list[Planned]) -> int:
    """The comparison tables of these sweeps in the terminal, then where everything lies; the report rebuilt."""
    places = options.places
    keep_predictions(options, store, {(one.sweep.model, one.sweep.dataset) for one in planned})
    files = rebuild(store, places, options.data_dir)
    runs, known = Runs(store.records()), store.requests()
    records = [runs.of(config).get(config.seed) for config in {run for one in planned for run in one.runs}]
    failed = sum(record is not None and record.status == "failed" for record in records)
    if failed:
        print(f"{failed} of {len(records)} runs failed; the same command tries them again", file=sys.stderr)
    if options.quiet or options.json_lines:
        return int(bool(failed))
    for one in planned:
        own = next((request.own for request in reversed(known) if request.key == one.request.key), False)
        alike = [request for request in known if request.own == own]
        show(judge([(one.request, one.sweep)], runs, alike, "own" if own else "published")[0], store, places, files)
    print(f"  {files[-1]}")
    return int(bool(failed))


def show(one: SweepResult, store: Store, places: Places, files: list[Path]) -> None:
    """A sweep's comparison table, what came of it, and where its files lie."""
    from explorer.telling import report, tables, words

    print(f"\n{one.sweep.title} ({one.model}, {one.dataset}): {one.sweep.question}")
    print(tables.sweep_table(one, "simple"))
    if one.winner:
        print(f"best on validation: {one.winner.label}")
        if one.winner.ties:  # by another test than the table's, so one of them may be "worse" there
            print(f"picked after looking, it is not told apart from: {', '.join(one.winner.ties)}")
    if one.hypothesis:
        print(f"hypothesis {one.hypothesis.verdict}: {words.reason(one.hypothesis)}")
    mine = [path for path in report.files_of(one, store.published_folder, places.media) if path in files]
    print("\n".join(f"  {path}" for path in mine))


def keep_predictions(options: SweepOptions, store: Store, swept: set[tuple[str, str]]) -> None:
    """Keep what the best configuration of each model and data set says of the test images, and of no other.

    The ledger has figures alone; the report shows where the best model errs. The run that leads leaves its predictions
    behind as it ends; where the best by its mean over seeds is another, it is trained once more, if a sweep of its
    (model, data set) was run.
    """
    runs = Runs(store.records(published_only=True))
    kept = set()
    for model, dataset_name in sorted({(run.config.model, run.config.dataset) for run in runs.configurations}):
        ranked = runs.ranked(model, dataset_name)
        if not ranked:
            continue
        config, record = ranked[0].config, next(iter(ranked[0].records.values()))
        best = run_id(config.identity(), record.data.digest)
        kept.add(best)
        there = any(predictions.path_of(folder, best).exists() for folder in store.folders)
        if there or (model, dataset_name) not in swept:
            continue
        dataset = datasets.load(options.asked.data or dataset_name, options.data_dir)
        if dataset.digest != record.data.digest:  # the best was found on other data than lies here
            continue
        if not (options.quiet or options.json_lines):
            print(f"Training the best {model} on {dataset_name} once more, to show where it errs", flush=True)
        with prepared(options.machine.device, options.machine.kernels):
            logits = Runner(dataset).run(config).logits
        if logits is not None:
            predictions.save(store.folder, best, logits)
    predictions.clear(store.folder, kept)
