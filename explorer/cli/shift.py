"""``shift``: how right nets are on test images moved by 0 to 4 pixels: kept ones, or those of a sweep."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.command import Command
from explorer.cli.options import Machine, Places, add_data_dir, data_dir_of, whole
from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.config import Config
    from explorer.datasets.dataset import Dataset
    from explorer.running.nets import Net
    from explorer.running.recorder import HoldingNets
    from explorer.running.runner import Runner
    from explorer.running.store import Store

SWEEP = "translation"


@dataclass(frozen=True)
class ShiftOptions:
    """``ids`` are kept nets; without any the nets of ``sweep``, for one model or for every one it asks about."""

    ids: tuple[str, ...]
    sweep: str
    model: str | None
    dataset: str | None
    seeds: int | None
    quiet: bool
    machine: Machine
    data_dir: Path | None
    places: Places


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="*", help="a kept net: its record's id, or how that begins")
    parser.add_argument(
        "--sweep", metavar="NAME", help=f"without ID: the nets of this sweep or TOML file (default: {SWEEP})"
    )
    parser.add_argument("--model", help="of the sweep, the nets of this model (default: every one it asks about)")
    parser.add_argument("--dataset", help="the data set the sweep is run on (default: as its file says, else mnist)")
    parser.add_argument("--seeds", type=whole, metavar="N", help="nets of each point (default: as its file says)")
    parser.add_argument("--quiet", action="store_true", help="print the table alone")
    place = parser.add_argument_group("where")
    Places.add_arguments(place)
    add_data_dir(place)
    Machine.add_arguments(place)


def run(namespace: argparse.Namespace) -> int:
    for flag in ("sweep", "model", "dataset", "seeds"):
        if namespace.ids and getattr(namespace, flag):
            raise UserError(f"--{flag} is about a sweep's nets, and {namespace.ids[0]} names a kept one; say either")
    return shift(
        ShiftOptions(
            tuple(namespace.ids),
            namespace.sweep or SWEEP,
            namespace.model,
            namespace.dataset,
            namespace.seeds,
            namespace.quiet,
            Machine.of(namespace),
            data_dir_of(namespace),
            Places.of(namespace),
        )
    )


def shift(options: ShiftOptions) -> int:
    from explorer.cli import console, output
    from explorer.cli.report import rebuild
    from explorer.judging.runs import Runs
    from explorer.judging.shifts import moved
    from explorer.running import shifted
    from explorer.running.store import Store
    from explorer.telling import shifts

    store = Store(options.places.results)
    again = "the same command goes on where this one stopped"
    with console.told_of_interruption(store, again):
        ids = _kept(options, store) if options.ids else _of_sweep(options, store)
    records, measured = store.records(), shifted.read(store.folders)
    found = moved(Runs(records), {id: one for id, one in measured.items() if id in ids})
    without = [record for record in records if record.id in ids - measured.keys()]
    if without:
        print(f"{len(without)} of {len(ids)} runs came to nothing, so there is no net to ask", file=sys.stderr)
    if strange := ids & measured.keys() - {record.id for record in records}:
        print(f"measured, but in no table, for it is not recorded here: {', '.join(sorted(strange))}", file=sys.stderr)
    files = rebuild(store, options.places, options.data_dir)
    for one in found:
        print(f"\n{shifts.what(one)}, test images moved by 0 to {one.pixels} pixels")
        print(shifts.table(one, "simple", output.width()))
        print("\n".join(sentence.replace("**", "") for sentence in shifts.sentences(one)))
    if not options.quiet:
        print(f"  {files[-1]}")
    return int(not ids & measured.keys() or any(record.status == "failed" for record in without))


def _kept(options: ShiftOptions, store: "Store") -> set[str]:
    """Measures the kept nets that are named; their records' ids."""
    from explorer import datasets
    from explorer.running import nets, shifted
    from explorer.running.prepare import prepared

    kept = [nets.find(store.folders, word) for word in options.ids]
    known = shifted.read(store.folders)
    for one in kept:
        if one.record.id in known:
            continue
        data = datasets.load(one.config.dataset, options.data_dir)
        with prepared(options.machine.device, options.machine.kernels):
            _note(options, store, nets.load(one.path), data)
    return {one.record.id for one in kept}


def _of_sweep(options: ShiftOptions, store: "Store") -> set[str]:
    """Measures the nets of a sweep, training those that are not kept; their records' ids."""
    from explorer import datasets, models
    from explorer.asking import documents, questions
    from explorer.running import shifted
    from explorer.running.prepare import check, prepared
    from explorer.running.recorder import HoldingNets
    from explorer.running.requests import Request
    from explorer.running.runner import Runner

    check(options.machine.device, options.machine.kernels)
    name, own = datasets.locate(options.dataset, options.data_dir) if options.dataset else (None, None)
    if options.model is not None:
        asked_of = [options.model]
    else:
        document = documents.read(documents.find(options.sweep)[0])
        asked_of = [model for model in models.names() if documents.has_points(document, model)]
    if not asked_of:
        raise UserError(f"{options.sweep!r} lists no points; shift takes a sweep, no study and no search")
    sweeps = [questions.load(options.sweep, model, name) for model in asked_of]
    ids: set[str] = set()
    for sweep in sweeps:
        runs = questions.configs(sweep, options.seeds or sweep.seeds_default)
        data = datasets.load(str(own or sweep.dataset), options.data_dir)
        runner = Runner(data, keep=True)
        runner.check(runs)
        recorder = HoldingNets(store, data.digest)
        known = shifted.read(store.folders)
        waiting = [config for config in runs if runner.id_of(config) not in known]
        ids |= {runner.id_of(config) for config in runs}
        if not waiting:
            continue
        with prepared(options.machine.device, options.machine.kernels):
            seeds, path = 1 + max(config.seed for config in runs), str(own.resolve()) if own else None
            store.note(Request(sweep.name, sweep.model, sweep.dataset, {}, seeds, sweep.path, path))
            for config in waiting:
                net = _trained(config, runner, recorder)
                if net is not None:
                    _note(options, store, net, data)
    return ids


def _trained(config: "Config", runner: "Runner", recorder: "HoldingNets") -> "Net | None":
    """The net of a run: the kept one, else trained, and recorded where it was not. None where it came to nothing."""
    from explorer.asking.search import Listed
    from explorer.running import nets
    from explorer.running.engines.here import InProcess
    from explorer.running.recorder import answer
    from explorer.running.trackers import Silent

    for kept in nets.kept_of(recorder.store.folders, runner.id_of(config)):
        return nets.load(kept)
    record = recorder.recorded(config)
    if record is not None and record.status != "ok":
        return None
    engine = InProcess(runner)
    if record is None:  # `answer` leaves a run to the process that is training it already
        list(answer(Listed([config]), engine, recorder, Silent()))
    if (id := runner.id_of(config)) in recorder.nets:
        return recorder.nets.pop(id)
    (trained,) = engine.run([config], Silent())
    return trained.net


def _note(options: ShiftOptions, store: "Store", net: "Net", data: "Dataset") -> None:
    """Measures a net, says so, and writes it down."""
    from explorer.running import shifted
    from explorer.telling.words import short_name

    one = shifted.measure(net, data)
    shifted.append(store.folder, one)
    if not options.quiet:
        config = net.record.configuration
        told = ", ".join(f"{100 * accuracy:.2f}" for accuracy in one.accuracy)
        print(f"{config.model} {config.dataset}, {short_name(config)}, seed {config.seed}: {told} %", flush=True)


COMMAND = Command(
    "shift", "the test accuracy of kept nets where the images are moved by 0 to 4 pixels", add_arguments, run
)
