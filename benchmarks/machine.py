"""What a timing needs beside it: the machine's two ceilings, its name, the versions, the data; and where tables go."""

import ctypes
import datetime
import mmap
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

import numpy as np

from explorer import datasets
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.machine import cores, cpu_model, git_state
from explorer.training import compiler

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "benchmarks" / "README.md"
SGEMM_SIDE = 1024
QUIET_CORES = 0.1  # what other programs may use before the table says that its figures are spoilt

# Independent chains of multiply-adds held in registers. A chain waits about 4 cycles for itself, so 8 (two units) or
# 16 (four) keep every unit busy; the vectors are as long as the registers, and as many as there are registers for.
FMA_SOURCE = """
#if defined(__AVX512F__)
#define WIDTH 16
#define CHAINS 24
__attribute__((min_vector_width(512)))
#elif defined(__AVX__)
#define WIDTH 8
#define CHAINS 12
#elif defined(__x86_64__)
#define WIDTH 4
#define CHAINS 12
#else
#define WIDTH 4
#define CHAINS 24
#endif
void multiply_add(float *chains, const float *factors, long rounds, long *flops) {
  typedef float vector __attribute__((ext_vector_type(WIDTH), aligned(4)));
  vector a[CHAINS], factor = *(const vector *)factors, term = *(const vector *)(factors + WIDTH);
  #pragma clang loop unroll(full)
  for (int i = 0; i < CHAINS; i++) a[i] = *(vector *)(chains + i * WIDTH);
  for (long round = 0; round < rounds; round++) {
    #pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) a[i] = a[i] * factor + term;
  }
  #pragma clang loop unroll(full)
  for (int i = 0; i < CHAINS; i++) *(vector *)(chains + i * WIDTH) = a[i];
  *flops = rounds * CHAINS * WIDTH * 2;
}
"""


def sgemm_gflops(seconds: float = 0.2) -> float:
    """GFLOP/s of numpy's BLAS on all its threads: the best product of square float32 matrices within ``seconds``."""
    left, right = (np.random.default_rng(seed).random((SGEMM_SIDE, SGEMM_SIDE), np.float32) for seed in (0, 1))
    out = left @ right
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        np.matmul(left, right, out=out)
        best = min(best, time.perf_counter() - start)
    return 2 * SGEMM_SIDE**3 / best / 1e9


class FmaLoop:
    """A bare loop of multiply-adds in registers, compiled by the program's own compiler, on every core at once."""

    def __init__(self) -> None:
        compiler.ensure_compiler()
        # tinygrad's way from C to memory that can be run: the same flags and the same loader as its own kernels
        from tinygrad.runtime.support.compiler_cpu import ClangCompiler
        from tinygrad.runtime.support.elf import jit_loader

        name = platform.machine().lower()
        architecture = {"amd64": "x86_64", "aarch64": "arm64"}.get(name, name)
        image = jit_loader(ClangCompiler([architecture, "native"]).compile(FMA_SOURCE))
        self.memory = mmap.mmap(-1, len(image), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self.memory.write(image)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        # a foreign call of this type lets go of the interpreter's lock, so the threads below run side by side
        self.function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_void_p)(
            address
        )
        self.threads = ThreadPoolExecutor(cores())

    def _run(self, rounds: int) -> int:
        chains, factors = np.zeros(24 * 16, np.float32), np.full(32, 0.5, np.float32)
        flops = ctypes.c_long()
        self.function(chains.ctypes.data, factors.ctypes.data, rounds, ctypes.byref(flops))
        # a -> a/2 + 1/2 tends to 1: a loop that the compiler had thrown away would not
        assert np.allclose(chains[:48], 1), "the loop was not run as written"
        return flops.value

    def gflops(self, seconds: float = 0.2) -> float:
        """GFLOP/s of all cores together: the best of a few bursts within ``seconds``."""
        best, end = 0.0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            flops = sum(self.threads.map(self._run, [400_000] * cores()))
            best = max(best, flops / (time.perf_counter() - start) / 1e9)
        return best


def busy_cores(seconds: float = 0.1) -> float | None:
    """How many cores are at work while this process sleeps for so long; None where the system does not say (not Linux).

    A contender's threads wait for each other at every operation: one busy stranger on a machine of two cores can
    slow PyTorch's to a tenth, and not ours. Figures from a busy machine mean nothing.
    """

    def ticks() -> list[int]:
        return [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]

    try:
        before = ticks()
        time.sleep(seconds)
        spent = [after - earlier for earlier, after in zip(before, ticks(), strict=True)]
    except (OSError, ValueError):
        time.sleep(seconds)
        return None
    idle = spent[3] + spent[4]  # idle, and idle waiting for a disk
    return (sum(spent) - idle) / max(sum(spent), 1) * (os.cpu_count() or 1)


def strangers_line(busy: Sequence[float]) -> str:
    """The table's line about other programs, given how many cores were busy while every contender slept."""
    mean = sum(busy) / len(busy)
    warning = "; **too much for figures that mean something**" if mean > QUIET_CORES else ""
    return f"Other programs' use of the machine meanwhile: {mean:.2f} cores (n = {len(busy)}){warning}"


def load_data() -> Dataset:
    """Real MNIST where MNIST_EXPLORER_DATA names a folder that has it, else scikit-learn's digits."""
    return datasets.load("mnist" if os.environ.get(datasets.DATA_VARIABLE) else "digits")


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def description(device: str, dataset: str) -> list[str]:
    """The lines above a table: machine, versions, data, day."""
    commit, dirty = git_state()
    versions = ", ".join(f"{name} {installed(name)}" for name in ("tinygrad", "torch", "numpy"))
    state = f"{commit}{' with changes' if dirty else ''}" if commit else "unknown"
    hardware = f"{cpu_model()}, {cores()} cores"
    return [
        f"- Machine: {hardware}{'' if device == 'CPU' else f', device {device}'}; {platform.system()}, Python "
        f"{platform.python_version()}",
        f"- Versions: {versions}; explorer at commit {state}",
        f"- Data: {dataset}; {datetime.date.today().isoformat()}",
    ]


def spread(values: Sequence[float], digits: int) -> str:
    """``lowest-highest`` with so many digits after the point, or an empty text for a single value."""
    return f"{min(values):.{digits}f}-{max(values):.{digits}f}" if len(values) > 1 else ""


def replace_section(text: str, name: str, body: str) -> str:
    """``text`` with what stands between the markers of section ``name`` replaced by ``body``.

    A section without markers is added at the end. Raises UserError where only one marker is left.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{body.strip()}\n{end}"
    if begin not in text and end not in text:
        return f"{text.rstrip()}\n\n{section}\n"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise UserError(f"the markers of {name} in benchmarks/README.md are broken: both {begin} and {end} must stand")
    return f"{before}{section}{after}"


def write_section(name: str, body: str) -> None:
    README.write_text(replace_section(README.read_text(encoding="utf-8"), name, body), encoding="utf-8")


def leave_with(main: Callable[[], int]) -> NoReturn:
    """Run a benchmark's main and end the program as it says: a person's mistake is one line, Ctrl-C is code 130."""
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
