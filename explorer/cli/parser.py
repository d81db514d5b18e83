"""The parser of the whole command line, made of the registry's commands, and what it says of a mistake."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from explorer import __version__
from explorer.cli import output
from explorer.cli.completion import SHELLS, PrintCompletion
from explorer.cli.registry import commands
from explorer.config import fields_for, meaning
from explorer.errors import UserError
from explorer.fields import ENVIRONMENT_ALIASES, flag_of, near, nearest

ABOUT = """Which hyperparameters matter for an MLP and a CNN on MNIST and Fashion-MNIST?
A study in tinygrad: train, compare with error bars, look at what came out.

  train one net and watch it
    JIT=1 python mnist_explorer.py mlp
  with other hyperparameters, as flags or in tinygrad's own manner
    python mnist_explorer.py cnn --lr 0.003 --steps 500
    LR=0.01 BS=256 STEPS=200 OPT=sgd python mnist_explorer.py mlp
  ask a question: every batch size, several seeds, a table with intervals
    python mnist_explorer.py cnn --sweep bs
  make REPORT.md from all that is recorded
    python mnist_explorer.py report

Every run is recorded in results/own/runs.jsonl.
A recorded run is shown, not trained again; --force trains it.
Each command has a --help of its own; that of mlp and cnn has all hyperparameters.
"""
LONGEST_TITLE = 3  # words: a longer beginning of a field's meaning is no name for it


class Parser(argparse.ArgumentParser):
    """argparse that tells a mistake in one line and exits with code 2, as every other mistake here."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")

    @property
    def flags(self) -> list[str]:
        return [flag for flag in self._option_string_actions if flag.startswith("--") and flag != "--help"]

    @property
    def repeatable(self) -> list[str]:
        """The flags that may be given several times: what each says counts."""
        actions = self._option_string_actions.items()
        return [flag for flag, action in actions if isinstance(action, argparse._AppendAction)]


def parser() -> tuple[Parser, dict[str, Parser]]:
    """(the whole, command -> its part)"""
    program = "mnist-explorer" if Path(sys.argv[0]).stem == "mnist-explorer" else "mnist_explorer.py"
    top = Parser(prog=program, description=ABOUT, allow_abbrev=False,
                 formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=output.width() - 2),
                 usage="%(prog)s command [flags]")  # fmt: skip
    top.add_argument("--version", action="version", version=f"mnist_explorer {__version__}")
    top.add_argument(
        "--completion", choices=SHELLS, action=PrintCompletion,
        help='print what the shell needs to complete commands and flags: eval "$(mnist-explorer --completion bash)"',
    )  # fmt: skip
    subparsers = top.add_subparsers(
        title="commands", dest="command", metavar="command", prog=program, parser_class=Parser
    )
    parts: dict[str, Parser] = {}
    for name, command in commands().items():
        about = command.help[0].upper() + command.help[1:] + "."
        if command.fields:
            about += " Each hyperparameter has a flag and an environment variable; a flag wins."
        parts[name] = subparsers.add_parser(
            name, help=command.help, description=about, epilog=command.epilog, allow_abbrev=False,
            formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30, width=output.width() - 2),
            usage="%(prog)s [hyperparameters] [--sweep NAME] [other flags]" if command.fields else None,
        )  # fmt: skip
        command.add_arguments(parts[name])
    return top, parts


def parse(arguments: list[str]) -> argparse.Namespace:
    """Raises UserError for what cannot be understood, naming the nearest known word."""
    top, parts = parser()
    if arguments and not arguments[0].startswith("-") and arguments[0] not in parts:
        raise UserError(f"unknown command {arguments[0]!r}{nearest(arguments[0], parts)}")
    namespace, unknown = top.parse_known_args(arguments)
    if unknown:
        word = unknown[0].split("=")[0]
        fields = commands()[namespace.command].fields if namespace.command else ()
        if fields and word in map(flag_of, fields_for(None)):
            raise UserError(f"{word} is not a hyperparameter of {namespace.command}; see {namespace.command} --help")
        part = parts[namespace.command] if namespace.command else top
        meant = _meant(word, part.flags)
        told = f"did you mean {meant!r}?" if meant else f"see {part.prog} --help"
        raise UserError(f"unknown argument {unknown[0]!r}; {told}")
    if namespace.command:
        _refuse_repeats(arguments, parts[namespace.command])
    return namespace


def _meant(word: str, flags: Sequence[str]) -> str | None:
    """The flag that a person may mean: by its name, another name of its field, or what that is (``--learningrate`` is
    ``--lr``); None where none is near."""
    called = {flag: flag for flag in flags}
    called |= {short: flag_of(field) for short, field in ENVIRONMENT_ALIASES.items()}
    titles = [(re.split(r" ?[(,:;]", meaning(field))[0], flag_of(field)) for field in fields_for(None)]
    names = [title for title, _ in titles]
    called |= {title: flag for title, flag in titles if len(title.split()) <= LONGEST_TITLE and names.count(title) == 1}
    known = {_letters(name): flag for name, flag in reversed(called.items()) if flag in flags}
    found = near(_letters(word), known)
    return known[found] if found else None


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _refuse_repeats(arguments: list[str], part: Parser) -> None:
    """Raises UserError for a flag given twice: the last would win in silence."""
    given = [word.split("=")[0] for word in arguments[: arguments.index("--") if "--" in arguments else None]]
    for flag in part.flags:
        if given.count(flag) > 1 and flag not in part.repeatable:
            instead = "; several sweeps are named with commas, as in lr,bs" if flag == "--sweep" else ""
            raise UserError(f"{flag} is given twice{instead}")
