"""Facts are computed from hand-made records; every plot is drawn from shipped ones."""

import ast
import dataclasses
import json
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from explorer.config import make_config
from explorer.judging import study
from explorer.judging.runs import ConfigResult, Lost, Runs
from explorer.judging.settled import SettledSweep
from explorer.judging.shifts import Moved
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.record import Seconds
from explorer.running.ledger import Ledger
from explorer.telling import plots, words
from explorer.telling.plots import (
    PLOTS,
    accuracy,
    confusion,
    curves,
    heat,
    importance,
    pareto,
    picture,
    png,
    ranking,
    size,
    spent,
)
from explorer.telling.plots.facts import Bar, Names, Pair, Predictions, bar_of, names_of_configs, names_of_points
from tests.records import LR, PAIR, POINTS, runs
from tests.test_results import four_rates, judged
from tests.test_settle import a_settled_sweep
from tests.test_shifts import made_up
from tests.test_studies import a_search, a_study


def pair_records():
    return [
        *runs({"lr": 0.001, "batch_size": 16}, [0.90, 0.91]),
        *runs({"lr": 0.001, "batch_size": 32}, [0.92, 0.93]),
        *runs({"lr": 0.003, "batch_size": 16}, [0.94, 0.96]),
        *runs({"lr": 0.003, "batch_size": 32}, [None, None]),
    ]


def pair_of(found, sweeps=()):
    return Pair("mlp", "digits", found.ranked("mlp", "digits"), sweeps)


def test_a_bar_is_mean_and_interval_and_one_seed_has_none():
    three = bar_of({0: 0.94, 1: 0.95, 2: 0.96})
    assert three.mean == pytest.approx(0.95)
    assert three.half_width == pytest.approx(4.302653 * 0.01 / 3**0.5)
    assert bar_of({0: 0.9}) == Bar(0.9, None, 1)
    assert bar_of({}) is None


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        ([0.001, 0.003, 0.01, 0.03], True),
        ([16, 32, 64, 128, 256], True),
        ([0.0, 0.1, 0.2, 0.5], False),
        ([1, 2, 3, 4, 8], False),
        ([50, 100, 250, 500, 1000], True),
        ([1, 2], False),
    ],
)
def test_a_grid_of_factors_gets_a_log_axis(values, geometric):
    assert accuracy.is_geometric(values) == geometric


def test_facts_of_a_numeric_knob_run_along_it(tmp_path):
    records = [*four_rates()[:9], *runs({"lr": 0.01}, [None, 0.95, None])]
    facts = accuracy.facts(judged(tmp_path, LR, records))
    assert facts.axis == "learning rate"
    assert facts.log
    assert [row.x for row in facts.rows] == [0.0003, 0.001, 0.003, 0.01]
    assert (facts.baseline, facts.winner) == ("lr 0.001", "lr 0.003")
    assert facts.rows[1].test.mean == pytest.approx(0.94)
    assert facts.rows[3].lost == Lost(diverged=2, failed=0, of=3, steps=(7,))
    assert facts.rows[3].validation.n == 1
    assert "n = 1 to 3 seeds" in facts.caption


def test_a_caption_speaks_of_intervals_only_where_there_are_some(tmp_path):
    for seeds, told in ((2, False), (3, True)):
        records = [item for item in four_rates() if item.seed < seeds]
        caption = accuracy.facts(judged(tmp_path, LR, records, seeds=seeds)).caption
        assert (f"n = {seeds} seeds" in caption, "95 % interval" in caption) == (True, told)


def test_facts_of_listed_points_are_sorted_with_their_published_figures(tmp_path):
    found = judged(tmp_path, POINTS, [*runs({"lr": 0.001}, [0.9, 0.91]), *runs({"lr": 0.003}, [0.93, 0.95])], seeds=2)
    facts = accuracy.facts(found)
    assert facts.axis is None
    assert [(row.label, row.reference) for row in facts.rows] == [("other", None), ("first", 0.93)]


def test_curves_are_validation_errors_of_every_seed_and_their_mean_from_the_first_look_on(tmp_path):
    facts = curves.facts(judged(tmp_path, LR, four_rates()))
    assert [curve.label for curve in facts.curves] == ["0.0003", "0.001 (baseline)", "0.003 (best)", "0.01"]
    assert (facts.names, facts.curves[facts.best].label) == ("learning rate", "0.003 (best)")
    curve = facts.curves[1]
    assert curve.steps == (10, 20, 30)
    assert curve.seeds[0] == pytest.approx((1 - 0.74, 1 - 0.84, 1 - 0.94))
    assert curve.error == pytest.approx((1 - 0.75, 1 - 0.85, 1 - 0.95))
    assert curve.train == ()
    assert curves.facts(judged(tmp_path, LR, [])) is None


RATES = "[base]\nsteps = 30\n[grid]\nlr = [0.0003, 0.001, 0.003, 0.01, 0.03]\n"


def test_up_to_four_curves_share_a_panel_and_more_get_one_each_with_the_same_axes(tmp_path):
    four = curves.facts(judged(tmp_path, LR, four_rates()))
    (axes,) = drawing(curves, four).axes
    assert axes.get_legend() is None
    ends = [text for text in axes.texts if text.get_text()]
    assert {text.get_text() for text in ends} == {curve.label for curve in four.curves}
    heights = sorted(text.xy[1] for text in ends)  # shares of the axes: no name lies on another
    assert min(np.diff(heights)) > 0.05
    assert all(line.get_color() != picture.PALE for line in axes.lines)

    five = curves.facts(judged(tmp_path, RATES, [*four_rates(), *runs({"lr": 0.03}, [0.9, 0.91, 0.92])]))
    panels = [axes for axes in drawing(curves, five).axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == [curve.label for curve in five.curves]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}) == 1
    assert {axes.get_yscale() for axes in panels} == {"log"}


def test_the_best_of_a_model_are_shown_with_their_training_error():
    facts = curves.facts(pair_of(Runs(four_rates())))
    assert facts.curves[0].label == "learning rate 0.003"
    assert facts.panels
    assert facts.curves[0].train == pytest.approx((1 - (0.96 + 0.9701 + 0.98) / 3 - 0.005,) * 3)


def drawing(plot, facts):
    """The figure of facts, in the pictures' own style."""
    found = []
    picture.png_of(lambda: found.append(plot.draw(facts)) or found[0])
    return found[0]


def test_rows_are_named_by_what_differs_and_what_all_share_is_said_once():
    made = [
        make_config({"model": "mlp", "lr": 0.003, "lr_schedule": "cosine", **more})
        for more in ({}, {"batchnorm": True, "angle": 10}, {"batch_size": 256})
    ]
    names = names_of_configs(made)
    assert names.shared == "learning rate 0.003, cosine"
    assert names.labels == ("defaults", "batch normalization, rotation ±10°", "batch 256")
    assert names_of_configs(made[1:2]).labels == ("learning rate 0.003, cosine, batch normalization, rotation ±10°",)


def test_points_are_named_by_their_values_and_the_axis_says_of_what():
    assert names_of_points(["batch size 16", "batch size 32"], ("batch_size", "steps")) == Names(
        ("16", "32"), "batch size (images)"
    )
    assert names_of_points(["0.1 / relu", "0.2 / relu"], ("lr", "activation")).shared == "learning rate / activation"
    assert names_of_points(["none", "angle 10"], ("angle", "scale")) == Names(("none", "angle 10"), "")


def test_no_word_of_a_long_label_is_cut():
    same = {"units": [512, 512, 512], "batchnorm": True, "scale": 0.1, "shift": 1, "lr_schedule": "cosine"}
    records = [
        *runs({"lr": 0.1, **same, "angle": 10}, [0.95, 0.951, 0.952]),
        *runs({"lr": 0.2, "angle": 20}, [0.94, 0.93, 0.935]),
    ]
    (axes,) = drawing(ranking, ranking.facts(pair_of(Runs(records)))).axes
    told = [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()]
    assert told == [
        "learning rate 0.1, cosine, units 512,512,512, batch normalization, rotation ±10°, zoom ±0.1, shift ±1 pixels",
        "learning rate 0.2, rotation ±20°",
    ]


def test_near_100_per_cent_an_axis_shows_errors_and_below_it_accuracies():
    low = picture.scale([Bar(0.90, 0.01, 3), Bar(0.80, 0.01, 3)])
    assert not low.error
    assert low.of(0.9) == pytest.approx(90)
    near = picture.scale([Bar(0.99, 0.001, 3), Bar(0.98, 0.001, 3)])
    assert near.error
    assert near.of(0.99) == pytest.approx(1)
    assert near.low < 0.9
    assert near.high > 2.1
    assert near.of(1.0) == near.low  # no error at all has no place on a log axis
    assert near.arms(Bar(0.99, 0.05, 3)) == (pytest.approx(1 - near.low), pytest.approx(5))
    assert not near.is_beyond(0.98)
    assert near.is_beyond(0.5)


def test_errors_many_times_the_others_fall_off_the_axis():
    bars = [Bar(accuracy, 0.001, 3) for accuracy in (0.98, 0.978, 0.975, 0.97, 0.1)]
    assert picture.scale(bars).is_beyond(0.1)
    assert not picture.scale([*bars[:-1], Bar(0.9, 0.001, 3)]).is_beyond(0.9)


@pytest.mark.parametrize(("low", "high"), [(1e-5, 0.03), (1.8, 4.2), (3.01, 3.4), (0.3, 95.0), (2.0, 2.1)])
def test_a_log_axis_has_some_plain_numbers_and_not_too_many(low, high):
    ticks = picture.plain_ticks(low, high, 8)
    assert 3 <= len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks)


def test_a_sweep_without_any_result_has_no_picture(tmp_path):
    lost = runs({"lr": 0.001}, [None, None])
    assert accuracy.facts(judged(tmp_path, LR, lost)) is None
    assert heat.facts(judged(tmp_path, PAIR, runs({"lr": 0.001, "batch_size": 16}, [None]))) is None


def test_heat_map_cells_lie_where_their_knobs_say(tmp_path):
    facts = heat.facts(judged(tmp_path, PAIR, pair_records(), seeds=2))
    assert (facts.rows, facts.columns) == (("0.001", "0.003"), ("16", "32"))
    assert [[cell and round(cell.mean, 4) for cell in row] for row in facts.cells] == [[0.905, 0.925], [0.95, None]]
    assert facts.lost[1][1] == Lost(diverged=2, failed=0, of=2, steps=(7,))
    assert (facts.best, facts.baseline) == ((1, 0), (0, 1))


def test_the_pareto_front_leaves_out_what_is_slower_and_worse():
    def timed(lr, accuracy, seconds):
        return runs({"lr": lr}, [accuracy] * 2, seconds=Seconds(train=seconds))

    runs_ = Runs([*timed(0.1, 0.9, 1.0), *timed(0.2, 0.8, 2.0), *timed(0.3, 0.95, 3.0)])
    facts = pareto.facts(pair_of(runs_))
    assert facts.seconds == (1.0, 2.0, 3.0)
    assert facts.front == (True, False, True)


def test_sizes_are_a_line_a_depth_with_the_fewest_parameters_first(tmp_path):
    text = "base.steps = 30\ngrid.width = [64, 32]\ngrid.depth = [1, 2]\n"
    records = [
        one
        for width, seconds in ((32, 1.0), (64, 3.0))
        for depth in (1, 2)
        for one in runs({"width": width, "depth": depth}, [0.9, 0.91, 0.92], parameters=100 * width * depth,
                        seconds=Seconds(compile=0.0, train=seconds * depth, eval=0.0))
    ]  # fmt: skip
    found = size.facts(judged(tmp_path, text, records))
    assert [line.name for line in found.lines] == ["depth 1", "depth 2"]
    assert [line.widths for line in found.lines] == [("32", "64")] * 2
    assert [line.seconds for line in found.lines] == [(1.0, 3.0), (2.0, 6.0)]
    assert found.lines[1].parameters == (6400, 12800)
    assert size.facts(judged(tmp_path, LR, four_rates())) is None


def test_importance_takes_sweeps_about_one_thing_and_sorts_them(tmp_path):
    lr, pair = judged(tmp_path, LR, four_rates()), judged(tmp_path, PAIR, pair_records(), seeds=2)
    facts = importance.facts(Pair("mlp", "digits", (), [pair, lr]))
    assert [(row.sweep, row.title) for row in facts.rows] == [("mine", lr.sweep.title)]
    assert facts.rows[0].effect == pytest.approx(lr.importance.corrected)
    assert facts.rows[0].noise == pytest.approx(0.01, rel=0.35)
    assert importance.facts(Pair("mlp", "digits", (), [pair])) is None


def test_a_searchs_finalists_are_a_row_each_and_its_other_tries_one():
    judged = a_search()
    facts, (best,) = spent.facts(judged), judged.contenders
    *finalists, other = zip(facts.labels, facts.runs, facts.lengths, strict=True)
    assert other == ("all other tries", (12 - len(best.finalists), 0, 0), (2.0 * (12 - len(best.finalists)), 0, 0))
    seeds, fresh = judged.question.seeds, judged.question.fresh_seeds
    won = [best.fresh.config == run.config for run in best.finalists]
    assert [runs for _, runs, _ in finalists] == [(1, seeds - 1, fresh if winner else 0) for winner in won]
    assert sum(won) == 1
    assert words.setting(best.setting) == finalists[won.index(True)][0]


def test_of_a_settled_sweep_each_points_seeds_are_shown_look_by_look():
    judged = a_settled_sweep()
    facts = spent.facts(judged)
    rows = dict(zip(facts.labels, facts.runs, strict=True))
    assert rows["0.01"] == (3, *(0,) * (len(facts.stages) - 1))  # settled at once
    assert rows["0.003"][:2] == (3, 2)
    assert facts.stages[:2] == ("3", "5")
    assert [sum(row) for row in facts.runs] == list(judged.settlement.seeds)
    assert len(facts.stages) == judged.settlement.looks
    nothing = dataclasses.replace(
        judged, points={label: ConfigResult(one.config, {}) for label, one in judged.points.items()}
    )
    assert spent.facts(nothing) is None


def test_ranking_lists_configurations_by_their_means():
    records = [
        *runs({"lr": 0.1}, [0.95, 0.951, 0.952, 0.953]),
        *runs({"lr": 0.2}, [0.951, 0.950, 0.953, 0.951]),
        *runs({"lr": 0.3}, [0.80, 0.801, 0.8021, 0.803]),
    ]
    facts = ranking.facts(pair_of(Runs(records)))
    assert facts.labels == ("learning rate 0.1", "learning rate 0.2", "learning rate 0.3")
    assert facts.caption.endswith("All: 30 steps.")
    assert "Test: the seeds that chose." in facts.caption
    assert facts.target is None


def test_confusion_counts_and_the_surest_errors_first():
    logits = np.zeros((4, 10))
    logits[range(4), [3, 5, 5, 7]] = [9.0, 2.0, 8.0, 1.0]
    images = np.arange(4 * 6).reshape(4, 2, 3)
    predicted = Predictions("mlp", "digits", "defaults", logits, np.array([3, 1, 2, 7]), images)
    facts = confusion.facts(predicted)
    assert sum(map(sum, facts.counts)) == 4
    assert (facts.counts[3][3], facts.counts[1][5], facts.counts[2][5]) == (1, 1, 1)
    assert [(wrong.index, wrong.true, wrong.predicted) for wrong in facts.wrong] == [(2, 2, 5), (1, 1, 5)]
    assert facts.wrong[0].image == ((12, 13, 14), (15, 16, 17))
    assert facts.wrong[0].confidence == pytest.approx(np.exp(8) / (np.exp(8) + 9))
    assert "2 of 4 test images wrong" in facts.caption


SHIPPED = Path(__file__).parent.parent / "results"
HOSTILE = r"$a_b_c$ \frac{1}{0} 100 % {x} $"


@pytest.fixture(scope="module")
def shipped(digits):
    """One subject of each type that a plot can be about, from shipped records and real digits."""
    found = Runs(
        record for record in Ledger(SHIPPED, read_only=True).records() if record.config["dataset"] == "fashion"
    )
    sweeps = [item for item in study.read(found, SHIPPED).sweeps if item.request.model == "mlp"]
    by_name = {item.slug: item for item in sweeps}
    images, labels = digits.train_images.astype(float), digits.train_labels
    middles = np.array([images[labels == label].mean(axis=0).ravel() for label in range(10)])
    flat = digits.test_images.reshape(len(digits.test_images), -1)
    logits = -np.linalg.norm(flat[:, None] - middles, axis=2)
    return {
        StudyResult: [a_study("fashion"), a_search("fashion")],
        SettledSweep: [a_settled_sweep("fashion")],
        SweepResult: [
            by_name[name] for name in ("lr", "opt", "lr-bs", "width", "width-depth")
        ],  # a line, dots, heat maps
        Pair: [Pair("mlp", "fashion", found.ranked("mlp", "fashion"), sweeps)],
        Moved: [made_up()],
        Predictions: [Predictions("mlp", "digits", "nearest mean", logits, digits.test_labels, digits.test_images)],
    }


def facts_of(plot, shipped):
    """What a plot shows of every subject it can be about: its annotation says which."""
    about = typing.get_type_hints(plot.facts)
    kinds = next(kind for name, kind in about.items() if name != "return")
    subjects = [subject for kind in typing.get_args(kinds) or (kinds,) for subject in shipped[kind]]
    found = [facts for facts in map(plot.facts, subjects) if facts]
    assert found, plot.name
    return found


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_draws_shipped_records_as_a_readable_small_png(name, shipped, tmp_path):
    figures = []
    plot = dataclasses.replace(PLOTS[name], draw=lambda facts: figures.append(PLOTS[name].draw(facts)) or figures[-1])
    for number, facts in enumerate(facts_of(PLOTS[name], shipped)):
        path = png.write(tmp_path / f"{number}.png", plot, facts)
        with Image.open(path) as image:
            image.load()
            assert 700 <= image.width <= 1300
            assert 300 <= image.height <= 1000
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10  # something was drawn
        assert path.stat().st_size < 150_000
        texts = figures[-1].findobj(lambda artist: isinstance(artist, Text) and artist.get_text().strip() != "")
        assert min(text.get_fontsize() for text in texts) >= picture.SMALL  # to be read at half size


def with_every_word(value, word):
    """Facts with all their words exchanged for one."""
    if isinstance(value, str):
        return word
    if isinstance(value, tuple):
        return tuple(with_every_word(item, word) for item in value)
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{name: with_every_word(item, word) for name, item in fields.items()})
    return value


@pytest.mark.parametrize("name", PLOTS)
def test_a_formula_in_peoples_words_is_shown_as_it_was_written(name, shipped, tmp_path):
    facts = with_every_word(facts_of(PLOTS[name], shipped)[0], HOSTILE)
    assert HOSTILE in facts.title
    written = []

    def draw(given):
        figure = PLOTS[name].draw(given)
        written.append(figure.get_suptitle())
        return figure

    png.write(tmp_path / "a.png", dataclasses.replace(PLOTS[name], draw=draw), facts)  # a formula would raise here
    assert HOSTILE in written[0].replace("\n", " ")


@pytest.mark.parametrize("name", PLOTS)
def test_a_plots_file_has_one_facts_and_one_draw_and_leans_on_no_other_plot(name):
    tree = ast.parse(PLOTS[name].file.read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert (functions.count("facts"), functions.count("draw")) == (1, 1)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    used = {node.module for node in imports if node.module.startswith(plots.__name__)}
    assert used <= {plots.__name__, f"{plots.__name__}.facts", f"{plots.__name__}.picture"}
    shared = {item.name for node in imports if node.module == plots.__name__ for item in node.names}
    assert shared == {"picture"}  # or the digest of its drawing would not cover all of it


def test_naming_the_plots_imports_nothing_heavy():
    script = """
import sys
from explorer.telling.plots import PLOTS
assert len(PLOTS) == len(list(PLOTS)) >= 7 and "heat" in PLOTS and "png" not in PLOTS, list(PLOTS)
heavy = {"numpy", "scipy", "pandas", "matplotlib", "tinygrad", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(("classes", "side"), [(2, 8), (26, 40)])
def test_confusion_takes_any_number_of_classes_and_any_size_of_image(classes, side, tmp_path):
    labels = np.arange(3 * classes) % classes
    logits = np.eye(classes)[(labels + (labels == 1)) % classes]
    images = np.random.default_rng(0).random((len(labels), side, side // 2))
    facts = confusion.facts(Predictions("mlp", "mine", "defaults", logits, labels, images))
    assert facts.classes == tuple(map(str, range(classes)))
    assert (facts.counts[1][1], facts.counts[1][2 % classes]) == (0, 3)
    assert np.shape(facts.wrong[0].image) == (side, side // 2)
    plots.write(tmp_path / "a.png", "confusion", facts)


@pytest.fixture
def drawn(tmp_path):
    """write(facts, file=...) of a Pareto plot, what it drew so far, and where it lies."""
    drawings = []

    def draw(given):
        drawings.append(given)
        return pareto.draw(given)

    def write(facts, file=PLOTS["pareto"].file):
        return png.write(tmp_path / "a.png", dataclasses.replace(PLOTS["pareto"], draw=draw, file=file), facts)

    return write, drawings, tmp_path / "a.png"


def test_a_picture_is_drawn_again_only_if_its_facts_changed_and_to_the_same_bytes(drawn):
    write, drawings, path = drawn
    facts = pareto.facts(pair_of(Runs(four_rates())))
    first = write(facts).read_bytes()
    write(facts)
    assert len(drawings) == 1
    path.unlink()
    assert write(facts).read_bytes() == first
    fewer = pareto.facts(pair_of(Runs(four_rates()[:9])))
    assert write(fewer).read_bytes() != first
    assert len(drawings) == 3


def test_an_edit_that_changes_no_pixel_is_drawn_once_and_leaves_the_picture_alone(drawn, tmp_path):
    write, drawings, path = drawn
    facts = pareto.facts(pair_of(Runs(four_rates())))
    write(facts)
    Image.open(path).save(path, optimize=False, compress_level=1)  # the same pixels in other bytes
    before, edited = path.read_bytes(), tmp_path / "pareto.py"
    edited.write_text(PLOTS["pareto"].file.read_text() + "# a remark\n")
    write(facts, edited)
    write(facts, edited)
    assert len(drawings) == 2
    assert path.read_bytes() == before


def test_a_lost_note_and_a_broken_picture_are_made_good(drawn):
    write, drawings, path = drawn
    facts = pareto.facts(pair_of(Runs(four_rates())))
    first = write(facts).read_bytes()
    note = path.with_name(png.DRAWN)
    for broken in ("[]", "{"):
        note.write_text(broken)
        path.write_bytes(first[:100])
        write(facts)
        assert path.read_bytes() == first
    assert list(json.loads(note.read_text())) == ["a.png"]
    assert len(drawings) == 3
    assert not [item for item in path.parent.iterdir() if item.name.startswith(".")]  # no temporary file is left


def test_the_note_forgets_pictures_that_are_gone(drawn):
    write, _, path = drawn
    note = path.with_name(png.DRAWN)
    note.write_text(json.dumps({"gone.png": "x"}))
    write(pareto.facts(pair_of(Runs(four_rates()))))
    assert list(json.loads(note.read_text())) == ["a.png"]


def test_every_way_to_lose_a_run_is_told():
    assert picture.lost_words(Lost(diverged=2, failed=1, of=5, steps=(7,))) == ["2/5 diverged", "1/5 failed"]
    assert picture.lost_words(Lost(0, 0, 5, ())) == []


def test_points_far_below_the_rest_fall_off_the_axis_and_ordinary_ones_do_not():
    def bars(*means):
        return [Bar(mean, 0.001, 3) for mean in means]

    low, _ = picture.limits(bars(0.97, 0.968, 0.965, 0.1))
    assert 90 < low < 96.5
    low, high = picture.limits(bars(0.97, 0.965, 0.96, 0.955))
    assert low < 95.5
    assert high > 97.1
    assert picture.limits([Bar(0.999, 0.2, 3)])[1] <= 100.2
