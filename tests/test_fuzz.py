"""A fixed slice of the fuzzer's cases, and that it can fail."""

import os
import random

import pytest

from tests import fuzz
from tests.fuzz import inside, outside


def test_a_fixed_slice_of_odd_input_ends_in_results_or_in_a_line():
    assert list(fuzz.failures(range(600), inside.KINDS)) == []


def test_a_fixed_slice_of_command_lines_ends_well(monkeypatch):
    monkeypatch.setenv("FUZZ_CACHE", os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    assert list(fuzz.failures(range(20), outside.KINDS)) == []


def test_what_is_no_line_for_a_person_is_found():
    def broken(chance, folder):
        raise KeyError("seed")

    ((seed, what),) = fuzz.failures(range(1), [broken])
    assert (seed, "KeyError" in what) == (0, True)


PROGRAMS = {
    "a traceback": "raise SystemError",
    "accepted in silence": "pass",
    "outside/ was changed": "open('../outside/theirs.npz', 'w'); raise SystemExit(1)",
    "work/ was changed": "open('new', 'w'); raise SystemExit(1)",
    "records were lost": "open('../results/runs.jsonl', 'w'); raise SystemExit(1)",
    "left behind": "open('../temporary/new', 'w'); raise SystemExit(1)",
    "an exit code nobody expects": "raise SystemExit(99)",
    "not one line": "raise SystemExit(2)",
    "control codes": "print('\\x1b[2J'); raise SystemExit(1)",
    "not over": "import time; time.sleep(60)",
}


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "warm"])
@pytest.mark.parametrize("failure", PROGRAMS)
def test_a_program_that_misbehaves_is_found(failure, alone, tmp_path, monkeypatch):
    (tmp_path / "mnist_explorer.py").write_text(PROGRAMS[failure])
    monkeypatch.setattr(outside, "PROJECT", tmp_path)
    if failure == "not over":
        monkeypatch.setattr(outside, "SECONDS", 1)
    case = outside.Case(["mlp"], tmp_path / "case", mistakes=["something"])
    case.folder.mkdir()
    outside._surroundings(random.Random(0), case)
    (case.folder / "results").joinpath("runs.jsonl").unlink(missing_ok=True)
    (case.folder / "results").joinpath("runs.jsonl").write_text("{}\n")
    assert failure in outside._run(case, alone)


SAYS = """
import json, os, sys
shells = {"PWD", "OLDPWD", "SHLVL", "_"}
print(json.dumps([sys.argv[1:], os.getcwd(), sorted(item for item in os.environ.items() if item[0] not in shells)]))
raise SystemExit(74)
"""


@pytest.mark.parametrize("streams", ["", "</dev/zero", ">/dev/full", ">&-", "<&- >&- 2>&-"])
def test_a_warm_process_finds_words_folder_environment_and_streams_as_one_alone(streams, tmp_path, monkeypatch):
    (tmp_path / "mnist_explorer.py").write_text(SAYS)
    monkeypatch.setattr(outside, "PROJECT", tmp_path)
    case = outside.Case(["mlp", "\udc80", "a b"], tmp_path / "case", streams=streams)
    case.folder.mkdir()
    outside._surroundings(random.Random(0), case)
    case.environment["LR"] = "\udcff"
    alone, warm = outside._alone(case), outside._warm(case)
    assert (warm.returncode, warm.stdout) == (alone.returncode, alone.stdout)
