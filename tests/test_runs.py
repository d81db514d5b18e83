"""Which records stand side by side, what is said of a configuration, and which is the best."""

import pytest
from msgspec.structs import replace

from explorer.config import make_config
from explorer.judging.runs import LeftOut, Runs, slices
from explorer.record import ConfigFields, DataUsed, Record, Settings
from tests.records import record, runs


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
        other = record(config, 0.5, data=DataUsed("digits", "other"))
    else:
        other = replace(other, environment=replace(other.environment, tinygrad="0.11.0"))
    elsewhere = record(make_config({"model": "mlp", "dataset": "mnist"}), 0.7)
    kept = Runs([*ours, other, elsewhere])
    assert kept.kept == [*ours, elsewhere]
    expected = ("data digest", "other", "d") if what == "data" else ("tinygrad", "0.11.0", "0.14.0")
    (left,) = kept.left_out
    assert (left.why, left.value, left.kept_value) == expected
    assert (left.dataset, left.count, left.kept_count) == ("digits", 1, 2)


def test_a_record_of_another_version_is_left_out_and_told():
    ours = runs({}, [0.9])
    tomorrow = Settings({**ours[0].settings.values, "a_field_of_tomorrow": 1})
    unknown = replace(ours[0], config=ConfigFields(tomorrow, 0))
    bare = Record(id=ours[0].id, config=ours[0].config)
    kept = Runs([unknown, *ours, bare])
    assert kept.kept == ours
    assert kept.left_out == [LeftOut("unreadable", 2)]


def test_the_best_is_chosen_by_validation_among_what_was_repeated():
    lucky = runs({"lr": 0.1}, [0.999])
    good, poor = (
        runs({"lr": 0.01}, [0.95, 0.96], test_accuracy=0.5),
        runs({"lr": 0.001}, [0.90, 0.91], test_accuracy=0.99),
    )
    ranked = Runs([*poor, *lucky, *good]).ranked("mlp", "digits")
    assert [run.config.lr for run in ranked] == [0.01, 0.001]
    assert [run.config.lr for run in Runs(lucky).ranked("mlp", "digits")] == [0.1]


def test_a_run_on_all_images_has_nothing_to_be_chosen_by():
    assert Runs(runs({"train_on": "all"}, [0.9, 0.9], val_accuracy=None)).ranked("mlp", "digits") == []


def test_slices_differ_in_one_field_alone():
    records = [
        item for lr in (0.001, 0.003, 0.01) for size in (16, 32) for item in runs({"lr": lr, "batch_size": size}, [0.9])
    ]
    found = slices(Runs(records).configurations, "lr")
    assert sorted(sorted(group) for group in found) == [[0.001, 0.003, 0.01]] * 2
    assert slices(Runs(records).configurations, "batch_size") == []
