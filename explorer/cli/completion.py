"""``--completion``: what a shell needs to complete commands, flags and the words they take."""

import argparse
from collections.abc import Sequence

from explorer.config import choices, fields_for
from explorer.fields import flag_of

SHELLS = ("bash", "zsh", "fish")


class PrintCompletion(argparse.Action):
    """Prints the script for a shell and ends, as ``--help`` prints help and ends."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        import shtab  # late: nothing else needs it

        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for part in action.choices.values():
                    _name_words(part)
        print(shtab.complete(parser, str(values)))
        parser.exit()


def _name_words(part: argparse.ArgumentParser) -> None:
    """Give flags the words their fields take. Only here: when a run is asked for, a field's own check says more."""
    known = {flag_of(field): choices(field) for field in fields_for(None)}
    for action in part._actions:
        words = next((known[flag] for flag in action.option_strings if known.get(flag)), ())
        if words and action.choices is None:
            action.choices = words
            action.metavar = None
