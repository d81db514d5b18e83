"""Optimizers whose every hyperparameter is a tensor.

tinygrad's own optimizers keep momentum and weight decay as Python floats, which a captured step replays for ever. One
captured step serves many runs here, so a rule reads all that may differ between two runs from device memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad import Tensor

from explorer.errors import UserError
from explorer.rules.optimizers import OPTIMIZERS
from models.kernels import ops
from models.kernels.native import enabled

SCALARS = ("lr", "weight_decay", "momentum", "correction1", "correction2")
"""Names of the numbers a step reads; `scalar_values` computes them, the trainer writes them to the device."""

BETA1, BETA2 = 0.9, 0.999  # Adam, AdamW and LAMB: decay of the running mean of the gradient and of its square
RMSPROP_DECAY = 0.99  # of the running mean of the squared gradient
EPSILON, LAMB_EPSILON = 1e-8, 1e-6
LARS_TRUST = 0.001
NEWTON_SCHULZ_STEPS = 5
NEWTON_SCHULZ_COEFFICIENTS: Any = (3.4445, -4.775, 2.0315)  # Any: tinygrad's annotation asks for ints

# Rules use `p` parameter, `g` its gradient, `s` the scalars, each of shape (1,). None but sgd and lars read `nesterov`.
Scalars = Mapping[str, Tensor]
Update = Callable[[Tensor, Tensor, list[Tensor], Scalars, bool], tuple[Tensor, list[Tensor]]]


def sgd(p: Tensor, g: Tensor, state: list[Tensor], s: Scalars, nesterov: bool) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.SGD without dampening: L2 decay, the learning rate applied after the momentum."""
    g = g + s["weight_decay"] * p
    velocity = s["momentum"] * state[0] + g
    return p - s["lr"] * (g + s["momentum"] * velocity if nesterov else velocity), [velocity]


def rmsprop(p: Tensor, g: Tensor, state: list[Tensor], s: Scalars, nesterov: bool) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.RMSprop, not centred: L2 decay, momentum over the scaled gradients."""
    g = g + s["weight_decay"] * p
    square = RMSPROP_DECAY * state[0] + (1 - RMSPROP_DECAY) * g * g
    velocity = s["momentum"] * state[1] + g / (square.sqrt() + EPSILON)
    return p - s["lr"] * velocity, [square, velocity]


def _adam_direction(g: Tensor, state: list[Tensor], s: Scalars, epsilon: float) -> tuple[Tensor, list[Tensor]]:
    """Bias-corrected mean gradient over the root of the bias-corrected mean square (arXiv:1412.6980, algorithm 1)."""
    mean = BETA1 * state[0] + (1 - BETA1) * g
    square = BETA2 * state[1] + (1 - BETA2) * g * g
    return mean / s["correction1"] / ((square / s["correction2"]).sqrt() + epsilon), [mean, square]


def adam(p: Tensor, g: Tensor, state: list[Tensor], s: Scalars, nesterov: bool) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.Adam: weight decay is L2, added to the gradient."""
    direction, state = _adam_direction(g + s["weight_decay"] * p, state, s, EPSILON)
    return p - s["lr"] * direction, state


def adamw(p: Tensor, g: Tensor, state: list[Tensor], s: Scalars, nesterov: bool) -> tuple[Tensor, list[Tensor]]:
    """As torch.optim.AdamW: weight decay shrinks the parameter itself (arXiv:1711.05101)."""
    direction, state = _adam_direction(g, state, s, EPSILON)
    return p - s["lr"] * (direction + s["weight_decay"] * p), state


def lamb(p: Tensor, g: Tensor, state: list[Tensor], s: Scalars, nesterov: bool) -> tuple[Tensor, list[Tensor]]:
    """AdamW's direction, scaled per tensor to the parameter's norm (arXiv:1904.00962)."""
    direction, state = _adam_direction(g, state, s, LAMB_EPSILON)
    # Contiguous: the norm and the update both read it.
    direction = (direction + s["weight_decay"] * p).contiguous()
    p_norm, direction_norm = _norm(p), _norm(direction)
    trust = ((p_norm > 0) * (direction_norm > 0)).where(p_norm / direction_norm, 1.0)
    return p - s["lr"] * trust * direction, state


def lars(p: Tensor, g: Tensor, state: list[Tensor], s: Scalars, nesterov: bool) -> tuple[Tensor, list[Tensor]]:
    """SGD with a learning rate per tensor, applied before the momentum (arXiv:1708.03888, equations 5 and 6)."""
    p_norm, g_norm = _norm(p), _norm(g)
    trust = ((p_norm > 0) * (g_norm > 0)).where(LARS_TRUST * p_norm / (g_norm + s["weight_decay"] * p_norm), 1.0)
    g = s["lr"] * trust * (g + s["weight_decay"] * p)
    velocity = s["momentum"] * state[0] + g
    return p - (g + s["momentum"] * velocity if nesterov else velocity), [velocity]


def muon(p: Tensor, g: Tensor, state: list[Tensor], s: Scalars, nesterov: bool) -> tuple[Tensor, list[Tensor]]:
    """As tinygrad's Muon: Nesterov always, and biases are columns (https://kellerjordan.github.io/posts/muon/)."""
    velocity = s["momentum"] * state[0] + g
    matrix = (g + s["momentum"] * velocity).reshape(p.shape[0], -1)
    direction = _orthogonal(matrix).reshape(p.shape)
    return p - s["lr"] * (direction + s["weight_decay"] * p), [velocity]


def _norm(x: Tensor) -> Tensor:
    return x.square().sum().sqrt()


def _orthogonal(x: Tensor) -> Tensor:
    """Newton-Schulz iteration of a matrix: its singular values driven towards 1, its singular vectors kept."""
    if not enabled():
        return x.newton_schulz(NEWTON_SCHULZ_STEPS, NEWTON_SCHULZ_COEFFICIENTS)
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    wide = x.shape[0] <= x.shape[1]
    x = (x if wide else x.T).contiguous()
    x = (x / (_norm(x) + 1e-7)).contiguous()
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = ops.matmul(x, x, transpose_b=True)
        x = (a * x + ops.matmul((b * gram + c * ops.matmul(gram, gram)).contiguous(), x)).contiguous()
    return x if wide else x.T


@dataclass(frozen=True)
class Rule:
    """What the rest of the program may know of an optimizer."""

    name: str
    update: Update
    """(parameter, gradient, state, scalars, nesterov) -> (new parameter, new state); assigns nothing."""
    state_count: int
    """Tensors of the parameter's shape kept for each parameter; they start at zero."""

    def uses(self, field: str) -> bool:
        """Whether the rule reads momentum, nesterov (Muon is Nesterov always, so it does not) or weight_decay."""
        return field in OPTIMIZERS[self.name].defaults


RULES = {
    rule.name: rule
    for rule in (
        Rule("sgd", sgd, 1),
        Rule("adam", adam, 2),
        Rule("adamw", adamw, 2),
        Rule("rmsprop", rmsprop, 2),
        Rule("muon", muon, 1),
        Rule("lamb", lamb, 2),
        Rule("lars", lars, 1),
    )
}


def rule_of(name: str) -> Rule:
    """The rule called `name`. UserError, naming those there are, if there is none."""
    if name not in RULES:
        raise UserError(f"no optimizer {name!r}: use one of {', '.join(RULES)}")
    return RULES[name]


def scalar_values(
    optimizer: str, step: int, lr: float, momentum: float | None = None, weight_decay: float | None = None
) -> dict[str, float]:
    """What the device must hold for one step, by the names in `SCALARS`. `step` counts from 1.

    None stands for the rule's default. The corrections 1 - beta**step are taken in float64 here: in float32,
    1 - 0.999 keeps only four digits. UserError: a momentum for a rule that has none would be a knob not connected.
    """
    rule = rule_of(optimizer)
    if momentum and not rule.uses("momentum"):
        raise UserError(f"{optimizer} has no momentum to set: leave it out, or use sgd, rmsprop, muon or lars")
    defaults = OPTIMIZERS[optimizer].defaults
    return {
        "lr": lr,
        "weight_decay": defaults["weight_decay"] if weight_decay is None else weight_decay,
        "momentum": defaults.get("momentum", 0.0) if momentum is None else momentum,
        "correction1": 1.0 - BETA1**step,
        "correction2": 1.0 - BETA2**step,
    }


class Optimizer:
    """A rule bound to parameters and to the state it keeps for each: `state[i][k]` has the shape of `params[i]`.

    `params` are the trained tensors only. Running statistics (tensors whose `is_param` is False) are refused: they have
    gradients too, and would be trained.
    """

    def __init__(
        self, name: str, params: list[Tensor], scalars: Scalars, nesterov: bool = False, numbers: Tensor | None = None
    ) -> None:
        self.rule = rule_of(name)
        if nesterov and not self.rule.uses("nesterov"):
            raise UserError(f"{name} has no nesterov switch: leave it out, or use sgd or lars")
        if not all(param.is_param for param in params):
            raise ValueError("params holds a tensor that is not trained (is_param is False)")
        self.params, self.scalars, self.nesterov = params, scalars, nesterov
        # One buffer that starts with all SCALARS lets the CPU's fused kernel do an element-wise rule in one pass.
        self.numbers = numbers if self.rule.name in ops.OPTIMIZERS and enabled() else None
        self.state = [[_zeros(param).contiguous() for _ in range(self.rule.state_count)] for param in params]
        Tensor.realize(*self._kept())

    def _kept(self) -> list[Tensor]:
        return [tensor for state in self.state for tensor in state]

    def step_tensors(self) -> list[Tensor]:
        """Take one step, lazily: returns the tensors to realize, best together with the loss. Uses up the gradients.

        ValueError if a parameter has none: `backward` was not called, or the loss does not depend on it.
        """
        gradients = []
        for param in self.params:
            if param.grad is None:
                raise ValueError(f"a parameter of shape {param.shape} has no gradient")
            gradients.append(param.grad)
            # backward() adds to a gradient that is there.
            param.grad = None
        if self.numbers is not None:
            rule = "nesterov" if self.nesterov else self.rule.name
            return ops.optimizer_step(rule, self.params, gradients, self.state, self.numbers)
        for param, gradient, state in zip(self.params, gradients, self.state, strict=True):
            # No contiguous() on the gradient: tinygrad computes it once as it is, and it would cost a kernel or two.
            new_param, new_state = self.rule.update(param, gradient, state, self.scalars, self.nesterov)
            for tensor, new in zip([param, *state], [new_param, *new_state], strict=True):
                tensor.assign(new)
        return [*self.params, *self._kept()]

    def reset(self) -> None:
        """Zero the state in the buffers it has, which a captured step goes on using."""
        Tensor.realize(*[tensor.assign(_zeros(tensor)) for tensor in self._kept()])


def _zeros(like: Tensor) -> Tensor:
    return Tensor.zeros(*like.shape, dtype=like.dtype, device=like.device)
