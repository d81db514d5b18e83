"""Nets are asked about test images that move: what is measured, kept and told of it."""

import json

import numpy as np
import pytest

from explorer import run
from explorer.cli.main import main
from explorer.judging.runs import Runs
from explorer.judging.shifts import Moved, moved
from explorer.running import nets, shifted
from explorer.running.prepare import prepared
from explorer.running.shifted import Shifted
from explorer.telling import shifts
from tests.records import runs
from tests.test_cli import recorded
from tests.test_commands import places

QUESTION = """
title = "Shifts"
role = "recipes"
seeds = 2
base.steps = 20
mlp.base.units = [16]
mlp.grid.shift = [0, 1]
"""


def made_up(dataset: str = "digits") -> Moved:
    """An MLP that falls by 10 points a pixel, one trained with shifts that falls by 1.75, a CNN that falls by 4.5."""
    kinds = (
        ({"model": "mlp"}, 0.95, 0.10),
        ({"model": "mlp", "shift": 2}, 0.94, 0.0175),
        ({"model": "cnn"}, 0.98, 0.045),
    )
    records, measured = [], {}
    for values, level, fall in kinds:
        made = runs({"dataset": dataset, **values}, [level, level + 0.002, level - 0.002])
        records += made
        for one in made:
            accuracy = tuple(round(one.test_accuracy - fall * pixels, 6) for pixels in range(5))
            measured[one.id] = Shifted(one.id, accuracy, 100)
    (found,) = moved(Runs(records), measured)
    return found


def test_images_move_by_whole_pixels_and_black_comes_in():
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3)
    assert shifted.moved(image, 1, 0)[0].tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert shifted.moved(image, 0, -2)[0].tolist() == [[3, 0, 0], [6, 0, 0], [9, 0, 0]]
    assert shifted.moved(image, 0, 0).tolist() == image.tolist()
    assert not shifted.moved(image, -3, 0).any()


def test_where_images_stay_put_a_net_measures_as_its_record_says_and_farther_it_does_worse(tmp_path, digits):
    record = run(model="mlp", dataset="digits", steps=100, units=[16], results=tmp_path, keep=True)
    net = nets.load(nets.path_of(tmp_path, record.id))
    with prepared():
        found = shifted.measure(net, digits, 2)
    assert found.accuracy[0] == pytest.approx(record.test_accuracy, abs=1e-6)
    assert found.accuracy[0] > found.accuracy[1] > found.accuracy[2]
    assert found.images == len(digits.test_labels)


def test_what_was_measured_is_read_again_and_damaged_lines_are_left_out(tmp_path):
    shifted.append(tmp_path, Shifted("a", (0.9, 0.8), 10))
    shifted.append(tmp_path, Shifted("b", (0.7, 0.6), 10))
    shifted.append(tmp_path, Shifted("a", (0.95, 0.85), 10))
    with open(tmp_path / shifted.FILE, "ab") as file:
        file.write(b'{"id": "c", "accuracy": [], "images": 1}\n{"id": "d", "accuracy": [7.0], "images": 1}\nno json\n')
    found = shifted.read([tmp_path, tmp_path / "nowhere"])
    assert {id: one.accuracy for id, one in found.items()} == {"a": (0.95, 0.85), "b": (0.7, 0.6)}


def test_losses_and_who_bears_it_best_are_told_with_their_certainty():
    found = made_up()
    told = " ".join(shifts.sentences(found))
    assert "moved by 2 pixels" in told
    assert "MLP trained without shifts has 94.00 ± 0.50 % in place and 74.00 ± 0.50 % there (-20.00" in told
    assert "MLP trained with shifts up to 2 has 93.00 ± 0.50 % in place and 89.50" in told
    assert "There the MLP trained with shifts up to 2 does best." in told
    assert "CNN trained without shifts -1.50" in told
    table = shifts.table(found)
    assert "4 px, test %" in table and table.count("\n") == 4


def test_nets_that_were_not_recorded_here_or_failed_are_no_part_of_it():
    good, bad = runs({}, [0.9]), runs({"lr": 0.01}, [None])
    measured = {one.id: Shifted(one.id, (0.5, 0.4), 10) for one in (*good, *bad)} | {"gone": Shifted("gone", (1.0,), 1)}
    (found,) = moved(Runs([*good, *bad]), measured)
    assert [one.measured for one in found.results] == [{0: (0.5, 0.4)}]
    assert moved(Runs(good), {}) == ()


def test_the_command_trains_measures_and_shows_and_does_nothing_twice(tmp_path, undrawn, capsys):
    question, mine = tmp_path / "shifts.toml", tmp_path / "results"
    question.write_text(QUESTION)
    words = ["shift", "--sweep", str(question), "--dataset", "digits", *map(str, places(tmp_path))]
    assert main(words) == 0
    lines = (mine / shifted.FILE).read_text().splitlines()
    assert len(lines) == len(recorded(mine)) == 4
    assert all(len(json.loads(line)["accuracy"]) == 5 for line in lines)
    assert capsys.readouterr().out.count("seed 1: ") == 2
    assert main([*words, "--quiet"]) == 0
    assert (mine / shifted.FILE).read_text().splitlines() == lines
    assert len(recorded(mine)) == 4
    assert "4 px, test %" in capsys.readouterr().out
    asked = (tmp_path / "report" / "questions.md").read_text()
    assert "4 px, test %" in asked and "media/digits/shifts.png" in asked


def test_a_run_that_came_to_nothing_and_a_net_of_elsewhere_are_told(tmp_path, undrawn, capsys):
    question, mine = tmp_path / "shifts.toml", tmp_path / "results"
    question.write_text('role = "recipes"\nseeds = 1\nbase.steps = 20\nmlp.grid.lr = [0.001, 1e20]\n')
    words = ["shift", *map(str, places(tmp_path)), "--quiet"]
    assert main([*words, "--sweep", str(question), "--dataset", "digits"]) == 0
    assert "1 of 2 runs came to nothing" in capsys.readouterr().err
    assert len(recorded(mine)) == 2
    other = run(model="mlp", dataset="digits", steps=20, units=[16], results=tmp_path / "other", keep=True)
    assert main([*words, str(nets.path_of(tmp_path / "other", other.id))]) == 0
    assert other.id in capsys.readouterr().err


@pytest.mark.parametrize(("words", "line"), [
    (["0000abcd"], "no net is kept"),
    (["0000abcd", "--seeds", "2"], "--seeds"),
    (["--sweep", "depth-tuned"], "no study"),
])  # fmt: skip
def test_a_mistake_is_one_clear_line(tmp_path, capsys, words, line):
    assert main(["shift", *words, "--results", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and line in told.err
