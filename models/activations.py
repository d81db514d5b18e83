"""The activations: one entry each, and nothing else to touch. Light to import: tensors come in with the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinygrad import Tensor


@dataclass(frozen=True)
class Activation:
    """An element-wise non-linearity.

    ``c_value`` and ``c_slope``, its derivative, let the CPU's kernels compute it along with the layer before it. Each
    is the body of a C function of a vector ``x`` that returns a vector; ``where``, ``splat``, ``exp_vec`` and
    ``sigmoid`` of kernels/elementwise.c are at hand. Without both, tinygrad's own code follows the kernel.
    """

    name: str
    of: Callable[[Tensor], Tensor]
    c_value: str | None = None
    c_slope: str | None = None

    @property
    def in_c(self) -> bool:
        return self.c_value is not None and self.c_slope is not None


GELU_INNER = (
    "1.5957691216f * (x + 0.044715f * x * x * x)"  # twice the tanh form's argument: 1 + tanh(z) = 2 sigmoid(2z)
)

ACTIVATIONS = {
    entry.name: entry
    for entry in (
        Activation(
            "relu",
            lambda x: x.relu(),
            c_value="return where(x > 0.0f, x, (vec){});",
            c_slope="return where(x > 0.0f, splat(1.0f), (vec){});",
        ),
        Activation(
            "silu",
            lambda x: x.silu(),
            c_value="return x * sigmoid(x);",
            c_slope="vec s = sigmoid(x); return s * (1.0f + x * (1.0f - s));",
        ),
        Activation(  # the tanh approximation, as in https://arxiv.org/abs/1606.08415
            "gelu",
            lambda x: x.gelu(),
            c_value=f"return x * sigmoid({GELU_INNER});",
            c_slope=f"vec s = sigmoid({GELU_INNER}); "
            "return s + x * s * (1.0f - s) * 1.5957691216f * (1.0f + 0.134145f * x * x);",
        ),
        Activation(
            "tanh",
            lambda x: x.tanh(),
            c_value="return 2.0f * sigmoid(2.0f * x) - 1.0f;",
            c_slope="vec s = sigmoid(2.0f * x); return 4.0f * s * (1.0f - s);",
        ),
        Activation(  # slope 0.01 below zero
            "leaky_relu",
            lambda x: x.leaky_relu(),
            c_value="return where(x > 0.0f, x, 0.01f * x);",
            c_slope="return where(x > 0.0f, splat(1.0f), splat(0.01f));",
        ),
        Activation(
            "elu",
            lambda x: x.elu(),
            c_value="return where(x > 0.0f, x, exp_vec(x) - 1.0f);",
            c_slope="return where(x > 0.0f, splat(1.0f), exp_vec(x));",
        ),
        Activation(
            "sigmoid",
            lambda x: x.sigmoid(),
            c_value="return sigmoid(x);",
            c_slope="vec s = sigmoid(x); return s * (1.0f - s);",
        ),
    )
}
