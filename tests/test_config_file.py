"""A configuration in a file: what is written is read back, and trains as its flags would."""

import json

import pytest

from explorer import models
from explorer.cli.main import main
from explorer.config import config_as_toml, config_file, make_config
from explorer.errors import UserError

QUICK = {"model": "mlp", "dataset": "digits", "units": [24], "steps": 6, "batch_size": 32, "lr": 1e-05}


@pytest.mark.parametrize("model", models.names())
@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "epochs": 3, "lr_schedule": "plateau"},
        {"angle": 7.5, "pivot": "corner", "lr": 1e-05, "stop_patience": 4, "seed": 3},
    ],
)
def test_what_is_written_is_read_back_the_same(tmp_path, model, fields):
    config = make_config({"model": model, **fields})
    path = tmp_path / "run.toml"
    path.write_text(config_as_toml(config))
    assert make_config({"model": model, **config_file(path, model)}) == config


def trained(capsys, *words) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_file_trains_what_its_flags_would_and_flags_win_over_it_and_it_over_the_environment(
    tmp_path, capsys, monkeypatch
):
    path, results = tmp_path / "run.toml", ("--results", str(tmp_path / "results"))
    path.write_text(config_as_toml(make_config(QUICK)))
    monkeypatch.setenv("LR", "0.5")
    record = trained(capsys, "mlp", "--config", str(path), *results)
    assert record["config"] == make_config(QUICK).to_json()
    record = trained(capsys, "mlp", "--config", str(path), "--lr", "0.01", "--epochs", "1", *results)
    assert (record["config"]["lr"], record["config"]["epochs"], "steps" in record["config"]) == (0.01, 1, False)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('model = "cnn"', "is a configuration of cnn; the command is cnn --config"),
        ("[base]\nlr = 0.1", "has a table, base; a configuration is a field a line"),
        ("lr = ", "not valid TOML"),
        ("lr = -1", "lr must be a number > 0, got -1"),
        ("steps = true", "steps is no switch, got true"),
        ("lrr = 1", "lrr'; did you mean 'lr'?"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line_that_names_it(tmp_path, capsys, text, line):
    path = tmp_path / "run.toml"
    path.write_text(text)
    assert main(["mlp", "--config", str(path), "--results", str(tmp_path / "results")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert line in told
    assert "run.toml" in told
    assert told.count("\n") == 1


def test_a_file_that_is_not_there_and_a_sweep_are_refused(tmp_path, capsys):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        config_file(tmp_path / "none.toml", "mlp")
    (tmp_path / "run.toml").write_text("lr = 0.1")
    assert main(["mlp", "--sweep", "lr", "--config", str(tmp_path / "run.toml")]) == 2
    assert "--config is one run's" in capsys.readouterr().err
