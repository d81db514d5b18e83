"""The benchmarks' own arithmetic. Nothing is timed here: that would fail on a busy machine and prove nothing."""

import csv
import json
from itertools import pairwise

import pytest

from benchmarks import agreement, machine, step, sweep
from benchmarks.contenders import Contender, UnavailableError, flops_per_step
from explorer.errors import UserError
from tests.conftest import PROJECT


def test_flops_of_the_mlp_are_those_counted_by_hand():
    # 784x512 twice (no input gradient), 512x512 and 512x10 three times, 2 operations each
    assert flops_per_step("mlp", 1) == 2 * (2 * 401_408 + 3 * 262_144 + 3 * 5_120) == 3_209_216
    assert flops_per_step("mlp", 128) == 128 * 3_209_216


def test_flops_of_the_cnn_are_those_counted_by_hand():
    # multiply-adds of one image: 24x24x32x25, 20x20x32x32x25, 8x8x64x32x9, 6x6x64x64x9, 576x10
    by_hand = 2 * 460_800 + 3 * (10_240_000 + 1_179_648 + 1_327_104 + 5_760)
    assert flops_per_step("cnn", 1) == 2 * by_hand == 78_358_272


def test_flops_count_the_models_that_are_trained():
    from explorer.config import make_config
    from explorer.models.model import Images

    for model, known in (("mlp", [(512, 784), (512, 512), (10, 512)]), ("cnn", [(32, 1, 5, 5), (32, 32, 5, 5)])):
        layers = make_config({"model": model}).net.build(Images(28, 28, 10))
        weights = [layer.weight.shape for layer in layers if hasattr(layer, "weight")]
        assert weights[: len(known)] == known


def test_a_fast_contender_plays_every_round_and_fills_its_budget():
    assert step.plan(step_seconds=0.005, budget_seconds=9, rounds=9) == (9, 200)


def test_a_slow_contender_plays_fewer_rounds_but_never_fewer_than_two():
    assert step.plan(step_seconds=2, budget_seconds=9, rounds=9) == (4, 1)
    assert step.plan(step_seconds=60, budget_seconds=9, rounds=9) == (2, 1)


@pytest.mark.parametrize("turns", [2, 3, 4, 7, 9])
def test_the_turns_of_a_slow_contender_are_spread_over_the_rounds(turns):
    played = [number for number in range(9) if step.takes_part(number, 9, turns)]
    assert len(played) == turns
    gaps = [after - before for before, after in pairwise(played)]
    assert max(gaps) - min(gaps) <= 1


def measured() -> step.Cell:
    times = {"ours": [4.0, 5.0, 4.5], "torch": [9.0, 8.0, 30.0]}
    return step.Cell("mlp", 128, times, {"ours": 100, "torch": 50}, sgemm=[200.0, 100.0, 150.0], fma=[300.0])


def test_a_row_holds_medians_their_ratio_and_the_share_of_the_peaks():
    ours, torch = step.rows_of(measured())
    # 128 x 3,209,216 operations in 4.5 ms are 91.3 GFLOP/s: 61 % of 150 and 30 % of 300
    assert ours == ["mlp", "128", "ours", "4.50", "4.00-5.00", "0.50", "91", "61%", "30%", "3 x 100"]
    assert torch[3:6] == ["9.00", "8.00-30.00", "1.00"]


def test_without_pytorch_and_peaks_their_columns_are_empty():
    cell = measured()
    del cell.step_ms["torch"]
    cell.sgemm, cell.fma = [], []
    ((*_, ratio, gflops, sgemm, fma, _),) = step.rows_of(cell)
    assert (ratio, gflops, sgemm, fma) == ("", "91", "", "")


def test_the_report_says_whether_the_machine_was_quiet():
    cell = measured()
    cell.strangers = [0.0, 0.06]
    quiet = step.report([cell], "CPU", "mnist", [])
    assert "0.03 cores (n = 2)\n" in quiet
    cell.strangers = [0.9, 0.7]
    loud = step.report([cell], "CPU", "mnist", ["PyTorch is left out"])
    assert "0.80 cores (n = 2); **too much" in loud
    assert "- PyTorch is left out\n" in loud


def test_the_sweeps_table_compares_medians_and_says_what_was_extrapolated():
    text = sweep.table(
        {
            "ours": sweep.Timing([20.0, 30.0, 22.0], [0.94, 0.96]),
            "torch": sweep.Timing([40.0, 44.0, 48.0], [0.95]),
            "stock": sweep.Timing([900.0], [], "extrapolated"),
        }
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    assert cells[0] == ["ours, one process", "22.0", "20.0-30.0", "0.50", "95.00 % (2)", "3", ""]
    assert cells[2][1:] == ["900.0", "", "20.45", "", "1", "extrapolated"]


@pytest.mark.parametrize(("model", "rows"), [("mlp", 11), ("cnn", 9)])
def test_the_sweep_has_the_published_rows(model, rows):
    table = PROJECT.parent / "shared" / "reference" / f"mnist_{model}_{rows}.csv"
    if not table.is_file():
        pytest.skip("needs the published table, which lies outside the repository")
    with table.open() as stream:
        published = [(float(row["lr"]), int(row["batch_size"]), int(row["steps"])) for row in csv.DictReader(stream)]
    assert len(published) == rows
    assert published == [tuple(row) for row in sweep.published(model)]


def test_a_trial_shortens_the_rows_and_nothing_else():
    assert {row.steps for row in sweep.published("mlp", 20)} == {20}
    assert [row[:2] for row in sweep.published("mlp", 20)] == [row[:2] for row in sweep.published("mlp")]


def test_stock_rows_are_reckoned_from_a_sample_of_their_batch_size(monkeypatch):
    sample = {"sampling_seconds": 7.0, "step_seconds": 2.0, "look_seconds": 30.0}
    monkeypatch.setattr(sweep, "timed", lambda arguments: (12.0, json.dumps(sample)))
    timing = sweep.sample_stock("cnn", [sweep.Row(0.1, 64, 100), sweep.Row(0.2, 64, 25)])
    # a start of 5 s each; then 100 steps and 10 looks, and 25 steps and 3 looks
    assert timing.seconds == [(5 + 100 * 2 + 10 * 30) + (5 + 25 * 2 + 3 * 30)]
    assert timing.accuracies == []


def test_nets_agree_where_their_losses_do_and_accuracies_differ_less_than_seeds():
    def found(losses, accuracies=(0.80, 0.82, 0.84), moved=None) -> agreement.Found:
        return agreement.Found(losses, moved or losses, list(accuracies))

    def agree(ours, theirs) -> bool:
        return agreement.row_of("cnn", 16, ours, theirs)[1]

    flat = [2.0] * 25
    row, same = agreement.row_of("cnn", 16, found(flat), found([2.001] * 25, (0.81, 0.83, 0.85)))
    assert same
    assert row[:6] == ["cnn", "16", "25", "5.0e-04", "5.0e-04", "0.0e+00"]
    assert row[6:10] == ["82.00 ± 2.00 %", "83.00 ± 2.00 %", "-1.00", "3"]
    assert agree(found(flat), found(flat[:20] + [3.0] * 5))  # beyond the first 20 they may drift apart
    assert not agree(found(flat), found(flat, (0.85, 0.87, 0.89)))
    late, early = [2.0] * 19 + [2.01] * 6, [2.01] * 25
    assert not agree(found(flat), found(late))
    assert agree(found(flat), found(late, moved=[2.0] * 18 + [2.03] * 7))  # a net that drifts as far by itself
    assert not agree(found(flat), found(early, moved=[2.1] * 25))


def test_a_section_is_replaced_between_its_markers_and_again():
    text = "# Title\n<!-- begin a -->\nold\n<!-- end a -->\ntail\n"
    once = machine.replace_section(text, "a", "new\n")
    assert once == "# Title\n<!-- begin a -->\nnew\n<!-- end a -->\ntail\n"
    assert machine.replace_section(once, "a", "new") == once


def test_a_section_without_markers_is_added_at_the_end_and_a_broken_one_is_refused():
    assert machine.replace_section("text\n", "a", "new") == "text\n\n<!-- begin a -->\nnew\n<!-- end a -->\n"
    with pytest.raises(UserError, match="markers of a"):
        machine.replace_section("<!-- end a --> <!-- begin a -->", "a", "new")


def test_the_readme_has_the_sections_that_are_written():
    text = machine.README.read_text(encoding="utf-8")
    for name in ("step-cpu", "agreement", *sweep.SECTIONS.values()):
        assert machine.replace_section(text, name, "x").count(f"<!-- begin {name} -->\nx\n<!-- end {name} -->") == 1


def test_a_device_that_is_not_here_is_refused_in_one_line(monkeypatch):
    monkeypatch.delenv("MNIST_EXPLORER_DATA", raising=False)  # the digits load faster
    with pytest.raises(UnavailableError, match="device QCOM cannot be used here") as refusal:
        Contender("ours", "mlp", 32, "QCOM")
    assert "\n" not in str(refusal.value)
