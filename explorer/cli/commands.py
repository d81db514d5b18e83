"""What the commands do: train one run, run sweeps, list them, rebuild the report, name the best, compare two.

Late imports keep `--help` and the telling of a mistake fast: tinygrad, pandas and matplotlib come in only when used.
"""

import argparse
import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from explorer import machine
from explorer.cli import console
from explorer.config import Config, choices, fields_for, from_environment, make_config, merge
from explorer.errors import UserError
from explorer.fields import flag_of, nearest
from explorer.record import Record, run_id
from explorer.running.ledger import Ledger
from explorer.running.runner import Runner
from explorer.training import device as environment


def asked_for(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """(fields set by flags and environment, what the person called each)."""
    flags = {field: value for field, value in vars(options).items() if field == "model" or field in fields_for(None)}
    from_variables, names = from_environment()
    values = merge(from_variables, flags)
    named = {field: flag_of(field) if field in flags else names[field] for field in values if field != "model"}
    return values, named


def open_machine(options: argparse.Namespace) -> None:
    """Choose and open the device. Raises UserError where it is not to be had."""
    from explorer.training import compiler

    # tinygrad reads its own with int(), as it is imported: what is no number would be blamed on the device
    limits = {"KERNELS": (0, 1), "KERNEL_THREADS": (1, 64), "JIT": (0, 9), "BEAM": (0, 1000), "DEBUG": (0, 100)}
    for variable, (low, high) in limits.items():
        value = os.environ.get(variable, str(low))
        if value not in map(str, range(low, high + 1)):
            raise UserError(f"{variable} must be a whole number from {low} to {high}, got {value!r}")
    if options.device:
        os.environ["DEV"] = options.device
    if options.kernels:
        os.environ["KERNELS"] = "1" if options.kernels == "on" else "0"
    # tinygrad would start worker processes to compile its kernels: they take longer to start than the few we leave it.
    os.environ.setdefault("PARALLEL", "0")
    compiler.ensure_compiler()
    environment.open_device()


@contextlib.contextmanager
def told_of_interruption(ledger: Ledger, what: str) -> Iterator[None]:
    """Turns Ctrl-C into one that says what was kept."""
    try:
        yield
    except KeyboardInterrupt:
        kept = len(ledger.records())
        records = "1 record is" if kept == 1 else f"{kept} records are"
        raise KeyboardInterrupt(f"{what}; {records} kept in {ledger.path}") from None


def train(options: argparse.Namespace) -> int:
    """One run."""
    values, named = asked_for(options)
    config = make_config(values, named)
    ledger = Ledger(options.results)
    dataset = datasets.load(config.dataset, options.data_dir, fall_back="dataset" not in values)
    if dataset.name != config.dataset:
        config = make_config({**config.to_json(), "dataset": dataset.name})
    runner = Runner(dataset, ledger)
    runner.check([config])

    silent = options.quiet or options.json
    record = None if options.force else runner.recorded(config)
    if record is None:
        ledger.records()  # a line that is no record is told now, not when all is trained
        open_machine(options)
        if not silent:
            print(console.header(config, dataset, environment.describe()), flush=True)
        with console.progress(silent) as listen, told_of_interruption(ledger, "this run is not recorded"):
            record = runner.run(config, listen)
    elif not silent:
        where = f"{record.environment.cpu}, {record.started[:10]}"
        print(f"This run is recorded already ({where}), so it is shown, not trained; --force trains it here.\n")
    if options.json:
        print(json.dumps(record.to_json()))
    else:
        print(console.brief(record) if options.quiet else console.summary(record, ledger.path))
    return 0


@dataclass(frozen=True)
class Asked:
    """A sweep the person named."""

    sweep: Any
    runs: list[Config]
    waiting: list[Config]  # of the runs, those neither recorded nor waiting for a sweep named before


def sweep(options: argparse.Namespace) -> int:
    """One or more sweeps: train what is not recorded yet, then the tables, pictures and report."""
    from explorer.asking import questions as sweep
    from explorer.judging.results import key_of
    from explorer.running import requests
    from explorer.running.engines import local as workers

    values, named = asked_for(options)
    asked_dataset = values.pop("dataset", None)
    overrides = {field: value for field, value in values.items() if field != "model"}
    found = [
        sweep.load(name, options.model, asked_dataset, overrides, options.yes, named)
        for name in sweep.names(options.sweep, options.model, asked_dataset)
    ]
    ledger = Ledger(options.results)
    runners: dict[str, Runner] = {}
    asked: list[Asked] = []
    seen: set[Config] = set()
    for loaded in found:
        runs = sweep.configs(loaded, options.seeds or loaded.seeds_default, options.yes)
        if loaded.dataset not in runners:
            runners[loaded.dataset] = Runner(datasets.load(loaded.dataset, options.data_dir), ledger)
        runner = runners[loaded.dataset]
        runner.check(runs)
        waiting = [run for run in runs if run not in seen and (options.force or not runner.recorded(run))]
        seen.update(waiting)
        asked.append(Asked(loaded, runs, waiting))
    to_do = [run for one in asked for run in one.waiting]
    jobs = min(options.jobs or machine.cores(), max(1, len(to_do)))
    if not options.quiet:
        print(plan_table(asked, ledger, jobs), flush=True)
    if options.dry_run:
        return 0
    for one in asked:
        names, seeds = (one.sweep.name, one.sweep.model, one.sweep.dataset), 1 + max(run.seed for run in one.runs)
        requests.append(options.results, requests.Request(*names, overrides, seeds, one.sweep.path))

    if to_do:
        open_machine(options)
        points: dict[str, str] = {}
        for one in asked:
            for point in one.sweep.points:  # what answers several sweeps has its name in the first
                label = f"{one.sweep.name}: {point.label}" if len(asked) > 1 else point.label
                points.setdefault(key_of(point.config.to_json()), label)
        with told_of_interruption(ledger, "the same command goes on where this one stopped"):
            for dataset_name, runner in runners.items():
                mine = [run for run in to_do if run.dataset == dataset_name]
                place = workers.WorkerSetup(dataset_name, options.data_dir, options.results)
                run_with_progress(mine, points, runner, place, jobs, options.quiet)
    return conclude(options, ledger, [one.sweep for one in asked])


def run_with_progress(
    runs: list[Config], points: dict[str, str], runner: Runner, place: Any, jobs: int, quiet: bool
) -> None:
    """Train ``runs``; a line for each as it ends, with the leader so far, and one bar for them all.

    ``points``: `key_of` a configuration -> its label in its sweep.
    """
    from explorer.judging.results import key_of
    from explorer.running.engines import local as workers

    started, best = time.perf_counter(), ("", -1.0)
    with console.sweep_progress(len(runs), quiet) as tell:
        for done, record in enumerate(workers.run_all(runs, runner, place, jobs), start=1):
            point = points[key_of(record.config)]
            if record.val_accuracy is not None and record.val_accuracy > best[1]:
                best = (point, record.val_accuracy)
            left = (time.perf_counter() - started) / done * (len(runs) - done)
            tell(done, record, point, best, left)


def plan_table(asked: list[Asked], ledger: Ledger, jobs: int) -> str:
    """What there is to do: a line a sweep, and how long it should take by the steps measured so far."""
    records = [record for record in ledger.records() if record.status == "ok" and record.step_ms]
    lines, seconds, unknown = [], 0.0, 0
    for one in asked:
        name = f"{one.sweep.model} {one.sweep.dataset} {one.sweep.name}"
        done = f"{len(one.runs) - len(one.waiting)} done, {len(one.waiting)} to do"
        lines.append(f"{name}: {len(one.sweep.points)} points, {len(one.runs)} runs, {done}")
        for run in one.waiting:
            found = estimate(run, records)
            seconds += found or 0.0
            unknown += found is None
    to_do = sum(len(one.waiting) for one in asked)
    if to_do:
        time_left = f"about {console.duration(seconds / jobs)} on {jobs} process{'es' if jobs > 1 else ''}"
        if unknown == to_do:
            time_left = "no run like these has been timed yet"
        elif unknown:
            time_left += f", not counting {unknown} runs of which none like it has been timed"
        lines.append(f"to do: {to_do} runs, {time_left}")
    return "\n".join(lines)


def estimate(run: Config, records: list[Record]) -> float | None:
    """Seconds this run should take, from the median step of recorded runs most like it; None if there are none."""
    alike = [r for r in records if r.config["model"] == run.model]
    for field in ("batch_size", "units", "filters", "optimizer"):
        wanted = run.to_json().get(field)
        alike = [r for r in alike if r.config.get(field) == wanted] or alike
    same_batch = [r for r in alike if r.config["batch_size"] == run.batch_size]
    if not same_batch:
        return None
    middle = sorted(r.step_ms or 0.0 for r in same_batch)[len(same_batch) // 2]
    looking = sorted(r.seconds.eval for r in same_batch)[len(same_batch) // 2]
    images = 60_000 if run.train_on == "all" else 50_000
    return run.total_steps(images) * middle / 1000 + looking


def keep_predictions(options: argparse.Namespace, runs: Any, sweeps: list[Any]) -> None:
    """Keep what the best configuration of each model and data set says of the test images, and of no other.

    The ledger has figures alone; the report shows where the best model errs. The run that leads leaves its predictions
    behind as it ends; where the best by its mean over seeds is another, it is trained once more, if ``sweeps`` has one
    of its kind.
    """
    from explorer.judging.results import best_first
    from explorer.running import predictions

    kept = set()
    for model, dataset_name in sorted({(run.config.model, run.config.dataset) for run in runs.configurations}):
        ranked = best_first(runs, model, dataset_name)
        if not ranked:
            continue
        config, record = ranked[0].config, next(iter(ranked[0].records.values()))
        best = run_id(config.identity(), record.data.digest)
        kept.add(best)
        swept = (model, dataset_name) in {(one.model, one.dataset) for one in sweeps}
        if not swept or predictions.path_of(options.results, best).exists():
            continue
        dataset = datasets.load(dataset_name, options.data_dir)
        if dataset.digest != record.data.digest:  # the best was found on other data than lies here
            continue
        open_machine(options)
        from explorer.training.trainer import Trainer

        if not options.quiet:
            print(f"Training the best {model} on {dataset_name} once more, to show where it errs", flush=True)
        result = Trainer(config, dataset.of).run(config, dataset)
        if result.test_logits is not None:
            predictions.save(options.results, best, result.test_logits)
    predictions.clear(options.results, kept)


def conclude(options: argparse.Namespace, ledger: Ledger, sweeps: list[Any]) -> int:
    """The comparison tables of these sweeps in the terminal, then where everything lies; the report rebuilt."""
    from explorer.judging.results import Runs
    from explorer.telling import report, tables

    runs = Runs(ledger.records())
    keep_predictions(options, runs, sweeps)
    files = rebuild(options, runs)
    if options.quiet:
        return 0
    judged, _ = report.read_study(runs, options.results)
    names = {(loaded.name, loaded.model, loaded.dataset) for loaded in sweeps}
    for one in judged:
        if (one.request.name, one.request.model, one.request.dataset) in names:
            print(f"\n{one.sweep.title} ({one.request.model}, {one.request.dataset}): {one.sweep.question}")
            print(tables.sweep_table(one, "simple"))
            if one.winner:
                print(f"best on validation: {one.winner.label}")
                if one.winner.ties:  # by another test than the table's, so one of them may be "worse" there
                    print(f"picked after looking, it is not told apart from: {', '.join(one.winner.ties)}")
            if one.hypothesis:
                print(f"hypothesis {one.hypothesis.verdict}: {one.hypothesis.reason}")
            mine = [path for path in report.files_of(one, options.results, options.media) if path in files]
            print("\n".join(f"  {path}" for path in mine))
    print(f"  {files[-1]}")
    return 0


def rebuild(options: argparse.Namespace, runs: Any) -> list[Path]:
    """REPORT.md, CSVs and pictures from the ledger's runs; returns the files, the report last."""
    from explorer.running import predictions
    from explorer.telling import report

    predict = predictions.reader(options.results, getattr(options, "data_dir", None))
    return report.rebuild(runs, options.results, options.media, options.report, predict=predict)


def list_sweeps(options: argparse.Namespace) -> int:
    """Every shipped sweep: its question, its grid and how far it has been run."""
    from tabulate import tabulate

    from explorer.asking import questions as sweep
    from explorer.judging.results import Runs, SweepResult
    from explorer.running import requests

    records = Ledger(options.results, read_only=True).records() if Path(options.results).is_dir() else []
    measured = Runs(records)
    known = requests.read(options.results)
    rows = []
    for name in sweep.available():
        for model in ("mlp", "cnn"):
            if name not in sweep.available(model):
                continue
            run = [request for request in known if (request.name, request.model) == (name, model) and not request.path]
            run.sort(key=lambda request: (choices("dataset").index(request.dataset), sorted(request.overrides)))
            states = []
            for request in run:
                loaded = sweep.load(name, model, request.dataset, request.overrides, yes=True)
                judged = SweepResult(request, loaded, measured)
                states.append(f"{request.dataset} {judged.runs_done}/{judged.runs_planned}")
            loaded = sweep.load(name, model, yes=True)
            grid = f"{' x '.join(loaded.knobs) or 'points'}: {len(loaded.points)} points x {loaded.seeds_default} seeds"
            rows.append((model, name, loaded.question, grid, ", ".join(states) or "not run"))
    columns = [None, None, 46, 40, 24]
    print(tabulate(rows, ("model", "sweep", "question", "grid", "runs done"), "simple", maxcolwidths=columns))
    return 0


def rebuild_report(options: argparse.Namespace) -> int:
    """REPORT.md and everything it shows, from the ledger."""
    if not Path(options.results).is_dir():
        raise UserError(f"{options.results}: no such folder; --results names the one that holds runs.jsonl")
    from explorer.judging.results import Runs

    files = rebuild(options, Runs(Ledger(options.results, read_only=True).records()))
    print("\n".join(map(str, files)) if not options.quiet else files[-1])
    return 0


def best(options: argparse.Namespace) -> int:
    """The best configuration of a model on each data set, as the command that trains it."""
    from explorer.judging.results import Runs, best_first, training_command
    from explorer.telling import tables

    runs = Runs(Ledger(options.results, read_only=True).records())
    said = 0
    for model in [options.which] if options.which else ["mlp", "cnn"]:
        for dataset in ("mnist", "fashion", "digits"):
            ranked = best_first(runs, model, dataset)
            if not ranked:
                continue
            first, said = ranked[0], said + 1
            print(
                f"# {model} on {dataset}: validation {tables.figure(first.validation)} %, "
                f"test {tables.figure(first.test)} % (n={len(first.validation)}), "
                f"{tables.seconds(first.mean_seconds)} s of training; chosen on validation\n"
                f"{training_command(first.config)}"
            )
    if not said:
        raise UserError(f"no finished run of {options.which or 'any model'} is recorded in {options.results}")
    return 0


def recorded_as(word: str, runs: Any, named: dict[str, Any]) -> Any:
    """The configuration a person means by a record's id (its first letters do), or by the end of its name: its label
    in a sweep, with as much of ``dataset/model/sweep/`` before it as it takes to name one.

    Raises UserError where that names none, with the nearest, or several, with their names.
    """
    from explorer.judging.results import key_of

    matches = {
        key_of(item.config.to_json()): (record.id, item)
        for item in runs.configurations
        for record in item.records.values()
        if len(word) >= 4 and record.id.startswith(word)
    }
    for name, outcome in named.items():
        if f"/{name}".endswith(f"/{word}"):
            matches.setdefault(key_of(outcome.config.to_json()), (name, outcome))
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


def compare(options: argparse.Namespace) -> int:
    """A paired test between two configurations, named by a record's id or by a sweep's label."""
    from explorer.judging import stats
    from explorer.judging.results import Runs, short_name
    from explorer.telling import report, tables

    runs = Runs(Ledger(options.results, read_only=True).records())
    judged, _ = report.read_study(runs, options.results)
    named = {
        f"{one.request.dataset}/{one.request.model}/{one.slug}/{outcome.label}": outcome
        for one in judged
        for outcome in one.outcomes
        if outcome.records
    }
    first, second = (recorded_as(word, runs, named) for word in (options.first, options.second))
    for name, what in (("validation", "decides"), ("test", "only reported")):
        a, b = getattr(first, name), getattr(second, name)
        common = sorted(a.keys() & b.keys())
        print(f"{name} ({what})")
        print(f"  A {short_name(first.config)}: {tables.figure(a)} % (n={len(a)})")
        print(f"  B {short_name(second.config)}: {tables.figure(b)} % (n={len(b)})")
        if len(common) < 2:
            print(f"  {len(common)} common seed{'s' * (len(common) != 1)}: no verdict")
            continue
        paired = stats.paired_test([a[seed] for seed in common], [b[seed] for seed in common])
        word = "no difference shown" if paired.p > 0.05 else "B is better" if paired.difference > 0 else "A is better"
        print(f"  B - A: {stats.format_difference(paired)} points, p = {paired.p:.3g}: {word}")
    return 0


COMMANDS = {"list": list_sweeps, "report": rebuild_report, "best": best, "compare": compare}


def run(options: argparse.Namespace) -> int:
    if options.command in COMMANDS:
        return COMMANDS[options.command](options)
    options.model = options.command
    return train(options) if options.sweep is None else sweep(options)
