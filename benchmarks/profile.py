"""Where a training step's time goes on the CPU: the captured step's programs, timed one by one, and the host's part.

    python -m benchmarks.profile --model mlp --batch 128
    KERNEL_THREADS=1 python -m benchmarks.profile --model cnn

The step is captured by a short run; its programs are then called one after the other, as `Replay` does, on the batch
that lies there. A program that several kernels share bears all their names. *Host* is what a step costs beyond them:
drawing the batch, copying it in, the next step's numbers.
"""

import argparse
import statistics
import time

from tabulate import tabulate

from benchmarks import machine
from explorer.config import make_config
from explorer.errors import UserError
from explorer.running.prepare import prepared

STEPS = 60  # of the run that captures; as many times is each program timed


def rows(model: str, batch: int, steps: int) -> list[tuple[str, float]]:
    """(program, median microseconds) in the step's order; then the host's part and the whole step.

    Raises UserError where the step is more than programs of the CPU with our kernels.
    """
    from tinygrad.helpers import ansistrip

    from explorer.training.trainer import Trainer

    data = machine.load_data()
    config = make_config({"model": model, "dataset": data.name, "batch_size": batch, "steps": steps})
    trainer = Trainer(config, data.of)
    trainer.run(config, data)
    whole = trainer.run(config, data).step_ms
    step = trainer.step
    if step.rows is None or whole is None or step.jit.captured is None:
        raise UserError("no profile: the captured step does not run on the CPU with our kernels")
    names = [ansistrip(call.src[0].arg.name) for call in step.jit.captured.linear.src]
    times: list[list[float]] = [[] for _ in step.rows]
    for _ in range(steps):
        for index in range(len(step.rows)):
            start = time.perf_counter()
            step.run_rows(index, index + 1)
            times[index].append(1e6 * (time.perf_counter() - start))
    if len(names) != len(times):  # a program of several threads has a row for each
        names = [f"program {index}" for index in range(len(times))]
    found = [(name, statistics.median(each)) for name, each in zip(names, times, strict=True)]
    programs = sum(each for _, each in found)
    return [*found, ("host", max(0.0, 1000 * whole - programs)), ("the step", 1000 * whole)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mlp", choices=("mlp", "cnn"))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps, and timings of each program ({STEPS})")
    options = parser.parse_args()
    with prepared("CPU", True):
        found = rows(options.model, options.batch, options.steps)
        print("\n".join(machine.description("CPU", machine.load_data().name)))
    whole = found[-1][1]
    told = [(name, f"{each:.0f}", f"{100 * each / whole:.0f}%") for name, each in found]
    headers = ("program", "microseconds", "of the step")
    print(tabulate(told, headers=headers, tablefmt="github", disable_numparse=True))
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
