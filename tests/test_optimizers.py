import json
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor, TinyJit, dtypes, nn
from tinygrad.helpers import Context, GlobalCounters

from explorer.errors import UserError
from explorer.rules.optimizers import OPTIMIZERS, SCALARS, Step, scalar_values
from explorer.training.optimizers import BoundOptimizer, matmul

GOLDEN = json.loads((Path(__file__).parent / "golden" / "optim.json").read_text())
SHAPES = [tuple(shape) for shape in GOLDEN["shapes"]]


def arrays(flat):
    return [np.array(values, np.float32).reshape(shape) for values, shape in zip(flat, SHAPES, strict=True)]


START = arrays(GOLDEN["start"])
GRADIENTS = [arrays(step) for step in GOLDEN["gradients"]]


def tensors(values):
    return [Tensor(value.copy()).realize() for value in values]


class Bench:
    """An optimizer with its device scalars, as the trainer has them: views of one small buffer."""

    def __init__(self, name, start=START, nesterov=False, fused=False):
        self.name, self.step_count = name, 0
        self.buffer = Tensor(np.zeros(len(SCALARS), np.float32)).realize()
        scalars = {key: self.buffer[i : i + 1] for i, key in enumerate(SCALARS)}
        self.optimizer = BoundOptimizer(name, tensors(start), scalars, nesterov, self.buffer if fused else None)

    def write(self, lr, **settings):
        self.step_count += 1
        values = scalar_values(self.name, self.step_count, lr, **settings)
        self.buffer.assign(Tensor(np.array([values[key] for key in SCALARS], np.float32))).realize()

    def step(self, gradients, **settings):
        self.write(**settings)
        for param, gradient in zip(self.optimizer.params, gradients, strict=True):
            param.grad = Tensor(gradient)
        Tensor.realize(*self.optimizer.step_tensors())
        return self.values()

    def values(self):
        return [param.numpy() for param in self.optimizer.params]


def assert_close(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("label", GOLDEN["cases"])
def test_every_step_agrees_with_pytorch(label):
    case = GOLDEN["cases"][label]
    settings = dict(case["settings"])
    bench = Bench(case["optimizer"], nesterov=settings.pop("nesterov", False))
    for gradients, after in zip(GRADIENTS, case["after"], strict=True):
        assert_close(bench.step(gradients, **settings), arrays(after))


TINYGRADS = [
    ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, True, nn.optim.SGD),
    ("adam", {"lr": 0.01}, False, nn.optim.Adam),
    ("adamw", {"lr": 0.01}, False, nn.optim.AdamW),
    ("lamb", {"lr": 0.01, "weight_decay": 0.1}, False, nn.optim.LAMB),
    ("lars", {"lr": 0.1}, False, nn.optim.LARS),
    ("lars", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.1}, True, nn.optim.LARS),
    ("muon", {"lr": 0.02, "weight_decay": 0.0}, False, nn.optim.Muon),
    ("muon", {"lr": 0.02, "momentum": 0.5, "weight_decay": 0.1}, False, nn.optim.Muon),
]


@pytest.mark.parametrize(("name", "settings", "nesterov", "theirs"), TINYGRADS)
def test_every_step_agrees_with_tinygrad(name, settings, nesterov, theirs):
    bench, params = Bench(name, nesterov=nesterov), tensors(START)
    # A default that is left out must be theirs as well as ours; Muon's nesterov is on in both.
    other = theirs(params, **settings, **({"nesterov": True} if nesterov else {}))
    for gradients in GRADIENTS:
        for param, gradient in zip(params, gradients, strict=True):
            param.grad = Tensor(gradient)
        with Context(TRAINING=1):
            other.step()
        assert_close(bench.step(gradients, **settings), [param.numpy() for param in params])


def test_every_optimizer_is_compared_with_somebody_elses():
    compared = {case["optimizer"] for case in GOLDEN["cases"].values()} | {name for name, *_ in TINYGRADS}
    assert compared == set(OPTIMIZERS), "a new optimizer needs golden values (make_optim_golden.py) or a row above"


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("name", [entry.name for entry in OPTIMIZERS.values() if entry.c_update])
def test_every_c_update_takes_the_steps_of_its_rule_in_float64(name, nesterov):
    if nesterov and not OPTIMIZERS[name].uses("nesterov"):
        return
    settings = {"lr": 0.03, "weight_decay": 0.1} | ({"momentum": 0.7} if OPTIMIZERS[name].uses("momentum") else {})
    in_c = Bench(name, nesterov=nesterov, fused=True)
    params = [Tensor(value.astype(np.float64)) for value in START]
    states = [[Tensor.zeros(*p.shape, dtype=dtypes.float64)] * OPTIMIZERS[name].state_count for p in params]
    for step, gradients in enumerate(GRADIENTS, start=1):
        values = {
            key: Tensor([value], dtype=dtypes.float64) for key, value in scalar_values(name, step, **settings).items()
        }
        for index, gradient in enumerate(gradients):
            done = OPTIMIZERS[name].update(
                params[index],
                Tensor(gradient.astype(np.float64)),
                states[index],
                Step(**values, nesterov=nesterov, matmul=matmul),
            )
            params[index], states[index] = done
        in_c.step(gradients, **settings)
    for bound, param in zip(in_c.optimizer.params, params, strict=True):
        np.testing.assert_allclose(bound.numpy(), param.numpy(), rtol=2e-6, atol=2e-7)
    for bound, state in zip(in_c.optimizer.state, states, strict=True):
        for one, other in zip(bound, state, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("name", ["lamb", "lars"])
def test_a_zero_parameter_or_gradient_leaves_the_trust_ratio_at_one(name):
    bench = Bench(name, start=[np.zeros((2, 2), np.float32), np.ones(2, np.float32)])
    gradients = [np.ones((2, 2), np.float32), np.zeros(2, np.float32)]
    moved, kept = bench.step(gradients, lr=0.5, weight_decay=0.0)
    np.testing.assert_allclose(moved, -0.5, rtol=1e-5)
    np.testing.assert_array_equal(kept, 1.0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_captured_step_follows_every_scalar_and_a_reset_starts_it_anew(name):
    """No hyperparameter is frozen at capture, and a second run in the same buffers equals a first one elsewhere."""
    captured, weights = Bench(name), tensors(GRADIENTS[0])

    def train_step(bench):
        loss = sum((p.square() * w).sum() for p, w in zip(bench.optimizer.params, weights, strict=True))
        loss.backward()
        return loss.realize(*bench.optimizer.step_tensors())

    def two_steps(bench, step, settings):
        for _ in range(2):
            bench.write(**settings)
            step()
        return bench.values()

    jitted = TinyJit(lambda: train_step(captured))
    base = {"lr": 0.01, "weight_decay": 0.1} | ({"momentum": 0.5} if OPTIMIZERS[name].uses("momentum") else {})
    first = two_steps(captured, jitted, base)
    assert jitted.captured is not None
    buffers = [t.uop.base.realized for state in captured.optimizer.state for t in state]
    # A decay large enough to turn gradients round: Adam and RMSprop hardly see their size in the first steps.
    for changed in [{}, {"lr": 0.03}, {"weight_decay": 20.0}, {"momentum": 0.8}]:
        if not changed.keys() <= base.keys():
            continue
        for param, start in zip(captured.optimizer.params, START, strict=True):
            param.assign(Tensor(start)).realize()
        captured.optimizer.reset()
        captured.step_count = 0
        again, fresh = two_steps(captured, jitted, base | changed), Bench(name)
        assert_close(again, two_steps(fresh, lambda bench=fresh: train_step(bench), base | changed))
        for one, other in zip(first, again, strict=True):
            assert np.allclose(one, other, rtol=1e-6) == (not changed), changed
    assert [t.uop.base.realized for state in captured.optimizer.state for t in state] == buffers


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_reset_zeroes_the_state_it_has(name):
    optimizer = (bench := Bench(name)).optimizer
    state = [tensor for pair in optimizer.state for tensor in pair]
    assert [tensor.shape for tensor in state] == [
        shape for shape in SHAPES for _ in range(OPTIMIZERS[name].state_count)
    ]
    bench.step(GRADIENTS[0], lr=0.1)
    buffers = [tensor.uop.base.realized for tensor in state]
    assert all(np.any(tensor.numpy()) for tensor in state if name != "rmsprop")
    optimizer.reset()
    assert not any(np.any(tensor.numpy()) for tensor in state)
    assert all(tensor.uop.base.realized is buffer for tensor, buffer in zip(state, buffers, strict=True))


def test_adam_takes_no_more_kernels_than_tinygrads_own():
    """Guards against a gradient computed once for each tensor that reads it."""

    def kernels(make):
        rng = np.random.default_rng(0)
        w1, b1, w2, b2 = params = tensors([rng.random(shape, np.float32) for shape in [(12, 8), (12,), (6, 12), (6,)]])
        step_tensors = make(params)
        for _ in range(2):  # the first step also fills tinygrad's state
            for param in params:
                param.grad = None
            hidden = Tensor.ones(4, 8).contiguous().linear(w1.T, b1).relu().contiguous()
            loss = hidden.linear(w2.T, b2).square().mean()
            loss.backward()
            GlobalCounters.reset()
            with Context(TRAINING=1):
                loss.realize(*step_tensors())
        return GlobalCounters.kernel_count

    scalars = {key: Tensor(np.ones(1, np.float32)).realize() for key in SCALARS}
    ours = kernels(lambda params: BoundOptimizer("adam", params, scalars).step_tensors)
    theirs = kernels(lambda params: nn.optim.Adam(params).schedule_step)
    assert 12 < ours <= theirs


def test_a_step_uses_up_the_gradients():
    bench = Bench("sgd")
    bench.step(GRADIENTS[0], lr=0.1)
    assert [param.grad for param in bench.optimizer.params] == [None, None]
    with pytest.raises(ValueError, match=r"shape \(3, 4\) has no gradient"):
        bench.optimizer.step_tensors()


def test_scalar_values_are_computed_in_double_precision_and_named_in_full():
    values = scalar_values("adam", 1, 0.1)
    assert tuple(values) == SCALARS
    assert values["correction1"] == pytest.approx(0.1, rel=1e-12)
    assert values["correction2"] == pytest.approx(0.001, rel=1e-12)
    assert scalar_values("adam", 3, 0.1)["correction2"] == pytest.approx(1 - 0.999**3, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "momentum", "weight_decay"),
    [
        ("sgd", 0.0, 0.0),
        ("adam", 0.0, 0.0),
        ("adamw", 0.0, 0.01),
        ("rmsprop", 0.0, 0.0),
        ("muon", 0.95, 0.0),
        ("lamb", 0.0, 0.0),
        ("lars", 0.9, 1e-4),
    ],
)
def test_none_stands_for_the_rules_own_default_and_zero_for_zero(name, momentum, weight_decay):
    values = scalar_values(name, 1, 0.1)
    assert (values["momentum"], values["weight_decay"]) == (momentum, weight_decay)
    values = scalar_values(name, 1, 0.1, momentum=0.0, weight_decay=0.0)
    assert (values["momentum"], values["weight_decay"]) == (0.0, 0.0)


def test_a_knob_the_rule_does_not_read_is_refused():
    with pytest.raises(UserError, match="adam has no momentum"):
        scalar_values("adam", 1, 0.1, momentum=0.9)
    with pytest.raises(UserError, match="adam has no nesterov"):
        Bench("adam", nesterov=True)


def test_an_unknown_optimizer_is_refused_with_those_there_are():
    with pytest.raises(UserError, match="no optimizer 'adagrad': use one of sgd, adam, adamw"):
        scalar_values("adagrad", 1, 0.1)


def test_running_statistics_are_refused():
    norm = nn.BatchNorm(3)
    with pytest.raises(ValueError, match="is_param"):
        BoundOptimizer("sgd", nn.state.get_parameters(norm), {})
