"""What a step asks of the host, by device: copies, waits, launches, and the host's own time.

    python -m benchmarks.devices                    every device that opens here
    python -m benchmarks.devices --devices CL NULL  these
    python -m benchmarks.devices --model cnn

The counts hold anywhere; the times are this machine's. tinygrad's NULL device computes nothing: its time is the host's
alone. PYTHON emulates a device in Python, slowly, and runs only when named.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import machine
from explorer import datasets
from explorer.config import make_config
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.training import compiler

DEVICES = ("CPU", "CL", "NULL", "WEBGPU", "METAL", "AMD", "NV", "CUDA", "QCOM")
NETS: dict[str, dict[str, object]] = {
    "mlp": {"model": "mlp", "units": [32, 16]},
    "cnn": {"model": "cnn", "filters": [4, 4, 4, 4]},
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


def measure(name: str, way: str, fields: dict[str, object], dataset: Dataset) -> tuple[Counts, float]:
    """What 256 captured steps ask of the device, and the host's milliseconds a step until all are handed over."""
    from tinygrad.helpers import Context

    from explorer.training import feeding
    from explorer.training.trainer import Run, Trainer

    config = make_config({**fields, "steps": 4 * feeding.AHEAD, "eval_every": 4 * feeding.AHEAD})
    trainer = Trainer(config, dataset.of, getattr(feeding, way))
    run = Run(trainer, config, dataset, lambda progress: None)
    with Context(TRAINING=1):
        for step in range(1, feeding.AHEAD + 1):
            run.take_step(step)
        run.fetch(feeding.AHEAD)
        with counted(name) as counts:
            started = time.perf_counter()
            for step in range(feeding.AHEAD + 1, 2 * feeding.AHEAD + 1):
                run.take_step(step)
            seconds = time.perf_counter() - started
    return counts, 1000 * seconds / feeding.AHEAD


def report(names: list[str], fields: dict[str, object]) -> Iterator[str]:
    """The lines of the table, each as it is measured."""
    from tinygrad.helpers import Context

    from explorer.models.kernels.native import enabled
    from explorer.training import device as environment

    dataset = datasets.load("digits")
    yield "| device | way | 256 steps: copies in | copies out | waits | one step: launches | graph calls | host ms |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name in names:
        with Context(DEV=name, NULL_ALLOW_COPYOUT=1):
            try:
                if name != "NULL":  # which computes nothing
                    environment.open_device()
            except UserError as error:
                yield f"| {name} | {error} | | | | | | |"
                continue
            for way in ("HostFed",) if enabled() else ("HostFed", "Resident"):
                counts, milliseconds = measure(name, way, fields, dataset)
                launches, graphs = counts.launches / 256, counts.graph_calls / 256
                yield (
                    f"| {name} | {way} | {counts.copies_in} | {counts.copies_out} | {counts.waits} | {launches:.1f} | "
                    f"{graphs:.1f} | {milliseconds:.2f} |"
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", nargs="+", default=list(DEVICES), help="tinygrad's names of devices")
    parser.add_argument("--model", choices=tuple(NETS), default="mlp")
    options = parser.parse_args()
    compiler.ensure_compiler()
    for line in report([name.upper() for name in options.devices], NETS[options.model]):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
