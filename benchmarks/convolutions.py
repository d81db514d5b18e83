"""Which convolution is faster, direct or Winograd's: the measurements behind ``ops.convolution_kernels``.

    python -m benchmarks.convolutions

The choice must not be made by a clock while a program runs: two runs of one configuration could then differ. So it is
a rule by shape, and this is how the rule was found and can be checked on another machine. One thread, its own CPU time,
both kernels in turns, the fastest of ``--rounds`` turns; forward and both gradients together, SiLU, 3x3 and 5x5.
"""

import argparse
import time

import numpy as np
from tabulate import tabulate

from benchmarks import machine
from explorer.training import compiler

IMAGES = 16
SHAPES = [  # channels in, side of the image, channels out, kernel
    (1, 28, 32, 5),
    (4, 24, 32, 5),
    (8, 24, 32, 5),
    (16, 24, 16, 5),
    (32, 24, 32, 5),
    (32, 24, 4, 5),
    (64, 8, 64, 5),
    (4, 10, 64, 3),
    (8, 10, 64, 3),
    (16, 10, 16, 3),
    (32, 10, 64, 3),
    (64, 8, 64, 3),
    (64, 5, 64, 3),
    (128, 8, 128, 3),
    (64, 26, 8, 3),
]
HEADERS = ("channels", "side", "filters", "kernel", "direct, ms", "Winograd, ms", "ratio", "the rule takes")


def aligned(count: int) -> np.ndarray:
    memory = np.zeros(count + 16, np.float32)
    return memory[-memory.ctypes.data // 4 % 16 :][:count]


def measure(shape: tuple[int, int, int, int], rounds: int) -> list[float]:
    """Milliseconds of direct and of Winograd's."""
    from explorer.models.kernels.native import Native, image_shares

    loaded = Native(1)
    channels, side, filters, kernel = shape
    out = side - kernel + 1
    sizes = [IMAGES, channels, side, side, filters, kernel, kernel, loaded.activations["silu"]]
    random = np.random.default_rng(0)
    image, result = IMAGES * channels * side**2, IMAGES * filters * out**2
    x, weight, bias, g = (aligned(count) for count in (image, filters * channels * kernel**2, filters, result))
    for array in (x, weight, bias, g):
        array[:] = random.standard_normal(array.size)
    z, active, d_x, d_weight, d_bias = (aligned(array.size) for array in (g, g, x, weight, bias))
    best = [np.inf, np.inf]
    for _ in range(rounds):
        for which, name in enumerate(("convolution", "winograd")):
            backward = [*sizes, image_shares(IMAGES)]
            loaded.reserve_convolution(name, [0] * 6 + sizes)
            loaded.reserve_convolution(f"{name}_gradient", [0] * 8 + backward)
            scratch = loaded.scratch.ctypes.data
            start = time.thread_time_ns()
            loaded.run(name, [*(array.ctypes.data for array in (z, active, x, weight, bias)), scratch, *sizes])
            pointers = [array.ctypes.data for array in (d_x, d_weight, d_bias, g, z, x, weight)]
            pointers[0] *= channels > 1  # nobody wants the gradient of the images themselves
            loaded.run(f"{name}_gradient", [*pointers, scratch, *backward])
            best[which] = min(best[which], (time.thread_time_ns() - start) / 1e6)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convolutions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=40, help="turns of each kernel (default 40)")
    options = parser.parse_args()
    compiler.ensure_compiler()
    from explorer.models.kernels.ops import convolution_kernels

    rows = []
    for shape in SHAPES:
        channels, side, filters, kernel = shape
        direct, winograd = measure(shape, options.rounds)
        chosen = convolution_kernels(channels, side, side, filters, kernel, kernel)[0]
        rows.append([*map(str, shape), f"{direct:.2f}", f"{winograd:.2f}", f"{winograd / direct:.2f}", chosen])
    print("\n".join([*machine.description("CPU", "random numbers"), ""]))
    print(tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True))
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
