"""Killed in the middle and typed again: nothing is trained twice, and all comes out as if it had never been killed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from explorer.asking import questions, studies
from explorer.asking.stopping import policy
from explorer.asking.tuning import StudySearch
from explorer.cli.main import main
from explorer.judging import settled
from explorer.record import Record
from explorer.running.engines.here import InProcess
from explorer.running.ledger import Ledger
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent
from tests.conftest import PROJECT
from tests.test_commands import places

# All of one shape: another would be compiled, which takes longer than these runs.
TUNED = """
title = "Each at its own best"
[{kind}]
{asked}
tries = {tries}
finalists = 2
seeds = 3
fresh_seeds = 3
[base]
steps = 80
units = [16]
"""
STUDY = TUNED.format(kind="study", tries=5, asked="""scientific.lr_schedule = ["constant", "cosine"]
nuisance.lr = { low = 1e-3, high = 0.1, log = true }""")  # fmt: skip
SEARCH = TUNED.format(kind="search", tries=14, asked="ranges.lr = { low = 1e-4, high = 0.1, log = true }")
SWEEP = """
title = "Rates, two of them alike"
grid.lr = [0.001, 0.01, 0.012]
[base]
steps = 80
units = [16]
"""


def study(path: Path, **how):
    return StudySearch(studies.load(str(path), "mlp", "digits", **how))


def search(path: Path):
    return study(path, method="tpe")


def stopped(path: Path):
    return study(path, method="qmc")


def settling(path: Path):
    return settled.search(questions.load(str(path), "mlp", "digits"), 7)


def figures(records: list[Record]) -> dict[str, tuple[object, ...]]:
    """What came of each run, by its id."""
    return {one.id: (one.status, one.val_accuracy, one.test_accuracy, one.error) for one in records}


def killed(words: list[str], ledger: Path, runs: int) -> list[Record]:
    """The records of a command that is killed as soon as it has so many."""
    child = subprocess.Popen(
        [sys.executable, str(PROJECT / "mnist_explorer.py"), *words], stdout=subprocess.DEVNULL, start_new_session=True
    )
    while child.poll() is None and not (ledger.exists() and ledger.read_bytes().count(b"\n") >= runs):
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return Ledger(ledger.parent).records()


@pytest.fixture(scope="module")
def engine(digits):
    return InProcess(Runner(digits))


@pytest.mark.parametrize(("asked", "text", "how", "runs", "told"), [
    (study, STUDY, [], 12, "lr schedule cosine"),  # among the finalists' seeds
    (search, SEARCH, ["--search", "tpe"], 13, "Best found: lr"),  # among the tries that the estimator proposed
    (stopped, SEARCH, ["--search", "qmc", "--stop", "half"], 8, "Best found: lr"),  # among the tries
    (settling, SWEEP, ["--settle", "--cap", "7"], 11, "Against the baseline"),  # in the second look
], ids=["study", "search", "stop", "settle"])  # fmt: skip
def test_killed_and_typed_again_all_comes_out_as_if_nothing_had_been(
    asked, text, how, runs, told, tmp_path, digits, engine, undrawn, capsys
):
    if asked is search:
        pytest.importorskip("optuna", reason="needs Optuna: requirements-search.txt")
    path, ledger = tmp_path / "my.toml", tmp_path / "results" / "runs.jsonl"
    path.write_text(text)
    words = ["mlp", "--dataset", "digits", "--sweep", str(path), *how, "--jobs", "1", *map(str, places(tmp_path))]
    before = killed(words, ledger, runs)

    recorder, cutting = Recorder(Store(tmp_path / "whole"), digits.digest), asked is stopped
    whole = asked(path)
    stopping = policy("half", whole.contender_of) if cutting else None
    expected = list(answer(whole, engine, recorder, Silent(), stopping=stopping))
    assert runs <= len(before) < len(expected)
    assert any(one.status == "cut" for one in before) == cutting

    assert main(words) == 0
    shown = capsys.readouterr().out
    after = Ledger(ledger.parent).records()
    assert [one.id for one in after[: len(before)]] == [one.id for one in before]
    assert len(after) == len({one.id for one in after})
    assert figures(after) == figures(expected)
    assert told in shown
    if asked is not settling:  # whose looks are not known beforehand
        left = len(expected) - len(before)
        assert f"{len(expected)} runs at most, {len(before)} done, {left} to do" in shown
        assert main([*words, "--dry-run"]) == 0
        assert f"{len(expected)} done, 0 to do" in capsys.readouterr().out
    assert re.search(r"on validation \(n=[3-7]\)", shown)  # who leads does so with the seeds from before, too
