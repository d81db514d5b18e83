"""The C kernels: right against numpy, against finite differences, against tinygrad's own code; inside their arrays;
the same twice; and out of the way where they cannot be had.
"""

import ctypes
import functools
import gc
import itertools
import mmap
import os
import platform
import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from tinygrad import Device, Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.runtime.support.compiler_cpu import ClangCompiler

from explorer.config import make_config
from explorer.models.activations import ACTIVATIONS
from explorer.models.kernels import native as native_module
from explorer.models.kernels import ops, replay
from explorer.models.kernels.native import SCRATCH, Native, Pointer, Word, enabled, native
from explorer.models.kernels.source import activation_kinds, optimizer_kinds
from explorer.models.kernels.source import source as kernels_source
from explorer.models.layers import BatchNorm, Conv2d, Linear, max_pool
from explorer.rules.optimizers import OPTIMIZERS
from explorer.training.augment import augment
from explorer.training.trainer import Run, Trainer, loss_and_accuracy
from tests.conftest import PROJECT, on_the_cpu

pytestmark = on_the_cpu
X86 = platform.machine().lower() in ("x86_64", "amd64")
PROCESSORS = {"native": "", "haswell": "avx2", "x86-64": "sse2"}  # march, and what it needs of this machine
THREADS = (1, 2, 3)
TILES = (6, 8, 12, 14, 16, 32)  # rows and panel widths of all three instruction sets
EDGES = sorted({times * tile + off for tile in TILES for times in (1, 2) for off in (-1, 0, 1)})
NAMES = list(activation_kinds())
RULES = list(optimizer_kinds())  # (name, with Nesterov's momentum)
few = functools.partial(settings, derandomize=True, deadline=None, database=None)


def sizes(most: int, least: int = 1) -> st.SearchStrategy[int]:
    return st.integers(least, most) | st.sampled_from([edge for edge in EDGES if least <= edge <= most])


def runs_here(processor: str) -> bool:
    needed = PROCESSORS[processor]
    return not needed or (X86 and needed in Path("/proc/cpuinfo").read_text().split())


@pytest.fixture(params=PROCESSORS)
def processor(request):
    if not runs_here(request.param):
        pytest.skip(f"this machine has no {PROCESSORS[request.param]}")
    return request.param


@pytest.fixture(autouse=True)
def _kernels_on(monkeypatch):
    monkeypatch.delenv("KERNELS", raising=False)
    assert enabled(), "the kernels do not load here: nothing below would test them"


# ----------------------------------------------------------------------------------------------------------------------
# Calling a kernel without tinygrad.


@functools.cache
def kernels(processor: str, threads: int) -> Native:
    """Kernels compiled for a processor, with threads of their own; kept for ever, as their threads are."""
    with pytest.MonkeyPatch.context() as patch:
        if processor != "native":
            patch.setattr(Device["CPU"].renderer, "compiler", ClangCompiler(["x86_64", processor]))
        return Native(threads)


def run(loaded: Native, name: str, *arguments: np.ndarray | int | None) -> None:
    """One kernel on all threads; arguments in the order of its struct."""
    words = [item.ctypes.data if isinstance(item, np.ndarray) else item or 0 for item in arguments]
    loaded.run(name, words)


def floats_of(loaded: Native, function: str, *arguments: int) -> int:
    """What one of the *_scratch functions answers."""
    return ctypes.CFUNCTYPE(Word, *[Word] * len(arguments))(loaded.address[function])(*arguments)


def floats_of_struct(loaded: Native, function: str, pointers: int, *numbers: int) -> int:
    members = (Word * (pointers + len(numbers)))(*[0] * pointers, *numbers)
    return floats_of(loaded, function, ctypes.addressof(members), loaded.threads)


MARGIN = 64
CANARY = np.float32(-12345.678)


class Fenced:
    """Arrays full of NaN between margins that must not change: what is not written, or read too soon, shows."""

    values = True  # whether what a kernel makes of them is compared, too

    def __init__(self) -> None:
        self.made: list[np.ndarray] = []

    def empty(self, *shape: int, dtype: Any = np.float32) -> np.ndarray:
        count = int(np.prod(shape))
        words = -(-count * np.dtype(dtype).itemsize // 4)
        whole = np.full(words + 2 * MARGIN, CANARY, np.float32)
        self.made.append(whole)
        inner = whole[MARGIN : MARGIN + words].view(dtype)[:count].reshape(shape)
        inner.fill(np.nan if dtype is np.float32 else 0)
        return inner

    def filled(self, values: np.ndarray) -> np.ndarray:
        dtype = {"i": np.int32, "u": np.uint8}.get(values.dtype.kind, np.float32)
        array = self.empty(*values.shape, dtype=dtype)
        array[...] = values
        return array

    def check(self) -> None:
        for whole in self.made:
            assert (whole[:MARGIN] == CANARY).all(), "written before an array's start"
            assert (whole[-MARGIN:] == CANARY).all(), "written past an array's end"


class Guarded(Fenced):
    """Arrays that begin or end at a page nothing may touch: a read too far is the end of the process."""

    def __init__(self, at_end: bool, values: bool = True) -> None:
        super().__init__()
        self.at_end, self.values = at_end, values
        self.mappings: list[mmap.mmap] = []

    def empty(self, *shape: int, dtype: Any = np.float32) -> np.ndarray:
        page, size = mmap.PAGESIZE, int(np.prod(shape)) * np.dtype(dtype).itemsize
        inside = -(-size // page) * page
        self.mappings.append(mmap.mmap(-1, inside + 2 * page))
        first = ctypes.addressof(ctypes.c_char.from_buffer(self.mappings[-1]))
        for forbidden in (first, first + page + inside):
            assert ctypes.CDLL(None).mprotect(Pointer(forbidden), ctypes.c_size_t(page), 0) == 0
        start = page + (inside - size if self.at_end else 0)
        array = np.frombuffer(self.mappings[-1], dtype, int(np.prod(shape)), start).reshape(shape)
        array.fill(np.nan if dtype is np.float32 else 0)
        return array


def near(found: np.ndarray, wanted: np.ndarray, tolerance: float, scale: Any = None) -> None:
    """Within ``tolerance`` of ``scale``, by default the largest value wanted. A NaN is never near."""
    scale = np.abs(wanted).max() if scale is None else scale
    off = np.abs(np.asarray(found, np.float64) - wanted)
    assert found.shape == np.shape(wanted)
    assert (off <= tolerance * scale + 1e-30).all(), f"off by {np.max(off / (scale + 1e-30)):.2e}, not {tolerance:.0e}"


# ----------------------------------------------------------------------------------------------------------------------
# The same in numpy, float64.

FUNCTIONS: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    None: lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "tanh": np.tanh,
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


def slope(z: np.ndarray, name: str | None) -> np.ndarray:
    if name in ("relu", "leaky_relu", "elu"):  # central differences are wrong where the slope jumps or bends at once
        below = {"relu": 0, "leaky_relu": 0.01, "elu": np.exp(np.minimum(z, 0))}[name]
        return np.where(z > 0, 1, below)
    return (FUNCTIONS[name](z + 1e-5) - FUNCTIONS[name](z - 1e-5)) / 2e-5


def convolved(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.einsum("nchwij,ocij->nohw", sliding_window_view(x, weight.shape[2:], (2, 3)), weight, optimize=True)


def normalized(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * weight[:, None, None] + bias[:, None, None]


def windows(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) -> (N, C, H//2, W//2, 4): a view of the 2x2 windows no more, a copy"""
    n, c, h, w = x.shape
    whole = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
    return whole.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)


def pooled(x: np.ndarray) -> np.ndarray:
    return windows(x).max(-1)


def unpooled(gradient: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Each window's gradient, divided among the places of its maximum."""
    n, c, h, w = x.shape
    top = windows(x) == pooled(x)[..., None]
    parts = (top * (gradient / top.sum(-1))[..., None]).reshape(n, c, h // 2, w // 2, 2, 2)
    found = np.zeros(x.shape)
    found[:, :, : h // 2 * 2, : w // 2 * 2] = parts.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2 * 2, w // 2 * 2)
    return found


POINTS = (0, 1, -1, 2, -2, 0.5, -0.5)  # and infinity


@functools.cache
def winograd_maps(r: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (n, n + 1 - r), G (n, r) and W (n, n) of winograd.c, without signs: for bounds of its rounding."""
    points = POINTS[: n - 1]

    def powers(count: int) -> np.ndarray:
        return np.vstack([[p**i for i in range(count)] for p in points] + [np.eye(count)[-1]])

    others = [[p - q for q in points if q != p] for p in points]
    scales = np.array([1 / np.prod(one) for one in others] + [1])
    window = [np.append(np.poly([q for q in points if q != p])[::-1], 0) for p in points] + [np.poly(points)[::-1]]
    return np.abs(powers(n + 1 - r)), np.abs(scales[:, None] * powers(r)), np.abs(np.array(window))


def winograd_bounds(x: np.ndarray, weight: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far rounding may take z, d_weight and d_x, element by element, as winograd.c's head derives it: each sum of k
    terms errs by k units in the last place of its terms' sizes summed, and the algorithm is a chain of such sums."""
    (images, ic, ih, iw), (oc, _, r, _), (_, _, oh, ow) = x.shape, weight.shape, g.shape
    small, large = 16 * -(-oh // 2) * -(-ow // 2), 36 * -(-oh // 4) * -(-ow // 4)
    n = 8 if r == 5 else 4 if 4 * small <= 5 * large else 6
    step, (a, of_weight, of_window) = n + 1 - r, winograd_maps(r, n)
    down, across = -(-oh // step), -(-ow // step)
    high, wide = down * step, across * step
    x = np.pad(np.abs(x), ((0, 0), (0, 0), (0, high + r - 1 - ih), (0, wide + r - 1 - iw)))
    g = np.pad(np.abs(g), ((0, 0), (0, 0), (0, high - oh), (0, wide - ow)))
    d = sliding_window_view(x, (n, n), (2, 3))[:, :, ::step, ::step]
    u = np.einsum("pi,ocij,qj->ocpq", of_weight, np.abs(weight), of_weight)
    v = np.einsum("pi,bcyxij,qj->bcyxpq", of_window, d, of_window)
    m = np.einsum("pi,boyixj,qj->boyxpq", a, g.reshape(images, oc, down, step, across, step), a)
    z = np.einsum("pi,bcyxpq,ocpq,qj->boyixj", a, v, u, a, optimize=True).reshape(images, oc, high, wide)
    d_weight = np.einsum("pi,bcyxpq,boyxpq,qj->ocij", of_weight, v, m, of_weight, optimize=True)
    parts = np.einsum("pi,boyxpq,ocpq,qj->bcyxij", of_window, m, u, of_window, optimize=True)
    d_x = np.zeros(x.shape)
    for i, j in np.ndindex(n, n):
        d_x[:, :, i : i + high : step, j : j + wide : step] += parts[..., i, j]
    unit, maps = 2.0**-24, 2 * (r + 2 * n + 4)
    return (
        unit * (ic + maps) * z[:, :, :oh, :ow],
        unit * (images * down * across + maps) * d_weight,
        unit * (oc + maps + n * n) * d_x[:, :, :ih, :iw],
    )


def mean_cross_entropy(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    x = x - x.max(1, keepdims=True)
    return (np.log(np.exp(x).sum(1)) - x[np.arange(len(x)), labels]).mean()


# ----------------------------------------------------------------------------------------------------------------------
# One check for each kernel, for any shape, in arrays of any maker.

Numbers = np.random.Generator


def check_gemm(loaded, arrays, random: Numbers, m, n, k, transpose_a, transpose_b, name, with_bias):
    a, b = random.standard_normal((m, k)), random.standard_normal((k, n))
    a, b = a.astype(np.float32), b.astype(np.float32)
    bias = arrays.filled(random.standard_normal(n)) if with_bias else None
    c, active = arrays.empty(m, n), arrays.empty(m, n) if name else None
    scratch = arrays.empty(floats_of(loaded, "gemm_scratch", m, n, k))
    at, bt = arrays.filled(a.T if transpose_a else a), arrays.filled(b.T if transpose_b else b)
    run(loaded, "gemm", c, active, at, bt, bias, scratch, m, n, k, transpose_a, transpose_b, loaded.activations[name])
    arrays.check()
    if not arrays.values:
        return
    a, b = a.astype(np.float64), b.astype(np.float64)
    near(c, a @ b + (bias if with_bias else 0), 2e-6, np.abs(a) @ np.abs(b) + 1)
    if active is not None:
        near(active, FUNCTIONS[name](c.astype(np.float64)), 1e-6, np.abs(c) + 1)


def check_symmetric_product(loaded, arrays, random: Numbers, n, k):
    """a @ a.T and its square, each the whole product to the bit."""
    a = arrays.filled(random.standard_normal((n, k)))
    gram, square = arrays.empty(n, n), arrays.empty(n, n)
    for inner, left, result, transpose_b in ((k, a, gram, 1), (n, gram, square, 0)):
        scratch, whole = arrays.empty(floats_of(loaded, "gemm_scratch", n, n, inner)), np.empty((n, n), np.float32)
        for kernel, product in (("gemm_symmetric", result), ("gemm", whole)):
            run(loaded, kernel, product, None, left, left, None, scratch, n, n, inner, 0, transpose_b, 0)
        np.testing.assert_array_equal(result, whole)
        np.testing.assert_array_equal(result, result.T)
    arrays.check()
    if not arrays.values:
        return
    a = a.astype(np.float64)
    near(gram, a @ a.T, 2e-6, np.abs(a) @ np.abs(a.T) + 1)


def check_convolution(
    loaded, arrays, random: Numbers, images, ic, ih, iw, oc, kh, kw, name, with_bias, wanted, kernel="convolution"
):
    oh, ow = ih - kh + 1, iw - kw + 1
    numbers = (images, ic, ih, iw, oc, kh, kw, loaded.activations[name])
    x, weight, g, z_given = (
        arrays.filled(random.standard_normal(shape))
        for shape in ((images, ic, ih, iw), (oc, ic, kh, kw), (images, oc, oh, ow), (images, oc, oh, ow))
    )
    bias = arrays.filled(random.standard_normal(oc)) if with_bias else None
    z, active = arrays.empty(images, oc, oh, ow), arrays.empty(images, oc, oh, ow) if name else None
    scratch = arrays.empty(floats_of_struct(loaded, f"{kernel}_scratch", 6, *numbers))
    run(loaded, kernel, z, active, x, weight, bias, scratch, *numbers)
    d_x, d_weight = arrays.empty(*x.shape) if wanted else None, arrays.empty(*weight.shape)
    d_bias = arrays.empty(oc) if with_bias else None
    numbers = (*numbers, native_module.image_shares(images))
    scratch = arrays.empty(floats_of_struct(loaded, f"{kernel}_gradient_scratch", 8, *numbers))
    before = z_given if name else None
    run(loaded, f"{kernel}_gradient", d_x, d_weight, d_bias, g, before, x, weight, scratch, *numbers)
    arrays.check()
    if not arrays.values:
        return

    x, weight, g = (array.astype(np.float64) for array in (x, weight, g))
    g = g * slope(z_given.astype(np.float64), name)
    bounds = winograd_bounds(x, weight, g) if kernel == "winograd" else (0, 0, 0)
    products = convolved(np.abs(x), np.abs(weight)) + 1
    near(z, convolved(x, weight) + (bias[:, None, None] if with_bias else 0), 1, 2e-6 * products + bounds[0])
    if active is not None:
        near(active, FUNCTIONS[name](z.astype(np.float64)), 1e-6, np.abs(z) + 1)
    patches = sliding_window_view(x, (kh, kw), (2, 3))
    near(
        d_weight,
        np.einsum("nchwij,nohw->ocij", patches, g, optimize=True),
        1,
        1e-5 * (np.abs(d_weight).max() + 1) + bounds[1],
    )
    if d_bias is not None:
        near(d_bias, g.sum((0, 2, 3)), 3e-6, np.abs(g).sum((0, 2, 3)) + 1)
    if d_x is not None:
        around = np.pad(g, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
        flipped = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        products = convolved(np.abs(around), np.abs(flipped)) + 1
        near(d_x, convolved(around, flipped), 1, 5e-6 * products + bounds[2])


def check_activation_gradient(loaded, arrays, random: Numbers, rows, columns, name, with_dz, with_bias, in_place):
    d_active, z = (arrays.filled(random.standard_normal((rows, columns)) * 3) for _ in range(2))
    wanted = d_active.astype(np.float64) * slope(z.astype(np.float64), name)
    size = np.abs(d_active).max()
    dz = (d_active if in_place else arrays.empty(rows, columns)) if with_dz else None
    d_bias = arrays.empty(columns) if with_bias else None
    before = z if name else None
    run(loaded, "activation_gradient", dz, d_bias, d_active, before, rows, columns, loaded.activations[name])
    arrays.check()
    if not arrays.values:
        return
    if dz is not None:
        near(dz, wanted, 2e-6, size)
    if d_bias is not None:
        near(d_bias, wanted.sum(0), 2e-6, size * rows)


def check_batchnorm(loaded, arrays, random: Numbers, images, channels, height, width, normalize, pool):
    # on a grid, so that equal values stay equal and others stay apart, in float32 as in float64
    x = arrays.filled(random.integers(-16, 17, (images, channels, height, width)) / np.float32(8))
    weight, bias = arrays.filled(random.uniform(0.5, 2, channels)), arrays.filled(random.standard_normal(channels))
    weight[::2] *= -1
    shape = (images, channels, height // 2, width // 2) if pool else x.shape
    y, mean, variance = arrays.empty(*shape), arrays.empty(channels), arrays.empty(channels)
    scratch = arrays.empty(floats_of(loaded, "batchnorm_scratch", height, width, loaded.threads))
    numbers = (images, channels, height, width, int(normalize), int(pool))
    parts = (mean, variance, weight, bias) if normalize else (None,) * 4
    run(loaded, "batchnorm", y, *parts[:2], x, *parts[2:], scratch, *numbers)
    dy = arrays.filled(random.standard_normal(shape))
    dx, d_weight, d_bias = arrays.empty(*x.shape), arrays.empty(channels), arrays.empty(channels)
    scratch = arrays.empty(scratch.size)
    outputs = (dx, d_weight, d_bias) if normalize else (dx, None, None)
    run(loaded, "batchnorm_gradient", *outputs, dy, x, *parts, scratch, *numbers)
    arrays.check()
    if not arrays.values:
        return

    x, weight, bias, g = (array.astype(np.float64) for array in (x, weight, bias, dy))
    normal = normalized(x, weight, bias) if normalize else x
    near(y, pooled(normal) if pool else normal, 1e-5, np.abs(normal).max() + 1)
    g = unpooled(g, normal) if pool else g
    if not normalize:
        near(dx, g, 1e-6)
        return
    axes, count = (0, 2, 3), images * height * width
    near(mean, x.mean(axes), 1e-6, 2)
    near(variance, x.var(axes), 3e-6, 2)
    unit = normalized(x, np.ones(channels), np.zeros(channels))
    sums = g.sum(axes), (g * unit).sum(axes)
    near(d_bias, sums[0], 3e-6, np.abs(g).sum(axes) + 1)
    near(d_weight, sums[1], 1e-5, np.abs(g * unit).sum(axes) + 1)
    inner = g - (sums[0][:, None, None] + unit * sums[1][:, None, None]) / count
    scale = (np.abs(weight) / np.sqrt(x.var(axes) + 1e-5))[:, None, None]
    near(dx, weight[:, None, None] * inner / np.sqrt(x.var(axes, keepdims=True)[0] + 1e-5), 1e-5, scale * 4)


def check_cross_entropy(loaded, arrays, random: Numbers, rows, classes, spread, with_gradient):
    values = np.round(random.standard_normal((rows, classes)) * 4) / 4 * spread  # ties: the first of equals counts
    x, labels = arrays.filled(values), arrays.filled(random.integers(0, classes, rows))
    loss, correct, dx = arrays.empty(1), arrays.empty(1), arrays.empty(rows, classes) if with_gradient else None
    run(loaded, "cross_entropy", loss, correct, dx, x, labels, rows, classes)
    arrays.check()
    if not arrays.values:
        return
    x = x.astype(np.float64)
    near(loss, mean_cross_entropy(x, labels)[None], 1e-6, np.abs(x).max() + 1)
    assert correct[0] == (x.argmax(1) == labels).sum()
    if dx is not None:
        softmax = np.exp(x - x.max(1, keepdims=True))
        softmax /= softmax.sum(1, keepdims=True)
        near(dx, (softmax - np.eye(classes)[labels]) / rows, 1e-6, 1 / rows)


def check_optimizer(loaded, arrays, random: Numbers, rule, count, steps, momentum, weight_decay):
    name, nesterov = rule
    weights = arrays.filled(random.standard_normal(count))
    state = [arrays.filled(np.zeros(count)) for _ in range(2)]
    w, (first, second) = weights.astype(np.float64), np.zeros((2, count))
    lr = 0.01
    for step in range(1, steps + 1):
        gradient = arrays.filled(random.standard_normal(count))
        corrections = 1 - 0.9**step, 1 - 0.999**step
        scalars = arrays.filled(np.array([lr, weight_decay, momentum, *corrections]))
        run(loaded, "optimizer", weights, *state, gradient, scalars, count, loaded.optimizers[rule])
        g = gradient.astype(np.float64) + (0 if name == "adamw" else weight_decay * w)
        if name in ("adam", "adamw"):
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
            w = w * (1 - lr * weight_decay) if name == "adamw" else w
            w = w - lr * (first / corrections[0]) / (np.sqrt(second / corrections[1]) + 1e-8)
        elif name == "rmsprop":
            first = 0.99 * first + 0.01 * g * g
            second = momentum * second + g / (np.sqrt(first) + 1e-8)
            w = w - lr * second
        else:
            first = momentum * first + g
            w = w - lr * (g + momentum * first if nesterov else first)
    arrays.check()
    if not arrays.values:
        return
    near(weights, w, 2e-6, np.abs(w).max() + 1)
    near(state[0], first, 2e-6, np.abs(first).max() + 1)
    near(state[1], second, 2e-6, np.abs(second).max() + 1)


def check_augment(loaded, arrays, random: Numbers, count, height, width, bilinear, corner):
    images = arrays.filled(random.integers(0, 256, (count, height, width), np.uint8))
    draws = arrays.filled(random.uniform(-1, 1, (count, 4)))
    extremes = [arrays.filled(np.array([extreme])) for extreme in (170.0, 0.4, 9.0)]
    scratch = arrays.empty(floats_of(loaded, "augment_scratch", height, width, loaded.threads))
    found = arrays.empty(count, height, width)
    run(loaded, "augment", found, images, draws, *extremes, scratch, count, height, width, int(bilinear), int(corner))
    arrays.check()
    if not arrays.values:
        return

    turn, zoom, across, down = (
        draws.astype(np.float64).T[:, :, None, None] * np.array([170, 0.4, 9, 9])[:, None, None, None]
    )
    turn, zoom = np.radians(turn), 1 + zoom
    middle_y, middle_x = (0, 0) if corner else ((height - 1) / 2, (width - 1) / 2)
    x, y = np.arange(width)[None, None] - middle_x - across, np.arange(height)[None, :, None] - middle_y - down
    source_x = (x * np.cos(turn) + y * np.sin(turn)) / zoom + middle_x
    source_y = (y * np.cos(turn) - x * np.sin(turn)) / zoom + middle_y
    border = height + width + 20  # of black, wider than any draw reaches
    framed = np.pad(images.astype(np.float64), ((0, 0), (border, border), (border, border)))

    def pixels(rows, columns):
        at = (np.clip(place + border, 0, side + 2 * border - 1) for place, side in ((rows, height), (columns, width)))
        return framed[np.arange(count)[:, None, None], *at]

    if not bilinear:
        places = np.stack([source_y, source_x]) + 0.5
        sure = (np.abs(places - np.round(places)) > 1e-4).all(0)  # else the last bit decides for one pixel or the next
        rows, columns = np.floor(places).astype(int)
        assert sure.mean() > 0.95 or sure.size < 50
        np.testing.assert_array_equal(found[sure], pixels(rows, columns)[sure])
        return
    top, left = np.floor(source_y).astype(int), np.floor(source_x).astype(int)
    bottom, right = source_y - top, source_x - left
    upper = pixels(top, left) * (1 - right) + pixels(top, left + 1) * right
    lower = pixels(top + 1, left) * (1 - right) + pixels(top + 1, left + 1) * right
    near(found, upper * (1 - bottom) + lower * bottom, 1, 0.02)


# ----------------------------------------------------------------------------------------------------------------------
# Against numpy, over random shapes, in all three instruction sets.

some_threads, some_seed = st.sampled_from(THREADS), st.integers(0, 1000)
name, yes = st.sampled_from(NAMES), st.booleans()


def over(check, processor: str, examples: int, shapes: st.SearchStrategy[tuple]) -> None:
    """``check`` for many random shapes and thread counts, always the same ones."""

    @few(max_examples=examples)
    @given(some_threads, some_seed, shapes)
    def example(threads, seed, drawn):
        check(kernels(processor, threads), Fenced(), np.random.default_rng(seed), *drawn)

    example()


def test_a_matrix_product_agrees_with_numpy(processor):
    over(check_gemm, processor, 60, st.tuples(sizes(70), sizes(70), sizes(70), yes, yes, name, yes))


def test_half_a_symmetric_product_and_its_mirror_image_are_the_whole_product(processor):
    over(check_symmetric_product, processor, 30, st.tuples(sizes(70), sizes(70)))


def test_a_matrix_product_too_long_for_one_block_agrees_with_numpy(processor):
    check_gemm(kernels(processor, 2), Fenced(), np.random.default_rng(0), 131, 33, 1500, True, False, "relu", True)
    check_gemm(kernels(processor, 3), Fenced(), np.random.default_rng(1), 30, 20, 10000, False, True, None, False)


@pytest.mark.parametrize("shape", [(32, 131, 40), (61, 65, 33), (128, 160, 1100), (31, 513, 7)])
def test_a_matrix_product_computed_turned_agrees_with_numpy(processor, shape):
    for name, bias in ((None, False), ("silu", True)):
        check_gemm(kernels(processor, 2), Fenced(), np.random.default_rng(0), *shape, False, True, name, bias)


@st.composite
def convolutions(draw):
    """images, channels in, height, width, channels out, kernel height and width (not square), activation, bias, d_x"""
    kh, kw = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    ih, iw = kh + draw(st.integers(0, 9)), kw + draw(st.integers(0, 17))
    return draw(st.integers(1, 3)), draw(sizes(34)), ih, iw, draw(sizes(65)), kh, kw, draw(name), draw(yes), draw(yes)


def test_a_convolution_and_its_gradients_agree_with_numpy(processor):
    over(check_convolution, processor, 40, convolutions())


@st.composite
def square_convolutions(draw):
    r = draw(st.sampled_from([3, 5]))
    ih, iw = r + draw(st.integers(0, 13)), r + draw(st.integers(0, 17))
    shape = draw(st.sampled_from([1, 2, 9, 20])), draw(sizes(34)), ih, iw, draw(sizes(65)), r, r
    return *shape, draw(name), draw(yes), draw(yes), "winograd"


def test_winograds_convolution_and_its_gradients_are_within_the_bound_of_their_rounding(processor):
    over(check_convolution, processor, 40, square_convolutions())


@pytest.mark.parametrize("shape", [(9, 32, 24, 24, 32, 5), (9, 32, 10, 10, 64, 3), (9, 64, 8, 8, 64, 3)])
def test_winograds_convolution_is_as_exact_as_its_head_says(shape):
    """In the shapes of the CNN: 3e-5 of the result's root mean square, and the largest of all."""
    random, loaded, (images, ic, ih, iw, oc, r) = np.random.default_rng(0), kernels("native", 2), shape
    x, weight = (random.standard_normal(dims).astype(np.float32) for dims in ((images, ic, ih, iw), (oc, ic, r, r)))
    z, numbers = np.empty((images, oc, ih - r + 1, iw - r + 1), np.float32), (images, ic, ih, iw, oc, r, r, 0)
    scratch = np.empty(floats_of_struct(loaded, "winograd_scratch", 6, *numbers), np.float32)
    run(loaded, "winograd", z, None, x, weight, None, scratch, *numbers)
    wanted = convolved(x.astype(np.float64), weight.astype(np.float64))
    near(z, wanted, 4e-5, np.sqrt((wanted**2).mean()))


def test_the_gradient_of_activations_agrees_with_numpy(processor):
    over(check_activation_gradient, processor, 40, st.tuples(sizes(40), sizes(70), name, yes, yes, yes))


@st.composite
def planes(draw):
    """images, channels, height, width, and whether to normalize and to pool: one of them at least"""
    normalize, pool = draw(st.sampled_from([(True, False), (True, True), (False, True)]))
    least = 2 if pool else 1
    return draw(sizes(6)), draw(sizes(9)), draw(sizes(17, least)), draw(sizes(33, least)), normalize, pool


def test_batch_normalization_and_pooling_agree_with_numpy(processor):
    over(check_batchnorm, processor, 60, planes())


def test_batch_normalization_of_rows_agrees_with_numpy(processor):
    rows = st.tuples(sizes(70), sizes(300), st.just(1), st.just(1), st.just(True), st.just(False))
    over(check_batchnorm, processor, 40, rows)


def test_the_cross_entropy_agrees_with_numpy(processor):
    over(check_cross_entropy, processor, 40, st.tuples(sizes(40), sizes(40), st.sampled_from([0.1, 1, 30]), yes))


def test_augmentation_agrees_with_numpy(processor):
    over(check_augment, processor, 30, st.tuples(sizes(9), sizes(33), sizes(33), yes, yes))


@pytest.mark.parametrize("rule", RULES)
def test_several_steps_of_an_optimizer_agree_with_numpy(processor, rule):
    rates = st.sampled_from([0.0, 0.1, 0.9])
    decays = st.sampled_from([0.0, 0.3])
    over(check_optimizer, processor, 8, st.tuples(st.just(rule), sizes(300), st.just(4), rates, decays))


def test_activations_stay_finite_and_right_far_out(processor):
    loaded, far = kernels(processor, 1), np.array([[-1e4, -100, -89, -30, -5, -1e-3, 0, 1e-3, 5, 30, 89, 100, 1e4]])
    for kind in NAMES:
        z, g, dz = (Fenced().filled(values) for values in (far, np.ones_like(far), far))
        run(loaded, "activation_gradient", dz, None, g, z, 1, far.size, loaded.activations[kind])
        with np.errstate(over="ignore"):
            near(dz, slope(z.astype(np.float64), kind), 2e-6, 1)
        one, active = Fenced().filled(np.ones((1, 1))), Fenced().empty(1, far.size)
        scratch = Fenced().empty(floats_of(loaded, "gemm_scratch", 1, far.size, 1))
        sizes_and_kind = (1, far.size, 1, 0, 0, loaded.activations[kind])
        run(loaded, "gemm", Fenced().empty(1, far.size), active, one, z, None, scratch, *sizes_and_kind)
        with np.errstate(over="ignore"):
            near(active, FUNCTIONS[kind](z.astype(np.float64)), 1e-6, np.abs(z) + 1)


TINY = np.float32(1e-40)  # below 1.2e-38 a float32 keeps fewer digits, and processors take very long over it


@pytest.mark.parametrize("threads", THREADS)
def test_numbers_too_near_to_zero_are_zero_in_a_kernel_and_stay_what_they_are_outside(threads):
    loaded, (m, n, k) = kernels("native", threads), (60, 70, 3)
    a, b, found = np.full((m, k), TINY), np.full((k, n), 1e10, np.float32), np.ones((m, n), np.float32)
    scratch = np.empty(floats_of(loaded, "gemm_scratch", m, n, k), np.float32)
    run(loaded, "gemm", found, None, a, b, None, scratch, m, n, k, 0, 0, 0)
    assert not found.any()
    assert (a * b[0, 0] > 0).all()


def test_numbers_too_near_to_zero_are_zero_in_a_replayed_step_and_stay_what_they_are_outside():
    x = Tensor(np.full(100, TINY)).realize()
    step = replay.Replay(TinyJit(lambda: (x * 1e10).realize()))
    found = [step().numpy() for _ in range(3)][-1]
    assert step.rows is not None
    assert not found.any()
    assert (np.full(100, TINY) * np.float32(1e10) > 0).all()


# ----------------------------------------------------------------------------------------------------------------------
# No access outside an array.


CONVOLUTION_SHAPES = (  # images, channels in, height, width, channels out, kernel height and width
    (1, 1, 1, 1, 1, 1, 1),
    (3, 1, 28, 28, 5, 5, 5),
    (2, 3, 7, 19, 33, 2, 3),
    (3, 17, 9, 8, 16, 3, 1),
    (1, 32, 12, 11, 31, 5, 3),
    (2, 33, 5, 6, 65, 5, 6),
    (5, 2, 20, 3, 12, 1, 3),
    (3, 17, 9, 8, 33, 3, 3),
    (9, 7, 5, 5, 13, 5, 5),
    (2, 33, 13, 10, 5, 5, 5),
    (1, 1, 9, 11, 7, 3, 3),
    (1, 7, 8, 9, 1, 5, 5),
)


def run_with_guard_pages() -> None:
    """In a process of its own: every kernel over odd shapes, each array once before and once behind a guard page."""
    for processor in filter(runs_here, PROCESSORS):
        for threads, ends in ((1, (True, False)), (2, (True,))):
            for at_end in ends:
                print(processor, threads, "threads, array's", "end" if at_end else "start", flush=True)
                first = threads == 1 and at_end  # values do not depend on where an array lies: they are compared once
                all_kernels(kernels(processor, threads), lambda at_end=at_end, first=first: Guarded(at_end, first))


def all_kernels(loaded: Native, arrays: Callable[[], Fenced]) -> None:
    random = np.random.default_rng(0)
    for m, n, k in ((1, 1, 1), (5, 7, 3), (15, 33, 31), (29, 64, 17), (14, 96, 40), (67, 10, 129)):
        for kind in range(8):
            transposes, extras = (kind & 1, kind >> 1 & 1), (NAMES[kind], bool(kind & 4))
            check_gemm(loaded, arrays(), random, m, n, k, *transposes, *extras)
        check_symmetric_product(loaded, arrays(), random, n, k)
    for shape in CONVOLUTION_SHAPES:
        for kind in (None, "relu", "gelu"):
            switches = (kind, kind != "relu", kind != "gelu")
            check_convolution(loaded, arrays(), random, *shape, *switches)
            if shape[-1] == shape[-2] and shape[-1] in (3, 5):
                check_convolution(loaded, arrays(), random, *shape, *switches, "winograd")
    for shape in ((1, 1), (3, 17), (2, 290)):
        check_batchnorm(loaded, arrays(), random, *shape, 1, 1, True, False)
    for shape in ((1, 1, 2, 2), (1, 3, 5, 7), (4, 5, 9, 16), (2, 4, 24, 24), (3, 2, 3, 33), (2, 1, 2, 17)):
        for normalize, pool in ((True, False), (True, True), (False, True)):
            check_batchnorm(loaded, arrays(), random, *shape, normalize, pool)
    for shape in ((1, 1, 1), (1, 28, 28), (3, 5, 17)):
        for kind in range(4):
            check_augment(loaded, arrays(), random, *shape, kind & 1, kind >> 1)
    for rows, columns in ((1, 1), (3, 5), (7, 17), (9, 33), (2, 64)):
        for kind in NAMES:
            check_activation_gradient(loaded, arrays(), random, rows, columns, kind, True, True, rows == 7)
        check_cross_entropy(loaded, arrays(), random, rows, columns, 1, True)
        for rule in RULES:
            check_optimizer(loaded, arrays(), random, rule, rows * columns, 2, 0.9, 0.1)


def run_over_the_guard() -> None:
    """What the check above would do if a kernel read one float too far: end the process."""
    arrays, loaded = Guarded(True), kernels("native", 1)
    x = arrays.filled(np.ones((3, 5)))
    run(loaded, "activation_gradient", arrays.empty(3, 5), None, x, None, 3, 6, 0)
    print("nothing touched")


def alone(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Python in a process of its own, in the project's folder."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True
    )


def test_no_kernel_touches_memory_outside_its_arrays():
    done = alone("from tests import test_kernels\ntest_kernels.run_with_guard_pages()")
    assert done.returncode == 0, done.stdout + done.stderr  # the last line of its output is where it stopped
    assert done.stdout.count("threads, array's") == 3 * sum(map(runs_here, PROCESSORS))


def test_a_guard_page_is_the_end_of_who_touches_it():
    done = alone("from tests import test_kernels\ntest_kernels.run_over_the_guard()")
    assert done.returncode < 0
    assert "nothing touched" not in done.stdout


# ----------------------------------------------------------------------------------------------------------------------
# The same every time.


@pytest.mark.parametrize("kernel", ["convolution", "winograd"])
def test_a_kernel_gives_the_same_bits_every_time_on_any_number_of_threads(kernel):
    random = np.random.default_rng(0)
    x, weight, g, z = (
        random.standard_normal(shape).astype(np.float32)
        for shape in ((29, 5, 14, 15), (33, 5, 3, 3), (29, 33, 12, 13), (29, 33, 12, 13))
    )
    numbers = (*x.shape, 33, 3, 3, activation_kinds()["silu"], native_module.image_shares(len(x)))
    assert numbers[-1] == 3
    found = []
    for threads in (*THREADS, 3):
        loaded = kernels("native", threads)
        scratch = np.empty(floats_of_struct(loaded, f"{kernel}_gradient_scratch", 8, *numbers), np.float32)
        for _ in range(3):
            found.append([np.empty(shape, np.float32) for shape in (x.shape, weight.shape, (33,))])
            run(loaded, f"{kernel}_gradient", *found[-1], g, z, x, weight, scratch, *numbers)
    for outputs in found:
        for one, other in zip(outputs, found[0], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("transpose_a", [False, True])
def test_a_product_gives_the_same_bits_every_time_on_any_number_of_threads(transpose_a):
    """Of many strips, packed by several threads: none may write into what another one has packed."""
    random, (m, n, k) = np.random.default_rng(0), (512, 784, 128)
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((k, m) if transpose_a else (m, k), (k, n)))
    wanted = (a.T if transpose_a else a).astype(np.float64) @ b
    every = []
    for threads in (*THREADS, 3):
        loaded = kernels("native", threads)
        scratch = np.empty(floats_of(loaded, "gemm_scratch", m, n, k), np.float32)
        for _ in range(20):
            every.append(np.empty((m, n), np.float32))
            run(loaded, "gemm", every[-1], None, a, b, None, scratch, m, n, k, transpose_a, 0, 0)
    near(every[0], wanted, 2e-6)
    for found in every:
        np.testing.assert_array_equal(found, every[0])


def use(monkeypatch: pytest.MonkeyPatch, loaded: Native | None) -> None:
    """Let the program run on these kernels."""
    for module in (native_module, ops, replay):
        monkeypatch.setattr(module, "native", lambda: loaded)


SMALL = {"model": "mlp", "dataset": "digits", "units": (24,), "batch_size": 32, "steps": 20, "eval_every": 20}
CONVOLUTIONS = {
    "model": "cnn",
    "dataset": "digits",
    "filters": (3, 4, 5, 3),
    "batch_size": 16,
    "steps": 20,
    "eval_every": 20,
}


def trained(digits, **fields):
    config = make_config(fields)
    trainer = Trainer(config, digits.of)
    return trainer.run(config, digits), trainer


@pytest.mark.parametrize("fields", [SMALL, CONVOLUTIONS | {"filters": (9, 10, 5, 3)}], ids=["mlp", "cnn"])
def test_a_run_is_the_same_to_the_bit_on_any_number_of_threads(digits, monkeypatch, fields):
    losses = []
    config = make_config(fields | {"steps": 10, "batchnorm": True})
    for threads in THREADS:
        use(monkeypatch, kernels("native", threads))
        trainer = Trainer(config, digits.of)
        losses += [trainer.run(config, digits).losses for _ in range(2)]
    assert all(one == losses[0] for one in losses)


# ----------------------------------------------------------------------------------------------------------------------
# In tinygrad: values and gradients, against tinygrad's own code and against finite differences in numpy.

LABELS = np.array([2, 0, 6, 6, 1], np.int32)


def linear_case(activation, rows=5, inputs=9, outputs=7):
    def ours(x, weight, bias):
        return ops.linear(x, weight, bias, activation)

    def theirs(x, weight, bias):
        return activated(x.linear(weight.T, bias), activation)

    def reference(x, weight, bias):
        return FUNCTIONS[activation](x @ weight.T + bias)

    return ours, theirs, reference, [(rows, inputs), (outputs, inputs), (outputs,)]


def conv_case(activation, images=2, channels=2, side=(6, 5), filters=3, kernel=(3, 2)):
    def ours(x, weight, bias):
        return ops.conv2d(x, weight, bias, activation, input_gradient=True)

    def theirs(x, weight, bias):
        return activated(x.conv2d(weight, bias), activation)

    def reference(x, weight, bias):
        return FUNCTIONS[activation](convolved(x, weight) + bias[:, None, None])

    return ours, theirs, reference, [(images, channels, *side), (filters, channels, *kernel), (filters,)]


def batchnorm_case(pool, shape=(2, 3, 5, 4)):
    def ours(x, weight, bias):
        return ops.batchnorm(x, weight, bias, pool)[0]

    def theirs(x, weight, bias):
        axes, column = ((0,), (1, -1)) if x.ndim == 2 else ((0, 2, 3), (1, -1, 1, 1))
        mean = x.mean(axes)
        inverse = ((x - mean.reshape(column)).square().mean(axes) + 1e-5).rsqrt()
        found = x.batchnorm(weight, bias, mean, inverse)
        return found.max_pool2d() if pool else found

    def reference(x, weight, bias):
        found = normalized(x.reshape(*shape, 1, 1) if len(shape) == 2 else x, weight, bias)
        return pooled(found) if pool else found.reshape(shape)

    return ours, theirs, reference, [shape, shape[1:2], shape[1:2]]


def numbers(*tensors: Tensor) -> list[np.ndarray]:
    Tensor.realize(*tensors)  # together: what two of them need is computed once
    return [tensor.numpy() for tensor in tensors]


def activated(x: Tensor, activation: str | None) -> Tensor:
    return getattr(x, activation)() if activation else x


CASES = {
    "linear": linear_case(None),
    "linear, relu": linear_case("relu"),
    "linear, gelu, batch 1": linear_case("gelu", rows=1),
    "linear, silu, large": linear_case("silu", 17, 33, 15),
    "convolution": conv_case(None),
    "convolution, elu": conv_case("elu"),
    "convolution, tanh, one channel, one image": conv_case("tanh", 1, 1, (5, 7), 17, (2, 3)),
    "batch normalization": batchnorm_case(False),
    "batch normalization of rows": batchnorm_case(False, (7, 19)),
    "batch normalization and pooling, one image": batchnorm_case(True, (1, 2, 4, 7)),
    "pooling": (ops.max_pool, Tensor.max_pool2d, pooled, [(2, 3, 5, 6)]),
    "cross-entropy": (
        lambda x: ops.cross_entropy(x, Tensor(LABELS))[0],
        lambda x: x.sparse_categorical_crossentropy(Tensor(LABELS)),
        lambda x: mean_cross_entropy(x, LABELS),
        [(5, 7)],
    ),
}


def numeric_gradient(function: Callable[..., np.ndarray], arrays: list[np.ndarray], at: int) -> np.ndarray:
    """Of a scalar function with respect to arrays[at]: central differences, in float64."""
    found = np.empty(arrays[at].shape)
    for place in np.ndindex(found.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = [array.copy() for array in arrays]
            moved[at][place] += step
            ends.append(function(*moved))
        found[place] = (ends[0] - ends[1]) / 2e-6
    return found


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_agree_with_tinygrads_own_and_with_finite_differences(case):
    ours, theirs, reference, shapes = CASES[case]
    random = np.random.default_rng(len(case))
    arrays = [random.standard_normal(shape).astype(np.float32) for shape in shapes]
    wide = [array.astype(np.float64) for array in arrays]
    wanted = reference(*wide)
    upstream = random.standard_normal(wanted.shape).astype(np.float32)
    found = []
    for function in (ours, theirs):
        tensors = [Tensor(array).realize() for array in arrays]
        with Context(TRAINING=1):
            result = function(*tensors)
        gradients = (result * Tensor(upstream).realize()).sum().gradient(*tensors)
        found.append(numbers(result, *gradients))
    near(found[0][0], wanted, 1e-5)
    for one, other in zip(*found, strict=True):
        near(one, other.astype(np.float64), 1e-5, np.abs(other).max() + 0.1)
    for at, gradient in enumerate(found[0][1:]):
        numeric = numeric_gradient(lambda *moved: (reference(*moved) * upstream).sum(), wide, at)
        near(gradient, numeric, 1e-5, np.abs(numeric).max() + 0.1)


@few(max_examples=8)
@given(sizes(40), sizes(40), sizes(40), yes, yes, some_seed)
def test_a_product_of_tensors_agrees_with_numpy(m, n, k, transpose_a, transpose_b, seed):
    random = np.random.default_rng(seed)
    a, b = random.standard_normal((m, k)).astype(np.float32), random.standard_normal((k, n)).astype(np.float32)
    # transposed views: what is handed to C has to lie in memory as C reads it
    left, right = (Tensor(a.T.copy()) if transpose_a else Tensor(a.T.copy()).T), Tensor(b)
    right = right.T if transpose_b else right
    near(ops.matmul(left, right, transpose_a, transpose_b).numpy(), a @ b.astype(np.float64), 1e-5, np.sqrt(k) * 9)


def test_more_parameters_than_one_program_takes_are_all_updated():
    params = [Tensor(np.full(3 + index % 2, index, np.float32)).realize() for index in range(33)]
    states = [[Tensor.zeros(*param.shape).contiguous().realize()] for param in params]
    gradients = [Tensor(np.full(param.shape, 1, np.float32)).realize() for param in params]
    scalars = Tensor(np.array([0.5, 0, 0, 1, 1], np.float32)).realize()
    for _ in range(2):
        Tensor.realize(*ops.optimizer_step("sgd", False, params, gradients, states, scalars))
    for index, param in enumerate(params):
        np.testing.assert_array_equal(param.numpy(), np.full(param.shape, index - 1.0))


@pytest.mark.parametrize("sampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("pivot", ["center", "corner"])
def test_augmentation_is_the_one_tinygrads_code_makes(sampling, pivot, monkeypatch):
    random = np.random.default_rng(0)
    images = Tensor(random.integers(0, 256, (37, 13, 21), np.uint8)).realize()
    draws = Tensor(random.uniform(-1, 1, (37, 4)).astype(np.float32)).realize()
    extremes = [Tensor(np.float32([extreme])).realize() for extreme in (170, 0.4, 9)]
    found = []
    for switch in ("1", "0"):
        monkeypatch.setenv("KERNELS", switch)
        found.append(augment(images, draws, *extremes, sampling, pivot).numpy())
    off = np.abs(found[0] - found[1])
    if sampling == "nearest":  # where a place lies between two pixels, the last bit may decide for the other one
        assert (off > 0).mean() < 1e-3
    else:
        assert off.max() < 0.02
    assert (found[0] > 0).mean() > 0.1
    assert (found[0] == 0).mean() > 0.1


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 6, 9)])
def test_evaluation_gives_what_tinygrads_code_gives(shape, monkeypatch):
    random = np.random.default_rng(0)
    x = Tensor(random.standard_normal(shape).astype(np.float32)).realize()
    layer = BatchNorm(3, pool=len(shape) == 4)
    for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_variance):
        tensor.assign(Tensor(random.uniform(0.5, 2, 3).astype(np.float32))).realize()
    statistics = layer.running_mean.numpy(), layer.running_variance.numpy()
    linear = Linear(3, 4, "silu") if len(shape) == 2 else Conv2d(3, 9, 3, "silu")
    for tensor, array in linear.initial(random):
        tensor.assign(Tensor(array)).realize()
    found = []
    for switch in ("1", "0"):
        monkeypatch.setenv("KERNELS", switch)
        found.append(numbers(layer(x), linear(x)))
    for one, other in zip(*found, strict=True):
        near(one, other.astype(np.float64), 1e-5)
    for one, other in zip(statistics, (layer.running_mean, layer.running_variance), strict=True):
        np.testing.assert_array_equal(one, other.numpy())


def test_layers_use_the_kernels_and_with_kernels_0_do_not(monkeypatch):
    def values():
        random = np.random.default_rng(0)
        linear = Linear(9, 5, "silu")
        for tensor, array in linear.initial(random):
            tensor.assign(Tensor(array)).realize()
        x = Tensor(random.standard_normal((4, 1, 7, 6)).astype(np.float32)).realize()
        found = max_pool(x)
        with Context(TRAINING=1):
            loss, correct = loss_and_accuracy(linear(found.flatten(1)), Tensor(LABELS[:4] % 5))
        return numbers(found, loss, correct, *loss.gradient(linear.weight, linear.bias))

    used = []
    call = ops.call
    monkeypatch.setattr(ops, "call", lambda *arguments: used.append(arguments) or call(*arguments))
    ours = values()
    assert used
    used.clear()
    monkeypatch.setenv("KERNELS", "0")
    for one, other in zip(ours, values(), strict=True):
        near(one, other.astype(np.float64), 1e-5, np.abs(other).max() + 0.01)
    assert not used


# ----------------------------------------------------------------------------------------------------------------------
# Whole runs.

FEATURES = (
    {"batchnorm": True, "weight_decay": 0.01},
    {"dropout": 0.3},
    {"units": (12,)},
    {"scaling": "signed"},
    {},
)
RUNS = {
    f"{activation}, {optimizer}": SMALL | {"activation": activation, "optimizer": optimizer, "lr": 0.02} | feature
    for activation, optimizer, feature in zip(ACTIVATIONS, OPTIMIZERS, itertools.cycle(FEATURES), strict=False)
}
RUNS |= {f"silu, {name}": SMALL | {"optimizer": name} for name in list(OPTIMIZERS)[len(ACTIVATIONS) :]}
RUNS |= {f"{name}, adam": SMALL | {"activation": name} for name in list(ACTIVATIONS)[len(OPTIMIZERS) :]}
RUNS["nesterov"] = SMALL | {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "lr": 0.02}
RUNS["cnn"] = CONVOLUTIONS | {"optimizer": "adamw", "batchnorm": True, "dropout": 0.2, "angle": 10, "shift": 1}


@pytest.mark.parametrize("fields", RUNS.values(), ids=RUNS)
def test_a_run_has_the_losses_it_has_on_tinygrads_own_code(fields, digits, monkeypatch):
    losses = {}
    for switch in ("1", "0"):
        monkeypatch.setenv("KERNELS", switch)
        config = make_config(fields)
        trainer = Trainer(config, digits.of)
        run = Run(trainer, config, digits, lambda progress: None)
        with Context(TRAINING=1):
            for step in range(1, 21):
                run.take_step(step)
        run.fetch(20)
        assert (trainer.step.rows is not None) == (switch == "1")
        losses[switch] = run.result.losses
    assert len(set(losses["1"])) == 20
    np.testing.assert_allclose(losses["1"], losses["0"], rtol=1e-3)


@pytest.mark.parametrize("fields", [SMALL, CONVOLUTIONS], ids=["mlp", "cnn"])
def test_five_seeds_end_as_accurate_as_on_tinygrads_own_code_within_their_noise(digits, monkeypatch, fields):
    accuracies = []
    for switch in ("1", "0"):
        monkeypatch.setenv("KERNELS", switch)
        configs = [
            make_config(fields | {"lr": 0.005, "steps": 60, "eval_every": 60, "seed": seed}) for seed in range(5)
        ]
        trainer = Trainer(configs[0], digits.of)
        accuracies.append([trainer.run(config, digits).test_accuracy for config in configs])
    noise = np.std(accuracies[1], ddof=1)
    assert noise > 0
    assert min(accuracies[0]) > 0.5
    assert abs(np.mean(accuracies[0]) - np.mean(accuracies[1])) <= noise


def test_a_replayed_step_is_the_step_tinyjit_replays(digits, monkeypatch):
    ours, trainer = trained(digits, **CONVOLUTIONS, dropout=0.2, angle=5)
    assert trainer.step.rows is not None
    assert trainer.feed.forward.rows is not None
    assert trainer.step.rows.shape[1] == replay.WORDS
    monkeypatch.setattr(replay, "_rows", lambda captured: None)
    theirs, plain = trained(digits, **CONVOLUTIONS, dropout=0.2, angle=5)
    assert plain.step.rows is None
    assert ours.losses == theirs.losses
    assert ours.history == theirs.history
    for one, other in zip(trainer.weights(), plain.weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# ----------------------------------------------------------------------------------------------------------------------
# The scratch memory, the compiler, the rest of the process.


def test_a_step_captured_before_the_scratch_grew_uses_the_larger_one(monkeypatch):
    loaded = kernels("native", 4)  # nobody else's: its scratch is still small
    use(monkeypatch, loaded)
    random = np.random.default_rng(0)
    a, b = (Tensor(random.standard_normal(shape).astype(np.float32)).realize() for shape in ((9, 20), (20, 11)))
    step = replay.Replay(TinyJit(lambda: ops.matmul(a, b).realize()))
    before = [step().numpy() for _ in range(3)][-1]
    assert step.rows is not None
    small = loaded.scratch.size
    x, weight = (Tensor(random.standard_normal(shape).astype(np.float32)).realize() for shape in ((3, 900), (800, 900)))
    large = ops.linear(x, weight, Tensor.zeros(800).contiguous()).numpy()
    assert loaded.scratch.size > small
    near(large, x.numpy().astype(np.float64) @ weight.numpy().T, 1e-5)
    assert loaded.words[SCRATCH] == loaded.scratch.ctypes.data
    loaded.scratch.fill(np.nan)
    np.testing.assert_array_equal(step().numpy(), before)
    Device["CPU"].synchronize()
    assert np.isfinite(loaded.scratch[: 11 * 20]).all()  # the packed matrix: it was here that the step worked


def test_kernels_no_longer_used_keep_the_memory_their_threads_sleep_in():
    forgotten = weakref.ref(Native(2))
    gc.collect()
    assert forgotten() is not None


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if kernels.c did not suit the compiler; what was loaded already is forgotten."""
    monkeypatch.setattr(Path, "read_text", lambda path, *rest, **more: "#error not for this compiler")
    monkeypatch.setattr(native_module, "native", functools.cache(native.__wrapped__))


def test_without_kernels_the_layers_run_on_tinygrads_code(digits, monkeypatch):
    wanted = trained(digits, **SMALL)[0].losses
    broken(monkeypatch)
    assert native_module.native() is None
    assert not enabled()
    for module in (ops, replay):  # reached from here they would fail
        monkeypatch.setattr(module, "native", lambda: None)
    result, trainer = trained(digits, **SMALL)
    assert trainer.step.rows is None
    np.testing.assert_allclose(result.losses, wanted, rtol=1e-3)


def test_kernels_asked_for_by_name_and_not_to_be_had_are_an_error(monkeypatch):
    broken(monkeypatch)
    monkeypatch.setenv("KERNELS", "1")
    with pytest.raises(subprocess.CalledProcessError):
        enabled()


GUEST = """
import os, sys, threading
import numpy as np
try:
    import threadpoolctl
except ImportError:
    threadpoolctl = None
def facts():
    pools = threadpoolctl.threadpool_info() if threadpoolctl else []
    counts = sorted((pool["filepath"], pool["num_threads"]) for pool in pools)
    return counts, threading.active_count(), os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
np.ones((50, 50)) @ np.ones((50, 50))
before, environment = facts(), dict(os.environ)
import explorer.training.trainer
assert dict(os.environ) == environment, "the environment changed"
assert facts() == before, (facts(), before)
from explorer import datasets
from explorer.config import make_config
config = make_config(dict(model="mlp", dataset="digits", units=(8,), steps=4, batch_size=16))
digits = datasets.load("digits")
explorer.training.trainer.Trainer(config, digits.of).run(config, digits)
from explorer.models.kernels.native import native
assert native().threads == 3
after = facts()
assert (after[0], after[2]) == (before[0], before[2]), (after, before)
assert dict(os.environ) == environment, "the environment changed"
assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
print("as it was")
"""


def test_a_program_that_imports_ours_keeps_its_threads_and_its_environment():
    done = alone(GUEST, KERNEL_THREADS="3")
    assert (done.returncode, done.stdout.strip()) == (0, "as it was"), done.stderr


@pytest.mark.parametrize("target", ["x86_64,haswell", "x86_64,x86-64", "x86_64,skylake-avx512", "arm64,generic"])
def test_kernels_compile_for_other_processors_and_need_nothing_from_outside(target):
    source = kernels_source()
    library = ClangCompiler(target.split(",")).compile_cached(source)
    found = native_module._entry_points(library)
    assert {*native_module.STAGES, "pool_run", "pool_worker", "pool_stop", "replay"} <= found.keys()
    public = set(re.findall(r"^(?:KERNEL )?(?:void|long) (\w+)\(", source, re.MULTILINE))
    assert found.keys() == public
