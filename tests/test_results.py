import math
import shlex

import numpy as np
import pytest
from msgspec.structs import replace

from explorer.asking import questions as sweep
from explorer.config import fields_for, make_config
from explorer.judging import stats
from explorer.judging.results import Runs, SweepResult, best_first, short_name, slices, sweep_command, training_command
from explorer.record import ConfigFields, DataUsed, Record, Settings
from explorer.running import requests
from explorer.running.requests import Request
from tests.records import LR, PAIR, POINTS, record, runs


def judged(tmp_path, text, records, seeds=3, **request):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    asked = Request(
        **{"name": "mine", "model": "mlp", "dataset": "digits", "seeds": seeds, "path": str(path), **request}
    )
    return SweepResult(asked, sweep.load(str(path), asked.model, asked.dataset, asked.overrides), Runs(records))


def four_rates():
    return [
        *runs({"lr": 0.0003}, [0.90, 0.9102, 0.92]),
        *runs({"lr": 0.001}, [0.94, 0.95, 0.96]),
        *runs({"lr": 0.003}, [0.96, 0.9701, 0.98]),
        *runs({"lr": 0.01}, [0.93, 0.95, 0.955]),
    ]


def in_steps(field, values, step):
    """Three equal runs a value, each value ``step`` above the one before."""
    return [item for place, value in enumerate(values) for item in runs({field: value}, [0.9 + place * step] * 3)]


def test_records_find_their_point_by_configuration_and_seed(tmp_path):
    found = judged(tmp_path, LR, four_rates())
    assert found.validation["lr 0.001"] == {0: 0.94, 1: 0.95, 2: 0.96}
    assert found.complete
    assert found.baseline == "lr 0.001"
    assert found.winner.label == "lr 0.003"
    assert found.verdicts["lr 0.0003"].verdict == "worse"


def test_seeds_beyond_the_plan_do_not_count(tmp_path):
    found = judged(tmp_path, LR, four_rates(), seeds=2)
    assert set(found.validation["lr 0.001"]) == {0, 1}


def test_a_diverged_point_is_told_with_its_step_and_leaves_other_verdicts_alone(tmp_path):
    records = four_rates()
    without = judged(tmp_path, LR, records[:9])
    found = judged(tmp_path, LR, [*records[:9], *runs({"lr": 0.01}, [None, None, None])])
    assert found.complete
    assert not without.complete
    assert found.by_label["lr 0.01"].lost == "3 of 3 diverged (step 7)"
    assert "lr 0.01" not in found.validation
    assert found.verdicts == without.verdicts


def test_a_hypothesis_waits_for_the_whole_sweep(tmp_path):
    assert judged(tmp_path, LR, four_rates()[:9]).hypothesis.reason == "9 of 12 runs are done"
    assert judged(tmp_path, LR, four_rates()).hypothesis.verdict in ("rejected", "undecided")
    assert judged(tmp_path, PAIR, []).hypothesis is None


def test_one_seed_gives_no_verdict(tmp_path):
    found = judged(tmp_path, LR, four_rates(), seeds=1)
    assert {verdict.verdict for verdict in found.verdicts.values()} == {"one seed: no verdict"}
    assert math.isnan(found.noise)
    assert found.power is None


def test_power_counts_the_points_that_share_two_seeds_with_the_baseline(tmp_path):
    records = [*runs({"lr": 0.001}, [0.90, 0.91, 0.93, 0.92]), *runs({"lr": 0.003}, [0.91, 0.93, 0.93, 0.94])]
    records += [*runs({"lr": 0.01}, [0.5])]  # one seed alone: no comparison
    power = judged(tmp_path, LR, records, seeds=4).power
    assert (power.n, power.comparisons) == (4, 1)
    spread = np.std([0.01, 0.02, 0.0, 0.02], ddof=1)
    assert power.detectable == pytest.approx(stats.detectable_difference(spread, 4))
    assert power.needed == stats.seeds_needed(spread, 0.005, paired=True)


def test_a_winner_on_the_edge_is_noticed_unless_the_field_ends_there(tmp_path):
    rising = in_steps("lr", [0.0003, 0.001, 0.003, 0.01], 0.01)
    assert judged(tmp_path, LR, rising).edges == [("lr", "high")]
    dropout = 'title = "Dropout"\nbase.steps = 30\ngrid.dropout = [0.0, 0.2, 0.4]\n'
    falling = in_steps("dropout", [0.0, 0.2, 0.4], -0.01)
    assert judged(tmp_path, dropout, falling).edges == []


def test_equal_points_share_their_runs_and_are_judged_once(tmp_path):
    found = judged(
        tmp_path, POINTS, [*runs({"lr": 0.001}, [0.9, 0.91, 0.92]), *runs({"lr": 0.003}, [0.93, 0.94, 0.95])]
    )
    assert found.by_label["again"].validation == found.by_label["first"].validation
    assert list(found.validation) == ["first", "other"]
    assert list(found.verdicts) == ["other"]


def test_of_one_run_the_newest_record_counts_but_not_a_failure():
    config = make_config({"model": "mlp", "dataset": "digits"})
    old, new, failed = record(config, 0.9), record(config, 0.95), record(config, None, status="failed")
    assert Runs([old, new, failed]).of(config)[0] is new
    assert Runs([failed, old]).of(config)[0] is old
    assert Runs([failed]).of(config)[0] is failed


@pytest.mark.parametrize("what", ["data", "tinygrad"])
def test_records_of_other_data_or_another_version_are_left_out_and_told(what):
    config = make_config({"model": "mlp", "dataset": "digits"})
    ours = runs({}, [0.9, 0.91])
    other = record(config, 0.5)
    if what == "data":
        other = replace(other, data=DataUsed("digits", "other"))
    else:
        other = replace(other, environment=replace(other.environment, tinygrad="0.11.0"))
    elsewhere = record(make_config({"model": "mlp", "dataset": "mnist"}), 0.7)
    kept = Runs([*ours, other, elsewhere])
    assert kept.kept == [*ours, elsewhere]
    (told,) = kept.left_out
    assert told.startswith("1 record of digits with")


def test_a_record_of_another_version_is_left_out_and_told():
    ours = runs({}, [0.9])
    tomorrow = Settings({**ours[0].settings.values, "a_field_of_tomorrow": 1})
    unknown = replace(ours[0], config=ConfigFields(tomorrow, 0))
    bare = Record(id=ours[0].id, config=ours[0].config)
    kept = Runs([unknown, *ours, bare])
    assert kept.kept == ours
    assert kept.left_out == ["2 records of another version of this program, whose fields are no longer known."]


def test_the_best_is_chosen_by_validation_among_what_was_repeated():
    lucky = runs({"lr": 0.1}, [0.999])
    good, poor = (
        runs({"lr": 0.01}, [0.95, 0.96], test_accuracy=0.5),
        runs({"lr": 0.001}, [0.90, 0.91], test_accuracy=0.99),
    )
    ranked = best_first(Runs([*poor, *lucky, *good]), "mlp", "digits")
    assert [run.config.lr for run in ranked] == [0.01, 0.001]
    assert [run.config.lr for run in best_first(Runs(lucky), "mlp", "digits")] == [0.1]


def test_a_run_on_all_images_has_nothing_to_be_chosen_by():
    assert best_first(Runs(runs({"train_on": "all"}, [0.9, 0.9], val_accuracy=None)), "mlp", "digits") == []


def test_slices_differ_in_one_field_alone():
    records = [
        item for lr in (0.001, 0.003, 0.01) for size in (16, 32) for item in runs({"lr": lr, "batch_size": size}, [0.9])
    ]
    found = slices(Runs(records).configurations, "lr")
    assert sorted(sorted(group) for group in found) == [[0.001, 0.003, 0.01]] * 2
    assert slices(Runs(records).configurations, "batch_size") == []


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
    from mnist_explorer import parser

    config = make_config(values)
    words = shlex.split(training_command(config))
    assert words[:2] == ["python", "mnist_explorer.py"]
    said = vars(parser().parse_args(words[2:]))
    assert (
        make_config({"model": config.model} | {k: v for k, v in said.items() if k in fields_for(config.model)})
        == config
    )


def test_commands_are_no_longer_than_they_need_be():
    assert training_command(make_config({"model": "mlp", "steps": 1000})) == "python mnist_explorer.py mlp"
    request = Request("lr", "mlp", "fashion", {"steps": 300}, 5)
    command = "python mnist_explorer.py mlp --sweep lr --dataset fashion --seeds 5 --steps 300"
    assert sweep_command(request) == command
    assert sweep_command(requests.Request("mine", "cnn", "mnist", {}, 3, "my.toml")).endswith(
        "cnn --sweep my.toml --seeds 3"
    )


def test_a_configuration_is_named_by_what_sets_it_apart():
    assert short_name(make_config({"model": "mlp"})) == "defaults"
    assert short_name(make_config({"model": "mlp", "lr": 0.003, "batch_size": 64})) == "lr 0.003, batch 64"
    assert short_name(make_config({"model": "cnn", "epochs": 5, "optimizer": "sgd"})) == "sgd, 5 epochs"
