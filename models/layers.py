"""The layers our models are lists of. Weights are made empty; the trainer fills them from the run's seed."""

import math
from collections.abc import Callable

import numpy as np
from tinygrad import Tensor, dtypes
from tinygrad.helpers import TRAINING

from explorer.models.activations import ACTIVATIONS
from explorer.models.kernels import ops
from explorer.models.kernels.native import enabled

EPSILON, MOMENTUM = 1e-5, 0.1  # of batch normalization
Values = list[tuple[Tensor, np.ndarray]]


def flatten(x: Tensor) -> Tensor:
    """(B, ...) -> (B, everything else)"""
    return x.flatten(1)


def max_pool(x: Tensor) -> Tensor:
    """2x2, stride 2: (B, C, H, W) -> (B, C, H//2, W//2)"""
    if enabled():
        return ops.max_pool(x)
    pooled = x.max_pool2d()
    assert isinstance(pooled, Tensor)  # a tuple only where indices are asked for
    return pooled.contiguous()


class Activation:
    """An element-wise non-linearity by name, or None for none. Its result is kept: matrix products on both sides
    would each compute it again otherwise."""

    def __init__(self, name: str | None):
        self.name = name
        self.function = ACTIVATIONS[name].of if name else None

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x).contiguous() if self.function else x

    def after(self, kernel: Callable[..., Tensor], *operands: Tensor) -> Tensor:
        """What a kernel makes of its operands, activated: by the kernel, or after it where the entry has no C."""
        return kernel(*operands, self.name) if ops.fuses_activation(self.name) else self(kernel(*operands))


class Linear:
    """(B, inputs) -> (B, outputs), then the activation. Weight (outputs, inputs) as in tinygrad and PyTorch."""

    def __init__(self, inputs: int, outputs: int, activation: str | None = None):
        self.weight, self.bias = Tensor.empty(outputs, inputs), Tensor.empty(outputs)
        self.activation = Activation(activation)

    def __call__(self, x: Tensor) -> Tensor:
        if enabled():
            return self.activation.after(ops.linear, x, self.weight, self.bias)
        return self.activation(x.linear(self.weight.T, self.bias))

    def initial(self, random: np.random.Generator) -> Values:
        return fan_in_uniform(self.weight, self.bias, random)


class Conv2d:
    """(B, inputs, H, W) -> (B, outputs, H-k+1, W-k+1), stride 1, no padding, then the activation."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, activation: str | None = None):
        self.weight = Tensor.empty(outputs, inputs, kernel_size, kernel_size)
        self.bias = Tensor.empty(outputs)
        self.activation = Activation(activation)

    def __call__(self, x: Tensor) -> Tensor:
        if enabled():
            return self.activation.after(ops.conv2d, x, self.weight, self.bias)
        return self.activation(x.conv2d(self.weight, self.bias))

    def initial(self, random: np.random.Generator) -> Values:
        return fan_in_uniform(self.weight, self.bias, random)


class BatchNorm:
    """Batch normalization over every axis but the second, https://arxiv.org/abs/1502.03167; then 2x2 max pooling if
    ``pool``.

    In training (``Context(TRAINING=1)``) it uses the batch's mean and variance and moves the running ones by a tenth;
    in evaluation it uses the running ones.
    """

    def __init__(self, features: int, pool: bool = False):
        self.weight, self.bias = Tensor.empty(features), Tensor.empty(features)
        self.running_mean = Tensor.empty(features).is_param_(False)
        self.running_variance = Tensor.empty(features).is_param_(False)
        self.pool = pool

    def __call__(self, x: Tensor) -> Tensor:
        if not TRAINING:
            if enabled():
                given = self.weight, self.bias, self.running_mean, self.running_variance
                return ops.batchnorm_given(x, *given, self.pool)
            return self.pooled(self.normalized(x, self.running_mean, self.running_variance))
        if enabled():
            found, mean, variance = ops.batchnorm(x, self.weight, self.bias, self.pool)
        else:
            axes = tuple(axis for axis in range(x.ndim) if axis != 1)
            mean = x.mean(axes).contiguous()
            variance = (x - mean.detach().reshape(1, -1, *[1] * (x.ndim - 2))).square().mean(axes).contiguous()
            found = self.pooled(self.normalized(x, mean, variance))
        count = int(x.numel()) // int(x.shape[1])
        unbiased = variance.detach() * (count / max(count - 1, 1))
        self.running_mean.assign(self.running_mean * (1 - MOMENTUM) + mean.detach() * MOMENTUM)
        self.running_variance.assign(self.running_variance * (1 - MOMENTUM) + unbiased * MOMENTUM)
        return found

    def normalized(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return x.batchnorm(self.weight, self.bias, mean, (variance + EPSILON).rsqrt())

    def pooled(self, x: Tensor) -> Tensor:
        return max_pool(x) if self.pool else x

    def initial(self, random: np.random.Generator) -> Values:
        zeros, ones = np.zeros(self.bias.shape, np.float32), np.ones(self.bias.shape, np.float32)
        return [(self.weight, ones), (self.bias, zeros), (self.running_mean, zeros), (self.running_variance, ones)]


class Dropout:
    """In training drops each value with probability ``rate`` and scales the rest by 1/(1-rate).

    ``rate`` (1,) float32 and ``key`` (1,) uint32 are the trainer's: it sets them before each step, so one captured
    step serves every rate and every seed. ``layer`` tells this layer's random stream from the others'.
    """

    def __init__(self, layer: int):
        self.layer = layer
        self.rate: Tensor | None = None
        self.key: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if not TRAINING:
            return x
        assert self.rate is not None and self.key is not None, "the trainer has not set rate and key"
        keep = random_uniform(self.key + self.layer * 0x9E3779B1, int(x.numel())) >= self.rate
        return (keep.reshape(x.shape).where(x, 0.0) / (1 - self.rate)).contiguous()


def random_uniform(key: Tensor, count: int) -> Tensor:
    """(count,) floats in [0, 1), a pure function of ``key`` (1,) uint32: MurmurHash3's 32-bit finalizer over a counter.

    https://github.com/aappleby/smhasher/wiki/MurmurHash3. Stateless, so a replayed step draws what its key says.
    """
    x = Tensor.arange(count, dtype=dtypes.uint32) * 0x9E3779B1 + key
    x = (x ^ (x >> 16)) * 0x85EBCA6B
    x = (x ^ (x >> 13)) * 0xC2B2AE35
    x = x ^ (x >> 16)
    return (x >> 8).cast(dtypes.float32) * 2.0**-24


def fan_in_uniform(weight: Tensor, bias: Tensor, random: np.random.Generator) -> Values:
    """Uniform in ±1/sqrt(fan-in), the default of tinygrad's and PyTorch's linear and convolution layers."""
    bound = 1 / math.sqrt(math.prod(weight.shape[1:]))
    return [(tensor, random.uniform(-bound, bound, tensor.shape).astype(np.float32)) for tensor in (weight, bias)]
