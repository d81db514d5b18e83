"""Every command there is stands in the README and explains itself: after sqlite-utils' test of the same kind."""

import argparse
import re

import pytest

from explorer.cli.parser import parser
from explorer.cli.registry import commands
from tests.conftest import PROJECT

README = (PROJECT / "README.md").read_text()


def undocumented(readme: str) -> list[str]:
    """The commands of which the README shows no use."""
    return [name for name in commands() if not re.search(rf"mnist_explorer\.py {re.escape(name)}\b", readme)]


def test_every_command_is_in_the_readme():
    assert undocumented(README) == []
    assert undocumented("") == list(commands())


@pytest.mark.parametrize("name", commands())
def test_every_option_says_what_it_does(name):
    actions = parser()[1][name]._actions
    silent = [action.dest for action in actions if not action.help or action.help == argparse.SUPPRESS]
    assert silent == []
    assert commands()[name].help
