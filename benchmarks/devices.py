"""What a step asks of the host, by device: copies, waits, launches, and the host's own time.

    python -m benchmarks.devices                    every device that opens here
    python -m benchmarks.devices --devices CL,NULL --models mlp --write

The counts hold anywhere; the times are this machine's. tinygrad's NULL device computes nothing: all its time is the
host's. PYTHON and the emulators of tinygrad's own tests are slow, and run only when named.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from benchmarks import machine
from benchmarks.contenders import WARM_UP_STEPS
from benchmarks.step import note, words
from explorer import datasets
from explorer.config import make_config
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.training import compiler

DEVICES = ("CPU", "CL", "NULL", "WEBGPU", "METAL", "AMD", "NV", "CUDA", "QCOM")
HEADERS = (
    "device",
    "model",
    "way",
    "256 steps: copies in",
    "copies out",
    "waits",
    "a step: launches",
    "graph calls",
    "host's processor ms",
)
NETS: dict[str, dict[str, object]] = {
    "mlp": {"model": "mlp", "units": [32, 16], "batch_size": 32},
    "cnn": {"model": "cnn", "filters": [4, 4, 4, 4], "batch_size": 32},
}


@dataclass
class Counts:
    """What a device was asked to do. Copies are those between the host's memory and the device's own."""

    copies_in: int = 0
    copies_out: int = 0
    waits: int = 0
    """Times the host waited for the device, copies out not among them."""
    launches: int = 0
    """Programs started one by one."""
    graph_calls: int = 0
    """Captured programs started together."""


@contextmanager
def counted(name: str) -> Iterator[Counts]:
    """Count what tinygrad's device ``name`` is asked to do for a while."""
    from tinygrad import Device

    device, counts = Device[name], Counts()
    graph = getattr(device.graph, "func", device.graph)
    with ExitStack() as stack:
        for owner, method, field in (
            (device.allocator, "_copyin", "copies_in"),
            (device.allocator, "_copyout", "copies_out"),
            (device, "synchronize", "waits"),
            (device.runtime_t, "__call__", "launches"),
            (graph, "__call__", "graph_calls"),
        ):
            if owner is not None:
                stack.enter_context(_counting(owner, method, counts, field))
        yield counts


@contextmanager
def _counting(owner: Any, method: str, counts: Counts, field: str) -> Iterator[None]:
    inner: Callable[..., Any] = getattr(owner, method)
    own = method in vars(owner)

    def outer(*arguments: Any, **named: Any) -> Any:
        setattr(counts, field, getattr(counts, field) + 1)
        before = counts.waits
        answer = inner(*arguments, **named)
        if field == "copies_out":
            counts.waits = before  # a copy out has to wait, and is counted already
        return answer

    setattr(owner, method, outer)
    try:
        yield
    finally:
        if own:
            setattr(owner, method, inner)
        else:
            delattr(owner, method)


def measure(way: str, fields: dict[str, object], dataset: Dataset) -> tuple[Counts, float]:
    """What 256 captured steps ask of the default device, and the milliseconds of processor time a step that the thread
    which asks for them spends until all are handed over."""
    from tinygrad import Device
    from tinygrad.helpers import Context

    from explorer.training import feeding
    from explorer.training.trainer import Run, Trainer

    config = make_config({**fields, "steps": 4 * feeding.AHEAD, "eval_every": 4 * feeding.AHEAD})
    trainer = Trainer(config, dataset.of, getattr(feeding, way))
    run = Run(trainer, config, dataset, lambda progress: None)
    with Context(TRAINING=1):
        for step in range(1, WARM_UP_STEPS + 1):
            run.take_step(step)
        run.fetch(WARM_UP_STEPS)
        with counted(Device.DEFAULT) as counts:
            started = time.thread_time()
            for step in range(WARM_UP_STEPS + 1, WARM_UP_STEPS + feeding.AHEAD + 1):
                run.take_step(step)
            seconds = time.thread_time() - started
    return counts, 1000 * seconds / feeding.AHEAD


def rows_of(name: str, models: list[str], dataset: Dataset) -> list[list[str]]:
    """The table's rows of one device. Raises UserError where it is not to be had."""
    from tinygrad import Device
    from tinygrad.helpers import Context

    from explorer.models.kernels.native import enabled
    from explorer.training import device as environment
    from explorer.training.feeding import AHEAD

    rows = []
    with Context(DEV=name, NULL_ALLOW_COPYOUT=1):
        if Device.DEFAULT != "NULL":  # which computes nothing, as it is found out
            environment.open_device()
        for model in models:
            for way in ("HostFed",) if enabled() else ("HostFed", "Resident"):
                note(f"{name}: {model}, {way}")
                counts, milliseconds = measure(way, NETS[model], dataset)
                rows.append(
                    [
                        name,
                        model,
                        way,
                        *(str(count) for count in (counts.copies_in, counts.copies_out, counts.waits)),
                        *(f"{count / AHEAD:.1f}" for count in (counts.launches, counts.graph_calls)),
                        "" if Device.DEFAULT == "CPU" else f"{milliseconds:.2f}",
                    ]
                )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.devices", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", default=",".join(DEVICES), help="tinygrad's names of devices, with commas")
    parser.add_argument("--models", type=words(tuple(NETS)), default=list(NETS), help="mlp,cnn")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    compiler.ensure_compiler()
    busy = [found for _ in range(5) if (found := machine.busy_cores()) is not None]
    dataset = datasets.load("digits")
    rows, reasons = [], []
    for name in options.devices.upper().split(","):
        try:
            rows += rows_of(name, options.models, dataset)
        except UserError as error:
            reasons.append(str(error))
    lines = machine.description("CPU", dataset.name) + [f"- {machine.strangers_line(busy)}"] * bool(busy)
    lines += [f"- {reason}" for reason in reasons]
    table = tabulate(
        rows, HEADERS, tablefmt="github", colalign=("left", "left", "left", *["right"] * 6), disable_numparse=True
    )
    text = "\n".join([*lines, "", table])
    print(text)
    if options.write:
        machine.write_section("devices", text)
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
