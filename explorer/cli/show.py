"""``show``: one recorded run: its configuration as a command, its figures, its curve; its net measured again."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.command import Command
from explorer.cli.options import Machine, add_data_dir, add_results, data_dir_of, results_of
from explorer.config import config_as_toml
from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.record import Record
    from explorer.running.nets import Net
    from explorer.running.store import Store


@dataclass(frozen=True)
class ShowOptions:
    id: str
    results: Path | None
    measure: bool
    json: bool
    toml: bool
    machine: Machine
    data_dir: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the record's id, or how that begins")
    parser.add_argument(
        "--measure", action="store_true", help="measure its kept net again; exit code 1 if a figure differs"
    )
    parser.add_argument("--json", action="store_true", help="print the record alone, as JSON")
    parser.add_argument("--toml", action="store_true", help="print its configuration alone, as --config takes it")
    place = parser.add_argument_group("where")
    add_results(place)
    add_data_dir(place)
    Machine.add_arguments(place)


def run(namespace: argparse.Namespace) -> int:
    return show(
        ShowOptions(
            namespace.id,
            results_of(namespace, there=True),
            namespace.measure,
            namespace.json,
            namespace.toml,
            Machine.of(namespace),
            data_dir_of(namespace),
        )
    )


def show(options: ShowOptions) -> int:
    from explorer.cli import console, output
    from explorer.running import nets
    from explorer.running.store import Store
    from explorer.telling import looks, words

    store = Store(options.results, read_only=True)
    record = recorded(store, options.id)
    if options.json:
        print(json.dumps(record.to_json()))
        return 0
    if options.toml:
        print(config_as_toml(record.configuration), end="")
        return 0
    if options.measure:
        return measure(options, nets.load(nets.find(store.folders, record.id).path))
    try:
        config = record.configuration
        told, command = words.short_name(config), words.training_command(config)
    except UserError as error:  # a version of this program that had other fields
        told, command = f"cannot be read ({error})", "none"
    ran = record.environment
    code = f"own kernels, version {ran.kernels}" if ran.kernels else ran.renderer
    print(f"run         {record.config['model']} on {record.data.name}: {told}, seed {record.seed}")
    print(f"command     {command}")
    print(console.summary(record, store, published=not (record.own or store.alone)))
    print(f"data        {record.data.name}, digest {record.data.digest}")
    node = f", node {ran.node}" if ran.node else ""
    print(f"machine     {ran.device} ({code}), {ran.cpu}{node}, tinygrad {ran.tinygrad}; {record.started[:10]}")
    if curve := looks.curve(record, output.width(), output.block()):
        print(f"\n{curve}")
    return 0


def recorded(store: "Store", word: str) -> "Record":
    """The last record whose id begins so. UserError where there is none, or several."""
    found = {record.id: record for record in store.records() if record.id.startswith(word)}
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise UserError(f"no run {word!r} is recorded in {store.folder}; runs lists those that are")
    raise UserError(f"{len(found)} runs begin with {word!r}; say more of it: {', '.join(list(found)[:6])}")


def measure(options: ShowOptions, net: "Net") -> int:
    """Measure a kept net again, and say whether its figures are those of its record."""
    from explorer import datasets
    from explorer.running.prepare import prepared

    name = net.record.configuration.dataset
    data = datasets.load(name, options.data_dir)
    with prepared(options.machine.device, options.machine.kernels) as device:
        from explorer.running import answers

        figures = answers.measure(net, data)
    for figure in figures:
        same = "equal" if figure.measured == figure.recorded else f"differs from the recorded {figure.recorded!r}"
        print(f"{figure.name:20}  {figure.measured!r:10}  {same}")
    if all(figure.measured == figure.recorded for figure in figures):
        print(f"net {net.record.id}: every figure is that of its record, to the last digit")
        return 0
    ran = net.record.environment
    print(f"net {net.record.id} was measured on {ran.device}, {ran.cpu}, kernels {ran.kernels}; this is {device}")
    return 1


COMMAND = Command("show", "one recorded run: figures, curve, the command that trains it", add_arguments, run)
