"""The nets are the ones their docstrings describe, and their layers do what the formulas say."""

import numpy as np
import pytest
from tinygrad import Tensor, dtypes
from tinygrad.helpers import Context

from explorer.config import make_config
from explorer.models.activations import ACTIVATIONS
from explorer.models.cnn import feature_side
from explorer.models.layers import BatchNorm, Dropout, Linear, random_uniform
from explorer.models.model import Images

MNIST = Images(28, 28, 10)


def filled(layer, seed=0):
    for tensor, values in layer.initial(np.random.default_rng(seed)):
        tensor.assign(Tensor(values)).realize()
    return layer


def built(fields, images=MNIST):
    return make_config(fields).net.build(images)


def parameter_count(net) -> int:
    pairs = [pair for layer in net if hasattr(layer, "initial") for pair in layer.initial(np.random.default_rng(0))]
    return sum(values.size for tensor, values in pairs if tensor.is_param)


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"model": "mlp"}, 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10),
        ({"model": "mlp", "units": (16,), "batchnorm": True}, 784 * 16 + 16 + 2 * 16 + 16 * 10 + 10),
        (
            {"model": "cnn"},
            (25 * 32 + 32) + (32 * 25 * 32 + 32) + 64 + (32 * 9 * 64 + 64) + (64 * 9 * 64 + 64) + 128 + 576 * 10 + 10,
        ),
        ({"model": "cnn", "filters": (2, 3, 4, 5), "kernel_size": (3, 3), "batchnorm": False},
         (9 * 2 + 2) + (2 * 9 * 3 + 3) + (3 * 9 * 4 + 4) + (4 * 9 * 5 + 5) + 5 * 16 * 10 + 10),
    ],
)  # fmt: skip
def test_a_model_has_the_parameters_its_description_implies(fields, count):
    assert parameter_count(built(fields)) == count


def test_dropout_and_batch_normalization_are_there_only_if_asked_for():
    def kinds(**fields):
        return [type(layer) for layer in built(fields)]

    assert kinds(model="mlp").count(Dropout) == kinds(model="cnn").count(Dropout) == 0
    assert kinds(model="mlp", dropout=0.1).count(Dropout) == 2
    assert kinds(model="cnn", dropout=0.1).count(Dropout) == 1
    assert (kinds(model="mlp").count(BatchNorm), kinds(model="cnn").count(BatchNorm)) == (0, 2)
    assert (
        kinds(model="mlp", batchnorm=True).count(BatchNorm),
        kinds(model="cnn", batchnorm=False).count(BatchNorm),
    ) == (2, 0)


def test_batch_normalization_uses_the_batch_in_training_and_the_running_figures_in_evaluation():
    x = np.random.default_rng(1).normal(3, 2, (8, 4, 5, 5)).astype(np.float32)
    layer = filled(BatchNorm(4))
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    with Context(TRAINING=1):
        found = layer(Tensor(x)).realize()
        Tensor.realize(layer.running_mean, layer.running_variance)
    expected = (x - mean.reshape(1, 4, 1, 1)) / np.sqrt(variance.reshape(1, 4, 1, 1) + 1e-5)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.running_variance.numpy(), 0.9 + 0.1 * variance * 200 / 199, rtol=1e-5)
    running_mean, running_variance = layer.running_mean.numpy(), layer.running_variance.numpy()
    with Context(TRAINING=0):
        found = layer(Tensor(x)).numpy()
    scale = np.sqrt(running_variance.reshape(1, 4, 1, 1) + 1e-5)
    np.testing.assert_allclose(found, (x - running_mean.reshape(1, 4, 1, 1)) / scale, atol=1e-4)


def dropped(x, rate, key, layer=0):
    dropout = Dropout(layer)
    dropout.rate, dropout.key = Tensor([rate]), Tensor([key], dtype=dtypes.uint32)
    with Context(TRAINING=1):
        return dropout(Tensor(x)).numpy()


def test_dropout_drops_its_share_scales_the_rest_and_follows_its_key():
    x = np.ones((100, 200), np.float32)
    once = dropped(x, 0.3, 7)
    assert set(np.unique(once).round(4)) == {0.0, np.float32(1 / 0.7).round(4)}
    shares = [(dropped(x, 0.3, key) == 0).mean() for key in range(20)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.003)  # four standard errors of 400,000 draws
    np.testing.assert_array_equal(once, dropped(x, 0.3, 7))
    assert ((once == 0) == (dropped(x, 0.3, 8) == 0)).mean() == pytest.approx(0.3**2 + 0.7**2, abs=0.02)
    assert ((once == 0) == (dropped(x, 0.3, 7, layer=1) == 0)).mean() == pytest.approx(0.3**2 + 0.7**2, abs=0.02)
    with Context(TRAINING=0):
        np.testing.assert_array_equal(Dropout(0)(Tensor(x)).numpy(), x)


def test_the_random_stream_is_uniform_and_its_neighbours_are_uncorrelated():
    draws = np.stack([random_uniform(Tensor([key], dtype=dtypes.uint32), 5000).numpy() for key in (1, 2, 3)])
    assert draws.min() >= 0
    assert draws.max() < 1
    assert np.histogram(draws, 10, (0, 1))[0] == pytest.approx(np.full(10, 1500), abs=150)
    assert abs(np.corrcoef(draws.ravel()[1:], draws.ravel()[:-1])[0, 1]) < 0.03
    assert np.abs(np.corrcoef(draws) - np.eye(3)).max() < 0.05


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_its_formula(name):
    x = np.linspace(-4, 4, 33).astype(np.float32)
    formulas = {
        "relu": np.maximum(x, 0),
        "silu": x / (1 + np.exp(-x)),
        "gelu": 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        "tanh": np.tanh(x),
        "leaky_relu": np.where(x > 0, x, 0.01 * x),
        "elu": np.where(x > 0, x, np.exp(x) - 1),
        "sigmoid": 1 / (1 + np.exp(-x)),
    }
    np.testing.assert_allclose(ACTIVATIONS[name].of(Tensor(x)).numpy(), formulas[name], atol=2e-6)


def test_initial_weights_are_uniform_within_one_over_the_root_of_the_fan_in():
    (weight, values), (_, bias_values) = Linear(400, 300).initial(np.random.default_rng(0))
    assert values.shape == weight.shape == (300, 400)
    assert 0.049 < np.abs(values).max() <= 0.05
    assert np.abs(bias_values).max() <= 0.05
    assert values.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.02)


@pytest.mark.parametrize(("height", "width", "classes"), [(28, 28, 10), (20, 31, 3), (64, 22, 100)])
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_net_fits_images_of_any_size_and_any_number_of_classes(model, height, width, classes):
    net = built({"model": model}, Images(height, width, classes))
    for layer in net:
        if hasattr(layer, "initial"):
            filled(layer)
    with Context(TRAINING=0):
        assert Tensor.zeros(2, 1, height, width).sequential(net).shape == (2, classes)


def test_kernels_that_leave_nothing_of_the_image_are_refused():
    assert feature_side((5, 3), 28) == 3
    make_config({"model": "cnn", "kernel_size": "5,3"}).net.check(MNIST)
    with pytest.raises(ValueError, match="kernels 11,5 leave nothing of a 28x28 image"):
        make_config({"model": "cnn", "kernel_size": "11,5"}).net.check(MNIST)
