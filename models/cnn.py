"""The convolutional net of tinygrad's MNIST example: two pairs of convolutions, then one linear layer."""

from collections.abc import Callable

from tinygrad import Tensor

from models.layers import BatchNorm, Conv2d, Dropout, Linear, flatten, max_pool


class CNN:
    """(B, 1, 28, 28) images -> (B, 10) logits.

    ``filters`` of the four convolutions, ``kernel_size`` of the first and the second pair; after each pair batch
    normalization (if asked for) and 2x2 max pooling; dropout (if asked for) before the linear layer.
    """

    def __init__(
        self,
        filters: tuple[int, int, int, int],
        kernel_size: tuple[int, int],
        activation: str,
        batchnorm: bool,
        dropout: bool,
    ):
        self.layers: list[Callable[[Tensor], Tensor]] = []
        channels, side = 1, 28
        for kernel, (first, second) in zip(kernel_size, (filters[:2], filters[2:]), strict=True):
            self.layers += [Conv2d(channels, first, kernel, activation), Conv2d(first, second, kernel, activation)]
            self.layers += [BatchNorm(second, pool=True) if batchnorm else max_pool]
            channels, side = second, (side - 2 * (kernel - 1)) // 2
        self.layers += [flatten]
        self.layers += [Dropout(len(self.layers))] if dropout else []
        self.layers += [Linear(channels * side * side, 10)]

    def __call__(self, x: Tensor) -> Tensor:
        return x.sequential(self.layers)
