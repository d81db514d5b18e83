"""The program as a library: what the README shows, nothing left behind, and installed like any other package."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections import Counter

import pytest
from PIL import Image

import explorer
from explorer.cli.export import ExportOptions, export
from explorer.config import make_config
from explorer.running.engines.here import InProcess
from explorer.running.runner import Runner
from explorer.running.trackers.kinds import Place
from tests.conftest import PROJECT
from tests.engine_suite import BASE, Notes, configs


def python(code: str, folder, interpreter=sys.executable, **environment) -> str:
    """What the code prints, run in this folder by a Python that finds the checkout, or by one that need not."""
    if interpreter == sys.executable:
        environment = {"PYTHONPATH": str(PROJECT), **environment}
    answer = subprocess.run(
        [interpreter, "-c", code], cwd=folder, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_importing_it_imports_nothing_heavy_prints_nothing_and_knows_its_names(tmp_path):
    told = python(
        "import sys; from explorer import run, sweep, load, best, compare; import explorer\n"
        "print([m for m in ('pydantic', 'numpy', 'tinygrad', 'pandas', 'scipy', 'matplotlib') if m in sys.modules])\n"
        "print(set(explorer.__all__) <= set(dir(explorer)), all(hasattr(explorer, name) for name in explorer.__all__))",
        tmp_path,
    )
    assert told == "[]\nTrue True\n"


def test_the_readmes_example_runs_from_any_folder(tmp_path, digits):
    Image.fromarray(digits.test_images[0]).save(tmp_path / "three.png")
    example = re.search(r"## From Python\n.*?```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    assert example is not None
    assert len(example[1].strip().splitlines()) <= 11
    code = example[1] if os.environ["DEV"] == "CPU" else re.sub(r"steps=\d+", "steps=5", example[1])
    told = python(code, tmp_path)
    assert re.search(r"ok 0\.\d+ 0\.\d+", told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "three.png"]  # the one folder that it names


def test_a_run_is_what_an_engine_would_make_of_it_and_is_written_nowhere(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notes = Notes()
    record = explorer.run(**BASE, tracker=notes)
    (same,) = InProcess(Runner(digits)).run(configs(1), Notes())
    assert (record.id, record.history, record.test_accuracy) == (
        same.record.id, same.record.history, same.record.test_accuracy,
    )  # fmt: skip
    assert [event for event, _, _ in notes.heard][:: len(notes.heard) - 1] == ["started", "finished"]
    assert list(tmp_path.iterdir()) == []


def test_a_config_and_fields_say_the_same_and_fields_win():
    config = explorer.Config(**BASE)
    assert config == make_config(BASE)
    assert explorer.run(config, seed=3).config["seed"] == 3
    assert explorer.run(config, epochs=1, steps_per_epoch=2).steps == 2


def test_the_environment_is_as_it_was_after_a_run_and_after_a_mistake(monkeypatch):
    monkeypatch.delenv("PARALLEL", raising=False)
    before = dict(os.environ)
    explorer.run(**BASE, device="CPU", kernels=False)
    assert dict(os.environ) == before
    with pytest.raises(explorer.UserError, match="device NOSUCH"):
        explorer.run(**BASE, device="NOSUCH")
    assert dict(os.environ) == before
    from tinygrad import Device

    assert os.environ["DEV"] == Device.DEFAULT


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"model": "mlp", "lr": 0}, "lr must be a number > 0, got 0"),
        ({"model": "mlq"}, "model 'mlq' is unknown; did you mean 'mlp'?"),
        ({}, "model is missing"),
        ({"model": "mlp", "dataset": "no/such"}, "no such folder or file"),
        ({"model": "mlp", "dataset": "digits", "batch_size": 5000}, "batch_size 5000 is larger"),
    ],
)
def test_a_mistake_is_one_line(fields, line):
    with pytest.raises(explorer.UserError, match=re.escape(line)) as error:
        explorer.run(**fields)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """(folder, result) of a sweep of four runs, recorded."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "tiny.toml").write_text("[mlp.base]\nunits = [24]\nbatch_size = 32\n[mlp.grid]\nlr = [0.001, 0.01]\n")
    found = explorer.sweep(
        folder / "tiny.toml", "mlp", dataset="digits", seeds=2, results=folder / "results", steps=20
    )  # fmt: skip
    return folder, found


def test_a_sweep_is_judged_and_a_recorded_one_is_not_trained_again(notebook):
    folder, found = notebook
    assert (found.runs_done, found.complete, found.winner.label) == (4, True, "lr 0.01")
    notes = Notes()
    again = explorer.sweep(
        folder / "tiny.toml", dataset="digits", seeds=2, results=folder / "results", steps=20, tracker=notes
    )  # fmt: skip
    assert notes.heard == []
    assert again.validation == found.validation


def test_a_sweep_that_is_not_recorded_is_judged_all_the_same(notebook, tmp_path, monkeypatch):
    folder, found = notebook
    monkeypatch.chdir(tmp_path)
    alone = explorer.sweep(folder / "tiny.toml", dataset="digits", seeds=2, steps=20)
    assert alone.validation == found.validation
    assert all(record.history for outcome in alone.outcomes for record in outcome.records.values())
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_is_settled_with_seeds_of_its_own(notebook, tmp_path):
    folder, _ = notebook
    found = explorer.settle(folder / "tiny.toml", dataset="digits", cap=3, results=tmp_path, steps=20)
    assert found.settlement.looks == 1 and found.settlement.ended != "running"
    assert {seed for one in found.points.values() for seed in one.records} == {500, 501, 502}
    assert found.leader == "lr 0.01"
    notes = Notes()
    again = explorer.settle(folder / "tiny.toml", dataset="digits", cap=3, results=tmp_path, steps=20, tracker=notes)
    assert notes.heard == [] and again.settlement.seeds == found.settlement.seeds == (3, 3)
    with pytest.raises(explorer.UserError, match="must be from 3 to 20"):
        explorer.settle(folder / "tiny.toml", dataset="digits", cap=2, steps=20)


def test_runs_are_kept_in_the_tools_that_are_named_those_recorded_before_as_well(notebook, tmp_path, capsys):
    folder, _ = notebook
    results, logs = tmp_path / "results", tmp_path / "logs"
    shutil.copytree(folder / "results", results)
    asked = dict(dataset="digits", steps=20, results=results, track=f"tensorboard:{logs}")
    explorer.sweep(folder / "tiny.toml", seeds=3, **asked)
    explorer.settle(folder / "tiny.toml", cap=3, **asked)
    explorer.run(**{**BASE, **asked})
    experiments = Counter(path.relative_to(logs).parts[2] for path in logs.rglob("*tfevents*"))
    assert experiments["tiny, steps 20"] == experiments["tiny, steps 20 settled"] == 6
    assert experiments.total() == 13
    export(ExportOptions(Place("tensorboard", str(logs)), (), None, None, own=False, results=results))
    assert capsys.readouterr().out.startswith("0 runs written")
    with pytest.raises(explorer.UserError, match="no folder of records is named to put tensorboard beside"):
        explorer.run(**BASE, track="tensorboard")
    with pytest.raises(explorer.UserError, match="did you mean 'mlflow'"):
        explorer.run(**BASE, track=["tensorboard:logs", "mlflo"])


STUDY = """
[mlp.study]
scientific.activation = ["relu", "sigmoid"]
nuisance.lr = { values = [0.01, 1e-5, 1e-6] }
tries = 3
finalists = 1
seeds = 1
fresh_seeds = 3
[mlp.base]
units = [24]
steps = 40
batch_size = 32
"""


def test_a_study_is_judged_and_tries_that_are_far_behind_can_be_cut(tmp_path):
    (tmp_path / "tiny.toml").write_text(STUDY)
    whole = explorer.study(tmp_path / "tiny.toml", dataset="digits")
    cut = explorer.study(tmp_path / "tiny.toml", dataset="digits", stop="half", results=tmp_path / "cut")
    assert whole.complete and cut.complete
    assert {one.label: one.setting for one in cut.contenders} == {one.label: one.setting for one in whole.contenders}
    assert explorer.load(tmp_path / "cut").status.eq("cut").any()
    assert not whole.by_label["activation relu"].lost


def test_what_is_recorded_comes_as_a_table_with_looks_apart(notebook):
    folder, _ = notebook
    runs = explorer.load(folder / "results")
    assert sorted(zip(runs.lr, runs.seed, strict=True)) == [(0.001, 0), (0.001, 1), (0.01, 0), (0.01, 1)]
    assert set(runs.point) == {"lr 0.001", "lr 0.01"}
    assert not any(isinstance(cell, (list, dict, tuple)) for cell in runs.iloc[0])
    looks = explorer.load(folder / "results", looks=True)
    assert set(looks.id) == set(runs.id)
    assert (looks.groupby("id").step.max() == 20).all()


def test_the_best_and_a_comparison_are_values_to_go_on_with(notebook):
    folder, _ = notebook
    winner = explorer.best("mlp", "digits", results=folder / "results")
    assert (winner.config.lr, len(winner.validation)) == (0.01, 2)
    by_label = explorer.compare("lr 0.001", "lr 0.01", results=folder / "results")
    by_config = explorer.compare(by_label.first.config, winner.config, results=folder / "results")
    assert by_config.validation.difference == by_label.validation.difference
    assert by_label.validation.difference > 0
    with pytest.raises(explorer.UserError, match="no finished run of cnn on digits"):
        explorer.best("cnn", "digits", results=folder / "results")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The Python of an environment into which the program was installed; what it needs is taken from this one's."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    source.mkdir()
    for part in ("explorer", "models", "datasets", "sweeps"):
        shutil.copytree(PROJECT / part, source / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "requirements.txt", "mnist_explorer.py"):
        shutil.copy(PROJECT / file, source / file)
    venv.create(folder / "venv", symlinks=True)
    here = folder / "venv" / "bin" / "python"
    packages = subprocess.run(
        [here, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()  # fmt: skip
    words = "install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --target".split()
    done = subprocess.run([sys.executable, "-m", "pip", *words, packages, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    import numpy

    with open(f"{packages}/needed.pth", "w") as file:
        file.write(str(os.path.dirname(os.path.dirname(numpy.__file__))) + "\n")
    shutil.rmtree(source)
    return here, packages


def test_installed_it_brings_no_package_of_another_name_and_runs_without_the_repository(installed, tmp_path):
    here, packages = installed
    brought = {name for name in os.listdir(packages) if not name.startswith(("_", "needed"))}
    assert {name for name in brought if ".dist-info" not in name} == {"explorer", "bin"}
    told = python(
        "import json, explorer; from explorer import run\n"
        f"record = run(**{BASE!r})\n"
        "print(json.dumps([explorer.__file__, record.status, record.environment.commit, record.environment.kernels]))",
        tmp_path, here,
    )  # fmt: skip
    file, status, commit, kernels = json.loads(told)
    assert file.startswith(packages)
    assert (status, commit) == ("ok", None)
    assert bool(kernels) == (os.environ["DEV"] == "CPU")
    assert list(tmp_path.iterdir()) == []


def test_installed_its_command_knows_models_data_sets_and_sweeps_and_writes_where_one_stands(installed, tmp_path):
    here, packages = installed
    command = [here, f"{packages}/bin/mnist-explorer"]
    words = ["mlp", "--sweep", "lr", "--dataset", "digits", "--seeds", "1", "--steps", "5", "--units", "8", "--quiet"]
    done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "runs.jsonl").is_file()
    assert (tmp_path / "REPORT.md").is_file()
    told = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert told == f"mnist_explorer {explorer.__version__}\n"
