"""What would be ignored in silence is refused, and a mistake leaves nothing behind."""

import os
import subprocess
import sys

import pytest

from explorer.cli.main import main
from tests.conftest import PATIENCE, PROJECT

DIGITS = ["mlp", "--dataset", "digits"]
SWEEP = [*DIGITS, "--sweep", "lr"]
LONG = "x" * 256


def refusal(words, capsys) -> str:
    """The one line that the words are refused with."""
    assert main(list(map(str, words))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["mlp", "--sweep", "lr", "--sweep", "bs"], "--sweep is given twice; several sweeps are named with commas"),
        (["mlp", "--lr", "0.1", "--lr=0.2"], "--lr is given twice"),
        (["cnn", "--json", "--json"], "--json is given twice"),
        (["report", "--quiet", "--quiet"], "--quiet is given twice"),
        ([*DIGITS, "--media", "pictures"], "--media is for sweeps"),
        ([*DIGITS, "--report", "page.md"], "--report is for sweeps"),
        ([*DIGITS, "--run-timeout", "5s"], "--run-timeout is for sweeps"),
        ([*SWEEP, "--run-timeout", "0"], "argument --run-timeout: must be a time like 90s, 30m or 2h, got 0"),
        ([*SWEEP, "--run-timeout", "nan"], "argument --run-timeout: must be a time like 90s, 30m or 2h, got nan"),
        ([*DIGITS, "--kernels", "on", "--device", "CL"], "kernels on: our own kernels run on the CPU device alone"),
        ([*DIGITS, "--device", "NOSUCH"], "device NOSUCH cannot be used here (tinygrad has no NOSUCH)"),
        (
            [*SWEEP, "--dry-run", "--device", "cuda,1"],
            "device cuda,1 cannot be used here (tinygrad has no CUDA,1); one of: AMD, CL, CPU",
        ),
        ([*DIGITS, "--device", "DISK"], "device DISK cannot be used here (tinygrad has no DISK)"),
        ([*SWEEP, "--dry-run", "--quiet"], "--dry-run only says what there is to do, and --quiet would not say it"),
        ([*SWEEP, "--dry-run", "--json-lines"], "--dry-run only says what there is to do, and --json-lines"),
        ([*DIGITS, "--lr", "1e-50"], "--lr: 1e-50 is 0 in single precision"),
        ([*DIGITS, "--lr", "1e300"], "--lr: 1e+300 is infinite in single precision"),
        ([*DIGITS, "--dropout", "0.9999999999"], "--dropout: 0.9999999999 is 1 in single precision"),
        ([*SWEEP, "--dropout", "1e-44"], "--dropout: 1e-44 is 0 in single precision"),
        ([*DIGITS, "--data-dir", "~nouser"], "--data-dir ~nouser: there is no such folder"),
        ([*DIGITS, "--data-dir", LONG], "argument --data-dir: no part of a path may be longer than 255 bytes"),
        ([*DIGITS, "--results", ""], "argument --results: must be a path, got nothing"),
        (["report", "--results", f"a/{LONG}"], "argument --results: no part of a path may be longer than 255 bytes"),
        (["list", "--results", "nowhere"], "nowhere: no such folder"),
        (["best", "--results", "nowhere"], "nowhere: no such folder"),
        (["compare", "a", "b", "--results", "nowhere"], "nowhere: no such folder"),
        (["report", "--published", "--results", "."], "--published leaves out your own sweeps"),
        (["report", "--data-dir", "nowhere"], "--data-dir nowhere: there is no such folder"),
        (["report", "--html", "a.html", "--media", "pictures"], "--html is one file with all in it"),
    ],
)
def test_what_would_be_ignored_is_refused(words, line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = ["--results", "results"] if words[0] in ("mlp", "cnn") and "--results" not in words else []
    assert refusal([*words, *places], capsys).startswith(line)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"MOMENTUM": "0.9"}, "MOMENTUM has no effect with adam; leave it out"),
        ({"OPT": "sgd", "NESTEROV": "1"}, "NESTEROV has no effect without momentum"),
        ({"STEPS": "5", "EPOCHS": "2"}, "STEPS and EPOCHS both say how long to train"),
        ({"STEPS": "5", "WARMUP_STEPS": "6"}, "WARMUP_STEPS 6 is longer than the run of 5 steps"),
        ({"DEFAULT_FLOAT": "HALF"}, "DEFAULT_FLOAT must be FLOAT32, got 'HALF'"),
        ({"DEV": "NOSUCH"}, "device NOSUCH cannot be used here (tinygrad has no NOSUCH)"),
        ({"LR": "1e-50"}, "LR: 1e-50 is 0 in single precision"),
    ],
)
def test_a_variable_that_is_refused_is_named(variables, line, capsys, tmp_path, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert refusal([*DIGITS, "--results", tmp_path / "results"], capsys).startswith(line)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "mistake",
    [
        ["--batch-size", "5000"],
        ["--dataset", "mnits"],
        ["--sweep", "nosuch"],
        ["--sweep", "lr", "--dry-run"],
        ["--device", "DSP"],
        ["--sweep", "lr", "--device", "DSP"],
    ],
)
def test_a_mistake_or_a_dry_run_creates_nothing_and_notes_nothing(mistake, capsys, tmp_path):
    words = [*(DIGITS if "--dataset" not in mistake else ["mlp"]), *mistake, "--results", str(tmp_path / "results")]
    code = main([*words, "--media", str(tmp_path / "media")] if "--sweep" in mistake else words)
    assert code == (0 if "--dry-run" in mistake else 2), capsys.readouterr()
    assert list(tmp_path.iterdir()) == []


def test_a_recorded_run_is_not_shown_for_a_device_that_does_not_exist(capsys, tmp_path):
    words = [*DIGITS, "--steps", "2", "--units", "8", "--results", str(tmp_path)]
    assert main([*words, "--quiet"]) == 0
    assert main([*words, "--quiet"]) == 0
    capsys.readouterr()
    assert refusal([*words, "--device", "NOSUCH"], capsys).startswith("device NOSUCH")
    assert refusal([*words, "--kernels", "on", "--device", "CL"], capsys).startswith("kernels on")


def test_the_end_removes_temporary_folders(tmp_path):
    """A cache that cannot be written has both tinygrad's and the compiler's files in temporary folders."""
    for name in ("cache", "results"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "temporary").mkdir()
    places = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "temporary"), "CC": "",
              "DEV": "CPU"}  # fmt: skip
    answer = subprocess.run(
        [sys.executable, str(PROJECT / "mnist_explorer.py"), *DIGITS, "--results", str(tmp_path / "results")],
        env={**os.environ, **places}, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "cannot keep a ledger here" in answer.stderr  # found once the compiler was
    assert list((tmp_path / "temporary").iterdir()) == []
