"""What a person sees on a real terminal: a pseudo-terminal here, with the command at its other end."""

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl

import pytest

from tests.conftest import PATIENCE, PROJECT
from tests.test_cli import TINY

TOML = """
title = "Tiny"
question = "Does it run?"
seeds = 2
[mlp.base]
units = [24]
batch_size = 32
steps = 3000  # long enough that both workers are at work when the table is drawn
[mlp.grid]
lr = [0.001, 0.01]
"""
COLOUR = re.compile(r"\x1b\[[\d;]*m")
CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def on_a_terminal(*words, typed: str = "", columns: int = 80, environment=None) -> tuple[str, int]:
    """(what was written, exit code) of the command on a terminal of so many columns, where ``typed`` is typed."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "mnist_explorer.py"), *map(str, words)],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=PROJECT,
        env={**{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")},
             "TERM": "xterm-256color", **(environment or {})},
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed.encode())
    written, until = b"", time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if select.select([ours], [], [], 1)[0]:
            try:
                block = os.read(ours, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not block:
                break
            written += block
    else:
        os.killpg(process.pid, signal.SIGKILL)
    os.close(ours)
    return written.decode(errors="replace"), process.wait(10)


def lines(written: str) -> list[str]:
    """What was drawn, line by line: where the cursor was moved, another line begins."""
    return CONTROL.sub("\n", COLOUR.sub("", written)).replace("\r", "").split("\n")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """(words of a sweep's command, what it wrote on a terminal of 80 columns)"""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "tiny.toml").write_text(TOML)
    words = ["mlp", "--sweep", folder / "tiny.toml", "--dataset", "digits", "--jobs", "2", "--results", folder / "r",
             "--media", folder / "m", "--report", folder / "R.md"]  # fmt: skip
    written, code = on_a_terminal(*words)
    assert code == 0, written
    return words, written


def test_a_sweep_is_a_live_table_with_points_workers_leader_and_time(sweep):
    _, written = sweep
    drawn = lines(written)
    for told in ("seeds", "lr 0.001", "worker 1", "worker 2", "0/4 runs", "4/4 runs", " left", "leads: lr 0.01"):
        assert any(told in line for line in drawn), told
    assert "\x1b[" in written
    table = [line for line in drawn if re.match(r"point .*seeds|lr 0.*\d/2 |worker|leads|.*/4 runs", line)]
    assert max(map(len, table)) <= 80


def test_a_run_recorded_already_is_offered_to_be_trained_anew(tmp_path):
    words = ["mlp", *TINY, "--steps", "6", "--results", tmp_path]
    on_a_terminal(*words)
    written, code = on_a_terminal(*words, typed="n\n")
    assert code == 0
    assert "Train it anew? [y/N]" in written
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1
    _, code = on_a_terminal(*words, typed="y\n")
    assert code == 0
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 2


def test_without_a_command_there_is_a_menu_that_prints_the_command_it_runs(sweep):
    written, code = on_a_terminal(typed="9\nx\n3\n3\n")
    assert code == 0, written
    assert "What would you like to do?" in written
    assert "'9' is none of them" in written
    assert "$ python mnist_explorer.py list" in written
    assert "published-fashion" in written
    written, code = on_a_terminal(typed="q\n")
    assert code == 0
    assert "$ python" not in written


@pytest.mark.parametrize("columns", [80, 200])
def test_tables_fit_the_terminal_and_colours_fall_away_when_asked(columns, sweep):
    words, _ = sweep
    written, _ = on_a_terminal("runs", *words[7:9], columns=columns)
    assert COLOUR.search(written)
    assert max(map(len, lines(written))) <= columns
    written, _ = on_a_terminal("runs", *words[7:9], columns=columns, environment={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[\d;]*3\d", written)
