#!/usr/bin/env python
"""Hyperparameters of an MLP and a CNN on MNIST and Fashion-MNIST, explored in tinygrad.

    JIT=1 python mnist_explorer.py mlp                             train one net and watch it
    python mnist_explorer.py cnn --lr 0.003 --steps 500            with other hyperparameters
    LR=0.01 BS=256 STEPS=200 OPT=sgd python mnist_explorer.py mlp  in tinygrad's own manner
    python mnist_explorer.py cnn --sweep bs                        a question: every batch size, several seeds
    python mnist_explorer.py report                                REPORT.md from all that is recorded

Every run is recorded in results/runs.jsonl; a recorded run is shown, not trained again, unless --force is given.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

import models
from explorer import __version__
from explorer.config import bounds, default_text, fields_for, meaning
from explorer.errors import UserError
from explorer.fields import ENVIRONMENT_ALIASES, environment_names, flag_of, nearest

PROJECT = Path(__file__).resolve().parent


class Parser(argparse.ArgumentParser):
    """argparse that tells a mistake in one line and exits with code 2, as every other mistake here."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def whole(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text}")
    return int(text)


def parser() -> Parser:
    top = Parser(prog="mnist_explorer.py", description=__doc__, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    top.add_argument("--version", action="version", version=f"mnist_explorer {__version__}")
    commands = top.add_subparsers(dest="command", metavar="command", parser_class=Parser)
    for model in models.names():
        title = models.get(model).title()
        add_training(commands, model, f"train the {title[0].lower()}{title[1:]}")
    for name, title in (
        ("list", "the sweeps there are: question, grid, runs, state"),
        ("report", "rebuild REPORT.md, its tables and pictures from the ledger"),
        ("best", "the best configuration, as the command that trains it"),
        ("compare", "paired test between two configurations"),
    ):
        command = add_command(commands, name, title, title[0].upper() + title[1:] + ".")
        if name == "best":
            command.add_argument("which", nargs="?", choices=models.names(), help="the model (default: both)")
        if name == "compare":
            for which in ("first", "second"):
                command.add_argument(which, metavar="ID|LABEL", help="a record's id, or [dataset/model/sweep/]label")
        add_places(command.add_argument_group("where"), writes=name == "report")
        if name == "report":
            command.add_argument("--quiet", action="store_true", help="name the report alone, not all that was written")
    return top


def add_command(
    commands: argparse._SubParsersAction, name: str, title: str, description: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=title, description=description, allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30, width=110),
    )  # fmt: skip


def add_training(commands: argparse._SubParsersAction, model: str, title: str) -> None:
    about = f"{title.capitalize()}. Each hyperparameter has a flag and an environment variable; a flag wins."
    command = add_command(commands, model, title, about)
    knobs = command.add_argument_group("hyperparameters (with --sweep: fixed for the whole sweep)")
    for field in fields_for(model):
        text = knob_help(field, model).replace("%", "%%")
        knobs.add_argument(flag_of(field), dest=field, default=argparse.SUPPRESS, metavar="X", help=text)
    many = command.add_argument_group("sweeps")
    many.add_argument("--sweep", metavar="NAME", help="run a sweep: a name, names with commas, all, or a TOML file")
    many.add_argument(
        "--seeds", type=whole, metavar="N", help="seeds 0 to N-1 for every point (default: the sweep's own)"
    )
    many.add_argument("--jobs", type=whole, metavar="N", help="so many runs at once (default: as many as cores)")
    many.add_argument("--dry-run", action="store_true", help="only say what there is to do and how long it should take")
    many.add_argument("--yes", action="store_true", help="run a sweep of more than 10,000 points or runs")
    place = command.add_argument_group("where")
    place.add_argument(
        "--device", help="tinygrad device: CPU, CUDA, NV, AMD, METAL, CL, ... (env DEV; default: the best)"
    )
    place.add_argument(
        "--kernels", choices=("on", "off"), help="own C kernels on the CPU device (env KERNELS=1|0; default on)"
    )
    place.add_argument("--data-dir", type=Path, help="folder holding mnist/ and fashion/ (env MNIST_EXPLORER_DATA)")
    add_places(place)
    how = command.add_argument_group("how")
    how.add_argument("--force", action="store_true", help="train even what is recorded already")
    how.add_argument("--quiet", action="store_true", help="no header and no progress, one line at the end")
    how.add_argument("--json", action="store_true", help="print the record alone, as JSON, on standard output")


def add_places(group: argparse._ArgumentGroup, writes: bool = True) -> None:
    """``--results``, and where what is derived from them goes, for commands that write it."""
    places = [("--results", "results", "folder of the ledger and the tables")]
    if writes:
        places += [("--media", "media", "folder of the pictures"), ("--report", "REPORT.md", "the report's file")]
    for flag, name, what in places:
        group.add_argument(flag, type=Path, default=PROJECT / name, help=f"{what} (default: {name})")


def knob_help(field: str, model: str) -> str:
    default = default_text(field, model)
    facts = [bounds(field), f"default {default}" if default else "", f"env {' or '.join(environment_names(field))}"]
    return f"{meaning(field, model)} ({'; '.join(fact for fact in facts if fact)})"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Raises UserError for what cannot be understood, naming the nearest known word."""
    top = parser()
    commands = (*models.names(), "list", "report", "best", "compare")
    if arguments and not arguments[0].startswith("-") and arguments[0] not in commands:
        raise UserError(f"unknown command {arguments[0]!r}{nearest(arguments[0], commands)}")
    options, unknown = top.parse_known_args(arguments)
    if unknown:
        word = unknown[0].split("=")[0]
        fields = fields_for(options.command) if options.command in models.names() else []
        if options.command in models.names() and word in map(flag_of, fields_for(None)):
            raise UserError(f"{word} is not a hyperparameter of {options.command}; see {options.command} --help")
        others = "--device --kernels --data-dir --force --json --sweep --seeds --jobs --dry-run --yes".split()
        known = [*map(flag_of, fields), *(others if fields else []), "--results"]
        known += ["--media", "--report", "--quiet"] if fields or options.command == "report" else []
        meant = {flag_of(short.lower()): flag_of(field) for short, field in ENVIRONMENT_ALIASES.items()}
        meant["--learning-rate"] = "--lr"
        raise UserError(f"unknown argument {unknown[0]!r}{nearest(meant.get(word, word), known)}")
    if options.command in models.names():
        check_together(options)
    if "report" in options and options.report.is_dir():  # told now, not when all is trained
        raise UserError(f"{options.report}: is a folder; --report names the file to write")
    return options


def check_together(options: argparse.Namespace) -> None:
    """What would be ignored is refused: flags of sweeps without one, flags of one run with a sweep."""
    if options.sweep is None:
        for flag in ("seeds", "jobs", "dry_run", "yes"):
            if getattr(options, flag):
                raise UserError(f"{flag_of(flag)} is for sweeps; add --sweep NAME or leave it out")
    elif options.json:
        raise UserError("--json is for one run; a sweep's records are lines of JSON in runs.jsonl, under --results")


def main(arguments: list[str]) -> int:
    try:
        options = parse(arguments)
        if options.command is None:
            parser().print_help()
            return 2
        from explorer.cli import commands  # late: --help answers before numpy is there

        return commands.run(options)
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
    except BrokenPipeError:
        pass
    finally:
        os._exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
