"""A multi-layer perceptron: any number of hidden layers of any width."""

from collections.abc import Callable
from itertools import pairwise

from tinygrad import Tensor

from models.layers import Activation, BatchNorm, Dropout, Linear, flatten


class MLP:
    """(B, 1, 28, 28) images -> (B, 10) logits.

    Each hidden layer is linear, batch normalization if asked for, activation, dropout if asked for.
    """

    def __init__(self, units: tuple[int, ...], activation: str, batchnorm: bool, dropout: bool):
        self.layers: list[Callable[[Tensor], Tensor]] = [flatten]
        for inputs, outputs in pairwise((784, *units)):
            if batchnorm:
                self.layers += [Linear(inputs, outputs), BatchNorm(outputs), Activation(activation)]
            else:
                self.layers += [Linear(inputs, outputs, activation)]
            if dropout:
                self.layers += [Dropout(len(self.layers))]
        self.layers += [Linear(units[-1], 10)]

    def __call__(self, x: Tensor) -> Tensor:
        return x.sequential(self.layers)
