"""The optimizers: one entry each, and nothing else to touch. Light to import: tensors come in with the call.

A rule reads every hyperparameter from a tensor. tinygrad's own optimizers keep momentum and weight decay as Python
floats, which a captured step replays for ever; one captured step serves many runs here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from explorer.errors import UserError

if TYPE_CHECKING:
    from tinygrad import Tensor

SCALARS = ("lr", "weight_decay", "momentum", "correction1", "correction2")
"""Names of the numbers a step reads; `scalar_values` computes them, the trainer writes them to the device."""

BETA1, BETA2 = 0.9, 0.999  # Adam, AdamW and LAMB: decay of the running mean of the gradient and of its square
RMSPROP_DECAY = 0.99  # of the running mean of the squared gradient
EPSILON, LAMB_EPSILON = 1e-8, 1e-6
LARS_TRUST = 0.001
NEWTON_SCHULZ_STEPS = 5
NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.775, 2.0315)


class MatrixProduct(Protocol):
    def __call__(self, a: Tensor, b: Tensor, *, transpose_b: bool = False, symmetric: bool = False) -> Tensor:
        """a (M, K) @ b (K, N), or a (M, K) @ b.T where b is (N, K); ``symmetric``: the product is known to be."""


@dataclass(frozen=True)
class Step:
    """What a rule may read besides the parameter: `SCALARS`, each a tensor (1,), a switch, the device's product."""

    lr: Tensor
    weight_decay: Tensor
    momentum: Tensor
    correction1: Tensor
    correction2: Tensor
    nesterov: bool
    matmul: MatrixProduct


@dataclass(frozen=True)
class Optimizer:
    """What the program knows of an optimizer.

    ``update``: (parameter, gradient, state, step) -> (new parameter, new state); it assigns nothing.
    ``state_count``: tensors of the parameter's shape kept for each parameter; they start at zero.
    ``defaults``: of momentum, nesterov and weight_decay those that the rule reads, each with its default.
    ``c_update``: the same rule for the CPU's kernels, which then do all parameters in one pass; only for a rule that is
    element-wise and keeps at most two states. C statements that change the vectors ``w`` (the parameter), ``state0``
    and ``state1``; they read ``g`` (the gradient), `SCALARS` as floats, and ``nesterov``, a constant.
    """

    name: str
    update: Callable[[Tensor, Tensor, list[Tensor], Step], tuple[Tensor, list[Tensor]]]
    state_count: int
    defaults: Mapping[str, float | bool]
    c_update: str | None = None

    def uses(self, field: str) -> bool:
        """Whether the rule reads momentum, nesterov (Muon is Nesterov always, so it does not) or weight_decay."""
        return field in self.defaults


def scalar_values(
    optimizer: str, step: int, lr: float, momentum: float | None = None, weight_decay: float | None = None
) -> dict[str, float]:
    """What the device must hold for one step, by the names in `SCALARS`. `step` counts from 1.

    None stands for the rule's default. The corrections 1 - beta**step are taken in float64 here: in float32,
    1 - 0.999 keeps only four digits. UserError: a momentum for a rule that has none would be a knob not connected.
    """
    rule = optimizer_of(optimizer)
    if momentum and not rule.uses("momentum"):
        having = ", ".join(name for name, other in OPTIMIZERS.items() if other.uses("momentum"))
        raise UserError(f"{optimizer} has no momentum to set: leave it out, or use one of {having}")
    return {
        "lr": lr,
        "weight_decay": rule.defaults.get("weight_decay", 0.0) if weight_decay is None else weight_decay,
        "momentum": rule.defaults.get("momentum", 0.0) if momentum is None else momentum,
        "correction1": 1.0 - BETA1**step,
        "correction2": 1.0 - BETA2**step,
    }


def optimizer_of(name: str) -> Optimizer:
    """The optimizer called ``name``. UserError, naming those there are, if there is none."""
    if name not in OPTIMIZERS:
        raise UserError(f"no optimizer {name!r}: use one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]


# ----------------------------------------------------------------------------------------------------------------------
# The rules: `p` parameter, `g` its gradient, `s` the step.


def _sgd(p: Tensor, g: Tensor, state: list[Tensor], s: Step) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.SGD without dampening: L2 decay, the learning rate applied after the momentum."""
    g = g + s.weight_decay * p
    velocity = s.momentum * state[0] + g
    return p - s.lr * (g + s.momentum * velocity if s.nesterov else velocity), [velocity]


def _rmsprop(p: Tensor, g: Tensor, state: list[Tensor], s: Step) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.RMSprop, not centred: L2 decay, momentum over the scaled gradients."""
    g = g + s.weight_decay * p
    square = RMSPROP_DECAY * state[0] + (1 - RMSPROP_DECAY) * g * g
    velocity = s.momentum * state[1] + g / (square.sqrt() + EPSILON)
    return p - s.lr * velocity, [square, velocity]


def _adam_direction(g: Tensor, state: list[Tensor], s: Step, epsilon: float = EPSILON) -> tuple[Tensor, list[Tensor]]:
    """Bias-corrected mean gradient over the root of the bias-corrected mean square (arXiv:1412.6980, algorithm 1)."""
    mean = BETA1 * state[0] + (1 - BETA1) * g
    square = BETA2 * state[1] + (1 - BETA2) * g * g
    return mean / s.correction1 / ((square / s.correction2).sqrt() + epsilon), [mean, square]


def _adam(p: Tensor, g: Tensor, state: list[Tensor], s: Step) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.Adam: weight decay is L2, added to the gradient."""
    direction, state = _adam_direction(g + s.weight_decay * p, state, s)
    return p - s.lr * direction, state


def _adamw(p: Tensor, g: Tensor, state: list[Tensor], s: Step) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.AdamW: weight decay shrinks the parameter itself (arXiv:1711.05101)."""
    direction, state = _adam_direction(g, state, s)
    return p - s.lr * (direction + s.weight_decay * p), state


def _lamb(p: Tensor, g: Tensor, state: list[Tensor], s: Step) -> tuple[Tensor, list[Tensor]]:
    """AdamW's direction, scaled per tensor to the parameter's norm (arXiv:1904.00962)."""
    direction, state = _adam_direction(g, state, s, LAMB_EPSILON)
    # Contiguous, as the norms are: the update reads it for each element, and would compute it again for each.
    direction = (direction + s.weight_decay * p).contiguous()
    p_norm, direction_norm = _norm(p), _norm(direction)
    trust = ((p_norm > 0) * (direction_norm > 0)).where(p_norm / direction_norm, 1.0)
    return p - s.lr * trust * direction, state


def _lars(p: Tensor, g: Tensor, state: list[Tensor], s: Step) -> tuple[Tensor, list[Tensor]]:
    """SGD with a learning rate per tensor, applied before the momentum (arXiv:1708.03888, equations 5 and 6)."""
    p_norm, g_norm = _norm(p), _norm(g)
    trust = ((p_norm > 0) * (g_norm > 0)).where(LARS_TRUST * p_norm / (g_norm + s.weight_decay * p_norm), 1.0)
    g = s.lr * trust * (g + s.weight_decay * p)
    velocity = s.momentum * state[0] + g
    return p - (g + s.momentum * velocity if s.nesterov else velocity), [velocity]


def _muon(p: Tensor, g: Tensor, state: list[Tensor], s: Step) -> tuple[Tensor, list[Tensor]]:
    """As tinygrad's Muon: Nesterov always, and biases are columns (https://kellerjordan.github.io/posts/muon/)."""
    velocity = s.momentum * state[0] + g
    matrix = (g + s.momentum * velocity).reshape(p.shape[0], -1)
    direction = _orthogonal(matrix, s.matmul).reshape(p.shape)
    return p - s.lr * (direction + s.weight_decay * p), [velocity]


def _norm(x: Tensor) -> Tensor:
    return x.square().sum().sqrt().contiguous()


def _orthogonal(x: Tensor, matmul: MatrixProduct) -> Tensor:
    """Newton-Schulz iteration of a matrix: its singular values driven towards 1, its singular vectors kept."""
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    wide = x.shape[0] <= x.shape[1]
    x = (x if wide else x.T).contiguous()
    x = (x / (_norm(x) + 1e-7)).contiguous()
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = matmul(x, x, transpose_b=True, symmetric=True)
        square = matmul(gram, gram, symmetric=True)
        x = (a * x + matmul((b * gram + c * square).contiguous(), x)).contiguous()
    return x if wide else x.T


# The same in C, for the element-wise ones.

_L2 = "g += w * weight_decay;"
_C_SGD = f"""{_L2}
state0 = state0 * momentum + g;
w -= (nesterov ? g + state0 * momentum : state0) * lr;"""
_C_RMSPROP = f"""{_L2}
state0 = RUNNING_MEAN(state0, g * g, {RMSPROP_DECAY});
state1 = state1 * momentum + g / (square_roots(state0) + {EPSILON}f);
w -= state1 * lr;"""
_C_ADAM_DIRECTION = f"""state0 = RUNNING_MEAN(state0, g, {BETA1});
state1 = RUNNING_MEAN(state1, g * g, {BETA2});
w -= lr / correction1 * state0 / (square_roots(state1 * (1 / correction2)) + {EPSILON}f);"""
_C_ADAM = f"{_L2}\n{_C_ADAM_DIRECTION}"
_C_ADAMW = f"w -= w * (lr * weight_decay);\n{_C_ADAM_DIRECTION}"

OPTIMIZERS = {
    entry.name: entry
    for entry in (
        Optimizer("sgd", _sgd, 1, {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}, _C_SGD),
        Optimizer("adam", _adam, 2, {"weight_decay": 0.0}, _C_ADAM),
        Optimizer("adamw", _adamw, 2, {"weight_decay": 0.01}, _C_ADAMW),
        Optimizer("rmsprop", _rmsprop, 2, {"momentum": 0.0, "weight_decay": 0.0}, _C_RMSPROP),
        Optimizer("muon", _muon, 1, {"momentum": 0.95, "weight_decay": 0.0}),
        Optimizer("lamb", _lamb, 2, {"weight_decay": 0.0}),
        Optimizer("lars", _lars, 1, {"momentum": 0.9, "nesterov": False, "weight_decay": 1e-4}),
    )
}
