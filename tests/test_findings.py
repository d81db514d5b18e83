"""Each finding is computed from hand-made records; all of them are asked about the shipped study once."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from explorer.asking import documents, questions
from explorer.judging import study
from explorer.judging.runs import Runs
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult, judge
from explorer.record import Seconds
from explorer.running.ledger import Ledger
from explorer.running.requests import Request
from explorer.telling import findings
from explorer.telling.findings import (
    at_steps,
    batch_views,
    best,
    claims,
    factors,
    gains,
    knobs,
    longer,
    overfitting,
    published_tables,
    returns,
    sgd,
    surprises,
    top_tenth,
    worst,
)
from explorer.telling.findings.sweep import sweep_sentences
from tests.conftest import PROJECT
from tests.records import LR, POINTS, record, runs
from tests.test_results import four_rates, judged
from tests.test_shifts import made_up
from tests.test_studies import a_study


@pytest.fixture(scope="module")
def shipped() -> Study:
    """What is published, and a study of the shipped ones in a made-up world."""
    read = study.read(Runs(Ledger(PROJECT / "results", read_only=True).records()), PROJECT / "results")
    return dataclasses.replace(read, studies=(*read.studies, a_study("mnist")), moved=(made_up("mnist"),))


@pytest.mark.parametrize("finding", findings.FINDINGS, ids=lambda finding: finding.id)
def test_every_finding_speaks_of_the_shipped_study_and_is_silent_without_data(finding, shipped):
    told = [*finding.find(shipped), *finding.top(shipped)]
    assert told and all(told)
    assert bool(finding.question) == bool(finding.find(shipped))
    nothing = Study(Runs([]), ())
    assert finding.find(nothing) == finding.top(nothing) == []


def test_findings_have_names_of_their_own_and_one_file_each():
    ids = [finding.id for finding in findings.FINDINGS]
    assert len(set(ids)) == len(ids)
    files = {path.stem for path in Path(findings.__file__).parent.glob("*.py") if "\nFINDING = " in path.read_text()}
    assert files == {name.replace("-", "_") for name in ids}


def test_a_sweep_means_the_same_under_another_name(shipped, tmp_path):
    asked = []
    for judged_ in shipped.sweeps:
        old = judged_.request
        path = tmp_path / f"{old.name}-2.toml"
        shutil.copy(documents.FOLDER / f"{old.name}.toml", path)
        request = replace(old, name=path.stem, path=str(path))
        asked.append((request, questions.load(str(path), old.model, old.dataset, old.overrides)))
    renamed = Study(shipped.runs, tuple(judge(asked, shipped.runs)), studies=shipped.studies, moved=shipped.moved)
    for finding in findings.FINDINGS:
        for tell in (finding.find, finding.top):
            told = [[re.sub(r"-2\b", "", sentence) for sentence in tell(study_)] for study_ in (shipped, renamed)]
            assert told[0] == told[1]
    for one, other in zip(shipped.sweeps, renamed.sweeps, strict=True):
        assert sweep_sentences(one) == sweep_sentences(other)


def test_recipes_and_published_rows_are_not_ranked_among_the_knobs(tmp_path):
    for role, ranked in (("knob", True), ("recipes", False), ("published", False)):
        found = judged(tmp_path, f'role = "{role}"\n{LR}', four_rates())
        told = knobs.FINDING.top(Study(Runs(four_rates()), (found,)))
        assert bool(told) == ranked
        assert bool(factors.find(Study(Runs(four_rates()), (found,)))) == ranked


def test_a_gain_is_counted_from_the_point_that_the_file_names(tmp_path):
    found = judged(tmp_path, f"gain_over = {{ lr = 0.0003 }}\n{LR}", four_rates())
    (told,) = gains.find(Study(Runs(four_rates()), (found,)))
    assert "on validation lr 0.003 is +6.00 ± 2.27, better (n=3), in points, against lr 0.0003." in told
    assert gains.find(Study(Runs(four_rates()), (judged(tmp_path, LR, four_rates()),))) == []


def test_batch_sizes_are_viewed_at_equal_steps_and_at_equal_images(tmp_path):
    records = [
        item
        for steps, size, accuracy in ((40, 16, 0.93), (20, 32, 0.94), (40, 32, 0.96))
        for item in runs({"steps": steps, "batch_size": size}, [accuracy, accuracy + 0.01, accuracy + 0.02])
    ]
    at_steps_ = judged(tmp_path, "base.steps = 40\ngrid.batch_size = [16, 32]\n", records, seeds=3)
    points = "[{ batch_size = 16, steps = 40 }, { batch_size = 32, steps = 20 }]"
    at_images = judged(tmp_path, f"points = {points}\n", records, seeds=3)
    assert (at_steps_.equal, at_images.equal) == ("steps", "images")
    (told,) = batch_views.find(Study(Runs(records), (at_images, at_steps_)))
    assert "at equal steps batch size 32 has the best mean" in told
    assert "at equal images batch size 32, steps 20 has the best mean" in told


def test_what_batch_sizes_share_is_said_whatever_the_note_says(tmp_path):
    records = [item for size in (16, 32) for item in runs({"batch_size": size, "steps": 40}, [0.9, 0.91])]
    text = 'note = "about images and the learning rate"\nbase.steps = 40\ngrid.batch_size = [16, 32]\n'
    told = " ".join(sweep_sentences(judged(tmp_path, text, records, seeds=2)))
    assert "how many images are seen, 640 to 1,280" in told
    assert "every batch size ran at lr 0.001" in told


def test_every_two_models_of_a_data_set_are_compared(tmp_path):
    records = [*four_rates(), *runs({"model": "cnn"}, [0.97, 0.98, 0.99])]
    told = best.FINDING.top(Study(Runs(records), ()))
    assert sum("**CNN against MLP on digits**" in sentence for sentence in told) == 1


CLAIM = """
base.steps = 30
role = "published"
published.table = "Fashion"
claims = [{ says = "depth 1 over others", winner = "depth_1", rivals = ["depth_2", "depth_3"] }]
points = [{ label = "depth_1", depth = 1 }, { label = "depth_2", depth = 2 }, { label = "depth_3", depth = 3 }]
"""


def test_a_claim_is_borne_out_only_if_every_rival_was_compared(tmp_path):
    one, two, three = (
        runs({"depth": depth}, accuracies)
        for depth, accuracies in ((1, [0.9, 0.91, 0.905]), (2, [0.5, 0.512, 0.5]), (3, [0.5, 0.51, 0.5]))
    )
    for deep, ended in ((three[:1], "not shown against every rival"), (three, "borne out")):
        records = [*one, *two, *deep]
        (told,) = claims.summary(Study(Runs(records), (judged(tmp_path, CLAIM, records),)))
        assert told.startswith(f"**Published Fashion winners**: of 1 claim, 1 {ended} (depth 1 over others)")


DEPTHS = """
base.steps = 30
claims = [
  { says = "one layer more helps", pairs = [["depth 2", "depth 1"], ["depth 3", "depth 2"]] },
  { says = "two layers suffice", suffices = ["depth 2"], rivals = ["depth 3"] },
  { says = "one layer suffices", suffices = ["depth 1"], rivals = ["depth 2", "depth 3"] },
]
grid.depth = [1, 2, 3]
"""


def test_claims_of_pairs_and_of_what_suffices_are_held_against_the_data(tmp_path):
    levels = {1: [0.80, 0.801, 0.799, 0.8, 0.802], 2: [0.9, 0.901, 0.899, 0.9, 0.902], 3: [0.901, 0.9, 0.9, 0.902, 0.9]}
    records = [record for depth, accuracies in levels.items() for record in runs({"depth": depth}, accuracies)]
    (told,) = claims.summary(Study(Runs(records), (judged(tmp_path, DEPTHS, records),)))
    assert "of 3 claims" in told
    assert "1 not shown against every rival (one layer more helps)" in told  # 3 is as good as 2, no better
    assert "1 likely borne out (two layers suffice)" in told
    assert "1 contradicted (one layer suffices)" in told


def test_a_claim_that_is_right_of_one_pair_and_wrong_of_another_is_neither(tmp_path):
    levels = {1: [0.80, 0.801, 0.799, 0.8, 0.802], 2: [0.9, 0.901, 0.899, 0.9, 0.902], 3: [0.8, 0.81, 0.8, 0.8, 0.8]}
    records = [record for depth, accuracies in levels.items() for record in runs({"depth": depth}, accuracies)]
    (told,) = claims.summary(Study(Runs(records), (judged(tmp_path, DEPTHS, records),)))
    assert "1 true of some pairs and false of others (one layer more helps)" in told
    assert "MLP on digits" in told


def test_what_a_schedule_does_for_sgd_is_told_beside_adam_and_beside_itself_without(tmp_path):
    text = """
base.steps = 30
baseline = "adam"
points = [
  { label = "adam", optimizer = "adam", lr_schedule = "cosine" },
  { label = "sgd", optimizer = "sgd", lr = 0.1 },
  { label = "sgd, cosine", optimizer = "sgd", lr = 0.1, lr_schedule = "cosine" },
]
"""
    records = runs({"optimizer": "adam", "lr_schedule": "cosine"}, [0.90, 0.901, 0.902])
    records += runs({"optimizer": "sgd", "lr": 0.1}, [0.80, 0.801, 0.802])
    records += runs({"optimizer": "sgd", "lr": 0.1, "lr_schedule": "cosine"}, [0.95, 0.951, 0.952])
    told = sgd.find(Study(Runs(records), (judged(tmp_path, text, records),)))[-1]
    assert "the best, sgd, cosine, has 95.10" in told
    assert "against adam: +5.00" in told and "against sgd: +15.00" in told


def test_what_stands_out_is_told_of_the_runs_there_are(tmp_path):
    levels = {0.0003: 0.80, 0.001: 0.85, 0.003: 0.95, 0.01: 0.94}
    records = [
        one for lr, level in levels.items() for one in runs({"lr": lr}, [level + step for step in (0, 1e-3, 2e-3)])
    ]
    for place in range(20):
        records += runs({"lr": 0.5, "dropout": place / 100}, [0.3 + place / 1000, 0.3, 0.301, None])
    study = Study(Runs(records), (judged(tmp_path, LR, records),))
    (surprise,) = surprises.find(study)
    assert "“0.001 is best.” is surely rejected: lr 0.003 was not expected" in surprise
    (low,) = worst.find(study)
    assert low.startswith("MLP on digits: lr 0.5, 30 steps, 30.03")
    assert "of 24 configurations 20 diverged: " in low
    (shared,) = top_tenth.find(study)
    assert shared == "MLP on digits, the best 2 of 24: lr 0.003 in 50 % (in 4 % of all), 0.01 in 50 % (in 4 %)."


def test_diminishing_returns_are_told_of_widths(tmp_path):
    text = "base.steps = 30\ngrid.width = [16, 32, 64]"
    levels = {16: 0.80, 32: 0.90, 64: 0.9005}
    records = [
        one
        for width, level in levels.items()
        for one in runs({"width": width}, [level, level + 1e-3, level - 1e-3], parameters=10 * width,
                        seconds=Seconds(compile=0.0, train=width**0.5, eval=0.0))
    ]  # fmt: skip
    (told,) = returns.find(Study(Runs(records), (judged(tmp_path, text, records),)))
    assert "16 to 32: +10.00 ± 0.23, better (n=3), for 1.4 times the training seconds and 2.0 times the para" in told
    assert "Shown to help: 16 to 32; not settled: 32 to 64." in told


def test_published_figures_are_placed_in_the_interval_of_one_more_run(tmp_path):
    records = [*runs({"lr": 0.001}, [0.93, 0.94, 0.95]), *runs({"lr": 0.003}, [0.9, 0.9, 0.91])]
    table = published_tables.side_by_side(Study(Runs(records), ()), judged(tmp_path, POINTS, records))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert rows == [
        # t(0.975, 2) = 4.302653 times 0.01 sqrt(4/3) and 0.0057735 sqrt(4/3)
        ["first", "93.00", "93.00 ± 2.48", "88.03 to 97.97", "inside"],
        ["again", "80.00", "93.00 ± 2.48", "88.03 to 97.97", "below"],
        ["other", "-", "89.33 ± 1.43", "86.46 to 92.20", "-"],
    ]


def test_a_figure_published_on_validation_is_placed_among_validation_scores(tmp_path):
    records = runs({"lr": 0.001}, [0.93, 0.94, 0.95])  # records.py's test scores lie a point below
    text = 'points = [{ label = "a", lr = 0.001, reference = 0.98 }]\n'
    on_test = judged(tmp_path, "base.steps = 30\n" + text, records)
    on_validation = judged(tmp_path, 'reference_is = "validation"\nbase.steps = 30\n' + text, records)
    study_ = Study(Runs(records), ())
    on_test, on_validation = (published_tables.side_by_side(study_, sweep) for sweep in (on_test, on_validation))
    assert re.search(r"test % .*\n.*\n.* 93\.00 ± 2\.48 \|  *88\.03 to 97\.97 \| above", on_test)
    assert re.search(r"validation % .*\n.*\n.* 94\.00 ± 2\.48 \|  *89\.03 to 98\.97 \| inside", on_validation)


BEST_LOOK = """
base = { steps = 30, eval_every = 10 }
role = "published"
published = { table = "MLP", as = "run", best_look = true }
points = [{ label = "a", lr = 0.001 }]
"""


def test_what_publishing_the_best_look_adds_is_told(tmp_path):
    # records.py's last look is at its validation accuracy; the best looks stand 0.01 to 0.03 above it
    values = {"lr": 0.001, "eval_every": 10}
    records = [
        record
        for seed, best in enumerate((0.96, 0.97, 0.98))
        for record in runs(values, [0.95, 0.95, 0.95], best_val_accuracy=best)
        if record.seed == seed
    ]
    found = judged(tmp_path, BEST_LOOK, records)
    (told,) = published_tables.best_look(found)
    assert "one every 10 steps: in the 30 steps" in told
    assert "2.00 ± 2.48 points above the last (n=3)" in told  # t(0.975, 2) = 4.302653 times 1 / sqrt(3)


def test_spread_at_100_500_and_1000_steps_compares_the_same_values():
    records = [
        item
        for steps in (100, 500)
        for lr, accuracy in {0.001: 0.90, 0.003: 0.92, 0.01: 0.94, **({0.1: 0.2} if steps == 100 else {})}.items()
        for item in runs({"lr": lr, "steps": steps}, [accuracy, accuracy + 0.01, accuracy + 0.0203])
    ]
    (told,) = at_steps.find(Study(Runs(records), ()))
    assert told.startswith("MLP on digits, lr:\n  - after 100 steps ")
    assert "after 100 steps the 3 values from 0.001 to 0.01 lie 4.00 points apart (0.01 best)" in told
    assert "after 500 steps the 3 values from 0.001 to 0.01 lie 4.00 points apart (0.01 best)" in told


def published_fashion(tmp_path, rates):
    """The published table's optimizer rows alone, at these validation accuracies."""
    loaded = questions.load("published-fashion", "mlp", "fashion")
    records = []
    looks = (replace(record(loaded.points[0].config, 0.8).history[0], step=500),)
    for point in loaded.points:
        if point.label in rates:
            for seed, accuracy in enumerate(rates[point.label]):
                config = point.config.model_copy(update={"seed": seed})
                records.append(record(config, accuracy, train_loss=2.25, history=looks))
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
    (summary,) = claims.summary(study)
    assert "1 borne out (depth 1 over 2)" in summary
    assert "2 not shown against every rival (RMSprop over Adam; learning rate 0.001 over others)" in summary
    assert "1 contradicted (batch 128 over smaller ones) at n = 5" in summary
    told = claims.one_by_one(study)[0]
    assert "optimizer_RMSprop (published 82.9 %) measures 85.20 ± 0.20 % (n=5)" in told
    assert "against optimizer_Adam (published 80.8 %): about 0.00 (-0.40 to 0.40), not settled (n=5)" in told
    assert "against optimizer_SGD (published 17.0 %): +68.00 ± 0.09, better (n=5)" in told
    plain = sgd.find(study)[0]
    assert "500 steps of batch 64 end at 17.20" in plain
    assert "the training loss at 2.25 where guessing has 2.30" in plain


def test_longer_runs_are_compared_length_by_length(tmp_path):
    text = 'title = "Steps"\ngrid.steps = [10, 20, 40]\n'
    values = {10: [0.80, 0.81, 0.822, 0.80], 20: [0.90, 0.912, 0.92, 0.90], 40: [0.901, 0.90, 0.921, 0.912]}
    records = [item for steps, accuracies in values.items() for item in runs({"steps": steps}, accuracies)]
    found = judged(tmp_path, text, records, seeds=4, name="steps")
    (told,) = longer.find(Study(Runs(records), (found,)))
    assert "10 to 20: +10.00" in told
    assert "20 to 40: about +0.1 (-1.7 to 1.8), not settled (n=4)" in told
    assert told.endswith("Shown to help: 10 to 20; not settled: 20 to 40.")


def looking(records, losses):
    """These records with these validation losses at their looks."""
    return [
        replace(item, history=[replace(look, val_loss=loss) for look, loss in zip(item.history, losses, strict=True)])
        for item in records
    ]


def test_overfitting_is_told_from_the_loss_that_turned():
    turned = looking(runs({}, [0.95, 0.96, 0.97]), (0.2, 0.3, 0.4))
    (told,) = overfitting.find(Study(Runs(turned), ()))
    assert "lowest 33 % of the way and rose by 100 % from there: it overfits" in told
    assert "on all validation images ends at 0.50 points (n=3)" in told
    (told,) = overfitting.find(Study(Runs(turned[:2]), ()))
    assert "too few runs to say whether the validation loss turned" in told


def test_the_gap_is_that_of_all_validation_images_and_not_of_those_looked_at():
    # the last look sees 0.95 on its slice and the batches of 0.955, all images have 0.94, 0.93 and 0.92
    looked = zip(runs({}, [0.95] * 3), (0.94, 0.93, 0.92), strict=True)
    (told,) = overfitting.find(Study(Runs([replace(item, val_accuracy=every) for item, every in looked]), ()))
    assert "ends at 2.50 ± 2.48 points (n=3)" in told


def test_a_small_rise_is_held_against_the_loss_it_is_a_rise_of():
    # 0.005 is little of 0.2 and much of 0.012
    records = runs({}, [0.95, 0.96, 0.97])
    little, much = (Runs(looking(records, losses)) for losses in ((0.2, 0.2, 0.205), (0.012, 0.014, 0.017)))
    assert "ended about at its lowest" in overfitting.find(Study(little, ()))[0]
    assert "rose by 42 % from there: it overfits" in overfitting.find(Study(much, ()))[0]


def test_longer_training_is_not_recommended_to_runs_whose_rate_had_gone_to_0():
    for schedule, may_help in (("constant", True), ("plateau", True), ("cosine", False)):
        settled = looking(runs({"lr_schedule": schedule}, [0.95, 0.96, 0.97]), (0.4, 0.3, 0.2))
        (told,) = overfitting.find(Study(Runs(settled), ()))
        assert ("longer runs may help" in told) == may_help
        assert ("learning rate having gone to 0" in told) != may_help
