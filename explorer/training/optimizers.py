"""An optimizer's rule bound to memory: the state it keeps, and one step of it inside the captured step."""

from collections.abc import Mapping

from tinygrad import Tensor

from explorer.errors import UserError
from explorer.models.kernels import ops
from explorer.models.kernels.native import enabled
from explorer.rules.optimizers import OPTIMIZERS, SCALARS, Step, optimizer_of


class BoundOptimizer:
    """A rule bound to parameters and to the state it keeps for each: `state[i][k]` has the shape of `params[i]`.

    `params` are the trained tensors only. Running statistics (tensors whose `is_param` is False) are refused: they have
    gradients too, and would be trained. `numbers`, a tensor that starts with `SCALARS`, lets the CPU's kernels take an
    optimizer that has C.
    """

    def __init__(
        self,
        name: str,
        params: list[Tensor],
        scalars: Mapping[str, Tensor],
        nesterov: bool = False,
        numbers: Tensor | None = None,
    ) -> None:
        self.rule = optimizer_of(name)
        if nesterov and not self.rule.uses("nesterov"):
            having = ", ".join(other for other, rule in OPTIMIZERS.items() if rule.uses("nesterov"))
            raise UserError(f"{name} has no nesterov switch: leave it out, or use one of {having}")
        if not all(param.is_param for param in params):
            raise ValueError("params holds a tensor that is not trained (is_param is False)")
        self.params = params
        self.settings = Step(
            **{each: scalars[each] for each in SCALARS},
            nesterov=nesterov,
            matmul=ops.matmul if enabled() else matmul,
        )
        self.numbers = numbers if enabled() and ops.fuses_optimizer(name) else None
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
            nesterov = self.settings.nesterov
            return ops.optimizer_step(self.rule.name, nesterov, self.params, gradients, self.state, self.numbers)
        for param, gradient, state in zip(self.params, gradients, self.state, strict=True):
            # No contiguous() on the gradient: tinygrad computes it once as it is, and it would cost a kernel or two.
            new_param, new_state = self.rule.update(param, gradient, state, self.settings)
            for tensor, new in zip([param, *state], [new_param, *new_state], strict=True):
                tensor.assign(new)
        return [*self.params, *self._kept()]

    def reset(self) -> None:
        """Zero the state in the buffers it has, which a captured step goes on using."""
        Tensor.realize(*[tensor.assign(_zeros(tensor)) for tensor in self._kept()])


def matmul(a: Tensor, b: Tensor, transpose_b: bool = False, symmetric: bool = False) -> Tensor:
    """tinygrad's own product, for devices without our kernels; what is symmetric is not special to it."""
    return a @ (b.T if transpose_b else b)


def _zeros(like: Tensor) -> Tensor:
    return Tensor.zeros(*like.shape, dtype=like.dtype, device=like.device)
