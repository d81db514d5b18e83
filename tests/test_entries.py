"""One entry is all an activation, an optimizer or a schedule takes: those there are, walked; and others, added here."""

import numpy as np
import pytest
from tinygrad import Tensor, dtypes
from tinygrad.helpers import Context

from explorer.config import make_config
from explorer.errors import UserError
from explorer.models.activations import ACTIVATIONS, Activation
from explorer.models.kernels import ops
from explorer.models.kernels.native import enabled, native
from explorer.models.layers import Conv2d
from explorer.rules.optimizers import OPTIMIZERS, Optimizer
from explorer.rules.schedules import SCHEDULES, Schedule, lr_at
from explorer.training.trainer import Trainer
from tests.conftest import on_the_cpu

MLP = {"model": "mlp", "dataset": "digits", "units": (16,), "batch_size": 32, "steps": 12, "lr": 0.01}


@pytest.fixture
def training():
    """Layers keep what gradients need."""
    with Context(TRAINING=1):
        yield


@pytest.fixture
def add(monkeypatch):
    """add(registry, entry) for one test; the kernels are compiled anew, with it and afterwards without."""
    monkeypatch.delenv("KERNELS", raising=False)

    def put(registry, entry):
        monkeypatch.setitem(registry, entry.name, entry)
        native.cache_clear()

    yield put
    native.cache_clear()


def losses_with_and_without_kernels(monkeypatch, digits, **fields) -> list[list[float]]:
    config = make_config(fields)
    found = []
    for switch in ("1", "0"):
        monkeypatch.setenv("KERNELS", switch)
        assert enabled() == (switch == "1")
        found.append(Trainer(config, digits.of).run(config, digits).losses)
    return found


@on_the_cpu
@pytest.mark.parametrize("name", [entry.name for entry in ACTIVATIONS.values() if entry.in_c])
def test_every_activations_c_has_the_value_and_the_slope_of_its_tensor_function_in_float64(name, training):
    x = np.concatenate([np.linspace(-12, 12, 400), [-80, -30, -1e-3, 1e-3, 30, 80]]).reshape(1, -1)
    one = Tensor(x.astype(np.float32).T.copy())  # (406, 1): times a weight of 1 it goes to C as it is
    found = ops.linear(one, Tensor.ones(1, 1).contiguous().realize(), Tensor.zeros(1).contiguous().realize(), name)
    wide = Tensor(x.astype(np.float32).astype(np.float64).T.copy())
    wanted = ACTIVATIONS[name].of(wide)
    assert wanted.dtype == dtypes.float64
    (slope,), (wanted_slope,) = found.sum().gradient(one), wanted.sum().gradient(wide)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=3e-6, atol=1e-6)
    np.testing.assert_allclose(slope.numpy(), wanted_slope.numpy(), rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize(
    "registry", [ACTIVATIONS, OPTIMIZERS, SCHEDULES], ids=["activations", "optimizers", "schedules"]
)
def test_every_entry_stands_under_its_own_name(registry):
    assert [entry.name for entry in registry.values()] == list(registry)


SOFTSIGN_IN_C = {
    "c_value": "return x / (1.0f + where(x > 0.0f, x, -x));",
    "c_slope": "vec d = 1.0f + where(x > 0.0f, x, -x); return 1.0f / (d * d);",
}


@on_the_cpu
@pytest.mark.parametrize("c", [SOFTSIGN_IN_C, {}], ids=["with C", "without C"])
def test_an_activation_is_added_by_its_entry_alone(c, add, monkeypatch, digits):
    add(ACTIVATIONS, Activation("softsign", lambda x: x / (1 + x.abs()), **c))
    assert ops.fuses_activation("softsign") == bool(c)
    ours, theirs = losses_with_and_without_kernels(monkeypatch, digits, **MLP, activation="softsign")
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    assert ours != losses_with_and_without_kernels(monkeypatch, digits, **MLP, activation="tanh")[0]
    assert np.mean(ours[-3:]) < ours[0]


@on_the_cpu
@pytest.mark.parametrize("c", [SOFTSIGN_IN_C, {}], ids=["with C", "without C"])
def test_an_added_activation_follows_a_convolution_too(c, add, training, monkeypatch):
    add(ACTIVATIONS, Activation("softsign", lambda x: x / (1 + x.abs()), **c))
    layer = Conv2d(1, 2, 3, "softsign")
    for tensor, values in layer.initial(np.random.default_rng(0)):
        tensor.assign(Tensor(values)).realize()
    x = Tensor(np.random.default_rng(1).standard_normal((2, 1, 6, 5)).astype(np.float32)).realize()
    found = []
    for switch in ("1", "0"):
        monkeypatch.setenv("KERNELS", switch)
        y = layer(x)
        slope = y.square().sum().gradient(layer.weight)[0]
        found.append((y.numpy(), slope.numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def averaged(p, g, state, s):
    """The parameter follows the running mean of its gradient."""
    mean = s.momentum * state[0] + (1 - s.momentum) * g
    return p - s.lr * mean, [mean]


@on_the_cpu
@pytest.mark.parametrize(
    "c", ["state0 = state0 * momentum + g * (1 - momentum);\nw -= state0 * lr;", None], ids=["with C", "without C"]
)
def test_an_optimizer_is_added_by_its_entry_alone(c, add, monkeypatch, digits):
    add(OPTIMIZERS, Optimizer("averaged", averaged, 1, {"momentum": 0.5}, c))
    fields = {**MLP, "optimizer": "averaged", "lr": 0.5}
    assert ops.fuses_optimizer("averaged") == (c is not None)
    ours, theirs = losses_with_and_without_kernels(monkeypatch, digits, **fields)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    assert np.mean(ours[-3:]) < ours[0]
    assert ours != losses_with_and_without_kernels(monkeypatch, digits, **fields, momentum=0.9)[0]
    with pytest.raises(UserError, match="weight_decay has no effect with averaged"):
        make_config({**fields, "weight_decay": 0.1})


def test_a_schedule_is_added_by_its_entry_alone(add, trained):
    add(SCHEDULES, Schedule("linear", lambda done: 1 - done))
    assert [lr_at("linear", 0.8, step, 4) for step in range(4)] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    linear = trained(**MLP, lr_schedule="linear").losses
    constant = trained(**MLP).losses
    assert linear[:2] == constant[:2]  # the first step's rate is the full one
    assert linear[2:] != constant[2:]
