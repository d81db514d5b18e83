"""A model's file dropped into a folder is all it takes: the README's LeNet-5, run as a person would."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of models that holds the README's, to the letter."""
    readme = (PROJECT / "README.md").read_text()
    code = re.search(r"## Add a model\n.*?```python\n(.*?)```", readme, re.DOTALL)
    assert code is not None
    folder = tmp_path_factory.mktemp("models of my own")
    (folder / "lenet.py").write_text(code[1])
    return folder


@pytest.fixture(scope="module")
def explorer(folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("notebook")
    places = ["--results", home / "results", "--media", home / "media", "--report", home / "REPORT.md"]

    def run(*words, code=0, places=tuple(places)):
        answer = subprocess.run(
            [sys.executable, PROJECT / "mnist_explorer.py", *map(str, (*words, *places))],
            capture_output=True,
            text=True,
            env={**os.environ, "MNIST_EXPLORER_MODELS": str(folder)},
        )
        assert answer.returncode == code, answer.stderr
        return answer.stderr if code else answer.stdout

    run.home = home
    return run


def test_the_readmes_file_is_short_enough_to_type(folder):
    assert len((folder / "lenet.py").read_text().splitlines()) <= 45


def test_it_has_a_command_with_its_own_flags_and_help(explorer):
    assert "lenet" in explorer("--help", places=())
    told = explorer("lenet", "--help", places=())
    assert "2 numbers, each 1 to 16384" in " ".join(told.split())
    assert "--batchnorm" not in told
    assert "--kernel-size" not in told
    assert explorer("lenet", "--batchnorm", "on", code=2, places=()).startswith("error: --batchnorm is not a hyper")


def test_a_run_a_sweep_and_the_report_know_it(explorer):
    small = ["--dataset", "digits", "--steps", "6", "--filters", "2,3", "--batch-size", "16"]
    record = json.loads(
        explorer("lenet", "--json", "--units", "12", *small, places=("--results", explorer.home / "one"))
    )
    assert (record["status"], record["config"]["filters"], record["config"]["units"]) == ("ok", [2, 3], [12])
    told = explorer("lenet", "--sweep", "act,lr", "--seeds", "2", *small)
    assert "best on validation" in told
    assert "lenet" in explorer("list", places=("--results", explorer.home / "results"))
    assert "mnist_explorer.py lenet" in explorer("best", "lenet", places=("--results", explorer.home / "results"))
    names = ("digits/lenet/act/activation relu", "digits/lenet/act/activation tanh")
    assert "B against A" in explorer("compare", *names, places=("--results", explorer.home / "results"))
    report = (explorer.home / "REPORT.md").read_text()
    assert "LENET on" in report or "LeNet-5 on" in report
    assert (explorer.home / "media" / "digits" / "lenet_act.png").is_file()


def test_a_sweep_that_names_a_field_it_has_not_is_not_offered_and_is_refused(explorer):
    offered = explorer("lenet", "--sweep", "all", "--dry-run", "--dataset", "digits")
    assert "digits lr:" in offered
    assert "dropout" not in offered
    assert "batchnorm" in explorer("lenet", "--sweep", "batchnorm", "--dataset", "digits", code=2)


def test_none_of_its_knobs_is_dead(folder):
    which = "dead_knob and lenet" + ("" if os.environ["DEV"] == "CPU" else " and (units or filters or lr)")
    words = ["-m", "pytest", "-q", "tests/test_trainer.py", "-k", which, "-p", "no:cacheprovider"]
    environment = {**os.environ, "MNIST_EXPLORER_MODELS": str(folder)}
    answer = subprocess.run([sys.executable, *words], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("Net.py", "", "is named in small letters"),
        ("mlp.py", "", "there is a model 'mlp' already"),
        ("net.py", "x = 1", "declares one subclass of explorer.models.model.Model, this one has none"),
        ("net.py", "def f(:\n", "line 1: cannot be read as a model (SyntaxError"),
        ("net.py", "import nothing_of_the_kind", "ModuleNotFoundError"),
    ],
)
def test_a_file_that_is_no_model_is_told_in_one_line(tmp_path, name, text, line):
    (tmp_path / name).write_text(text)
    answer = subprocess.run(
        [sys.executable, PROJECT / "mnist_explorer.py", "list"],
        capture_output=True,
        text=True,
        env={**os.environ, "MNIST_EXPLORER_MODELS": str(tmp_path)},
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert line in answer.stderr
    assert answer.stderr.count("\n") == 1
