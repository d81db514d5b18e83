"""The report is rebuilt from hand-made ledgers; what is drawn is kept small, for matplotlib is slow."""

import csv
import re

import numpy as np
import pytest
from msgspec.structs import replace

from explorer.judging.results import Runs
from explorer.record import Environment, stored
from explorer.running.ledger import Ledger
from explorer.running.requests import Request
from explorer.telling import findings, plots, report
from explorer.telling.findings import Study
from tests.records import LR, PAIR, POINTS, notebook, record, runs
from tests.test_plots import pair_records
from tests.test_results import four_rates, judged


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures as empty files: most of what is tested here is text."""

    def write(path, name, facts):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        return path

    monkeypatch.setattr(plots, "write", write)


def rebuild(folder, ledger, **options):
    files = report.rebuild(
        Runs(ledger.records()), folder / "results", folder / "media", folder / "REPORT.md", **options
    )
    return files, (folder / "REPORT.md").read_text()


def test_a_second_build_is_byte_identical_and_draws_nothing(tmp_path, monkeypatch):
    ledger = notebook(tmp_path, LR, four_rates())
    files, _ = rebuild(tmp_path, ledger)
    before = {path: path.read_bytes() for path in files}
    assert {path.suffix for path in files} == {".csv", ".png", ".md"}
    assert files[-1] == tmp_path / "REPORT.md"

    again, _ = rebuild(tmp_path, ledger)
    assert {path: path.read_bytes() for path in again} == before

    picture = tmp_path / "media" / "digits" / "mlp_mine.png"
    picture.unlink()
    rebuild(tmp_path, Ledger(tmp_path / "results"))
    assert picture.read_bytes() == before[picture]
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]  # no temporary file is left


def test_every_picture_and_csv_that_the_report_names_is_there(tmp_path, undrawn):
    ledger = notebook(tmp_path, LR, four_rates())
    files, text = rebuild(tmp_path, ledger)
    for path in files[:-1]:
        assert f"({path.relative_to(tmp_path).as_posix()})" in text
    assert "media/digits/mlp_mine.png" in text
    assert "media/digits/mlp_mine_curves.png" in text


def test_an_empty_ledger_makes_an_honest_report(tmp_path):
    _, text = rebuild(tmp_path, Ledger(tmp_path / "results"))
    assert "no run yet" in text
    assert "## Not run yet" in text
    assert "## Findings" not in text
    assert "![" not in text


def test_sections_without_data_are_left_out_and_listed(tmp_path, undrawn):
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, four_rates()))
    for section in (
        "MLP against CNN",
        "Interactions",
        "Published figures beside measured ones",
        "Where the best models",
    ):
        assert f"## {section}" not in text
    missing = text.split("## Not run yet")[1]
    assert "CNN on Fashion-MNIST" in missing
    assert "lr-opt" in missing
    assert "Where the best MLP on digits errs" in missing


def test_a_sweep_names_its_question_command_table_and_verdicts(tmp_path, undrawn):
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, four_rates()))
    section = text.split("### Learning rate: MLP on digits")[1]
    assert "**Question**: Which learning rate is best?" in section
    assert "**Hypothesis**: 0.001 is best." in section
    assert f"python mnist_explorer.py mlp --sweep {tmp_path}/mine.toml --dataset digits --seeds 3" in section
    assert "**Best on validation**: lr 0.003, 97.00 ± 2.48 % (n=3), test 96.00 ± 2.48 %" in section
    row = next(line for line in section.splitlines() if line.startswith("| lr 0.0003"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "lr 0.0003", "3", "91.01 ± 2.48", "90.01 ± 2.48", "-3.99 ± 0.03", "worse", "2.00",
    ]  # fmt: skip


def test_the_csv_holds_fractions_and_counts(tmp_path, undrawn):
    records = [*four_rates()[:9], *runs({"lr": 0.01}, [None, 0.95, 0.96])]
    rebuild(tmp_path, notebook(tmp_path, LR, records))
    rows = list(csv.DictReader((tmp_path / "results" / "digits_mlp_mine.csv").open()))
    assert [row["label"] for row in rows] == ["lr 0.0003", "lr 0.001", "lr 0.003", "lr 0.01"]
    assert rows[0]["lr"] == "0.0003"
    assert float(rows[1]["val_accuracy"]) == pytest.approx(0.95)
    assert float(rows[0]["difference"]) == pytest.approx(-0.0399333, rel=1e-4)
    assert (rows[3]["n"], rows[3]["ok"], rows[3]["diverged"]) == ("2", "2", "1")
    assert rows[1]["difference"] == ""


def test_one_seed_says_that_it_gives_no_verdict(tmp_path, undrawn):
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [item for item in four_rates() if item.seed == 0], 1))
    section = text.split("## Sweep by sweep")[1]
    assert "**One seed**: no verdict" in section
    assert section.count("one seed: no verdict") == 4  # three points against the baseline, and the winner's sentence
    assert ": better" not in section
    assert "**Hypothesis undecided**: one seed gives no verdict." in section


def test_diverged_points_stand_in_the_table_with_their_step(tmp_path, undrawn):
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [*four_rates()[:9], *runs({"lr": 0.01}, [None] * 3)]))
    assert "no result; 3 of 3 diverged (step 7)" in text
    assert "**Runs without a result** (the other points' verdicts stand without them): lr 0.01: 3 of 3" in text


def test_records_of_other_data_are_left_out_and_said_so(tmp_path, undrawn):
    other = runs({"lr": 0.001}, [0.1], data={"name": "digits", "digest": "torn"})
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [*four_rates(), *other]))
    assert "1 record of digits with data digest torn: the other 12 have d." in text
    assert "95.00 ± 2.48" in text


def test_unfinished_sweeps_and_unreadable_ones_are_listed(tmp_path, undrawn):
    ledger = notebook(tmp_path, LR, four_rates()[:9])
    notebook(tmp_path, PAIR, [], name="gone")
    (tmp_path / "gone.toml").unlink()
    _, text = rebuild(tmp_path, ledger)
    missing = text.split("## Not run yet")[1]
    assert "3 runs of [mine]" in missing
    assert "cannot be read any more" in missing
    assert "**Unfinished**: 9 of 12 runs are recorded." in text


def test_the_same_sweep_with_other_overrides_gets_files_of_its_own(tmp_path, undrawn):
    text = LR.replace("base.steps = 30\n", "")
    longer = [item for lr in (0.0003, 0.001, 0.003, 0.01) for item in runs({"lr": lr, "steps": 60}, [0.9, 0.91])]
    notebook(tmp_path, text, four_rates(), overrides={"steps": 30})
    ledger = notebook(tmp_path, text, longer, seeds=2, overrides={"steps": 60})
    files, content = rebuild(tmp_path, ledger)
    names = {path.name for path in files if path.suffix == ".csv"}
    assert len(names) == 2
    assert "digits_mlp_mine.csv" in names
    assert "**Run with steps 60** for all points" in content


def test_predictions_make_a_confusion_section(tmp_path, undrawn):
    asked = []

    def predict(config):
        asked.append(config)
        return np.eye(10)[[1, 2, 3]], np.array([1, 2, 4]), np.zeros((3, 28, 28))

    files, text = rebuild(tmp_path, notebook(tmp_path, LR, four_rates()), predict=predict)
    assert [config.lr for config in asked] == [0.003]
    assert tmp_path / "media" / "digits" / "mlp_confusion.png" in files
    assert "## Where the best models err" in text


def test_mlp_and_cnn_are_compared_over_common_seeds(tmp_path, undrawn):
    cnn = runs({"model": "cnn"}, [0.97, 0.98, 0.99, 0.99])
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [*four_rates(), *cnn]))
    section = text.split("## MLP against CNN")[1].split("\n## ")[0]
    assert "the best CNN's test accuracy differs from the best MLP's by +1.00" in section
    assert "n=3" in section


def test_final_runs_on_all_images_are_reported_but_not_chosen(tmp_path, undrawn):
    final = runs({"train_on": "all", "lr": 0.02}, [None] * 3, status="ok", test_accuracy=0.99)
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [*four_rates(), *final]))
    best = text.split("## Best configurations")[1].split("\n## ")[0]
    assert "Trained on all 60,000 images" in best
    assert "--lr 0.02" not in best


def test_a_pair_says_where_the_best_moves_and_shows_a_heat_map(tmp_path, monkeypatch, undrawn):
    drawn = {}
    monkeypatch.setattr(plots, "write", lambda path, name, facts: drawn.setdefault(path, name) and path)
    records = [*pair_records()[:6], *runs({"lr": 0.003, "batch_size": 32}, [0.89, 0.90])]
    _, text = rebuild(tmp_path, notebook(tmp_path, PAIR, records, seeds=2))
    assert drawn[tmp_path / "media" / "digits" / "mlp_mine.png"] == "heat"
    assert "**Interaction**: the lr with the best mean, by batch size: 0.003 at 16, 0.001 at 32." in text
    assert "**Confounded**: at equal steps the batch size also sets how many images are seen, 480 to 960." in text


def test_an_interval_that_excludes_0_beside_no_difference_is_explained(tmp_path):
    records = [
        *runs({"lr": 0.0003}, [0.941, 0.9514, 0.9609]),
        *runs({"lr": 0.001}, [0.94, 0.95, 0.96]),
        *runs({"lr": 0.003}, [0.945, 0.94, 0.96]),
        *runs({"lr": 0.01}, [0.93, 0.955, 0.955]),
    ]
    found = judged(tmp_path, LR, records)
    near = found.verdicts["lr 0.0003"]
    assert near.difference > near.half_width  # the premise
    assert near.verdict == "no difference shown"
    told = " ".join(findings.sweep_sentences(found))
    assert "The interval of lr 0.0003 excludes 0 beside *no difference shown*" in told


def test_a_sweep_whose_file_is_called_like_a_question_about_steps_is_read_for_what_it_varies(tmp_path, undrawn):
    for name in ("steps", "epochs", "batchnorm"):
        ledger = notebook(tmp_path, LR, four_rates() if name == "steps" else [], name=name)
    _, text = rebuild(tmp_path, ledger)
    assert text.count("### Learning rate: MLP on digits") == 3


def test_a_run_whose_validation_loss_overflowed_on_the_way_leaves_the_report_whole(tmp_path, undrawn):
    records = four_rates()
    for index, item in enumerate(records):
        first, second, *rest = item.history
        records[index] = replace(item, history=(first, replace(second, val_loss=None), *rest))
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, records))
    assert "## Findings" in text


def test_a_record_without_its_machine_is_left_out_and_told(tmp_path, undrawn):
    records = four_rates()
    records[0] = replace(records[0], environment=Environment(cpu="a processor"))
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, records))
    assert "1 record of another version of this program" in text


def test_a_pair_without_any_result_has_nothing_said_of_its_interaction(tmp_path, undrawn):
    records = [*runs({"lr": 0.001, "batch_size": 16}, [None, None]), *runs({"lr": 0.003, "batch_size": 32}, [None])]
    _, text = rebuild(tmp_path, notebook(tmp_path, PAIR, records))
    assert "diverged" in text
    assert "interact" not in text.lower()


def test_two_sweeps_with_long_overrides_keep_files_of_their_own(tmp_path, undrawn):
    long = {"activation": "relu", "batch_size": 64, "dropout": 0.25}
    records = []
    for decay in (0.001, 0.01):
        fixed = {**long, "optimizer": "adamw", "weight_decay": decay}
        for lr in (0.0003, 0.001, 0.003, 0.01):
            records += runs({**fixed, "lr": lr}, [0.9, 0.91, 0.92])
        ledger = notebook(tmp_path, LR, records if decay == 0.01 else [], overrides=fixed, name="mine")
    files, _ = rebuild(tmp_path, ledger)
    assert len(set(files)) == len(files)
    assert len([path for path in files if path.suffix == ".csv"]) == 2


def test_a_claim_is_borne_out_only_if_every_rival_was_compared(tmp_path):
    text = "base.steps = 30\npoints = [" + ", ".join(
        f'{{ label = "depth_{depth}", depth = {depth} }}' for depth in (1, 2, 3)
    )
    one, two, three = (
        runs({"depth": depth, "dataset": "fashion"}, accuracies)
        for depth, accuracies in ((1, [0.9, 0.91, 0.905]), (2, [0.5, 0.512, 0.5]), (3, [0.5, 0.51, 0.5]))
    )
    for deep, ended in ((three[:1], "not shown against every rival"), (three, "borne out")):
        records = [*one, *two, *deep]
        found = judged(tmp_path, text + "]", records, name="published-fashion", dataset="fashion")
        told = findings.claims_summary(Study(Runs(records), (found,)))[0]
        assert told.startswith(f"**Published Fashion winners**: of 1 claims, 1 {ended} (depth 1 over 2)")


def test_published_figures_are_placed_in_the_interval_of_one_more_run(tmp_path):
    records = [*runs({"lr": 0.001}, [0.93, 0.94, 0.95]), *runs({"lr": 0.003}, [0.9, 0.9, 0.91])]
    table = findings.side_by_side(judged(tmp_path, POINTS, records), None)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert rows == [
        ["first", "93.00", "93.00 ± 2.48", "inside"],
        ["again", "80.00", "93.00 ± 2.48", "below"],
        ["other", "-", "89.33 ± 1.43", "-"],
    ]


def test_a_figure_published_on_validation_is_placed_among_validation_scores(tmp_path):
    records = runs({"lr": 0.001}, [0.93, 0.94, 0.95])  # records.py's test scores lie a point below
    text = 'points = [{ label = "a", lr = 0.001, reference = 0.98 }]\n'
    on_test = judged(tmp_path, "base.steps = 30\n" + text, records)
    on_validation = judged(tmp_path, 'reference_is = "validation"\nbase.steps = 30\n' + text, records)
    assert re.search(r"test % .*\n.*\n.* 93\.00 ± 2\.48 \| above", findings.side_by_side(on_test, None))
    assert re.search(r"validation % .*\n.*\n.* 94\.00 ± 2\.48 \| inside", findings.side_by_side(on_validation, None))


def test_what_publishing_the_best_look_adds_is_told(tmp_path):
    # records.py's last look is at its validation accuracy; the best looks stand 0.01 and 0.02 above it
    values = {"lr": 0.001, "eval_every": 10}
    records = [
        record
        for seed, best in enumerate((0.96, 0.97))
        for record in runs(values, [0.95, 0.95], best_val_accuracy=best)
        if record.seed == seed
    ]
    found = judged(tmp_path, 'base = { steps = 30, eval_every = 10 }\npoints = [{ label = "a", lr = 0.001 }]', records)
    (told,) = findings._best_look(found, "mlp")
    assert "one every 10 steps: in the 30 steps" in told
    assert "1.50 ± 6.35 points above the last (n=2)" in told  # t(0.975, 1) = 12.706 times 0.5


def test_spread_at_100_500_and_1000_steps_compares_the_same_values():
    records = [
        item
        for steps in (100, 500)
        for lr, accuracy in {0.001: 0.90, 0.003: 0.92, 0.01: 0.94, **({0.1: 0.2} if steps == 100 else {})}.items()
        for item in runs({"lr": lr, "steps": steps}, [accuracy, accuracy + 0.01, accuracy + 0.0203])
    ]
    (told,) = findings.at_steps(Study(Runs(records), ()))
    assert told.startswith("MLP on digits, lr:\n  - after 100 steps ")
    assert "after 100 steps the 3 values from 0.001 to 0.01 lie 4.00 points apart (0.01 best)" in told
    assert "after 500 steps the 3 values from 0.001 to 0.01 lie 4.00 points apart (0.01 best)" in told


def published_fashion(tmp_path, rates):
    """The published table's optimizer rows alone, at these validation accuracies."""
    from explorer.asking import questions as sweep
    from explorer.judging.results import SweepResult

    loaded = sweep.load("published-fashion", "mlp", "fashion")
    records = []
    for point in loaded.points:
        if point.label in rates:
            for seed, accuracy in enumerate(rates[point.label]):
                records.append(record(point.config.model_copy(update={"seed": seed}), accuracy, train_loss=2.25))
    runs_ = Runs(records)
    return Study(runs_, (SweepResult(Request("published-fashion", "mlp", "fashion", {}, 5), loaded, runs_),))


def test_published_claims_are_borne_out_contradicted_or_open(tmp_path):
    level, noise = 0.85, np.array([0.0, 0.001, 0.002, 0.0031, 0.004])
    rates = {
        "optimizer_RMSprop": level + noise,
        "epochs_5": level + noise[::-1],
        "optimizer_SGD": 0.17 + noise[[1, 0, 2, 3, 4]],
        "depth_1": level + 0.02 + noise[[1, 0, 2, 3, 4]],
        "depth_3": level + noise,
        "batchsize_128": level - 0.02 + noise[[1, 0, 2, 3, 4]],
        "lr_0.005": level + noise,
    }
    study = published_fashion(
        tmp_path, {label: [round(float(v), 6) for v in values] for label, values in rates.items()}
    )
    (summary,) = findings.claims_summary(study)
    assert "1 borne out (depth 1 over 2)" in summary
    assert "2 not shown against every rival (RMSprop over Adam; learning rate 0.001 over others)" in summary
    assert "1 contradicted (batch 128 over smaller ones) at n = 5" in summary
    told = findings.published_winners(study)[0]
    assert "optimizer_RMSprop (published 82.9 %) measures 85.20 ± 0.20 % (n=5)" in told
    assert "against optimizer_Adam (published 80.8 %): no difference shown" in told
    assert "against optimizer_SGD (published 17.0 %): better than it" in told
    assert "n = 5 would have shown" in told
    plain = findings.sgd(study)[0]
    assert "500 steps of batch 64 end at 17.20" in plain
    assert "the training loss at 2.25 where guessing has 2.30" in plain


def test_longer_runs_are_compared_length_by_length(tmp_path):
    text = 'title = "Steps"\ngrid.steps = [10, 20, 40]\n'
    values = {10: [0.80, 0.81, 0.822, 0.80], 20: [0.90, 0.912, 0.92, 0.90], 40: [0.901, 0.90, 0.921, 0.912]}
    records = [item for steps, accuracies in values.items() for item in runs({"steps": steps}, accuracies)]
    found = judged(tmp_path, text, records, seeds=4, name="steps")
    (told,) = findings.longer(Study(Runs(records), (found,)))
    assert "10 to 20: +10.00" in told
    assert "20 to 40: +0.05 ± 1.56 (no difference shown)" in told
    assert told.endswith("So more steps were shown to help up to 20.")


def test_overfitting_is_told_from_the_loss_that_turned():
    losses = (0.2, 0.3, 0.4)
    turned = [
        replace(item, history=[replace(look, val_loss=loss) for look, loss in zip(item.history, losses, strict=True)])
        for item in runs({}, [0.95, 0.96])
    ]
    (told,) = findings.overfitting(Study(Runs(turned), ()))
    assert "lowest 33 % of the way and rose by 0.200 from there: it overfits" in told
    assert "ends at 0.50 ± 0.00 points (n=2)" in told


def test_the_sweeps_file_is_needed_for_sections_but_not_for_the_best(tmp_path, undrawn):
    results = tmp_path / "results"
    results.mkdir()
    (results / "runs.jsonl").write_bytes(b"".join(stored(item) + b"\n" for item in four_rates()))
    _, text = rebuild(tmp_path, Ledger(results))
    assert "## Sweep by sweep" not in text
    assert "python mnist_explorer.py mlp --dataset digits --lr 0.003 --steps 30" in text
