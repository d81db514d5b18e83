"""Facts are computed from hand-made records; every kind of drawing is drawn once."""

import numpy as np
import pytest
from PIL import Image

from explorer.judging import stats
from explorer.judging.results import Runs, best_first
from explorer.record import Seconds
from explorer.telling import plots
from tests.records import LR, PAIR, POINTS, runs
from tests.test_results import four_rates, judged


def pair_records():
    return [
        *runs({"lr": 0.001, "batch_size": 16}, [0.90, 0.91]),
        *runs({"lr": 0.001, "batch_size": 32}, [0.92, 0.93]),
        *runs({"lr": 0.003, "batch_size": 16}, [0.94, 0.96]),
        *runs({"lr": 0.003, "batch_size": 32}, [None, None]),
    ]


def test_a_bar_is_mean_and_interval_and_one_seed_has_none():
    three = plots.bar({0: 0.94, 1: 0.95, 2: 0.96})
    assert three.mean == pytest.approx(0.95)
    assert three.half_width == pytest.approx(4.302653 * 0.01 / 3**0.5)
    assert plots.bar({0: 0.9}) == plots.Bar(0.9, None, 1)
    assert plots.bar({}) is None


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
    assert plots.is_geometric(values) == geometric


def test_facts_of_a_numeric_knob_run_along_it(tmp_path):
    records = [*four_rates()[:9], *runs({"lr": 0.01}, [None, 0.95, None])]
    facts = plots.accuracy_facts(judged(tmp_path, LR, records))
    assert facts.axis == "learning rate"
    assert facts.log
    assert [row.x for row in facts.rows] == [0.0003, 0.001, 0.003, 0.01]
    assert (facts.baseline, facts.winner) == ("lr 0.001", "lr 0.003")
    assert facts.rows[1].test.mean == pytest.approx(0.94)
    assert facts.rows[3].lost == "2 of 3 diverged (step 7)"
    assert facts.rows[3].validation.n == 1
    assert "n = 1 to 3 seeds" in facts.caption


def test_facts_of_listed_points_are_sorted_with_their_published_figures(tmp_path):
    found = judged(tmp_path, POINTS, [*runs({"lr": 0.001}, [0.9, 0.91]), *runs({"lr": 0.003}, [0.93, 0.95])], seeds=2)
    facts = plots.accuracy_facts(found)
    assert facts.axis is None
    assert [(row.label, row.reference) for row in facts.rows] == [("other", None), ("first", 0.93)]


def test_curves_are_means_over_seeds_of_winner_baseline_and_next(tmp_path):
    facts = plots.curves_facts(judged(tmp_path, LR, four_rates()), most=2)
    assert [curve.label for curve in facts.curves] == ["lr 0.003 (best)", "lr 0.001 (baseline)"]
    curve = facts.curves[1]
    assert curve.steps == (10, 20, 30)
    assert curve.validation == pytest.approx((0.75, 0.85, 0.95))
    assert curve.train == pytest.approx((0.955,) * 3)
    assert (curve.low[0], curve.high[0]) == pytest.approx((0.74, 0.76))  # 3 seeds: the lowest and the highest
    assert plots.curves_facts(judged(tmp_path, LR, [])) is None


def test_a_curves_band_is_the_interval_where_there_are_seeds_for_one():
    five = runs({"lr": 0.1}, [0.94, 0.95, 0.96, 0.97, 0.98])
    (run,) = best_first(Runs(five), "mlp", "digits")
    curve = plots.curve_of(run, "five")
    width = stats.mean_interval([0.74, 0.75, 0.76, 0.77, 0.78]).half_width
    assert (curve.low[0], curve.high[0]) == pytest.approx((0.76 - width, 0.76 + width))
    assert "band: 95 % interval of the mean, n = 5 seeds" in plots.curves_of("", [curve], 1, "digits").caption


def test_a_sweep_without_any_result_has_no_picture(tmp_path):
    lost = runs({"lr": 0.001}, [None, None])
    assert plots.accuracy_facts(judged(tmp_path, LR, lost)) is None
    assert plots.heat_facts(judged(tmp_path, PAIR, runs({"lr": 0.001, "batch_size": 16}, [None]))) is None


def test_heat_map_cells_lie_where_their_knobs_say(tmp_path):
    facts = plots.heat_facts(judged(tmp_path, PAIR, pair_records(), seeds=2))
    assert (facts.rows, facts.columns) == (("0.001", "0.003"), ("16", "32"))
    assert [[cell and round(cell.mean, 4) for cell in row] for row in facts.cells] == [[0.905, 0.925], [0.95, None]]
    assert facts.lost[1][1] == "2/2 diverged"
    assert (facts.best, facts.baseline) == ((1, 0), (0, 1))


def test_the_pareto_front_leaves_out_what_is_slower_and_worse():
    def timed(lr, accuracy, seconds):
        return runs({"lr": lr}, [accuracy] * 2, seconds=Seconds(train=seconds))

    runs_ = Runs([*timed(0.1, 0.9, 1.0), *timed(0.2, 0.8, 2.0), *timed(0.3, 0.95, 3.0)])
    facts = plots.pareto_facts("digits", "mlp", best_first(runs_, "mlp", "digits"))
    assert facts.seconds == (1.0, 2.0, 3.0)
    assert facts.front == (True, False, True)


def test_importance_takes_sweeps_about_one_thing_and_sorts_them(tmp_path):
    lr, pair = judged(tmp_path, LR, four_rates()), judged(tmp_path, PAIR, pair_records(), seeds=2)
    facts = plots.importance_facts("digits", "mlp", [pair, lr])
    assert [row.sweep for row in facts.rows] == ["mine"]
    assert facts.rows[0].effect == pytest.approx(lr.importance.corrected)
    assert facts.rows[0].noise == pytest.approx(0.01, rel=0.35)
    assert plots.importance_facts("digits", "mlp", [pair]) is None


def test_ranking_marks_what_cannot_be_told_from_the_best():
    records = [
        *runs({"lr": 0.1}, [0.95, 0.951, 0.952, 0.953]),
        *runs({"lr": 0.2}, [0.951, 0.950, 0.953, 0.951]),
        *runs({"lr": 0.3}, [0.80, 0.801, 0.8021, 0.803]),
    ]
    facts = plots.ranking_facts("digits", "mlp", best_first(Runs(records), "mlp", "digits"))
    assert facts.labels == ("lr 0.1, 30 steps", "lr 0.2, 30 steps", "lr 0.3, 30 steps")
    assert facts.tied == (True, True, False)
    assert facts.target is None


def test_confusion_counts_and_the_surest_errors_first():
    logits = np.zeros((4, 10))
    logits[range(4), [3, 5, 5, 7]] = [9.0, 2.0, 8.0, 1.0]
    facts = plots.confusion_facts("digits", "mlp", "defaults", logits, np.array([3, 1, 2, 7]))
    assert sum(map(sum, facts.counts)) == 4
    assert (facts.counts[3][3], facts.counts[1][5], facts.counts[2][5]) == (1, 1, 1)
    assert [wrong[:3] for wrong in facts.wrong] == [(2, 2, 5), (1, 1, 5)]
    assert facts.wrong[0][3] == pytest.approx(np.exp(8) / (np.exp(8) + 9))
    assert "2 of 4 test images wrong" in facts.caption


def test_every_kind_of_drawing_is_a_readable_small_png(tmp_path):
    records = [*four_rates()[:9], *runs({"lr": 0.01}, [None, 0.2, None])]
    lr = judged(tmp_path, LR, records)
    pair = judged(tmp_path, PAIR, pair_records(), seeds=2)
    published = judged(tmp_path, POINTS, records, seeds=3)
    ranked = best_first(Runs(records), "mlp", "digits")
    logits = np.eye(10)[np.arange(40) % 10] + np.eye(10)[0] * 2
    confusion = plots.confusion_facts("fashion", "mlp", "defaults", logits, np.arange(40) % 10)
    drawn = {
        "line": (plots.accuracy_facts(lr), plots.draw_accuracy),
        "dots": (plots.accuracy_facts(published), plots.draw_accuracy),
        "curves": (plots.curves_facts(lr), plots.draw_curves),
        "heat": (plots.heat_facts(pair), plots.draw_heat),
        "pareto": (plots.pareto_facts("digits", "mlp", ranked), plots.draw_pareto),
        "importance": (
            plots.importance_facts("digits", "mlp", [judged(tmp_path, LR, four_rates())]),
            plots.draw_importance,
        ),
        "ranking": (plots.ranking_facts("mnist", "mlp", ranked), plots.draw_ranking),
        "confusion": (confusion, plots.draw_confusion, np.ones((len(confusion.wrong), 28, 28))),
    }
    for name, (facts, draw, *arrays) in drawn.items():
        path = plots.write(tmp_path / "media" / f"{name}.png", facts, draw, *arrays)
        with Image.open(path) as image:
            image.load()
            assert 700 <= image.width <= 1300, name
            assert 300 <= image.height <= 1000, name
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10, name  # something was drawn
        assert path.stat().st_size < 150_000, name
    assert sorted(item.name for item in (tmp_path / "media").iterdir()) == sorted(f"{name}.png" for name in drawn)


def test_a_picture_is_drawn_again_only_if_its_facts_changed_and_to_the_same_bytes(tmp_path):
    facts = plots.pareto_facts("digits", "mlp", best_first(Runs(four_rates()), "mlp", "digits"))
    drawings = []

    def draw(given):
        drawings.append(given)
        return plots.draw_pareto(given)

    path = plots.write(tmp_path / "a.png", facts, draw)
    first = path.read_bytes()
    plots.write(path, facts, draw)
    assert len(drawings) == 1
    path.unlink()
    assert plots.write(path, facts, draw).read_bytes() == first
    fewer = plots.pareto_facts("digits", "mlp", best_first(Runs(four_rates()[:9]), "mlp", "digits"))
    assert plots.write(path, fewer, draw).read_bytes() != first
    assert len(drawings) == 3


def test_points_far_below_the_rest_fall_off_the_axis_and_ordinary_ones_do_not():
    def bars(*means):
        return [plots.Bar(mean, 0.001, 3) for mean in means]

    low, _ = plots._limits(bars(0.97, 0.968, 0.965, 0.1))
    assert 90 < low < 96.5
    low, high = plots._limits(bars(0.97, 0.965, 0.96, 0.955))
    assert low < 95.5
    assert high > 97.1
    assert plots._limits([plots.Bar(0.999, 0.2, 3)])[1] <= 100.2
