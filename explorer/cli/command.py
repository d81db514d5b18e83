"""What a command is."""

import argparse
import shlex
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """An entry of the command line."""

    name: str
    help: str
    """What it does, in a line of the overview."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    """Makes options of the Namespace, which goes no further; does it; returns the exit code."""
    fields: tuple[str, ...] = ()
    """The hyperparameters it has flags for."""
    epilog: str = ""
    """What its help says at the end."""


def typed(*words: str) -> str:
    """The line that a person types to have the program do these words."""
    return shlex.join(["python", "mnist_explorer.py", *words])
