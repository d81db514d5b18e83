"""What is recorded, exported: all of it, once, whatever was tracked before; and what is said where it cannot be."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from explorer import load
from explorer.cli.export import ExportOptions, export
from explorer.cli.options import TrainOptions
from explorer.cli.parser import parse
from explorer.config import make_config
from explorer.errors import UserError
from explorer.running.trackers.kinds import Place
from tests.conftest import PROJECT
from tests.records import LR, PAIR, notebook, record, runs
from tests.test_cli import TINY
from tests.test_tensorboard import contents, names


@pytest.fixture
def results(tmp_path) -> Path:
    """Two sweeps that share a point, a run of none, one that failed and was trained again, and a fresh seed."""
    ours = [run for lr in (0.001, 0.003) for run in runs({"lr": lr, "batch_size": 32}, [0.9, 0.8, 0.85])]
    notebook(tmp_path, PAIR, ours, name="pair")
    lone = make_config({"model": "mlp", "dataset": "digits", "steps": 30, "lr": 0.5})
    fresh = ours[0].configuration.model_copy(update={"seed": 1000})
    others = [record(lone, 0.3, status="failed"), record(lone, 0.3), record(fresh, 0.88)]
    notebook(tmp_path, LR, [*runs({"lr": 0.01}, [0.7, 0.75, None]), *others], name="mine")
    return tmp_path / "results"


def exported(results: Path, to: str, where: Path, *words, **filters) -> None:
    usual = {"dataset": None, "status": None, "own": False}
    export(ExportOptions(Place(to, str(where)), words, results=results, **(usual | filters)))


def test_typed_twice_nothing_is_there_twice(results, tmp_path, capsys):
    exported(results, "tensorboard", tmp_path / "logs")
    assert capsys.readouterr().out.startswith("11 runs written\n")
    before = contents(tmp_path / "logs")
    exported(results, "tensorboard", tmp_path / "logs")
    assert capsys.readouterr().out.startswith("0 runs written, 11 were there already\n")
    assert contents(tmp_path / "logs") == before


def test_each_run_stands_in_its_sweep_and_one_of_none_among_its_model(results, tmp_path):
    exported(results, "tensorboard", tmp_path / "logs")
    folders = [str(Path(name).parent) for name in names(tmp_path / "logs")]
    assert sum(name.startswith("digits/mlp/pair/") for name in folders) == 7  # a fresh seed among them
    assert sum(name.startswith("digits/mlp/mine/lr 0.01 ") for name in folders) == 3
    assert next(name for name in folders if name.count("/") == 3).startswith("digits/mlp/lr 0.5")
    assert len(folders) == 11


@pytest.mark.parametrize(
    ("words", "filters", "count"),
    [
        (("pair",), {}, 7), (("mine", "pair"), {}, 10), (("mlp",), {}, 11), ((), {"status": "diverged"}, 1),
        ((), {"dataset": "digits"}, 11), ((), {"own": True}, 11),
    ],
)  # fmt: skip
def test_filters_choose(words, filters, count, results, tmp_path):
    exported(results, "tensorboard", tmp_path / "logs", *words, **filters)
    assert len(names(tmp_path / "logs")) == count


def test_what_chooses_nothing_is_a_mistake(results, tmp_path):
    with pytest.raises(UserError, match="no such run"):
        exported(results, "tensorboard", tmp_path / "logs", dataset="mnist")
    with pytest.raises(UserError, match="'pear' is no model and no sweep that was run; did you mean 'pair'"):
        exported(results, "parquet", tmp_path / "logs", "pear")
    assert not (tmp_path / "logs").exists()


def test_parquet_is_what_load_gives_and_the_same_bytes_again(results, tmp_path):
    exported(results, "parquet", tmp_path / "tables")
    before = contents(tmp_path / "tables")
    table, looks = (pd.read_parquet(tmp_path / "tables" / name) for name in ("runs.parquet", "looks.parquet"))
    frame = load(results).drop_duplicates("id", keep="last")
    assert list(table.columns) == list(frame.columns)
    assert sorted(table.id) == sorted(frame.id)
    both = table.merge(frame, on="id", suffixes=("", "_loaded"))
    for name in ("val_accuracy", "test_accuracy", "lr", "seed", "status", "sweep", "point"):
        pd.testing.assert_series_equal(both[name], both[f"{name}_loaded"], check_names=False, check_dtype=False)
    assert table.best_step.dtype.kind == "i"
    assert len(looks) == sum(frame.status != "diverged") * 3
    exported(results, "parquet", tmp_path / "tables")
    assert contents(tmp_path / "tables") == before


def test_a_file_in_the_place_of_the_folder_is_one_line(results, tmp_path):
    (tmp_path / "tables").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        exported(results, "parquet", tmp_path / "tables")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["export"], "required: --to"),
        (["export", "--to", "wandb"], "'wandb' is no tool"),
        (["export", "--to", "tensorboard:"], "names no place after the colon"),
        (["mlp", "--track", "tensorbord"], "did you mean 'tensorboard'"),
        (["mlp", "--track", "parquet"], "'parquet' is no tool"),
        (["mlp", "--track", "tensorboard", "--track", "tensorboard:other"], "tensorboard is given twice"),
    ],
)
def test_a_mistake_is_told(words, says):
    with pytest.raises(UserError, match=says):
        TrainOptions.of(parse(words))


@pytest.mark.parametrize(
    ("words", "package", "line"),
    [
        (["mlp", *TINY, "--track", "tensorboard"], "tensorboardX", "requirements-tensorboard.txt"),
        (["export", "--to", "tensorboard"], "tensorboardX", "requirements-tensorboard.txt"),
        (["mlp", "--sweep", "lr", "--track", "mlflow"], "mlflow", "requirements-mlflow.txt"),
        (["export", "--to", "parquet"], "pyarrow", "requirements-parquet.txt"),
    ],
)
def test_a_missing_package_is_one_line_and_nothing_is_trained(words, package, line, results):
    before = contents(results)
    words = [*words, "--results", str(results)]
    code = f"import runpy, sys; sys.modules[{package!r}] = None; sys.argv[1:] = {words}; sys.path.insert(0, '.'); "
    code += "runpy.run_path('mnist_explorer.py', run_name='__main__')"
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2
    assert answer.stdout == ""
    (told,) = answer.stderr.splitlines()
    assert told.startswith("error: ")
    assert told.endswith(f"needs the package {package}; pip install -r {line}")
    assert contents(results) == before
