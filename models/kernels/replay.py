"""A captured step as one C call.

tinygrad walks a captured step's programs in Python, 20 to 50 microseconds each: a third of an MLP's whole step. On the
CPU device the programs and the addresses they are called with do not change, so one table of them can be run through.
"""

import ctypes
from typing import Any

import numpy as np
from tinygrad.engine.jit import CapturedJit, _TinyJit
from tinygrad.engine.realize import get_call_arg_uops, get_runtime
from tinygrad.uop.ops import Ops

from explorer.models.kernels.native import enabled, native

WORDS = 64  # of a row: the program's address and its arguments, as in threads.c


class Replay:
    """Calls a TinyJit; once it is captured without arguments, on the CPU device, runs its programs directly."""

    def __init__(self, jit: _TinyJit):
        self.jit = jit
        self.calls = 0  # of the TinyJit; its first two compile and capture
        self.rows: np.ndarray | None = None
        self._run: Any = None
        self._result: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self.rows is not None:
            self.run_rows(0, len(self.rows))
            return self._result
        self._result = self.jit(*arguments)
        self.calls += 1
        captured, kernels = self.jit.captured, native() if enabled() and not arguments else None
        if captured is not None and kernels is not None and (found := _rows(captured)) is not None:
            self.rows, self._kept = found
            self._run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(kernels.address["replay"])
        return self._result

    def run_rows(self, start: int, end: int) -> None:
        """Calls the programs of these rows, one after the other."""
        assert self.rows is not None, "not captured yet"
        self._run(self.rows[start:end].ctypes.data, end - start)


def _rows(captured: CapturedJit) -> tuple[np.ndarray, list[Any]] | None:
    """((programs, WORDS) uint64, what must stay alive for them), or None where the step is more than CPU programs."""
    rows: list[list[int]] = []
    kept: list[Any] = []
    for call in captured.linear.src:
        program, arguments = call.src[0], get_call_arg_uops(call)
        if program.op is not Ops.PROGRAM or any(argument.op is Ops.PARAM for argument in arguments):
            return None
        buffers = [arguments[index].buffer.ensure_allocated() for index in program.arg.globals]
        runtime = get_runtime("CPU", program)
        kept += [runtime, *buffers]
        (count, *_), _ = program.arg.launch_dims({})
        words = [runtime.addr, *(buffer.get_buf("CPU").va_addr for buffer in buffers), *program.arg.vals({})]
        for thread in range(int(count)):
            if "core_id" in runtime.runtimevars:
                words[1 + runtime.runtimevars["core_id"]] = thread
            rows.append(words + [0] * (WORDS - len(words)))
    return np.array(rows, np.uint64), kept
