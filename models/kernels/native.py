"""Compiles the kernels, loads it into this process and keeps the threads that run it.

What a captured step needs of this process (entry points, threads, scratch memory) changes from process to process, so
it is handed over in a small tensor, the *table*: one uint64 a slot.
"""

import atexit
import ctypes
import functools
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from tinygrad import Device, Tensor, dtypes
from tinygrad.device import Buffer, TinyELF
from tinygrad.helpers import Target
from tinygrad.runtime.autogen import libc as elf
from tinygrad.runtime.ops_cpu import CPUDevice, CPUProgram
from tinygrad.runtime.support.elf import elf_loader

from explorer.machine import cores
from explorer.models.kernels.source import activation_kinds, optimizer_kinds, source

VERSION = 2  # of what the kernels compute: it changes when a run's last digits may, and is recorded with the run
KERNELS = {  # each kernel's stages, one after the other
    "gemm": ("gemm_pack", "gemm"),
    "gemm_symmetric": ("gemm_pack", "gemm_symmetric", "gemm_mirror"),
    "convolution": ("convolution_pack", "convolution"),
    "convolution_gradient": ("convolution_gradient_pack", "convolution_gradient", "convolution_gradient_sum"),
    "winograd": ("winograd_pack", "winograd"),
    "winograd_gradient": ("winograd_gradient_pack", "winograd_gradient", "convolution_gradient_sum"),
    "activation_gradient": ("activation_gradient",),
    "batchnorm": ("batchnorm",),
    "batchnorm_gradient": ("batchnorm_gradient",),
    "cross_entropy": ("cross_entropy",),
    "optimizer": ("optimizer",),
    "augment": ("augment",),
}
STAGES = list(dict.fromkeys(stage for stages in KERNELS.values() for stage in stages))
UNDIVIDED = {"cross_entropy"}  # stages one thread does alone
# stages that share the images, and where their structs count them
BY_IMAGES = {"convolution": 6, "convolution_gradient": 8, "winograd": 6, "winograd_gradient": 8}
SHARES_PER_THREAD = 4  # of the other stages: a thread that comes late, or is held up, leaves its shares to the others
MOST_IMAGE_SHARES, LEAST_IMAGES = 16, 8  # each share sums weight gradients of its own: not too many, not too small
RUN, POOL, SCRATCH, FIRST_STAGE = range(4)  # slots of the table; from the last on, the stages' addresses
MAX_THREADS = 64  # as in threads.c
CACHE_LINE = 16  # floats: a vector that crosses from one line to the next costs twice
SEMAPHORE_BYTES = 64  # more than any system's sem_t
Word, Pointer = ctypes.c_int64, ctypes.c_void_p


class _Pool(ctypes.Structure):
    """struct pool of threads.c"""

    _fields_ = (
        ("threads", Word),
        ("wait", Pointer),
        ("post", Pointer),
        ("tasks", Pointer),
        ("task_count", Word),
        ("first", Word),
        ("front", Word),
        ("finished", Word),
        ("running", Word),
        ("asleep", ctypes.c_int32 * MAX_THREADS),
        ("semaphores", Pointer * MAX_THREADS),
    )


class Native:
    """The loaded kernels, their threads, their scratch memory, and the table that tells a captured step of them."""

    def __init__(self, threads: int):
        device = Device["CPU"]
        assert isinstance(device, CPUDevice)
        library = device.renderer.compiler.compile_cached(source())
        self.activations, self.optimizers = activation_kinds(), optimizer_kinds()  # those that were compiled
        self.program = CPUProgram(device, TinyELF(library, "kernels", Target(), (), b"kernels"))
        self.address = {name: self.program.addr + offset for name, offset in _entry_points(library).items()}
        self.threads = max(1, min(threads, MAX_THREADS))
        self.scratch = np.empty(0, np.float32)
        self._start_threads()
        words = [self.address["pool_run"], ctypes.addressof(self.pool), 0, *(self.address[name] for name in STAGES)]
        self.table = Tensor.empty(len(words), dtype=dtypes.uint64, device="CPU").is_param_(False)
        buffer = self.table.uop.buffer
        assert isinstance(buffer, Buffer)  # not one spread over several devices
        self.words = np.frombuffer(buffer.ensure_allocated().as_memoryview(force_zero_copy=True), np.uint64)
        self.words[:] = words

    def _start_threads(self) -> None:
        pool = self.pool = _Pool(threads=self.threads)
        pool.wait, pool.post = _address("sem_wait"), _address("sem_post")
        self._semaphores = [_semaphore() for _ in range(self.threads)]
        for index, semaphore in enumerate(self._semaphores):
            pool.semaphores[index] = ctypes.addressof(semaphore)
        work = ctypes.CFUNCTYPE(None, Pointer, Word)(self.address["pool_worker"])
        for index in range(1, self.threads):
            # the call releases Python's lock; a daemon, because it sleeps in C when the program ends
            threading.Thread(target=work, args=(ctypes.addressof(pool), index), daemon=True).start()
        # holds self: the threads need its memory to the end, whatever becomes of the rest of it
        atexit.register(self._stop_threads)

    def _stop_threads(self) -> None:
        ctypes.CFUNCTYPE(None, Pointer)(self.address["pool_stop"])(ctypes.addressof(self.pool))

    def _reserve(self, kernel: str, *arguments: int) -> None:
        """Make the scratch memory as large as the kernel asks. Captured steps read its address from the table."""
        size = ctypes.CFUNCTYPE(Word, *[Word] * len(arguments))(self.address[f"{kernel}_scratch"])
        if (floats := size(*arguments)) > self.scratch.size:
            memory = np.empty(floats + CACHE_LINE, np.float32)
            self.scratch = memory[-memory.ctypes.data // 4 % CACHE_LINE :][:floats]
            self.words[SCRATCH] = self.scratch.ctypes.data

    def run(self, kernel: str, words: Sequence[int]) -> None:
        """One kernel, at once, on all threads; ``words``: its argument struct."""
        members, stages = (Word * len(words))(*words), KERNELS[kernel]
        parts = [(self.address[stage], ctypes.addressof(members), self.shares(stage, words)) for stage in stages]
        tasks = (Word * (3 * len(stages)))(*(word for part in parts for word in part))
        call = ctypes.CFUNCTYPE(None, Pointer, Pointer, Word)(self.address["pool_run"])
        call(ctypes.addressof(self.pool), ctypes.addressof(tasks), len(stages))

    def shares(self, stage: str, members: Sequence[Any]) -> int:
        """How many parts a stage is cut in, given its argument struct. Where sums are made in parts, the shape alone
        decides, so that any number of threads gives the same result."""
        if stage in BY_IMAGES:
            return image_shares(members[BY_IMAGES[stage]])
        return 1 if stage in UNDIVIDED or self.threads == 1 else SHARES_PER_THREAD * self.threads

    def reserve_gemm(self, m: int, n: int, k: int) -> None:
        self._reserve("gemm", m, n, k)

    def reserve_batchnorm(self, height: int, width: int) -> None:
        self._reserve("batchnorm", height, width, self.threads)

    def reserve_augment(self, height: int, width: int) -> None:
        self._reserve("augment", height, width, self.threads)

    def reserve_convolution(self, kernel: str, arguments: list[int]) -> None:
        """``arguments``: the kernel's struct, with anything for the pointers."""
        packed = (Word * len(arguments))(*arguments)
        self._reserve(kernel, ctypes.addressof(packed), self.threads)


def enabled(device: str | None = None) -> bool:
    """Whether layers on this device (None: the default one) use the kernels."""
    name = Device.canonicalize(device)
    return name.split(":")[0] == "CPU" and os.environ.get("KERNELS", "1") != "0" and native() is not None


@functools.cache
def native() -> Native | None:
    """The kernels, loaded at first use; None where they cannot be had (then tinygrad's own code runs)."""
    if not hasattr(ctypes.CDLL(None), "sem_init"):
        return None
    try:
        return Native(int(os.environ.get("KERNEL_THREADS", 0)) or cores())
    except Exception:  # a compiler or a processor that the kernels do not suit
        if os.environ.get("KERNELS") == "1":  # asked for by name: say what is wrong
            raise
        return None


def image_shares(images: int) -> int:
    return min(MOST_IMAGE_SHARES, max(1, images // LEAST_IMAGES))


def _address(function: str) -> int:
    address = ctypes.cast(getattr(ctypes.CDLL(None), function), Pointer).value
    assert address is not None
    return address


def _semaphore() -> ctypes.Array:
    semaphore = ctypes.create_string_buffer(SEMAPHORE_BYTES)
    if ctypes.CDLL(None).sem_init(semaphore, 0, 0):  # macOS has the name, but not the thing
        raise OSError("this system has no unnamed semaphores")
    return semaphore


def _entry_points(library: bytes) -> dict[str, int]:
    """Global symbols of an ELF object and their offsets in the image that tinygrad's loader makes of it."""
    _, sections, _ = elf_loader(library)
    symbols = next(section for section in sections if section.name == ".symtab").content
    names = next(section for section in sections if section.name == ".strtab").content
    found = {}
    for symbol in (elf.Elf64_Sym * (len(symbols) // ctypes.sizeof(elf.Elf64_Sym))).from_buffer_copy(symbols):
        if symbol.st_info >> 4 == elf.STB_GLOBAL and symbol.st_shndx:
            name = names[symbol.st_name : names.index(b"\0", symbol.st_name)].decode()
            found[name] = sections[symbol.st_shndx].header.sh_addr + symbol.st_value
    return found
