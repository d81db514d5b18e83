"""Every command there is stands in the README and explains itself: after sqlite-utils' test of the same kind."""

import argparse
import re
import subprocess

import pytest

from explorer.cli.parser import parser
from explorer.cli.registry import commands
from explorer.running import prepare
from tests.conftest import PROJECT
from tests.test_cli import explorer, refused

README = (PROJECT / "README.md").read_text()


def undocumented(readme: str) -> list[str]:
    """The commands of which the README shows no use."""
    return [name for name in commands() if not re.search(rf"mnist_explorer\.py {re.escape(name)}\b", readme)]


def test_every_command_is_in_the_readme():
    assert undocumented(README) == []
    assert undocumented("") == list(commands())


def test_every_device_that_tinygrad_has_stands_in_the_readmes_table():
    section = README.split("\n## Devices\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`([A-Z]+)`", "".join(line for line in section.splitlines() if line.startswith("|"))))
    assert named == set(prepare._devices())


@pytest.mark.parametrize("name", commands())
def test_every_option_says_what_it_does(name):
    actions = parser()[1][name]._actions
    silent = [action.dest for action in actions if not action.help or action.help == argparse.SUPPRESS]
    assert silent == []
    assert commands()[name].help


def completed(script: str, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    program = "\n".join(
        (
            script,
            f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}",
            f"$(complete -p {words[0]} | sed 's/.*-F \\([^ ]*\\).*/\\1/')",
            'printf "%s\\n" "${COMPREPLY[@]}"',
        )
    )
    answer = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=30)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


def test_bash_completes_commands_flags_and_words():
    script = explorer("--completion", "bash").stdout
    assert completed(script, "mnist_explorer.py", "pre") == ["predict"]
    assert "--learning-rate" not in completed(script, "mnist_explorer.py", "mlp", "--l")
    assert "--lr" in completed(script, "mnist_explorer.py", "mlp", "--l")
    assert completed(script, "mnist_explorer.py", "mlp", "--optimizer", "ada") == ["adam", "adamw"]


def test_every_shell_hears_of_every_command():
    for shell in ("zsh", "fish"):
        script = explorer("--completion", shell).stdout
        assert [name for name in commands() if name not in script] == []
    assert "--completion" in refused(explorer("--completion", "command.com"))
