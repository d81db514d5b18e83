"""Records as data frames: every figure beside its configuration, whichever model it is of."""

import io
import math

import pandas as pd
import pytest

from explorer.config import make_config
from explorer.judging.frame import looks_frame, means, runs_csv, runs_frame
from explorer.record import Look
from tests.records import LR, record, runs
from tests.test_results import four_rates, judged

CNN = record(make_config({"model": "cnn", "filters": (2, 3, 4, 5)}), 0.99)


def test_a_row_has_the_configuration_flat_and_the_figures_beside_it():
    frame = runs_frame([*runs({"units": (24, 12)}, [0.9, None]), CNN])
    assert list(frame["units"].fillna("-")) == ["24,12", "24,12", "-"]
    assert list(frame["filters"].fillna("-")) == ["-", "-", "2,3,4,5"]
    assert list(frame["seed"]) == [0, 1, 0]
    assert list(frame["status"]) == ["ok", "diverged", "ok"]
    assert frame["diverged_at"][1] == 7
    first = frame.iloc[0]
    assert (first["val_accuracy"], first["train_accuracy"]) == (0.9, pytest.approx(0.905))
    assert first["gap"] == pytest.approx(0.005)  # the last look's own: 0.905 - 0.900


def test_steps_to_a_mark_are_those_of_the_first_look_at_it_or_above():
    looks = tuple(Look(step, 0.1, 0.9, 0.2, accuracy) for step, accuracy in ((10, 0.89), (20, 0.95), (30, 0.94)))
    row = runs_frame(runs({}, [0.9], history=looks)).iloc[0]
    assert [row["steps_to_90"], row["steps_to_95"]] == [20, 20]
    assert row["steps_to_97"] is None


def test_a_run_names_its_sweeps_and_points(tmp_path):
    found = judged(tmp_path, LR, four_rates())
    frame = runs_frame([*four_rates(), CNN], [found, found])
    assert set(frame["sweep"]) == {"digits/mlp/mine; digits/mlp/mine", ""}
    assert frame["point"][0].startswith("lr 0.0003; ")
    assert frame["point"][12] == ""


def test_the_csv_is_the_same_twice_and_whole_numbers_stay_whole():
    records = [*runs({"lr_schedule": "plateau"}, [0.9, None]), CNN]
    text = runs_csv(records)
    assert text == runs_csv(records)
    rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert list(rows["patience"]) == ["3", "3", ""]
    assert list(rows["diverged_at"]) == ["", "7", ""]
    assert rows["val_accuracy"][0] == "0.9"


def test_looks_lie_apart_a_row_each():
    frame = looks_frame(runs({}, [0.9, 0.95]))
    assert len(frame) == 6
    assert list(frame.columns) == ["id", "step", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]


def test_a_configuration_s_means_are_those_of_its_runs_that_got_there():
    few, more = runs({}, [0.9, 0.95])  # looks at steps 10, 20, 30: 0.2, 0.1 and 0 below the accuracy at the end
    found = means([few, more])
    assert found["gap"] == pytest.approx(0.005)
    assert (found["train_loss"], found["val_loss"]) == (pytest.approx(0.1), pytest.approx(0.2))
    assert found["loss_gap"] == pytest.approx(0.1)
    assert found["unsteadiness"] == pytest.approx(0.1)
    assert found["steps_to_90"] == 30
    assert math.isnan(found["steps_to_95"])  # one of them never came there
    assert math.isnan(means([])["gap"])


def test_no_runs_make_an_empty_table():
    assert len(runs_frame([])) == len(looks_frame([])) == 0
    assert runs_csv([]) == "\n"
