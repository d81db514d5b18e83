"""One run: every knob connected, the same twice, one captured step for many runs."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from msgspec.structs import asdict

from explorer import fields, models
from explorer.config import Config, make_config
from explorer.datasets.dataset import LOOK_IMAGES
from explorer.errors import UserError
from explorer.models.activations import ACTIVATIONS
from explorer.record import Diverged
from explorer.rules.optimizers import OPTIMIZERS
from explorer.training.feeding import HostFed, Resident
from explorer.training.looks import look_every
from explorer.training.trainer import Trainer, batches, score
from tests.conftest import PROJECT

MLP = {"model": "mlp", "dataset": "digits", "units": (24,), "batch_size": 32, "steps": 6, "eval_every": 3}
CNN = {"model": "cnn", "dataset": "digits", "filters": (2, 3, 4, 3), "batch_size": 16, "steps": 3, "eval_every": 3}

# For the fields of every run: what to set besides the base (so the field can matter), and the value to change it to.
CHANGES = {
    "lr": ({}, 0.01),
    "batch_size": ({}, 33),
    "optimizer": ({}, "rmsprop"),
    "momentum": ({"optimizer": "sgd"}, 0.9),
    "nesterov": ({"optimizer": "sgd", "momentum": 0.9}, True),
    "weight_decay": ({}, 0.5),
    "steps": ({}, 7),
    "epochs": ({"steps": None, "epochs": 1, "steps_per_epoch": 3}, 2),
    "steps_per_epoch": ({"steps": None, "epochs": 1, "steps_per_epoch": 2}, 3),
    "lr_schedule": ({}, "cosine"),
    "lr_decay": ({"lr_schedule": "plateau", "patience": 1, "eval_every": 1, "lr": 3.0, "steps": 12}, 0.1),
    "patience": ({"lr_schedule": "plateau", "patience": 1, "eval_every": 1, "lr": 3.0, "steps": 12}, 2),
    "warmup_steps": ({}, 3),
    "angle": ({}, 30.0),
    "scale": ({}, 0.3),
    "shift": ({}, 2.0),
    "sampling": ({"angle": 20.0}, "bilinear"),
    "pivot": ({"angle": 20.0}, "corner"),
    "scaling": ({}, "signed"),
    "train_on": ({}, "all"),
    "eval_every": ({}, 2),
    "stop_patience": ({"steps": 12, "eval_every": 1, "lr": 3.0}, 1),
    "seed": ({}, 1),
}
# A model's own fields that say the same in another way: what must not be said besides.
SHORTHANDS = {"width": {"units": None, "depth": 1}, "depth": {"units": None, "width": 24}}


def base_of(model: str) -> dict:
    """A small run of any model, one that was dropped in included."""
    rest = {"model": model, "dataset": "digits", "batch_size": 16, "steps": 3, "eval_every": 3}
    return {"mlp": MLP, "cnn": CNN}.get(model, rest)


def another(info, value):
    """Another value that a model's own field takes."""
    if words := fields.choices(info):
        return next(word for word in words if word != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (*value[:-1], value[-1] + 2)
    if value is None:
        return 20
    return value / 2 + 0.25 if fields.type_of(info) is float else value + 1


def outcome(result) -> tuple:
    """All of a run that its hyperparameters could have changed."""
    return result.losses, repr(result.history), result.test_accuracy, result.parameters


def test_every_field_of_config_is_in_the_walk():
    # the model is what the base is for, the data sets are other files: see test_datasets.py
    assert CHANGES.keys() == Config.model_fields.keys() - {"model", "dataset", "net"}


@pytest.mark.parametrize(
    ("model", "field"),
    [(model, field) for model in models.names() for field in (*CHANGES, *models.get(model).model_fields)],
)
def test_no_field_is_a_dead_knob(model, field, trained):
    besides, value = CHANGES.get(field, (SHORTHANDS.get(field, {}), None))
    before = {**base_of(model), **besides}
    if field not in CHANGES:
        value = another(models.get(model).model_fields[field], make_config(before).get(field))
        value = value + 1 if value == 24 else value
    after = {**before, field: value}
    assert outcome(trained(**before)) != outcome(trained(**after)), f"{field} changed nothing"


@pytest.mark.parametrize("model", models.names())
def test_a_field_of_another_model_is_refused(model):
    foreign = {field for name in models.names() for field in models.get(name).model_fields}
    for field in foreign - models.get(model).model_fields.keys():
        with pytest.raises(UserError, match=rf"^{field} is a field of"):
            make_config({"model": model, field: 1})


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains_at_some_rate_and_moves_with_it(optimizer, trained):
    runs = [trained(**MLP, optimizer=optimizer, lr=lr).losses for lr in (1.0, 0.1, 0.003)]
    assert any(losses[-1] < losses[0] for losses in runs)
    assert runs[0] != runs[1] != runs[2]


@pytest.mark.parametrize(
    ("optimizer", "field"), [(name, each) for name, rule in OPTIMIZERS.items() for each in rule.defaults]
)
def test_every_optimizer_reads_every_field_it_has_a_default_for(optimizer, field, trained):
    base = {**MLP, "optimizer": optimizer, "lr": 0.01} | ({"momentum": 0.5} if field == "nesterov" else {})
    changed = {"momentum": 0.7, "nesterov": True, "weight_decay": 0.7}[field]
    assert trained(**base).losses != trained(**base, **{field: changed}).losses


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains_and_is_another_one_than_the_usual(activation, trained):
    losses = trained(**MLP, lr=0.01, activation=activation).losses
    assert losses[-1] < losses[0]
    assert activation == "silu" or losses != trained(**MLP, lr=0.01).losses


@pytest.mark.parametrize("base", [MLP, {**CNN, "dropout": 0.3, "angle": 10}], ids=["mlp", "cnn with every random part"])
def test_a_run_is_the_same_to_the_bit_the_second_time_in_one_process(base, trained):
    first, weights = trained(keep_weights=True, **base)
    trained(**{**base, "seed": 5, "lr": 0.1})  # leaves other weights and other optimizer state behind
    again, weights_again = trained(keep_weights=True, **base)
    assert outcome(first) == outcome(again)
    for one, other in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_is_the_same_to_the_bit_in_a_fresh_process(trained, tmp_path):
    words = [sys.executable, "mnist_explorer.py", "mlp", "--json", "--results", str(tmp_path)]
    for name, value in MLP.items():
        if name != "model":
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += ["--" + name.replace("_", "-"), text]
    answer = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True)
    record = json.loads(answer.stdout)
    trained(**{**MLP, "seed": 9})  # so that ours is not the first run of its trainer
    ours = trained(**MLP)
    history = json.dumps([asdict(look) for look in ours.history])
    rounded = json.loads(history, parse_float=lambda text: float(f"{float(text):.6g}"))
    assert record["history"] == rounded
    assert record["test_accuracy"] == pytest.approx(ours.test_accuracy, abs=1e-6)


def test_the_second_run_of_a_shape_starts_from_fresh_weights_and_moves_them(digits):
    config = make_config(MLP)
    other = make_config({**MLP, "seed": 1})
    shared = Trainer(config, digits.of)
    shared.run(config, digits)
    second = shared.run(other, digits)
    moved = shared.weights()
    alone = Trainer(other, digits.of)
    start = alone.weights()
    assert outcome(second) == outcome(alone.run(other, digits))
    for one, unmoved, lone in zip(moved, start, alone.weights(), strict=True):
        np.testing.assert_array_equal(one, lone)
        assert not np.array_equal(one, unmoved)


def test_runs_that_differ_in_numbers_alone_share_a_shape():
    base = make_config({**MLP, "optimizer": "sgd", "momentum": 0.5, "dropout": 0.1, "angle": 5})
    fields = dict(lr=0.5, weight_decay=0.1, momentum=0.9, dropout=0.4, angle=9, seed=3, steps=9, scaling="standard")
    other = make_config({**base.to_json(), **fields})
    assert base.shape == other.shape
    assert base.shape != make_config({**base.to_json(), "units": [25]}).shape


def test_a_run_without_jit_trains_alike(trained, digits):
    from tinygrad.helpers import Context

    with Context(JIT=0):
        slow = Trainer(make_config(MLP), digits.of).run(make_config(MLP), digits)
    np.testing.assert_allclose(slow.losses, trained(**MLP).losses, rtol=1e-5)


def test_a_diverging_run_ends_at_the_step_where_its_loss_is_lost(trained):
    result = trained(**{**MLP, "steps": 50, "optimizer": "sgd", "lr": 1e18})
    step = len(result.losses)
    assert 1 < step < 50
    assert result.error.step == step
    assert (np.array(result.losses[:-1]) < 1e6).all()
    assert not result.losses[-1] < 1e6
    assert result.test_accuracy is None
    assert all(math.isfinite(look.train_loss) for look in result.history)


def test_a_listener_hears_the_loss_that_is_recorded(digits):
    config = make_config({**MLP, "steps": 300, "eval_every": 280})  # 280 steps: the losses are fetched before, too
    heard = []
    result = Trainer(config, digits.of).run(config, digits, heard.append)
    assert [progress.train_loss for progress in heard if progress.look] == [look.train_loss for look in result.history]
    assert heard[-1].train_loss == result.train_loss
    between = [progress for progress in heard if not progress.look and progress.step < 280]
    assert between
    for progress in between:
        assert progress.train_loss == pytest.approx(np.mean(result.losses[: progress.step]), rel=1e-5)


def test_a_run_whose_last_step_loses_the_net_has_diverged(trained):
    result = trained(**{**MLP, "steps": 1, "optimizer": "sgd", "lr": 1e38})  # its one loss is that of the fresh net
    assert result.error == Diverged(1, of="outputs")
    assert (result.val_accuracy, result.test_accuracy, result.test_logits) == (None, None, None)


def test_training_on_everything_has_no_validation_accuracy(trained):
    result = trained(**{**MLP, "train_on": "all"})
    assert (result.val_accuracy, result.best_val_accuracy, result.best_step) == (None, None, None)
    assert result.test_accuracy is not None
    assert result.history[-1].val_accuracy is None


def test_the_plateau_schedule_goes_back_to_the_best_weights(digits):
    config = make_config({**MLP, "lr_schedule": "plateau", "patience": 1, "eval_every": 1, "lr": 3.0, "steps": 12})
    trainer = Trainer(config, digits.of)
    restored = []
    put_back = trainer.set_weights
    trainer.set_weights = lambda weights: (restored.append(weights), put_back(weights))  # type: ignore[method-assign]
    result = trainer.run(config, digits)
    losses = [look.val_loss for look in result.history]
    worse = [now >= min(losses[:index]) for index, now in enumerate(losses) if index]
    assert sum(worse) == len(restored) > 0


@pytest.mark.parametrize("feed", [HostFed, Resident])
def test_early_stopping_ends_a_run_that_has_found_nothing_better_for_so_many_looks(digits, feed):
    fields = {**MLP, "lr": 3.0, "eval_every": 1, "steps": 40}
    long, short = make_config(fields), make_config({**fields, "stop_patience": 3})
    trainer = Trainer(long, digits.of, feed)
    whole, stopped = trainer.run(long, digits), trainer.run(short, digits)
    accuracies = [look.val_accuracy for look in whole.history]
    end = next(n for n in range(4, 41) if max(accuracies[n - 3 : n]) <= max(accuracies[: n - 3]))
    assert (whole.stopped_at, stopped.stopped_at) == (None, end)
    assert end < 40
    assert stopped.error is None
    assert (stopped.losses, stopped.history) == (whole.losses[:end], whole.history[:end])
    assert stopped.best_step == 1 + int(np.argmax(accuracies[:end]))
    assert stopped.train_loss == stopped.history[-1].train_loss
    assert stopped.test_accuracy is not None
    assert outcome(trainer.run(long, digits)) == outcome(whole)  # the next run is none the worse


def test_a_run_that_was_to_end_anyway_is_not_called_stopped(trained):
    assert trained(**{**MLP, "lr": 1e-12, "steps": 4, "eval_every": 1, "stop_patience": 3}).stopped_at is None
    assert trained(**{**MLP, "lr": 1e-12, "steps": 5, "eval_every": 1, "stop_patience": 3}).stopped_at == 4


def test_looks_take_a_tenth_of_the_training_at_most_and_a_long_run_has_twenty():
    def looks(steps: int, validation: int = 10_000, **fields) -> int:
        return math.ceil(steps / look_every(make_config({"model": "cnn", **fields}), steps, validation))

    assert looks(1000, batch_size=128) == looks(100_000, batch_size=128) == 20
    for steps in (1, 20, 50, 100, 500, 999):
        # a look is forward alone, a third of a step's work; the last one is of images that are measured anyway
        assert (looks(steps, batch_size=128) - 1) * LOOK_IMAGES / 3 <= steps * 128 / 10
    assert looks(100, batch_size=128) == 2
    assert looks(100, batch_size=512) == 8
    assert looks(100, batch_size=128, eval_every=10) == 10
    for acts_on_looks in ({"lr_schedule": "plateau"}, {"stop_patience": 3}):
        assert looks(100, batch_size=128, **acts_on_looks) == 20
    assert looks(100, validation=0, batch_size=128) == 20  # nothing to look at costs nothing
    assert looks(100, validation=300, batch_size=32) == 4


def test_the_last_look_is_a_part_of_the_final_figures(digits, monkeypatch):
    config = make_config({**MLP, "eval_every": 4})  # of 6 steps
    trainer, asked = Trainer(config, digits.of), []
    logits = trainer.logits
    monkeypatch.setattr(trainer, "logits", lambda first, count: asked.append(count) or logits(first, count))
    result = trainer.run(config, digits)
    validation = digits.validation_count
    assert validation < LOOK_IMAGES
    assert asked == [validation, validation, len(digits.test_images)]  # at step 4, at step 6
    assert result.history[-1].val_accuracy == result.val_accuracy


def test_an_epoch_shows_every_image_once_even_where_batches_straddle():
    stream = batches(10, 4, np.random.default_rng(0))
    seen = np.concatenate([next(stream) for _ in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert list(seen[:10]) != list(seen[10:])


def test_score_agrees_with_a_hand_computed_case():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], np.float32))
    loss, accuracy = score(logits, np.array([0, 1]))
    assert loss == pytest.approx(-(np.log(0.5) + np.log(0.2)) / 2, rel=1e-6)
    assert accuracy == 0.5
