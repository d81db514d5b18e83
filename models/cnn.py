"""The convolutional net of tinygrad's MNIST example: two pairs of convolutions, then one linear layer."""

from typing import Annotated

from pydantic import Field

from explorer.fields import COMMAS, Count
from explorer.models.model import Activation, BatchNorm, Dropout, Images, Layer, Model

Side = Annotated[int, Field(ge=1)]


class CNN(Model):
    """Convolutional net

    After each pair of convolutions batch normalization (if asked for) and 2x2 max pooling; dropout (if asked for)
    before the linear layer.
    """

    place = 2
    seeds = 3
    aims = {"mnist": 0.996, "fashion": 0.94}

    activation: Activation = "silu"
    filters: Annotated[
        tuple[Count, Count, Count, Count], COMMAS, Field(description="filters of the four convolutions")
    ] = (32, 32, 64, 64)
    kernel_size: Annotated[
        tuple[Side, Side],
        COMMAS,
        Field(description="kernel side of the first and of the second pair of convolutions"),
    ] = (5, 3)
    dropout: Dropout = 0.0
    batchnorm: BatchNorm = True

    def headline(self, images: Images) -> str:
        return f"{'-'.join(map(str, self.filters))}, kernels {self.kernel_size[0]} and {self.kernel_size[1]}"

    def check(self, images: Images) -> None:
        if min(feature_side(self.kernel_size, side) for side in (images.height, images.width)) < 1:
            first, second = self.kernel_size
            raise ValueError(f"kernels {first},{second} leave nothing of a {images.height}x{images.width} image")

    def build(self, images: Images) -> list[Layer]:
        from explorer.models import layers

        net: list[Layer] = []
        channels = 1
        for kernel, (first, second) in zip(self.kernel_size, (self.filters[:2], self.filters[2:]), strict=True):
            net += [layers.Conv2d(channels, first, kernel, self.activation)]
            net += [layers.Conv2d(first, second, kernel, self.activation)]
            net += [layers.BatchNorm(second, pool=True) if self.batchnorm else layers.max_pool]
            channels = second
        net += [layers.flatten]
        net += [layers.Dropout(len(net))] if self.dropout else []
        height, width = (feature_side(self.kernel_size, side) for side in (images.height, images.width))
        return [*net, layers.Linear(channels * height * width, images.classes)]


def feature_side(kernel_size: tuple[int, int], side: int) -> int:
    """Side of the feature map behind each pair of convolutions (kernels valid) and its 2x2 pool, one pair for each
    kernel; below 1 where nothing is left."""
    for kernel in kernel_size:
        side = (side - 2 * (kernel - 1)) // 2
    return side
