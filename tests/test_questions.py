"""Sweeps: shipped files load for all they say they serve, products, labels, baselines, each mistake in one line."""

import csv
import re
from pathlib import Path

import pytest

from explorer import models
from explorer.asking import documents
from explorer.asking import questions as sweep
from explorer.config import make_config
from explorer.errors import UserError
from tests.conftest import PROJECT

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"
SHIPPED = [
    "act", "augment", "batchnorm", "bs", "bs-images", "combined", "depth", "dropout", "dropout-batchnorm",
    "epochs", "filters", "final", "kernel", "lr", "lr-act", "lr-bs", "lr-opt", "opt", "published-cnn",
    "published-cnn-as-run", "published-fashion", "published-final", "published-mlp", "published-mlp-as-run",
    "schedule", "steps", "units", "width", "width-depth",
]  # fmt: skip
SERVED = [(name, model) for model in models.names() for name in documents.available(model)]


@pytest.fixture
def written(tmp_path):
    """written(text, model="mlp", **arguments) -> the Sweep of a file my.toml holding the text."""

    def load(text: str | bytes, model: str = "mlp", **arguments) -> sweep.Sweep:
        path = tmp_path / "my.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return sweep.load(str(path), model, **arguments)

    return load


def labels(loaded: sweep.Sweep) -> list[str]:
    return [point.label for point in loaded.points]


def test_every_question_asked_for_is_shipped():
    assert set(SHIPPED) <= set(documents.available())
    assert documents.available() == sorted(documents.available())


@pytest.mark.parametrize("dataset", ["mnist", "fashion", "digits"])
@pytest.mark.parametrize(("name", "model"), SERVED)
def test_a_shipped_sweep_loads_for_each_model_and_data_set_it_serves(name, model, dataset):
    if name not in documents.available(model, dataset):
        with pytest.raises(
            UserError, match=rf"^sweep '{name}' is about (mnist|fashion), not {dataset}; use --dataset "
        ):
            sweep.load(name, model, dataset)
        return
    loaded = sweep.load(name, model, dataset)
    assert (loaded.name, loaded.model, loaded.dataset) == (name, model, dataset)
    assert loaded.title != name
    assert loaded.question.endswith("?")
    assert loaded.hypothesis.endswith(".")
    assert loaded.knobs
    assert loaded.baseline in labels(loaded)
    assert len(set(labels(loaded))) == len(loaded.points)
    for point in loaded.points:
        assert (point.config.model, point.config.dataset, point.config.seed) == (model, dataset, 0)
        assert set(point.values) == set(loaded.knobs)
        assert point.values == {knob: point.config.axis(knob) for knob in loaded.knobs}
    if len(loaded.points) > 1:  # a hypothesis that names all points or none cannot be checked
        distinct = {point.label for point in loaded.points if point.same_as is None}
        assert set() < sweep.expected_labels(loaded) < distinct


def test_a_model_a_sweep_has_nothing_for_is_refused_and_left_out():
    assert "units" in documents.available("mlp")
    assert "units" not in documents.available("cnn")
    with pytest.raises(UserError, match=r"^sweep 'units' has no grid for cnn$"):
        sweep.load("units", "cnn")
    with pytest.raises(UserError, match=r"^sweep 'kernel' has no grid for mlp$"):
        sweep.load("kernel", "mlp")


def test_names_splits_commas_expands_all_and_keeps_paths(tmp_path):
    assert documents.names("lr,bs") == ["lr", "bs"]
    assert documents.names(" lr, lr ,my.toml,") == ["lr", "my.toml"]
    assert documents.names("all") == documents.available()
    assert documents.names("all", "cnn", "fashion") == documents.available("cnn", "fashion")
    assert "published-fashion" in documents.names("all", "mlp", "fashion")
    assert "published-fashion" not in documents.names("all", "mlp", "mnist")
    odd = tmp_path / "a,b.toml"
    odd.write_text("")
    assert documents.names(str(odd)) == [str(odd)]
    with pytest.raises(UserError, match=r"^--sweep needs the name of a sweep.*`list`"):
        documents.names(" , ")


def test_a_grid_is_the_product_of_its_lists_in_the_files_order(written):
    loaded = written("[base]\nsteps = 50\n[grid]\nbatch_size = [32, 128]\nlr = [1, 0.001, 1e-5]")
    assert (loaded.kind, loaded.knobs) == ("grid", ("batch_size", "lr"))
    assert labels(loaded) == ["32 / 1", "32 / 0.001", "32 / 1e-05", "128 / 1", "128 / 0.001", "128 / 1e-05"]
    assert loaded.points[1].values == {"batch_size": 32, "lr": 0.001}
    assert loaded.points[1].config == make_config({"model": "mlp", "batch_size": 32, "lr": 0.001, "steps": 50})
    assert loaded.baseline == "128 / 0.001"
    assert (loaded.title, loaded.question, loaded.expect_best, loaded.seeds_default) == ("my", "", {}, 5)
    assert sweep.expected_labels(loaded) == set()


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("lr = [0.003]", "lr 0.003"),
        ("batch_size = [64]", "batch size 64"),
        ("lr_schedule = ['cosine']", "lr schedule cosine"),
        ("batchnorm = [true]", "batchnorm on"),
        ("units = [[512, 128]]", "units 512,128"),
        ("lr = [0.123456789]", "lr 0.123456789"),
        ("lr = [0.1]\nbatchnorm = [false]", "0.1 / off"),
    ],
)
def test_grid_labels_are_short_and_say_the_value(written, grid, expected):
    assert labels(written(f"[grid]\n{grid}")) == [expected]


def test_width_depth_units1_and_units2_are_axes_composed_to_units(written):
    loaded = written("[grid]\nwidth = [64, 512]\ndepth = [1, 2]")
    assert [point.values for point in loaded.points][:2] == [{"width": 64, "depth": 1}, {"width": 64, "depth": 2}]
    assert [point.config.get("units") for point in loaded.points] == [(64,), (64, 64), (512,), (512, 512)]
    assert loaded.baseline == "512 / 2"
    loaded = written("baseline = {units1 = 32, units2 = 16}\n[grid]\nunits1 = [16, 32]\nunits2 = [16, 8]")
    assert (loaded.knobs, loaded.baseline) == (("units1", "units2"), "32 / 16")
    assert loaded.points[1].values == {"units1": 16, "units2": 8}
    assert [point.config.get("units") for point in loaded.points] == [(16, 16), (16, 8), (32, 16), (32, 8)]


def test_listed_points_have_their_labels_references_and_every_knobs_value(written):
    loaded = written(
        "[base]\nepochs = 2\n"
        "[[points]]\noptimizer = 'adam'\n"
        "[[points]]\nlabel = 'heavy ball'\nreference = 0.9454\noptimizer = 'sgd'\nmomentum = 0.9\nsteps = 10\n"
        "[[points]]\nlr = 0.1"
    )
    assert (loaded.kind, loaded.knobs) == ("points", ("optimizer", "momentum", "steps", "lr"))
    assert labels(loaded) == ["optimizer adam", "heavy ball", "lr 0.1"]
    assert [point.reference for point in loaded.points] == [None, 0.9454, None]
    assert loaded.points[0].values == {"optimizer": "adam", "momentum": None, "steps": None, "lr": 0.001}
    assert loaded.points[1].values == {"optimizer": "sgd", "momentum": 0.9, "steps": 10, "lr": 0.001}
    assert (loaded.points[0].config.epochs, loaded.points[1].config.epochs) == (2, None)


def test_the_baseline_is_the_files_else_the_default_else_the_first(written):
    grid = "[grid]\nlr = [0.01, 0.001]\nbatch_size = [64, 128]"
    assert written(grid).baseline == "0.001 / 128"
    assert written("baseline = '0.01 / 64'\n" + grid).baseline == "0.01 / 64"
    assert written("baseline = {lr = 0.01, batch_size = 128}\n" + grid).baseline == "0.01 / 128"
    assert written("[grid]\nlr = [0.1, 0.2]").baseline == "lr 0.1"
    assert written("[base]\nlr = 0.2\n[[points]]\nlr = 0.1\n[[points]]\nlabel = 'own base'").baseline == "own base"


def test_a_role_is_the_files_else_that_of_the_grids_form(written):
    assert written("grid.lr = [0.1, 0.2]").role == "knob"
    assert written("grid.lr = [0.1, 0.2]\ngrid.batch_size = [64]").role == "knob"
    assert written("grid.lr = [0.1, 0.2]\ngrid.batch_size = [64, 32]").role == "pair"
    assert written("grid.lr = [0.1, 0.2]\ngrid.batch_size = [64, 32]\ngrid.dropout = [0.0, 0.5]").role == "recipes"
    assert written("points = [{ lr = 0.1 }, { lr = 0.2, dropout = 0.5 }]").role == "knob"
    assert written("role = 'recipes'\ngrid.lr = [0.1, 0.2]").role == "recipes"


def test_a_published_table_its_claims_and_what_gains_are_counted_from_are_read(written):
    loaded = written(
        "role = 'published'\ngain_over = 'b'\n"
        "points = [{ label = 'a', lr = 0.1, reference = 0.9 }, { label = 'b', lr = 0.2 }]\n"
        "[published]\ntable = 'A  table'\nas = 'run'\nbest_look = true\n"
        "[[claims]]\nsays = 'a over b'\nwinner = 'a'\nrivals = ['b']\n"
    )
    assert loaded.published == sweep.PublishedTable("A table", "run", best_look=True)
    assert loaded.claims == (sweep.Claim("a over b", (("a", "b"),)),)
    assert loaded.gain_over == "b"
    assert written("gain_over = { lr = 0.2 }\ngrid.lr = [0.1, 0.2]").gain_over == "lr 0.2"


def test_a_models_section_adds_to_the_base_and_replaces_the_rest(written):
    text = (
        "title = 'Both'\nseeds = 7\nexpect_best.lr = [0.1]\n"
        "[base]\nsteps = 50\nbatch_size = 32\n[grid]\nlr = [0.1, 0.2]\n"
        "[cnn]\ntitle = 'Of cnn'\nseeds = 2\nexpect_best.label = ['b']\nbase.epochs = 3\n"
        "points = [{label = 'a'}, {label = 'b', dropout = 0.5}]"
    )
    mlp, cnn = written(text), written(text, "cnn")
    assert (mlp.title, mlp.seeds_default, mlp.kind, labels(mlp)) == ("Both", 7, "grid", ["lr 0.1", "lr 0.2"])
    assert (cnn.title, cnn.seeds_default, cnn.kind, labels(cnn)) == ("Of cnn", 2, "points", ["a", "b"])
    assert (cnn.points[0].config.epochs, cnn.points[0].config.steps, cnn.points[0].config.batch_size) == (3, None, 32)
    assert (sweep.expected_labels(mlp), sweep.expected_labels(cnn)) == ({"lr 0.1"}, {"b"})


def test_expected_points_have_an_expected_value_of_every_field_named(written):
    loaded = written(
        "expect_best.lr = [0.1]\nexpect_best.kernel_size = [[5, 3], [3, 3]]\n"
        "[grid]\nlr = [0.1, 0.2]\nkernel_size = [[3, 3], [5, 3], [5, 5]]",
        "cnn",
    )
    assert loaded.expect_best == {"lr": [0.1], "kernel_size": [(5, 3), (3, 3)]}
    assert sweep.expected_labels(loaded) == {"0.1 / 3,3", "0.1 / 5,3"}


def test_runs_come_seed_by_seed_so_that_an_interrupted_sweep_has_all_points(written):
    loaded = written("[grid]\nlr = [0.1, 0.2]")
    runs = sweep.configs(loaded, 3)
    assert [(run.seed, run.lr) for run in runs] == [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2)]
    assert runs[2] == make_config({"model": "mlp", "lr": 0.1, "seed": 1})
    with pytest.raises(UserError, match=r"^--seeds must be a whole number >= 1, got 0$"):
        sweep.configs(loaded, 0)
    with pytest.raises(UserError, match=r"^sweep 'my' would be 2,000,000,000 runs; pass --yes to do so many$"):
        sweep.configs(loaded, 10**9)  # counted, not made


def test_equal_points_of_a_sweep_with_repeats_share_their_runs(written):
    points = "points = [{label = 'a', lr = 0.1}, {label = 'b', lr = 0.2}, {label = 'c', lr = 0.1, reference = 0.5}]"
    loaded = written(f"repeats = true\nexpect_best.label = ['c']\n{points}")
    assert [point.same_as for point in loaded.points] == [None, None, "a"]
    assert [run.lr for run in sweep.configs(loaded, 2)] == [0.1, 0.2, 0.1, 0.2]
    assert sweep.expected_labels(loaded) == {"a"}
    with pytest.raises(
        UserError, match=r"points 'a' and 'c' are the same configuration; leave one out, or say repeats"
    ):
        written(points)


def test_a_flag_fixes_its_field_and_silences_the_other_way_of_saying_it():
    loaded = sweep.load("lr", "mlp", overrides={"epochs": "2", "width": "64", "dropout": "0.1"})
    for point in loaded.points:
        assert (point.config.epochs, point.config.steps, point.config.get("units")) == (2, None, (64, 64))
        assert point.config.get("dropout") == 0.1
    assert len({point.config.lr for point in loaded.points}) == len(loaded.points)
    assert loaded.baseline == "lr 0.001"
    assert [point.config.axis("depth") for point in sweep.load("width", "mlp", overrides={"depth": "3"}).points] == [
        3
    ] * 6
    assert {
        len(point.config.get("units")) for point in sweep.load("width", "mlp", overrides={"depth": "3"}).points
    } == {3}


@pytest.mark.parametrize(
    ("name", "overrides", "line"),
    [
        ("lr", {"lr": "0.1"}, "sweep 'lr' varies lr; leave out --lr"),
        ("steps", {"epochs": "2"}, "sweep 'steps' varies steps (which --epochs would fix); leave out --epochs"),
        ("depth", {"units": "9"}, "sweep 'depth' varies depth (which --units would fix); leave out --units"),
        ("units", {"width": "9"}, "sweep 'units' varies units1 (which --width would fix); leave out --width"),
        ("units", {"units": "9"}, "sweep 'units' varies units1 (which --units would fix); leave out --units"),
        ("lr", {"seed": "3"}, "--seed: a sweep runs seeds 0, 1, 2, ...; use --seeds to say how many"),
        ("lr", {"batch_size": "0"}, "--batch-size must be a whole number >= 1 and <= 1000000, got 0"),
        ("lr", {"activation": "rleu"}, "--activation 'rleu' is unknown; did you mean 'relu'?"),
    ],
)
def test_a_flag_that_cannot_be_is_told_in_the_flags_words(name, overrides, line):
    with pytest.raises(UserError) as told:
        sweep.load(name, "mlp", overrides=overrides)
    assert str(told.value) == line


def test_a_variable_is_named_as_the_person_called_it():
    with pytest.raises(UserError, match=r"^sweep 'bs' varies batch_size; leave out BS$"):
        sweep.load("bs", "mlp", overrides={"batch_size": "32"}, named={"batch_size": "BS"})


GRID = "[grid]\nlr = [0.1, 0.2]\n"
BAD = {
    "unknown key at the top": ("titel = 'x'\n" + GRID, "unknown key 'titel'; did you mean 'title'?"),
    "unknown role": ('role = "knobs"\n' + GRID, "role must be one of knob, pair, recipes, published, got 'knobs'"),
    "a pair of one axis": ('role = "pair"\n' + GRID, 'role = "pair" needs a grid of two axes'),
    "published without role": ('published.table = "T"\n' + GRID, '[published] needs role = "published" beside it'),
    "published without table": ('role = "published"\npublished.as = "run"\n' + GRID, "published needs table: text"),
    "published as what": (
        'role = "published"\npublished = { table = "T", as = "ran" }\n' + GRID,
        "published.as must be one of stated, run, got 'ran'",
    ),
    "published with more": (
        'role = "published"\npublished = { table = "T", tabel = "T" }\n' + GRID,
        "unknown key 'published.tabel'; did you mean 'table'?",
    ),
    "gain over nothing": ("gain_over = { lr = 0.3 }\n" + GRID, "gain_over: no points have those values; it must be"),
    "gain over a field that does not vary": ("gain_over = { dropout = 0.0 }\n" + GRID, "gain_over.dropout: the sweep "),
    "gain over no label": ('gain_over = "lr 0.3"\n' + GRID, "gain_over: no point has the label 'lr 0.3'; did you mean"),
    "claims not tables": ('claims = ["a over b"]\n' + GRID, "claims[1] must be a table with says, winner and rivals"),
    "a claim without rivals": ('claims = [{ says = "a", winner = "lr 0.1" }]\n' + GRID, "claims[1] needs rivals: "),
    "a claim over nobody": (
        'claims = [{ says = "a", winner = "lr 0.1", rivals = [] }]\n' + GRID,
        "claims[1].rivals must be a list of labels, at least one, got []",
    ),
    "a claim of no point": (
        'claims = [{ says = "a", winner = "lr 1", rivals = ["lr 0.2"] }]\n' + GRID,
        "claims[1].winner: no point has the label 'lr 1'; did you mean",
    ),
    "a claim against itself": (
        'claims = [{ says = "a", winner = "lr 0.1", rivals = ["lr 0.1"] }]\n' + GRID,
        "claims[1]: 'lr 0.1' cannot be its own rival",
    ),
    "a claim two ways": (
        'claims = [{ says = "a", winner = "lr 0.1", pairs = [["lr 0.1", "lr 0.2"]] }]\n' + GRID,
        "claims[1] must say one of winner (with rivals), suffices (with rivals) and pairs",
    ),
    "a pair of three": (
        'claims = [{ says = "a", pairs = [["lr 0.1", "lr 0.2", "lr 0.1"]] }]\n' + GRID,
        "claims[1].pairs must be a list of two labels each",
    ),
    "unknown section": ("[gird]\nlr = [1]", "unknown key 'gird'; did you mean 'grid'?"),
    "unknown key of a section": ("[mlp]\nsede = 3\n" + GRID, "unknown key 'mlp.sede'; did you mean 'seeds'?"),
    "a key with a line break": (
        '"a\\nb" = 3\n' + GRID,
        r"unknown key 'a\nb'; one of: title, question, hypothesis, note, ",
    ),
    "a field at the top": ("lr = 0.1\n" + GRID, "unknown key 'lr'; a field goes under [base], [grid] or [[points]]"),
    "a top key below": (
        GRID + "seeds = 3",
        "unknown key 'grid.seeds'; seeds goes to the top of the file, above the first",
    ),
    "unknown field in base": (
        "[base]\nbatchsize = 3\n" + GRID,
        "unknown key 'base.batchsize'; did you mean 'batch_size'?",
    ),
    "unknown field in grid": ("[grid]\nlearning = [1]", "unknown key 'grid.learning'; "),
    "unknown field in a point": (
        "[[points]]\nlr = 1\n[[points]]\nlrr = 1",
        "unknown key 'points[2].lrr'; did you mean 'lr'?",
    ),
    "unknown field expected": (
        "[expect_best]\nlrs = [1]\n" + GRID,
        "unknown key 'expect_best.lrs'; did you mean 'lr'?",
    ),
    "unknown field, other model": (GRID + "[cnn.grid]\nlrr = [1]", "unknown key 'cnn.grid.lrr'; did you mean 'lr'?"),
    "seed in a grid": (
        "[grid]\nseed = [1, 2]",
        "grid.seed: every point runs with the same seeds; --seeds, or seeds = ",
    ),
    "model in base": (
        "[base]\nmodel = 'mlp'\n" + GRID,
        "base.model: the command names the model; what is for one model ",
    ),
    "dataset in base": ("[base]\ndataset = 'mnist'\n" + GRID, "base.dataset: --dataset sets it for the whole sweep; "),
    "unknown data set": ("dataset = 'fasion'\n" + GRID, "dataset 'fasion' is unknown; did you mean 'fashion'?"),
    "title not text": ("title = 3\n" + GRID, "title must be text, got 3"),
    "seeds not a number": ("seeds = '5'\n" + GRID, "seeds must be a whole number from 1 to 10000, got '5'"),
    "seeds true": ("seeds = true\n" + GRID, "seeds must be a whole number from 1 to 10000, got True"),
    "no seeds": ("seeds = 0\n" + GRID, "seeds must be a whole number from 1 to 10000, got 0"),
    "grid not a table": ("grid = [1]", "grid must be a table, got [1]"),
    "points not tables": ("points = [1]", "points must be a list of tables, [[points]], got 1"),
    "points a table": ("[points]\nlr = 1", "points must be a list of tables, [[points]], got {'lr': 1}"),
    "grid value not a list": ("[grid]\nlr = 0.1", "grid.lr must be a list of values, [...], got 0.1"),
    "number as text": ("[grid]\nlr = [0.1, '0.2']", "each of grid.lr must be a number, got '0.2'"),
    "number as truth": ("[grid]\nlr = [true]", "each of grid.lr must be a number, got True"),
    "number as date": (
        "[base]\nlr = 2020-01-01\n[grid]\ndropout = [0.1]",
        "base.lr must be a number, got datetime.date(2020",
    ),
    "whole number as float": (
        "[grid]\nbatch_size = [32.0]",
        "each of grid.batch_size must be a whole number, got 32.0",
    ),
    "truth as number": ("[grid]\nbatchnorm = [0, 1]", "each of grid.batchnorm must be true or false, got 0"),
    "word as number": ("[grid]\noptimizer = [3]", "each of grid.optimizer must be text: sgd|adam|"),
    "one list for many": (
        "[grid]\nunits = [512, 256]",
        "grid.units must be a list of lists, e.g. [[512, 512], [256, 128]]",
    ),
    "list of texts": (
        "[base]\nunits = ['9']\n" + GRID,
        "base.units must be a list of whole numbers, e.g. [512, 512], got ['9']",
    ),
    "expected not a list": ("expect_best.lr = 0.1\n" + GRID, "expect_best.lr must be a list of values, [...], got 0.1"),
    "expected not there": ("expect_best.lr = [0.3]\n" + GRID, "expect_best.lr: no point has 0.3; one of: 0.1, 0.2"),
    "expected not varied": (
        "expect_best.dropout = [0.3]\n" + GRID,
        "expect_best.dropout: the sweep does not vary dropout; ",
    ),
    "expected by no point": (
        "expect_best = {lr = [0.1], dropout = [0.5]}\npoints = [{lr = 0.1}, {dropout = 0.5}]",
        "expect_best: no point has all of lr, dropout as expected",
    ),
    "empty grid": ("[grid]", "grid is empty; give it at least one list, e.g. lr = [0.001, 0.01]"),
    "empty list": ("[grid]\nlr = []", "grid.lr is an empty list; give at least one value"),
    "empty points": ("points = []", "points is empty; give at least one [[points]]"),
    "both": (GRID + "[[points]]\nlr = 1", "both grid and points; keep one of them"),
    "twice in a list": ("[grid]\nlr = [0.1, 0.2, 1e-1]", "point 'lr 0.1' is there twice; leave one out"),
    "duplicate point": (
        "[[points]]\nlabel = 'a'\nlr = 0.1\n[[points]]\nlabel = 'b'\nlr = 0.1",
        "points 'a' and 'b' are the same configuration; leave one out, or say repeats = true",
    ),
    "duplicate in other words": (
        "[[points]]\nlabel = 'a'\n[[points]]\nlabel = 'b'\nwidth = 512\ndepth = 2",
        "points 'a' and 'b' are the same configuration",
    ),
    "duplicate label": (
        "[[points]]\nlabel = 'a'\nlr = 0.1\n[[points]]\nlabel = 'a'\nlr = 0.2",
        "two points have the label 'a'; give each its own",
    ),
    "label of two lines": (
        '[[points]]\nlabel = "a\\nb"',
        "points[1].label must be 1 to 60 printable characters, got 'a\\nb'",
    ),
    "reference to neither split": (
        "reference_is = 'train'\n[grid]\nlr = [0.1]",
        "reference_is must be test or validation, got 'train'",
    ),
    "reference in percent": (
        "[[points]]\nreference = 94.5",
        "points[1].reference must be an accuracy as a fraction, 0 to 1, got 94.5",
    ),
    "a knob the model has not": (
        "[grid]\nfilters = [[1, 2, 3, 4]]",
        "grid.filters: mlp has no filters; it has units, width, depth",
    ),
    "a base the model has not": (
        "[base]\nkernel_size = [5, 3]\n" + GRID,
        "base.kernel_size: mlp has no kernel_size; it has units",
    ),
    "out of bounds in a grid": ("[grid]\nlr = [0.1, -1]", "grid.lr must be a number > 0, got -1"),
    "out of bounds in a point": (
        "[[points]]\ndropout = 1.5",
        "points[1].dropout must be a number >= 0 and < 1, got 1.5",
    ),
    "out of bounds in base": (
        "[mlp]\nbase.batch_size = 0\n" + GRID,
        "mlp.base.batch_size must be a whole number >= 1 and <= 1000000",
    ),
    "not finite": ("[grid]\nlr = [inf]", "grid.lr must be a number > 0, got Infinity"),
    "a layer of nothing": (
        "[grid]\nunits1 = [0]\nunits2 = [1]",
        "grid.units1 must be a list with commas, 1 to 24 numbers, each 1 to 16384",
    ),
    "an unknown word": ("[grid]\noptimizer = ['adma']", "grid.optimizer 'adma' is unknown; did you mean 'adam'?"),
    "a field without effect": (
        "[base]\nmomentum = 0.9\n" + GRID,
        "base.momentum has no effect with adam; leave it out",
    ),
    "a base field that varies": (
        "[base]\nlr = 0.3\n" + GRID,
        "base.lr has no effect, since grid.lr varies it; take it out of base",
    ),
    "a base field said otherwise": (
        "[base]\nsteps = 3\n[grid]\nepochs = [1]",
        "base.steps has no effect, since grid.epochs varies it",
    ),
    "one layer axis": ("[grid]\nunits1 = [1]", "grid.units1 needs units2 beside it; "),
    "layer axes and width": (
        "[grid]\nunits1 = [1]\nunits2 = [1]\nwidth = [1]",
        "grid.width and grid.units1 say the same thing; ",
    ),
    "no such baseline": (
        "baseline = 'lr 0.3'\n" + GRID,
        "baseline: no point has the label 'lr 0.3'; did you mean 'lr 0.2'?",
    ),
    "no such baseline values": (
        "baseline = {lr = 0.3}\n" + GRID,
        "baseline: no points have those values; it must be one",
    ),
    "baseline of another field": (
        "baseline = {dropout = 0.3}\n" + GRID,
        "baseline.dropout: the sweep does not vary dropout; ",
    ),
    "not UTF-8": (b"title = 'a'\nnote = '\xff'\n[grid]", "line 2 is not UTF-8 text; save the file as UTF-8"),
    "not TOML": ("title = 'a'\n[grid]\nlr = [0.1, 0.2", "not valid TOML: "),
    "not TOML in the middle": ("[grid]\nlr == [0.1]\n", "not valid TOML: Invalid value (at line 2, column 5)"),
    "a key twice": (GRID + "lr = [1]\n", "not valid TOML: Cannot overwrite a value (at line 3, column 9)"),
    "nested without end": ("x = " + "[" * 100_000, "not TOML that can be read: nested too deeply"),
    "a number of a mile": ("[grid]\nlr = [1" + "0" * 5000 + "]", "not valid TOML: "),
    "a number beyond floats": ("[grid]\nlr = [1" + "0" * 400 + "]", "grid.lr must be a number > 0, got 1"),
}


@pytest.mark.parametrize(("text", "line"), BAD.values(), ids=BAD.keys())
def test_a_mistake_in_a_file_is_one_line_that_names_file_and_key(written, tmp_path, text, line):
    with pytest.raises(UserError) as told:
        written(text)
    message = str(told.value)
    assert message.startswith(f"{tmp_path / 'my.toml'}: {line}")
    assert "\n" not in message


def test_an_unfinished_file_is_told_with_its_last_line(written):
    with pytest.raises(UserError, match=r"\(at line 3, the end of the file\)$"):
        written("[grid]\n\nlr = [0.1, 0.2\n\n")


def test_ten_million_points_are_counted_not_made_and_need_a_yes(written):
    values = ", ".join(f"{index + 1}e-5" for index in range(3163))
    with pytest.raises(UserError, match=r"my.toml: grid would be 10,004,569 points; pass --yes to run so many$"):
        written(f"[grid]\nlr = [{values}]\ndropout = [{values}]")
    many = "[grid]\nsteps = [" + ", ".join(map(str, range(1, 10_002))) + "]"
    with pytest.raises(UserError, match="grid would be 10,001 points"):
        written(many)
    assert len(written(many, yes=True).points) == 10_001


def test_the_readmes_example_is_a_sweep(written):
    texts = re.findall(r"```toml\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    example = next(text for text in texts if "grid]" in text)
    loaded = written(example)
    assert (len(loaded.points), loaded.baseline, loaded.seeds_default) == (9, "0.001 / 512", 5)
    assert sweep.expected_labels(loaded) == {"0.001 / 1024"}


def test_a_sweep_knows_its_file_unless_it_is_a_shipped_one(tmp_path):
    mine = tmp_path / "my questions"  # a file needs no ending to be found again
    mine.write_text("[mlp]\ngrid.lr = [0.1, 0.2]\n")
    assert sweep.load(str(mine), "mlp").path == str(mine.resolve())
    assert sweep.load("lr", "mlp").path is None
    assert sweep.load(str(documents.FOLDER / "lr.toml"), "mlp").path is None


def test_a_file_that_is_not_there_names_the_nearest_sweep(tmp_path):
    with pytest.raises(UserError, match=r"^no sweep 'dropuot'; did you mean 'dropout'\?$"):
        sweep.load("dropuot", "mlp")
    with pytest.raises(UserError, match=r"^no sweep 'zzzzzzzz'; .*`list` names them$"):
        sweep.load("zzzzzzzz", "mlp")
    with pytest.raises(UserError, match=r"^no file .*gone.toml'; a sweep is a TOML file .*`list`"):
        sweep.load(str(tmp_path / "gone.toml"), "mlp")
    with pytest.raises(UserError, match=r" is a folder; a sweep is a TOML file$"):
        sweep.load(str(tmp_path), "mlp")
    for odd in ("a" * 5000, "a\0b"):
        with pytest.raises(UserError, match=r"^no (sweep|file) "):
            sweep.load(odd, "mlp")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(written):
    assert labels(written(b"\xef\xbb\xbftitle = 'a'\r\n[grid]\r\nlr = [0.1]\r\n")) == ["lr 0.1"]


def test_a_broken_shipped_file_is_listed_and_loading_it_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "FOLDER", tmp_path)
    (tmp_path / "broken.toml").write_text("[grid")
    (tmp_path / "good.toml").write_text("[mlp.grid]\nlr = [0.1]")
    assert documents.available() == ["broken", "good"]
    assert documents.available("cnn") == ["broken"]
    with pytest.raises(UserError, match=r"^sweeps/broken.toml: not valid TOML: "):
        sweep.load("broken", "mlp")


def reference(file: str) -> list[dict[str, str]]:
    path = REFERENCE / file
    if not path.is_file():
        pytest.skip(f"needs the published table {file} beside the project")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_published_fashion_sweep_is_the_published_table():
    rows = reference("fashion_mlp_61.csv")
    loaded = sweep.load("published-fashion", "mlp")
    assert (loaded.dataset, len(rows)) == ("fashion", 61)
    assert labels(loaded) == [row["experiment"] for row in rows]
    for row, point in zip(rows, loaded.points, strict=True):
        depth = int(row["depth"])
        units = [int(row["units1"])] + [int(row["units2"])] * (depth - 1)
        assert point.config == make_config(
            {
                "model": "mlp", "dataset": "fashion", "activation": "relu", "scaling": "unit", "units": units,
                "epochs": row["epochs"], "steps_per_epoch": row["steps_per_epoch"], "batch_size": row["batch_size"],
                "lr": row["lr"], "optimizer": row["optimizer"].lower(),
            }
        ), row["experiment"]  # fmt: skip
        assert point.reference == pytest.approx(float(row["valid_accuracy_pct"]) / 100)
    same = {point.label for point in loaded.points if point.same_as == "epochs_5"}
    assert same == {"units_256_256", "batchsize_64", "depth_2", "lr_0.001", "optimizer_Adam"}
    assert len(sweep.configs(loaded, 1)) == 61 - 5


@pytest.mark.parametrize(("model", "file"), [("mlp", "mnist_mlp_11.csv"), ("cnn", "mnist_cnn_9.csv")])
def test_the_published_mnist_sweeps_are_the_published_tables(model, file):
    rows = reference(file)
    stated, run = sweep.load(f"published-{model}", model), sweep.load(f"published-{model}-as-run", model)
    assert labels(stated) == labels(run) == [f"{row['id']} {row['description']}" for row in rows]
    for row, as_stated, as_run in zip(rows, stated.points, run.points, strict=True):
        fields = {"lr": row["lr"], "batch_size": row["batch_size"], "steps": row["steps"]}
        assert as_stated.config == make_config({"model": model, **fields})
        assert as_stated.reference == as_run.reference == pytest.approx(float(row["test_accuracy_pct"]) / 100)
        assert as_run.config.steps == int(row["steps"])
    ran = run.points[0].config
    assert (ran.optimizer, ran.lr, ran.momentum, ran.weight_decay, ran.batch_size) == ("muon", 0.02, 0.95, 0, 512)
    assert (ran.angle, ran.scale, ran.shift, ran.sampling, ran.pivot) == (15, 0.1, 0.1, "nearest", "corner")
    assert (ran.scaling, ran.eval_every) == ("signed", 10)
    # what the program ignored does not multiply the runs: one experiment for each length
    assert [config.steps for config in sweep.configs(run, 1)] == [100, 1000, 500]
    assert len(sweep.configs(stated, 1)) == len(rows)


@pytest.mark.parametrize("model", models.names())
def test_the_published_final_sweep_has_the_rows_that_are_fully_specified(model):
    (row,) = [row for row in reference("mnist_final.csv") if row["model"] == model and all(row.values())]
    (point,) = sweep.load("published-final", model).points
    config = point.config
    assert point.reference == pytest.approx(float(row["test_accuracy_pct"]) / 100)
    assert (config.optimizer, config.get("activation")) == (row["optimizer"].lower(), row["activation"].lower())
    assert (config.lr, config.batch_size, config.epochs) == (
        float(row["lr"]),
        int(row["batch_size"]),
        int(row["epochs"]),
    )
    assert config.get("units") == ((512, 512) if model == "mlp" else None)
    assert config.get("filters") == ((32, 32, 64, 64) if model == "cnn" else None)
