"""Config: bounds, defaults that depend on others, refusals that name what would be right, JSON both ways."""

import pytest

from explorer import models
from explorer.config import (
    Config,
    bounds,
    default_text,
    field_info,
    fields_for,
    from_environment,
    knob_table,
    make_config,
    merge,
)
from explorer.errors import UserError
from explorer.fields import environment_names
from tests.conftest import PROJECT


def mlp(**values) -> Config:
    return make_config({"model": "mlp", **values})


@pytest.mark.parametrize("model", models.names())
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "muon", "lamb", "lars"])
def test_json_there_and_back_gives_the_same_config(model, optimizer):
    config = make_config({"model": model, "optimizer": optimizer, "angle": 5, "lr_schedule": "plateau", "epochs": 2})
    assert make_config(config.to_json()) == config
    assert hash(make_config(config.to_json())) == hash(config)


def test_defaults_are_those_of_the_model_and_of_the_optimizer():
    assert mlp().get("units") == (512, 512)
    assert mlp().get("batchnorm") is False
    cnn = make_config({"model": "cnn"})
    assert tuple(map(cnn.get, ("units", "filters", "kernel_size", "batchnorm"))) == (
        None,
        (32, 32, 64, 64),
        (5, 3),
        True,
    )
    assert (mlp().momentum, mlp(optimizer="muon").momentum, mlp(optimizer="sgd").momentum) == (None, 0.95, 0.0)
    assert (mlp().weight_decay, mlp(optimizer="adamw").weight_decay) == (0.0, 0.01)
    assert (mlp().steps, mlp(epochs=2).steps, mlp(epochs=2).steps_per_epoch) == (1000, None, 0)


def test_width_and_depth_are_shorthand_for_units():
    assert mlp(width=64, depth=3) == mlp(units="64,64,64")
    assert mlp(width=64) == mlp(units=(64, 64))
    assert mlp(depth=1) == mlp(units=(512,))


def test_text_becomes_what_the_field_holds():
    config = mlp(lr="1e-2", units="512,256", batchnorm="on", seed="7")
    assert (config.lr, config.get("units"), config.get("batchnorm"), config.seed) == (0.01, (512, 256), True, 7)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"lr": "0"}, "lr must be a number > 0, got 0"),
        ({"lr": "-1"}, "lr must be a number > 0, got -1"),
        ({"lr": "nan"}, "lr must be a number > 0, got nan"),
        ({"lr": "inf"}, "lr must be a number > 0, got inf"),
        ({"lr": "fast"}, "lr must be a number > 0, got fast"),
        ({"steps": "0"}, "steps must be a whole number >= 1 and <= 10000000, got 0"),
        ({"batch_size": "12.5"}, "batch_size must be a whole number >= 1 and <= 1000000, got 12.5"),
        ({"optimizer": "adm"}, "optimizer 'adm' is unknown; did you mean 'adam'?"),
        ({"activation": "Swoosh"}, "activation 'Swoosh' is unknown; one of: relu, silu, gelu, tanh"),
        ({"dataset": "../x"}, "dataset: '../x' is no name of a data set"),
        ({"steps": 3, "epochs": 2}, "steps and epochs both say how long to train"),
        ({"steps_per_epoch": 5}, "steps_per_epoch has no effect without epochs"),
        ({"units": "5", "width": 3}, "units and width/depth say the same thing"),
        ({"units": ""}, "units must be a list with commas, 1 to 24 numbers, each 1 to 16384, got nothing"),
        ({"units": "12,x"}, "units must be a list with commas"),
        ({"filters": "1,2,3,4"}, "filters is a field of cnn; mlp has units, width, depth"),
        ({"momentum": 0.9}, "momentum has no effect with adam"),
        ({"nesterov": True}, "nesterov has no effect with adam"),
        ({"optimizer": "sgd", "nesterov": True}, "nesterov has no effect without momentum"),
        ({"sampling": "nearest"}, "sampling has no effect without angle, scale or shift"),
        ({"shift": 2, "pivot": "corner"}, "pivot has no effect without angle or scale"),
        ({"patience": 2}, "patience has no effect with the constant schedule"),
        ({"stop_patience": 2, "train_on": "all"}, "stop_patience needs a validation set"),
        ({"lr_schedule": "plateau", "train_on": "all"}, "the plateau schedule needs a validation set"),
        ({"steps": 10, "warmup_steps": 11}, "warmup_steps 11 is longer than the run of 10 steps"),
        ({"learning_rate": 1}, "unknown field 'learning_rate'"),
        ({"stepz": 1}, "unknown field 'stepz'; did you mean 'steps'?"),
    ],
)
def test_a_mistake_is_told_in_one_line_that_says_what_would_be_right(values, line):
    with pytest.raises(UserError) as caught:
        mlp(**values)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_the_line_calls_the_field_what_the_person_called_it():
    with pytest.raises(UserError, match=r"^OPT 'adm' is unknown"):
        make_config({"model": "mlp", "optimizer": "adm"}, {"optimizer": "OPT"})


@pytest.mark.parametrize(("epochs", "steps_per_epoch", "images", "steps"), [(1, 0, 50_000, 391), (3, 100, 50_000, 300)])
def test_an_epoch_is_one_pass_unless_its_steps_are_given(epochs, steps_per_epoch, images, steps):
    assert mlp(epochs=epochs, steps_per_epoch=steps_per_epoch).total_steps(images) == steps


def test_the_environment_sets_every_field_by_its_upper_case_name_and_the_short_ones():
    values, names = from_environment({"LR": "0.01", "BS": "256", "OPT": "sgd", "HOME": "/", "SEED": ""})
    assert values == {"lr": "0.01", "batch_size": "256", "optimizer": "sgd"}
    assert names == {"lr": "LR", "batch_size": "BS", "optimizer": "OPT"}
    assert all(environment_names(field)[0] == field.upper() for field in fields_for(None))


def test_two_variables_of_one_field_that_disagree_are_refused():
    with pytest.raises(UserError, match="BATCH_SIZE=64 and BS=32 contradict"):
        from_environment({"BATCH_SIZE": "64", "BS": "32"})


def test_a_flag_beats_the_environment_and_silences_its_other_way_of_saying_it():
    assert merge({"lr": "1", "seed": "2"}, {"lr": "3"}) == {"lr": "3", "seed": "2"}
    assert merge({"steps": "100"}, {"epochs": "2"}) == {"epochs": "2"}
    assert merge({"width": "64", "depth": "1"}, {"units": "8"}) == {"units": "8"}


def test_every_field_has_a_meaning_bounds_and_where_there_is_one_a_default():
    for field in fields_for(None):
        assert field_info(field).description
        assert bounds(field)
    without = {field for field in fields_for(None) if not default_text(field)}
    assert without == {"epochs", "width", "depth"}


def test_the_readme_shows_the_generated_table_of_every_hyperparameter():
    assert knob_table() in (PROJECT / "README.md").read_text(), "paste what explorer.config.knob_table() returns"
