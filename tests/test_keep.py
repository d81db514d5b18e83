"""--keep, predict and show, as a person types them."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from explorer import predict, run
from explorer.cli import output
from explorer.errors import UserError
from explorer.running import nets
from tests.conftest import PROJECT
from tests.test_cli import explorer, recorded, refused, tiny
from tests.test_pictures import seven


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """(results, record) of one run whose net was kept."""
    folder = tmp_path_factory.mktemp("kept")
    answer = tiny(folder, "--steps", 60, "--keep")
    assert answer.returncode == 0, answer.stderr
    (record,) = recorded(folder)
    assert str(nets.path_of(folder, record["id"])) in answer.stdout
    return folder, record


def test_a_kept_net_measures_as_its_record_says(kept):
    folder, record = kept
    answer = explorer("show", record["id"][:6], "--measure", "--results", folder)
    assert answer.returncode == 0, answer.stderr
    assert repr(record["val_loss"]) in answer.stdout
    assert repr(record["test_accuracy"]) in answer.stdout
    assert answer.stdout.count("equal") == 3
    assert nets.load(nets.path_of(folder, record["id"])).record.to_json() == record


def test_measured_by_other_code_it_says_what_differs_and_exits_1(kept):
    folder, record = kept
    path = nets.path_of(folder, record["id"])
    answer = explorer("show", record["id"], "--measure", "--results", folder, "--kernels", "off")
    assert answer.returncode in (0, 1), answer.stderr
    assert ("differs from the recorded" in answer.stdout) == (answer.returncode == 1)
    assert path.exists()


def test_a_recorded_run_without_its_net_is_trained_again_for_it_alone(tmp_path):
    tiny(tmp_path, "--steps", 3, "--quiet")
    assert not (tmp_path / "nets").exists()
    assert "trained again" in tiny(tmp_path, "--steps", 3, "--keep").stdout
    first, second = recorded(tmp_path)
    assert (first["id"], first["test_accuracy"]) == (second["id"], second["test_accuracy"])
    assert "shown, not trained" in tiny(tmp_path, "--steps", 3, "--keep").stdout
    assert len(recorded(tmp_path)) == 2


def test_a_diverged_run_keeps_no_net(tmp_path):
    answer = tiny(tmp_path, "--steps", 60, "--lr", "1e6", "--keep")
    assert answer.returncode == 3
    assert not (tmp_path / "nets").exists()


def test_predict_says_class_and_probabilities_of_pictures(kept, tmp_path):
    folder, record = kept
    Image.fromarray(255 - seven()).save(tmp_path / "seven.png")
    answer = explorer("predict", tmp_path / "seven.png", "--results", folder)
    assert answer.returncode == 0, answer.stderr
    assert record["id"] in answer.stdout
    assert re.search(r"seven.png +\d +\d+\.\d\d % +\d \d+\.\d\d %, \d \d+\.\d\d %", answer.stdout)
    answer = explorer("predict", tmp_path, "--model", "mlp", "--json", "--results", folder)
    (line,) = map(json.loads, answer.stdout.splitlines())
    assert line["picture"] == "seven.png"
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert line["class"] == max(line["probabilities"], key=line["probabilities"].get)


def test_predict_counts_what_is_right_where_the_labels_are_known(kept, tmp_path, digits):
    folder, record = kept
    np.savez(tmp_path / "test.npz", x_test=digits.test_images, y_test=digits.test_labels)
    answer = explorer("predict", tmp_path / "test.npz", "--results", folder)
    right = round(record["test_accuracy"] * len(digits.test_labels))
    assert f"{right} of 297 right" in answer.stdout


def test_a_bad_picture_is_one_line_and_costs_the_others_nothing(kept, tmp_path):
    folder, _ = kept
    (tmp_path / "bad.png").write_bytes(b"no picture")
    line = refused(explorer("predict", tmp_path / "bad.png", "--results", folder))
    assert str(tmp_path / "bad.png") in line
    Image.fromarray(seven()).save(tmp_path / "good.png")
    answer = explorer("predict", tmp_path, "--results", folder)
    assert answer.returncode == 2
    assert "good.png" in answer.stdout
    assert answer.stderr.startswith("error: ")


def test_without_a_kept_net_predict_says_how_to_keep_one(tmp_path):
    assert "--keep" in refused(explorer("predict", "seven.png", "--results", tmp_path))


def test_a_sweep_keeps_the_net_of_its_best_and_no_other(tmp_path):
    (tmp_path / "tiny.toml").write_text(
        'title = "T"\nquestion = "Q?"\nseeds = 2\n[mlp.base]\nunits = [24]\nbatch_size = 32\nsteps = 20\n'
        "[mlp.grid]\nlr = [0.01, 0.001, 0.00001]\n"
    )
    places = ["--results", tmp_path / "r", "--media", tmp_path / "m", "--report", tmp_path / "R.md"]
    answer = explorer("mlp", "--sweep", tmp_path / "tiny.toml", "--dataset", "digits", "--jobs", "1", *places)
    assert answer.returncode == 0, answer.stderr
    best = explorer("best", "mlp", *places[:2]).stdout
    (net,) = nets.all_kept([tmp_path / "r"])
    assert f"--lr {net.config.lr:g}" in best or net.config.lr == 0.001
    assert (net.config.seed, net.about.asked) == (0, False)
    again = explorer("mlp", "--sweep", tmp_path / "tiny.toml", "--dataset", "digits", "--keep", *places)
    assert again.returncode == 0, again.stderr
    (net,) = nets.all_kept([tmp_path / "r"])
    assert net.about.asked


def test_the_library_keeps_and_asks(tmp_path, digits):
    fields = {"model": "mlp", "dataset": "digits", "units": [24], "batch_size": 32, "steps": 60}
    with pytest.raises(UserError, match="results"):
        run(**fields, keep=True)
    record = run(**fields, results=tmp_path, keep=True)
    answers = predict(digits.test_images, results=tmp_path)
    said = [answer.said == str(label) for answer, label in zip(answers, digits.test_labels, strict=True)]
    assert np.mean(said) == pytest.approx(record.test_accuracy, abs=1e-6)
    Image.fromarray(seven()).save(tmp_path / "seven.png")
    (answer,) = predict(tmp_path / "seven.png", "mlp", results=tmp_path)
    assert answer.ranked[0][0] == answer.said
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    with pytest.raises(UserError, match=r"missing\.png"):
        predict(tmp_path / "missing.png", results=tmp_path)


def test_show_has_the_figures_the_curve_and_the_command(kept):
    folder, record = kept
    answer = explorer("show", record["id"][:8], "--results", folder)
    assert answer.returncode == 0, answer.stderr
    assert "python mnist_explorer.py mlp --dataset digits" in answer.stdout
    assert f"{100 * record['test_accuracy']:.2f} %" in answer.stdout
    rows = [line for line in answer.stdout.splitlines() if "█" in line]
    assert len(rows) >= len(record["history"]) - 1
    assert json.loads(explorer("show", record["id"], "--json", "--results", folder).stdout) == record
    (folder / "again.toml").write_text(explorer("show", record["id"], "--toml", "--results", folder).stdout)
    answer = explorer("mlp", "--config", folder / "again.toml", "--json", "--results", folder)
    assert json.loads(answer.stdout) == record
    assert "runs lists" in refused(explorer("show", "0000", "--results", folder))


def test_a_recorded_run_is_shown_with_its_curve(kept):
    folder, _ = kept
    answer = tiny(folder, "--steps", 60)
    assert "shown, not trained" in answer.stdout
    assert "█" in answer.stdout


@pytest.mark.parametrize("columns", [80, 200])
def test_tables_fit_the_columns_there_are(kept, columns):
    folder, _ = kept
    for words in (["list"], ["runs"], ["list", "mlp", "lr"]):
        answer = explorer(*words, "--results", folder, environment={"COLUMNS": str(columns)})
        assert answer.returncode == 0, answer.stderr
        assert max(map(len, answer.stdout.splitlines())) <= columns
        assert "\x1b" not in answer.stdout


def test_list_has_a_line_a_sweep_and_all_of_one(kept):
    folder, _ = kept
    narrow = {"COLUMNS": "80"}
    every = explorer("list", "--results", folder, environment=narrow).stdout
    names = [path.stem for path in (PROJECT / "sweeps").glob("*.toml") if path.stem != "search"]
    lines = every.splitlines()
    assert len(lines) <= len(names) + 6
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in names)
    one = " ".join(explorer("list", "lr", "--results", folder, environment=narrow).stdout.split())
    assert "Which learning rate is best" in one and "7 points x 10 seeds" in one
    assert "python mnist_explorer.py cnn --sweep lr" in one


def test_a_table_without_room_leaves_out_what_matters_least_and_says_so(capsys, monkeypatch):
    found = [{"point": f"point {number}", "n": 3, "validation %": "97.93 ± 0.12", "verdict": "likely better " * 3,
              "test %": "97.93 ± 0.12", "seconds": "12"} for number in range(3)]  # fmt: skip
    for columns, told in ((80, ("point", "n", "validation %", "verdict")), (120, tuple(found[0]))):
        monkeypatch.setenv("COLUMNS", str(columns))
        output.rows(found, spare=("seconds", "test %"))
        drawn = capsys.readouterr().out
        assert all(len(line) <= columns for line in drawn.splitlines())
        assert [head for head in found[0] if head in drawn.splitlines()[0]] == list(told)
        assert ("seconds and test %" in drawn) == (columns == 80)


def test_list_runs_and_best_take_filters(kept):
    folder, record = kept
    where = ["--results", folder]
    assert "cnn" not in explorer("list", "mlp", *where).stdout
    only = explorer("list", "lr", *where).stdout
    assert "warm" not in only
    assert "did you mean 'mlp'?" in refused(explorer("list", "mpl", *where))
    assert "on fashion" in refused(explorer("list", "--dataset", "fashion", *where))
    assert record["id"][:8] in explorer("runs", "mlp", "--dataset", "digits", *where).stdout
    assert "no such run" in refused(explorer("runs", "cnn", *where))
    assert "mlp on digits" in explorer("best", "--dataset", "digits", *where).stdout
    assert "mlp on fashion" in refused(explorer("best", "mlp", "--dataset", "fashion", *where))
