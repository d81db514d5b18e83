"""What a captured step is made of, for those who know tinygrad."""

import math
from dataclasses import dataclass

from tinygrad import Tensor
from tinygrad.helpers import BEAM, JIT, Context

from explorer.training.trainer import Trainer


@dataclass(frozen=True)
class StepFacts:
    """Of one training step."""

    kernels: int | None
    """Programs that tinygrad launches for it; None where it was not captured (JIT=0, or fewer than three steps)."""
    operations: int
    """Floating-point operations of the matrix products and convolutions, 2 for each multiply-add: forward, gradient of
    the weights, gradient of the inputs but for the first layer's. Nothing else is counted."""
    jit: int
    beam: int


def step_facts(trainer: Trainer, batch_size: int) -> StepFacts:
    """Of the step a trainer has captured, on batches of so many images."""
    captured = trainer.step.jit.captured
    kernels = None if captured is None else len(captured.linear.src)
    return StepFacts(kernels, operations(trainer, batch_size), JIT.value, BEAM.value)


def operations(trainer: Trainer, batch_size: int) -> int:
    """See `StepFacts`. The layers are called to learn the shapes between them; nothing is computed."""
    products = []
    with Context(TRAINING=0):
        x = Tensor.empty(batch_size, 1, trainer.of.height, trainer.of.width)
        for layer in trainer.layers:
            x = layer(x)
            weight = getattr(layer, "weight", None)
            if isinstance(weight, Tensor) and weight.ndim > 1:
                products.append(int(weight.numel()) * math.prod(int(side) for side in x.shape[2:]))
    return 2 * batch_size * (2 * sum(products[:1]) + 3 * sum(products[1:]))
