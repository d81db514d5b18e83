#!/usr/bin/env python
"""Hyperparameters of an MLP and a CNN on MNIST and Fashion-MNIST, explored in tinygrad.

    JIT=1 python mnist_explorer.py mlp
    python mnist_explorer.py cnn --lr 0.003 --steps 500
    LR=0.01 BS=256 STEPS=200 OPT=sgd python mnist_explorer.py mlp

Every run is recorded in results/runs.jsonl; a recorded run is shown, not trained again, unless --force is given.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from explorer import __version__
from explorer.config import (
    MODELS,
    Config,
    bounds,
    default_text,
    environment_names,
    fields_for,
    flag_of,
    from_environment,
    make_config,
    merge,
    nearest,
)
from explorer.errors import UserError

PROJECT = Path(__file__).resolve().parent


class Parser(argparse.ArgumentParser):
    """argparse that tells a mistake in one line and exits with code 2, as every other mistake here."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def parser() -> Parser:
    top = Parser(
        prog="mnist_explorer.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"mnist_explorer {__version__}")
    commands = top.add_subparsers(dest="model", metavar="command", parser_class=Parser)
    for model, title in (("mlp", "train the multi-layer perceptron"), ("cnn", "train the convolutional net")):
        command = commands.add_parser(
            model,
            help=title,
            description=f"{title.capitalize()}. Each hyperparameter has a flag and an environment variable; a flag wins.",
            formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30, width=110),
            allow_abbrev=False,
        )
        knobs = command.add_argument_group("hyperparameters")
        for field in fields_for(model):
            knobs.add_argument(
                flag_of(field),
                dest=field,
                default=argparse.SUPPRESS,
                metavar="X",
                help=knob_help(field, model).replace("%", "%%"),
            )
        place = command.add_argument_group("where")
        place.add_argument("--device", help="tinygrad device: CPU, CUDA, NV, AMD, METAL, CL, ... [DEV; default: the best there is]")
        place.add_argument("--kernels", choices=("on", "off"), help="own C kernels on the CPU device [KERNELS; default: on]")
        place.add_argument("--data-dir", type=Path, help="folder holding mnist/ and fashion/ [MNIST_EXPLORER_DATA]")
        place.add_argument(
            "--results", type=Path, default=PROJECT / "results", help="folder of the ledger (default: results)"
        )
        how = command.add_argument_group("how")
        how.add_argument("--force", action="store_true", help="train even if this very run is recorded already")
        how.add_argument("--quiet", action="store_true", help="no header and no progress, one line at the end")
        how.add_argument("--json", action="store_true", help="print the record alone, as JSON, on standard output")
    return top


def knob_help(field: str, model: str) -> str:
    default = default_text(field, model)
    facts = [bounds(field), f"default {default}" if default else "", f"env {' or '.join(environment_names(field))}"]
    return f"{Config.model_fields[field].description} ({'; '.join(fact for fact in facts if fact)})"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Raises UserError for what cannot be understood, naming the nearest known word."""
    commands = [word for word in arguments[:1] if not word.startswith("-")]
    if commands and commands[0] not in MODELS:
        raise UserError(f"unknown command {commands[0]!r}{nearest(commands[0], MODELS)}")
    options, unknown = parser().parse_known_args(arguments)
    if unknown:
        flags = [flag_of(field) for field in fields_for(options.model)]
        others = ["--device", "--kernels", "--data-dir", "--results", "--force", "--quiet", "--json"]
        word = unknown[0].split("=")[0]
        for field in fields_for(None):
            if word == flag_of(field):
                raise UserError(f"{word} is not a hyperparameter of {options.model}; see {options.model} --help")
        raise UserError(f"unknown argument {unknown[0]!r}{nearest(word, flags + others)}")
    return options


def config_of(options: argparse.Namespace) -> tuple[Config, bool]:
    """(the Config that flags and environment ask for, whether a data set was named)."""
    flags = {field: value for field, value in vars(options).items() if field in Config.model_fields}
    environment, names = from_environment()
    values = merge(environment, flags)
    named = {field: flag_of(field) if field in flags else names[field] for field in values if field != "model"}
    return make_config(values, named), "dataset" in values


def train(options: argparse.Namespace) -> int:
    # Late imports: --help and a mistake should answer at once, without tinygrad.
    from explorer import console, data
    from explorer.ledger import Ledger
    from explorer.runner import Runner

    config, dataset_named = config_of(options)
    ledger = Ledger(options.results)
    dataset = data.load(config.dataset, options.data_dir, fall_back=not dataset_named)
    if dataset.name != config.dataset:
        config = make_config({**config.to_json(), "dataset": dataset.name})
    runner = Runner(dataset, ledger)
    runner.check([config])

    record = None if options.force else runner.recorded(config)
    if record is None:
        record = run(runner, config, options)
    elif not (options.json or options.quiet):
        print(f"This run is recorded already ({record['started']}); --force trains it again.")
    if options.json:
        print(json.dumps(record))
    else:
        print(console.brief(record) if options.quiet else console.summary(record, ledger.path))
    return 0


def run(runner: Any, config: Config, options: argparse.Namespace) -> dict[str, Any]:
    from explorer import compiler, console, environment

    if options.device:
        os.environ["DEV"] = options.device
    if options.kernels:
        os.environ["KERNELS"] = "1" if options.kernels == "on" else "0"
    # tinygrad would start worker processes to compile its kernels: they take longer to start than the few we leave it.
    os.environ.setdefault("PARALLEL", "0")
    compiler.ensure_compiler()
    environment.open_device()
    silent = options.quiet or options.json
    if not silent:
        print(console.header(config, runner.data, environment.describe()), flush=True)
    with console.progress(silent) as listen:
        try:
            return runner.run(config, listen)
        except KeyboardInterrupt:
            kept = len(runner.ledger.records())
            raise KeyboardInterrupt(f"this run is not recorded; {kept} earlier records are kept in {runner.ledger.path}") from None


def main(arguments: list[str]) -> int:
    try:
        options = parse(arguments)
        if options.model is None:
            parser().print_help()
            return 2
        return train(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"\ninterrupted: {interrupt if interrupt.args else 'nothing was recorded'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has gone, as in `... | head`
        return 141


def leave(code: int) -> NoReturn:
    """End at once: tearing down the device's threads and buffers one by one takes a second and serves nobody."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
