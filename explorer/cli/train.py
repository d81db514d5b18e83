"""``mlp``, ``cnn``, ...: train one run of a model and watch it; with ``--sweep``, a sweep of it."""

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from explorer import models
from explorer.asking.rules import RISKS, STOP_RULES
from explorer.cli.command import Command
from explorer.cli.options import Machine, Places, TrainOptions, add_data_dir, add_where, path, time_span, whole
from explorer.cli.tracking import add_track
from explorer.config import bounds, default_text, field_info, fields_for, meaning
from explorer.fields import environment_names, flag_of, type_of

if TYPE_CHECKING:
    from explorer.config import Config
    from explorer.record import Record
    from explorer.running.trackers.facts import Home
    from explorer.training.facts import StepFacts

EXIT_CODES = {"ok": 0, "failed": 1, "diverged": 3}  # by a run's status; 2 is a mistake, 130 Ctrl-C, 141 a closed pipe
METAVARS: dict[type, str] = {int: "N", float: "NUMBER", bool: "on|off", tuple: "N,N"}  # what a flag's value looks like
EPILOG = (
    "Exit codes: 0 the run ended well, 1 it failed (of a sweep: any run did), "
    "2 a mistake in what was asked, 3 it diverged, 74 the output "
    "was lost, 130 interrupted, 143 ended by SIGTERM. "
    "Environment: KERNEL_THREADS=N is how many threads the own kernels use (default: as many as cores; a sweep's "
    "workers share the cores), and tinygrad's own JIT, BEAM and DEBUG are heeded."
)


def commands() -> list[Command]:
    """A command for each model."""
    return [
        Command(
            model,
            f"train the {_uncapitalized(models.get(model).title())}",
            partial(add_arguments, model=model),
            run,
            tuple(fields_for(model)),
            EPILOG,
        )
        for model in models.names()
    ]


def add_arguments(parser: argparse.ArgumentParser, model: str) -> None:
    knobs = parser.add_argument_group("hyperparameters (with --sweep: fixed for the whole sweep)")
    for field in fields_for(model):
        text = knob_help(field, model).replace("%", "%%")
        kind = METAVARS.get(type_of(field_info(field, model)), "WORD")
        knobs.add_argument(flag_of(field), dest=field, default=argparse.SUPPRESS, metavar=kind, help=text)
    knobs.add_argument(
        "--config", type=path, metavar="FILE",
        help="a TOML file of hyperparameters, lr = 0.003 and so on; flags win over it, it wins over the environment",
    )  # fmt: skip
    many = parser.add_argument_group("sweeps")
    many.add_argument(
        "--sweep",
        metavar="NAME",
        help="run a sweep or a study: its name (the command list has them), several with commas, all, or a TOML file",
    )
    many.add_argument(
        "--search", choices=("random", "qmc", "tpe"),
        help="look for one good configuration in the ranges of sweeps/search.toml, or of the [search] in --sweep FILE: "
        "at random, evenly spread, or learning from the tries before (tpe, needs Optuna)",
    )  # fmt: skip
    many.add_argument("--tries", type=whole, metavar="N", help="settings that --search tries (default: the file's)")
    many.add_argument(
        "--seeds", type=whole, metavar="N", help="seeds 0 to N-1 for every point (default: the sweep's own)"
    )
    many.add_argument(
        "--fresh-seeds", type=whole, metavar="N",
        help="run the winner once more on N seeds that chose nothing, so that its figures are fair (default: none for "
        "a sweep, the file's number for a study)",
    )  # fmt: skip
    many.add_argument(
        "--budget", type=time_span, metavar="TIME",
        help="train for so long at most, as in 30m: no run is started that would not end in time",
    )  # fmt: skip
    many.add_argument(
        "--stop", choices=STOP_RULES,
        help="cut tries of a study or a search before they end (default off): "
        + "; ".join(f"{rule} {risk}" for rule, risk in RISKS.items() if rule != "off").replace("%", "%%"),
    )  # fmt: skip
    many.add_argument(
        "--settle", action="store_true",
        help="give more seeds only to points whose question is still open after 3, 5, 7, 10, 14 and 20 seeds; these "
        "start at 500",
    )  # fmt: skip
    many.add_argument("--cap", type=whole, metavar="N", help="the most seeds of a point with --settle (default: 20)")
    add_where(many)
    many.add_argument("--dry-run", action="store_true", help="only say what there is to do and how long it should take")
    many.add_argument("--yes", action="store_true", help="run a sweep of more than 10,000 points or runs")
    place = parser.add_argument_group("where")
    Machine.add_arguments(place)
    add_data_dir(place)
    place.add_argument(
        "--strict-data", action="store_true",
        help="refuse to take the small digits in place of an MNIST that is nowhere to be had",
    )  # fmt: skip
    Places.add_arguments(place)
    how = parser.add_argument_group("how")
    how.add_argument("--force", action="store_true", help="train even what is recorded already")
    how.add_argument(
        "--keep", action="store_true",
        help="keep the trained net in nets/ beside the records, for predict (a sweep keeps the best; --keep for good)",
    )  # fmt: skip
    add_track(how)
    how.add_argument("--quiet", action="store_true", help="no header and no progress, one line at the end")
    how.add_argument("--json", action="store_true", help="print the record alone, as JSON, on standard output")
    how.add_argument(
        "--json-lines", action="store_true", help="print each look as a line of JSON as it is taken, the record last"
    )


def _uncapitalized(text: str) -> str:
    return text[0].lower() + text[1:]


def knob_help(field: str, model: str) -> str:
    default = default_text(field, model)
    facts = [
        bounds(field, model),
        f"default {default}" if default else "",
        f"env {' or '.join(environment_names(field))}",
    ]
    return f"{meaning(field, model)} ({'; '.join(fact for fact in facts if fact)})"


def run(namespace: argparse.Namespace) -> int:
    if namespace.sweep is None and namespace.search is None:
        return train(TrainOptions.of(namespace))
    from explorer.cli.options import SweepOptions

    options = SweepOptions.of(namespace)
    if options.settle:
        from explorer.cli import settle

        return settle.run(options)
    from explorer.cli import sweep

    return sweep.run(options)


def train(options: TrainOptions) -> int:
    """One run: shown from the ledger where it is recorded, else trained. The exit code says how it ended."""
    from explorer import datasets
    from explorer.asking.search import Listed
    from explorer.cli import console, tracking
    from explorer.config import make_config
    from explorer.running import nets
    from explorer.running.engines.here import InProcess
    from explorer.running.prepare import check, prepared
    from explorer.running.recorder import Recorder, answer
    from explorer.running.runner import Runner
    from explorer.running.store import Store
    from explorer.running.trackers import Several, Silent, Tracker
    from explorer.running.trackers.json_lines import JsonLines
    from explorer.running.trackers.terminal import one_run
    from explorer.training import device as environment

    asked = options.asked
    config = make_config({**asked.values, "model": asked.model}, asked.named)
    check(options.machine.device, options.machine.kernels)
    store = Store(options.results)
    fall_back = asked.data is None and not options.strict_data
    dataset = datasets.load(asked.data or config.dataset, options.data_dir, fall_back)
    if dataset.name != config.dataset:
        config = make_config({**config.to_json(), "dataset": dataset.name})
    runner = Runner(dataset, options.keep)
    runner.check([config])
    recorder = Recorder(store, dataset.digest, own_only=True)

    def homes(config: "Config") -> "list[Home]":
        from explorer.telling.homes import home_of  # only where it is asked: it takes a second

        return home_of(config, dataset.digest)

    silent = options.quiet or options.json or options.json_lines
    step: StepFacts | None = None
    record = None if options.force else recorder.recorded(config)
    if record is not None and options.keep and record.status == "ok" and not nets.ask_for(store.folder, record.id):
        if not silent:
            print("This run is recorded already, but its net was not kept: it is trained again.\n")
        record = None
    if record is not None and not silent and train_anew(record):
        record = None
    kept = tracking.kept(options.track, store, homes, silent, lambda: [] if record is None else [record])
    if record is not None:
        with kept:
            if options.json_lines:
                JsonLines(sys.stdout).replay(record)
    else:
        with prepared(options.machine.device, options.machine.kernels):
            recorder.prepare()
            if not silent:
                print(console.header(config, dataset, environment.describe()), flush=True)
            watched: AbstractContextManager[Tracker] = nullcontext(Silent()) if silent else one_run()
            if options.json_lines:
                watched = nullcontext(JsonLines(sys.stdout))
            with watched as tracker, console.told_of_interruption(store, "this run is not recorded"), kept as elsewhere:
                anew = options.force or recorder.recorded(config) is not None
                both = Several(tracker, elsewhere)
                made = list(answer(Listed([config]), InProcess(runner), recorder, both, anew))
            record = made[0] if made else recorder.recorded(config)  # another process may have trained it meanwhile
            if not silent and runner.trainer is not None:
                from explorer.training.facts import step_facts

                step = step_facts(runner.trainer, config.batch_size)
    assert record is not None
    if options.json:
        print(json.dumps(record.to_json()))
    elif not options.json_lines:
        print(console.brief(record) if options.quiet else console.summary(record, store, step))
    return EXIT_CODES[record.status]


def train_anew(record: "Record") -> bool:
    """Show the curve of a run that is recorded already; on a terminal, whether the person wants it trained anew."""
    from explorer.cli import output
    from explorer.telling import looks

    where = f"{record.environment.device}, {record.environment.cpu}, {record.started[:10]}"
    print(f"This run is recorded already ({where}), so it is shown, not trained; --force trains it here.\n")
    if curve := looks.curve(record, output.width(), output.block()):
        print(curve + "\n", flush=True)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input("Train it anew? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
