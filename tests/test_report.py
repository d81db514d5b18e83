"""The report is rebuilt from hand-made ledgers; what is drawn is kept small, for matplotlib is slow."""

import csv
import re

import numpy as np
import pytest
from msgspec.structs import replace

from explorer.judging import study
from explorer.judging.runs import Runs
from explorer.record import Environment, stored
from explorer.running.ledger import Ledger
from explorer.running.requests import Request
from explorer.telling import plots, report
from tests.records import LR, PAIR, notebook, runs
from tests.test_plots import pair_records
from tests.test_results import four_rates


def rebuild(folder, ledger, **options):
    files = report.rebuild(
        Runs(ledger.records()), folder / "results", folder / "media", folder / "REPORT.md", **options
    )
    behind = [path for path in files if path.suffix == ".md" and path.parent.name == "report"]
    return files, "\n".join(path.read_text() for path in [folder / "REPORT.md", *behind])


def section_of(text, heading):
    """What stands under a heading of any page, up to the next one."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def fold_of(text, anchor):
    """A sweep's fold, by its anchor."""
    return text.split(f'<a id="{anchor}"></a>')[1].split("</details>")[0]


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
    files, _ = rebuild(tmp_path, ledger)
    pages = [path for path in files if path.suffix == ".md"]
    targets = {
        (page.parent / target.split("#")[0]).resolve(): page
        for page in pages
        for target in re.findall(r"\]\(([^)#][^)]*)\)", page.read_text())
    }
    assert set(files) <= set(targets) | {tmp_path / "REPORT.md"}
    assert set(targets) <= set(files)
    assert tmp_path / "media" / "digits" / "mlp_mine_curves.png" in targets


def test_every_place_on_a_page_that_is_linked_is_there(tmp_path, undrawn):
    files, _ = rebuild(tmp_path, notebook(tmp_path, LR, four_rates()))
    for page in (path for path in files if path.suffix == ".md"):
        for target, place in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text()):
            text = (page.parent / target).read_text() if target else page.read_text()
            headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}
            assert place in headings or f'<a id="{place}"></a>' in text, (page, target, place)


def test_the_front_page_is_short_however_many_sweeps_there_are(tmp_path, undrawn):
    names = [f"sweep-{number}" for number in range(8)]
    for name in names:
        ledger = notebook(tmp_path, LR, four_rates() if name == names[0] else [], name=name)
    rebuild(tmp_path, ledger)
    front = (tmp_path / "REPORT.md").read_text()
    assert len(front.splitlines()) <= 250
    assert front.count("![") <= 12
    assert all(f"report/digits-mlp.md#digits-mlp-{name}" in front for name in names)


def test_the_front_page_answers_with_its_certainty_and_the_evidence(tmp_path, undrawn):
    rebuild(tmp_path, notebook(tmp_path, LR, four_rates()))
    front = section_of((tmp_path / "REPORT.md").read_text(), "In one minute")
    told = next(line for line in front.splitlines() if "MLP on digits:" in line)
    assert any(f"({word})" in told for word in ("sure", "likely", "unknown"))
    assert "(report/digits-mlp.md#digits-mlp-mine)" in told
    assert "python mnist_explorer.py mlp --dataset digits --lr 0.003 --steps 30" in front


def test_what_to_try_next_is_a_command_with_its_cost(tmp_path, undrawn):
    records = [item for lr, base in ((0.001, 0.90), (0.003, 0.93), (0.01, 0.96)) for item in
               runs({"lr": lr}, [base, base + 0.01, base + 0.005])]  # fmt: skip
    rebuild(tmp_path, notebook(tmp_path, LR.replace("[0.0003, 0.001, 0.003, 0.01]", "[0.001, 0.003, 0.01]"), records))
    told = section_of((tmp_path / "REPORT.md").read_text(), "Try next")
    went_on = r"the highest lr tried is among the best; go on\. About .* `python mnist_explorer\.py mlp .*--lr 0\.02 "
    assert re.search(went_on, told)


def test_an_empty_ledger_makes_an_honest_report(tmp_path):
    _, text = rebuild(tmp_path, Ledger(tmp_path / "results"))
    assert "no run yet" in text
    assert "## In one minute" not in text
    assert "![" not in text


def test_sections_without_data_are_left_out_and_listed(tmp_path, undrawn):
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, four_rates()))
    for section in ("MLP or CNN?", "Interactions", "Published figures", "Where they err", "Where the best errs"):
        assert f"## {section}" not in text
    missing = section_of(text, "Not run yet")
    assert "CNN on Fashion-MNIST" in missing
    assert "lr-opt" in missing
    assert "Where the best MLP on digits errs" in missing


def test_a_sweep_names_its_question_command_table_and_verdicts(tmp_path, undrawn):
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, four_rates()))
    section = fold_of(text, "digits-mlp-mine")
    assert "<summary>Learning rate (mine): best: lr 0.003, 4 points, 3 seeds</summary>" in section
    assert "**Question**: Which learning rate is best?" in section
    assert "**Hypothesis**: 0.001 is best." in section
    assert f"python mnist_explorer.py mlp --sweep {tmp_path}/mine.toml --dataset digits --seeds 3" in section
    assert "**Best on validation**: lr 0.003, 97.00 ± 2.48 % (n=3), test 96.00 ± 2.48 %" in section
    row = next(line for line in section.splitlines() if line.startswith("| lr 0.0003"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "lr 0.0003", "3", "91.01 ± 2.48", "90.01 ± 2.48", "-3.99 ± 2.27", "worse", "2.00",
        "30 / -", "10.00", "0.100 / 0.200 (+0.100)", "+0.50", "worse",
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
    section = fold_of(text, "digits-mlp-mine")
    assert "**1 seed**: no verdict" in section
    assert section.count("too few runs") == 4  # three points against the baseline, and the winner's sentence
    assert "better" not in section
    assert "**Hypothesis undecided**: fewer than 3 seeds give no verdict." in section


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
    missing = section_of(text, "Not run yet")
    assert "3 runs of [mine]" in missing
    assert "cannot be read any more" in missing
    assert "**Unfinished**: 9 of 12 runs are recorded." in text


def test_the_same_sweep_with_other_overrides_gets_files_of_its_own(tmp_path, undrawn):
    text = LR.replace("base.steps = 30\n", "")
    longer = [item for lr in (0.0003, 0.001, 0.003, 0.01) for item in runs({"lr": lr, "steps": 60}, [0.9, 0.91])]
    notebook(tmp_path, text, four_rates(), overrides={"steps": 30})
    ledger = notebook(tmp_path, text, longer, seeds=2, overrides={"steps": 60})
    files, content = rebuild(tmp_path, ledger)
    names = {path.name for path in files if path.suffix == ".csv"} - {"runs.csv"}
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
    assert "## Where the best errs" in text
    assert "## Where they err" in text


def test_without_the_data_the_picture_of_the_mistakes_stays_as_it_was(tmp_path, undrawn):
    ledger = notebook(tmp_path, LR, four_rates())
    picture = tmp_path / "media" / "digits" / "mlp_confusion.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    _, before = rebuild(
        tmp_path, ledger, predict=lambda config: (np.eye(10)[[1, 2, 3]], np.array([1, 2, 4]), np.zeros((3, 28, 28)))
    )
    assert "1 of 3 wrong; most often a true 4 is called 3 (1 time)." in before
    _, without = rebuild(tmp_path, ledger)
    assert without == before


def test_mlp_and_cnn_are_compared_over_common_seeds(tmp_path, undrawn):
    cnn = runs({"model": "cnn"}, [0.97, 0.98, 0.99, 0.99])
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [*four_rates(), *cnn]))
    section = section_of(text, "MLP or CNN?")
    assert "The best CNN has about +1.2" in section
    assert "n=3" in section


def test_final_runs_on_all_images_are_reported_but_not_chosen(tmp_path, undrawn):
    final = runs({"train_on": "all", "lr": 0.02}, [None] * 3, status="ok", test_accuracy=0.99)
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [*four_rates(), *final]))
    best = section_of(text, "Best configurations")
    assert "Trained on the validation images, too" in best
    assert "--lr 0.02" not in best


def test_a_pair_says_where_the_best_moves_and_shows_a_heat_map(tmp_path, monkeypatch, undrawn):
    drawn = {}
    monkeypatch.setattr(plots, "write", lambda path, name, facts: drawn.setdefault(path, name) and path)
    records = [*pair_records()[:6], *runs({"lr": 0.003, "batch_size": 32}, [0.89, 0.90])]
    _, text = rebuild(tmp_path, notebook(tmp_path, PAIR, records, seeds=2))
    assert drawn[tmp_path / "media" / "digits" / "mlp_mine.png"] == "heat"
    assert "**Interaction**: the lr with the best mean, by batch size: 0.003 at 16, 0.001 at 32." in text
    assert "**Confounded**: at equal steps the batch size also sets how many images are seen, 480 to 960." in text


def test_a_sweep_whose_file_is_called_like_a_question_about_steps_is_read_for_what_it_varies(tmp_path, undrawn):
    for name in ("steps", "epochs", "batchnorm"):
        ledger = notebook(tmp_path, LR, four_rates() if name == "steps" else [], name=name)
    _, text = rebuild(tmp_path, ledger)
    assert text.count("<summary>Learning rate (") == 3


def test_a_run_whose_validation_loss_overflowed_on_the_way_leaves_the_report_whole(tmp_path, undrawn):
    records = four_rates()
    for index, item in enumerate(records):
        first, second, *rest = item.history
        records[index] = replace(item, history=(first, replace(second, val_loss=None), *rest))
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, records))
    assert "## In one minute" in text


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
    assert len([path for path in files if path.suffix == ".csv" and path.name != "runs.csv"]) == 2


def test_the_sweeps_file_is_needed_for_sections_but_not_for_the_best(tmp_path, undrawn):
    results = tmp_path / "results"
    results.mkdir()
    (results / "runs.jsonl").write_bytes(b"".join(stored(item) + b"\n" for item in four_rates()))
    _, text = rebuild(tmp_path, Ledger(results))
    assert "## Sweep by sweep" not in text
    assert "python mnist_explorer.py mlp --dataset digits --lr 0.003 --steps 30" in text


def test_a_persons_own_sweeps_have_a_section_and_change_nothing_else(tmp_path, undrawn):
    ledger = notebook(tmp_path, LR, four_rates())
    files, _ = rebuild(tmp_path, ledger)
    before = {path: path.read_bytes() for path in files}
    text = PAIR.replace("title = ", 'hypothesis = "mine"\ntitle = ')
    path = tmp_path / "pair.toml"
    path.write_text(text)
    asked = Request("pair", "mlp", "digits", {}, 2, str(path))
    own_runs = Runs([*ledger.records(), *pair_records()])
    own = study.of_requests(own_runs, [asked], "own").sweeps
    more, _ = rebuild(tmp_path, ledger, own=own)
    front, page = (tmp_path / "REPORT.md").read_text(), (tmp_path / "report" / "own.md").read_text()
    assert "(report/own.md#own-digits-mlp-pair)" in section_of(front, "Your own sweeps")
    assert "<summary>Learning rate x batch size on digits (pair):" in fold_of(page, "own-digits-mlp-pair")
    assert {path.relative_to(tmp_path).as_posix() for path in set(more) - set(files)} == {
        "results/own/digits_mlp_pair.csv", "media/own/digits/mlp_pair.png", "media/own/digits/mlp_pair_curves.png",
        "report/own.md",
    }  # fmt: skip
    assert {path for path in files if path.read_bytes() != before[path]} == {tmp_path / "REPORT.md"}


TINY = '''
from explorer.models.model import Images, Layer, Model, Units


class Tiny(Model):
    """One narrow layer"""

    aims = {"letters": 0.99}
    units: Units = (8,)

    def build(self, images: Images) -> list[Layer]:
        from explorer.models import layers

        return [layers.flatten, layers.Linear(images.pixels, images.classes)]
'''


def test_a_model_and_a_data_set_of_ones_own_have_all_sections(tmp_path, monkeypatch, undrawn):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.py").write_text(TINY)
    monkeypatch.setenv("MNIST_EXPLORER_MODELS", str(tmp_path / "models"))
    of_letters = {"dataset": "letters", "model": "tiny"}
    tiny = [
        item for lr in (0.0003, 0.001, 0.003, 0.01) for item in runs({**of_letters, "lr": lr}, [0.9, 0.91, lr * 90])
    ]
    mlp = runs({"dataset": "letters"}, [0.8, 0.81, 0.82])
    _, text = rebuild(tmp_path, notebook(tmp_path, LR, [*tiny, *mlp], model="tiny", dataset="letters"))
    assert "**TINY on letters**: the best on validation" in text
    assert "the aim of 99.0 % is" in text
    assert "**TINY against MLP on letters**" in section_of(text, "MLP or TINY?")
    for section in ("Which knobs matter", "In one minute"):
        assert "TINY on" in section_of(text, section)
    assert "# TINY on letters\n" in text
    assert "--sweep " + str(tmp_path / "mine.toml") + " --dataset letters --seeds 3" in text
