"""A newcomer's fresh clone: what they run trains before their eyes, stays theirs, and changes no published figure."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

TINY = ["--dataset", "digits", "--units", "24", "--batch-size", "32", "--steps", "20"]
TOML = """
title = "Tiny"
seeds = 2
mlp.base = { units = [24], batch_size = 32, steps = 20 }
mlp.grid.lr = [0.001, 0.01]
"""


class Clone:
    """A repository with the program and a small published study: one sweep of four runs on the digits."""

    def __init__(self, folder):
        self.folder = folder
        for part in ("explorer", "models", "datasets"):
            shutil.copytree(PROJECT / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("mnist_explorer.py", ".gitignore"):
            shutil.copy(PROJECT / file, folder / file)
        (folder / "sweeps").mkdir()
        (folder / "sweeps" / "tiny.toml").write_text(TOML)
        self.run("mlp", "--sweep", "tiny", "--dataset", "digits", "--results", "results")
        self.git("init", "-q")
        self.git("add", ".")
        self.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "published")

    def run(self, *words) -> str:
        command = [sys.executable, "mnist_explorer.py", *words]
        answer = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=dict(os.environ))
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def git(self, *words) -> str:
        return subprocess.run(
            ["git", *words], cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout  # fmt: skip

    def changes(self) -> str:
        return self.git("status", "--porcelain")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    return Clone(tmp_path_factory.mktemp("clone"))


def test_a_published_run_typed_again_is_trained_here_kept_apart_and_then_shown(clone):
    assert "step 20/20" in clone.run("mlp", *TINY)
    assert "recorded already" in clone.run("mlp", *TINY)
    assert clone.changes() == ""
    assert (clone.folder / "results" / "own" / "runs.jsonl").is_file()


def test_a_run_is_listed_once_with_whose_it_is(clone):
    clone.run("mlp", *TINY)

    def listed(*words: str) -> list[list[str]]:
        lines = clone.run("runs", *words).splitlines()[2:]
        return [line.split() for line in lines if not line.startswith(" ")]  # a long configuration goes on below

    rows = listed("--dataset", "digits")
    whose = {row[0]: row[-1] for row in rows}
    assert len(whose) == len(rows) == 4  # the run trained here is one of the four that are published
    assert sorted(whose.values()) == ["own", "study", "study", "study"]
    assert [row[0] for row in listed("--own")] == [key for key, owner in whose.items() if owner == "own"]


def test_a_published_sweep_typed_again_takes_the_published_runs(clone):
    assert "4 runs, 4 done, 0 to do" in clone.run("mlp", "--sweep", "tiny", "--dataset", "digits")
    assert clone.changes() == ""


def test_the_report_tells_ones_own_sweeps_apart_and_published_leaves_them_out(clone):
    told = clone.run("mlp", "--sweep", "tiny", "--dataset", "digits", "--activation", "relu")
    assert "4 runs, 0 done, 4 to do" in told
    assert str(clone.folder / "results" / "own" / "digits_mlp_tiny") in told
    assert "Your own sweeps" in (clone.folder / "REPORT.md").read_text()
    assert "Where your best MLP on" in (clone.folder / "report" / "own.md").read_text()
    assert (clone.folder / "media" / "own" / "digits" / "mlp_confusion.png").is_file()
    clone.run("mlp", "--sweep", "tiny", "--dataset", "digits", "--activation", "relu")
    assert list((clone.folder / "results" / "own" / "predictions").iterdir())  # they outlive the next sweep
    assert [line[3:] for line in clone.changes().splitlines()] == ["REPORT.md"]
    clone.run("report", "--published")
    assert clone.changes() == ""
    told = clone.run("list", "tiny")
    assert len(re.findall(r"digits 4/4", told)) == 2  # as it ships, and one's own
    assert "digits 4/4 with activation relu" in " ".join(told.split())
