"""The compiler and the device a run needs, set up for a while, and everything put back as it was."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from explorer.errors import UserError
from explorer.fields import nearest
from explorer.training import device as environment

# What tinygrad reads with int() as it is imported, and would blame the device for; name -> (least, greatest).
NUMBERS = {"KERNELS": (0, 1), "KERNEL_THREADS": (1, 64), "JIT": (0, 9), "BEAM": (0, 1000), "DEBUG": (0, 100)}


NO_PROCESSORS = {"DISK", "NPY", "RDMA", "TINYFS"}  # what tinygrad calls devices as well, and cannot compute on


def check(device: str | None = None, kernels: bool | None = None) -> None:
    """Raises UserError for a device that tinygrad has not, kernels where ours cannot run, and odd variables: what can
    be told without opening anything."""
    check_variables()
    if find_spec("tinygrad") is None:  # told as any other package that is missing
        raise ModuleNotFoundError("No module named 'tinygrad'", name="tinygrad")
    asked = device or os.environ.get("DEV", "")
    words = [target.split("+")[-1].split(":")[0].upper() for target in asked.split(";")]  # as tinygrad reads it
    if asked and (unknown := [word for word in words if word not in _devices()]):
        raise UserError(f"device {asked} cannot be used here (tinygrad has no {unknown[0] or 'device without a name'})"
                        f"{nearest(unknown[0], _devices())}")  # fmt: skip
    if kernels and asked and words[0] != "CPU":
        raise _kernels_elsewhere(asked)


def _devices() -> list[str]:
    """The names of tinygrad's devices: a file each. To import it would take longer."""
    package = find_spec("tinygrad")
    folders = package.submodule_search_locations if package else None
    files = [path for folder in folders or () for path in (Path(folder) / "runtime").glob("ops_*.py")]
    return sorted({path.stem.removeprefix("ops_").upper() for path in files} - NO_PROCESSORS)


def _kernels_elsewhere(device: str) -> UserError:
    return UserError(f"kernels on: our own kernels run on the CPU device alone, not on {device}; leave one of both out")


def check_variables() -> None:
    """Raises UserError for an environment variable of ours or tinygrad's that is no number it could be."""
    for variable, (low, high) in NUMBERS.items():
        value = os.environ.get(variable, str(low))
        if value not in map(str, range(low, high + 1)):
            raise UserError(f"{variable} must be a whole number from {low} to {high}, got {value!r}")
    if (kind := os.environ.get("DEFAULT_FLOAT", "")).upper() not in ("", "FLOAT", "FLOAT32"):
        raise UserError(f"DEFAULT_FLOAT must be FLOAT32, got {kind!r}: nets are trained in single precision here")


@contextmanager
def prepared(device: str | None = None, kernels: bool | None = None) -> Iterator[str]:
    """Open tinygrad's device (None: what DEV says, else the best) with a compiler for its CPU device; give its name.

    ``kernels``: whether our own C kernels run on the CPU device (None: what KERNELS says, else they do). Worker
    processes started inside find the same. Afterwards the environment and tinygrad's settings are as they were.
    Raises UserError where the device or a compiler is not to be had.
    """
    from explorer.training import compiler

    check(device, kernels)
    with ExitStack() as stack:
        stack.enter_context(_environment_restored())
        usual, imported = os.environ.get("DEV", ""), "tinygrad" in sys.modules
        os.environ.pop("PYTHON", None)  # make sets it to a path; tinygrad takes it for a device's switch
        if device:
            os.environ["DEV"] = device
        if kernels is not None:
            os.environ["KERNELS"] = "1" if kernels else "0"
        # tinygrad would start worker processes to compile its kernels: they take longer to start than we leave it
        os.environ.setdefault("PARALLEL", "0")
        compiler.ensure_compiler()
        try:  # tinygrad may have been imported before, and reads its variables only once
            from tinygrad.helpers import DEV, Context

            if not imported:  # now it has the device asked for here; to be put back is what there was before
                DEV.value = usual
            settings: dict[str, str | int] = {"PARALLEL": int(os.environ["PARALLEL"])}
            stack.enter_context(Context(**settings, DEV=os.environ.get("DEV", "")))
        except Exception as error:
            raise environment.cannot_open(os.environ.get("DEV", ""), error) from None
        opened = environment.open_device()
        if kernels and opened.split(":")[0] != "CPU":
            raise _kernels_elsewhere(opened)
        yield opened


def device_for(device: str | None = None) -> str:
    """The device that `prepared` will open. Where none is asked for, it takes opening them to find the best."""
    if asked := device or os.environ.get("DEV", ""):
        return asked.upper()
    with prepared():
        return environment.open_device()


@contextmanager
def _environment_restored() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
