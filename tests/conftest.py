"""What every test stands on: the CPU or the device that DEV names, a compiler, and real MNIST where it is at hand."""

import os
import re
from pathlib import Path

import pytest

from explorer import datasets
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.training import compiler

os.environ["DEV"] = os.environ.get("DEV", "").upper() or "CPU"  # no GPU that happens to be there, unless asked for
for variable in ("JIT", "BEAM", "DEBUG"):
    os.environ.pop(variable, None)
os.environ["PARALLEL"] = "0"
compiler.ensure_compiler()

PATIENCE = 120 if os.environ["DEV"] == "CPU" else 900  # seconds for a program to end: an OpenCL driver compiles long
on_the_cpu = pytest.mark.skipif(os.environ["DEV"] != "CPU", reason="is about the CPU device and its kernels")

TALK = re.compile(r"\d+ warnings? generated\.\n")  # of pocl's compiler, on whatever stderr it finds
PROJECT = Path(__file__).resolve().parent.parent
BESIDE = PROJECT.parent / "shared" / "data"
if BESIDE.is_dir():
    os.environ.setdefault(datasets.DATA_VARIABLE, str(BESIDE))


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return datasets.load("digits")


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    if datasets.DATA_VARIABLE not in os.environ:
        pytest.skip(f"needs real MNIST: {datasets.DATA_VARIABLE} is not set")
    try:
        return datasets.load("mnist")
    except UserError as error:
        pytest.skip(f"needs real MNIST: {error}")


@pytest.fixture(scope="session")
def trained(digits):
    """run(**fields) -> Result of training a small net on the digits; runs of one shape share one captured step."""
    from explorer.config import make_config
    from explorer.training.trainer import Trainer

    trainers: dict = {}

    def run(keep_weights: bool = False, **fields):
        config = make_config(fields)
        trainer = trainers.setdefault(config.shape, None) or Trainer(config, digits.of)
        trainers[config.shape] = trainer
        result = trainer.run(config, digits)
        return (result, trainer.weights()) if keep_weights else result

    return run


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures as empty files: most of what is tested here is text."""
    from explorer.telling import plots

    def write(path, name, facts):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        return path

    monkeypatch.setattr(plots, "write", write)
