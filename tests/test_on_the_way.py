"""Tables say how runs came to their accuracy, where there is room for it; crossed knobs have a table of the best."""

import pytest

from explorer.telling import best_points, on_the_way, tables
from tests.records import LR, runs
from tests.test_results import four_rates, judged

CROSSED = """
base.steps = 30
baseline = { lr = 0.001, depth = 1, batch_size = 16 }
grid.lr = [0.001, 0.003, 0.01]
grid.depth = [1, 2]
grid.batch_size = [16, 32]
"""


def crossed():
    """The accuracy grows with the depth and falls with the rate; batch sizes are alike."""
    return [
        one
        for lr, down in ((0.001, 0.0), (0.003, 0.01), (0.01, 0.05))
        for depth in (1, 2)
        for size in (16, 32)
        for one in runs({"lr": lr, "depth": depth, "batch_size": size}, [0.9 - down + depth / 50, 0.901 - down])
    ]


def test_a_table_says_how_soon_how_steadily_and_with_what_losses(tmp_path):
    # looks at steps 10, 20, 30: 0.2, 0.1 and 0 below the accuracy at the end; losses 0.1 and 0.2
    table = tables.sweep_table(judged(tmp_path, LR, four_rates()))
    head, row = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if "validation %" in line or "lr 0.003" in line
    )
    cells = dict(zip(head, row, strict=True))
    assert cells["steps to 90 / 95 %"] == "30 / 30"
    assert cells[on_the_way.LAST_LOOKS] == "10.00"
    assert cells[on_the_way.LOSSES] == "0.100 / 0.200 (+0.100)"
    assert cells[on_the_way.GAP] == "+0.50"


def test_only_marks_that_all_runs_of_some_point_reached_have_a_place():
    slow, fast = runs({}, [0.91, 0.89]), runs({"lr": 0.01}, [0.975, 0.985])
    both = on_the_way.columns([slow, fast])
    assert [row["steps to 90 / 95 / 97 %"] for row in both] == ["- / - / -", "30 / 30 / 30"]
    (alone,) = on_the_way.columns([slow])
    assert not any(head.startswith("steps to") for head in alone)
    assert on_the_way.columns([[], []]) == [{}, {}]


@pytest.mark.parametrize("width", [80, 100, 120, 150, 200])
def test_what_has_no_room_falls_away_and_the_figures_stay(tmp_path, width):
    table = tables.sweep_table(judged(tmp_path, LR, four_rates()), "simple", width)
    assert max(map(len, table.splitlines())) <= width
    for head in ("point", "validation %", "test %", "verdict"):
        assert head in table.splitlines()[0]
    assert (on_the_way.GAP in table) == (width == 200)
    assert ("seconds" in table) == (width > 80)


def test_a_sweep_of_three_knobs_shows_its_best_eight_and_what_they_share(tmp_path):
    found = judged(tmp_path, CROSSED, crossed(), seeds=2)
    text, _, table, _ = best_points.told(found)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    ranked, head = rows[2:], rows[0]
    assert len(ranked) == best_points.MOST
    assert head[:4] == ["rank", "lr", "depth", "batch size"]
    assert {row[head.index("lr")] for row in ranked} == {"0.001", "0.003"}
    assert [row[head.index("depth")] for row in ranked[:2]] == ["2", "2"]
    assert text.startswith("**The best 8 of 12 points**: lr 0.001 to 0.003 (tried: 0.001 to 0.01)")
    assert best_points.told(judged(tmp_path, LR, four_rates())) == []
