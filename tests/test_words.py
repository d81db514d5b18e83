"""How things are said: figures, commands, names, reasons."""

import math
import shlex
from typing import get_args

import pytest

from explorer.config import fields_for, make_config
from explorer.judging.certainty import Certainty
from explorer.judging.hypothesis import HypothesisVerdict, Reason
from explorer.judging.relations import Relation
from explorer.judging.runs import LeftOut, Lost
from explorer.running.requests import Request
from explorer.telling import words


@pytest.mark.parametrize(
    "values",
    [
        {"model": "mlp"},
        {"model": "mlp", "dataset": "fashion", "lr": 1e-05, "optimizer": "sgd", "momentum": 0.9, "nesterov": True},
        {"model": "cnn", "epochs": 5, "steps_per_epoch": 100, "filters": [8, 8, 16, 16], "batchnorm": False},
        {
            "model": "mlp",
            "units": [512, 128],
            "lr_schedule": "plateau",
            "patience": 2,
            "angle": 10,
            "sampling": "bilinear",
        },
        {"model": "mlp", "optimizer": "adamw", "weight_decay": 0.0, "train_on": "all", "seed": 3},
    ],
)
def test_the_training_command_trains_that_very_configuration(values):
    from explorer.cli.parser import parse

    config = make_config(values)
    command = shlex.split(words.training_command(config))
    assert command[:2] == ["python", "mnist_explorer.py"]
    said = vars(parse(command[2:]))
    flags = {field: value for field, value in said.items() if field in fields_for(config.model)}
    assert make_config({"model": config.model} | flags) == config


def test_commands_are_no_longer_than_they_need_be():
    assert words.training_command(make_config({"model": "mlp", "steps": 1000})) == "python mnist_explorer.py mlp"
    request = Request("lr", "mlp", "fashion", {"steps": 300}, 5)
    command = "python mnist_explorer.py mlp --sweep lr --dataset fashion --seeds 5 --steps 300"
    assert words.sweep_command(request) == command
    assert words.sweep_command(Request("mine", "cnn", "mnist", {}, 3, "my.toml")).endswith(
        "cnn --sweep my.toml --seeds 3"
    )


def test_a_configuration_is_named_by_what_sets_it_apart():
    assert words.short_name(make_config({"model": "mlp"})) == "defaults"
    assert words.short_name(make_config({"model": "mlp", "lr": 0.003, "batch_size": 64})) == "lr 0.003, batch 64"
    assert words.short_name(make_config({"model": "cnn", "epochs": 5, "optimizer": "sgd"})) == "sgd, 5 epochs"


def test_formats_are_in_per_cent():
    assert words.figure({0: 0.94, 1: 0.95, 2: 0.96}) == "95.00 ± 2.48"
    assert words.figure({0: 0.94, 1: 0.95}) == "94.00, 95.00"  # the runs themselves
    assert words.figure({0: 0.94, 1: 0.94, 2: 0.94}) == "94.00"
    assert words.figure({0: 0.0, 1: 0.9, 2: 0.5}) == "46.67 (0.00 to 100.00)"
    assert words.amount({0: -0.01, 1: 0.0, 2: 0.01}) == "0.00 ± 2.48"


def relation(word, certainty, difference, half, n):
    ends = (difference - half, difference + half)
    return Relation("a", "b", word, certainty, difference, *ends, 0.01, 0.01, math.nan, n)


def test_an_estimate_comes_first():
    assert words.estimate(relation("better", Certainty.SURE, 0.0021, 0.001, 5)) == "+0.21 ± 0.10, better (n=5)"
    open_ = relation("not settled", Certainty.UNKNOWN, 0.0592, 0.0532, 3)
    assert words.estimate(open_) == "about +5.9 (0.6 to 11.2), not settled (n=3)"
    close = relation("not settled", Certainty.UNKNOWN, -0.0001, 0.001, 5)
    assert words.estimate(close) == "about -0.01 (-0.11 to 0.09), not settled (n=5)"
    few = relation("too few runs", Certainty.UNKNOWN, 0.0021, math.nan, 1)
    assert words.estimate(few) == "+0.21, too few runs (n=1)"
    assert words.difference(relation("better", Certainty.SURE, -1e-6, 0.001, 5)) == "0.00 ± 0.10"


def test_in_a_list_what_has_commas_of_its_own_is_said_without_them():
    labels = ["sgd 0.1, momentum 0.9", "adam", "cosine, lr 0.003, warm-up"]
    assert words.listed(labels) == "sgd 0.1 with momentum 0.9, adam and cosine with lr 0.003 and warm-up"
    assert words.listed(labels[:1]) == "sgd 0.1, momentum 0.9"
    assert words.listed(["units 512,256", "a"]) == "units 512,256 and a"
    assert words.listed([]) == ""


def test_runs_without_a_result_are_told_with_their_steps():
    assert words.lost(Lost(0, 0, 5, ())) == ""
    assert words.lost(Lost(2, 1, 5, (12, 40))) == "2 of 5 diverged (step 12, 40); 1 of 5 failed"


def test_every_reason_of_a_hypothesis_has_its_words():
    told = [
        words.reason(HypothesisVerdict("undecided", reason, Certainty.UNKNOWN, "a", ("b", "c"), 3, 4))
        for reason in get_args(Reason)
    ]
    assert len(set(told)) == len(told)
    assert "3 of 4 runs are done" in told
    assert "a is best, but is not shown to beat b and c" in told


def test_what_is_left_out_is_told_with_what_was_kept():
    told = words.left_out(LeftOut("tinygrad", 1, "digits", "0.11.0", "0.14.0", 12))
    assert told == "1 record of digits with tinygrad 0.11.0: the other 12 have 0.14.0."
    assert words.left_out(LeftOut("unreadable", 2)).startswith("2 records of another version")
