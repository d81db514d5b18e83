"""The page of a model on a data set: its best configurations, what matters, its studies and the sweeps of one knob,
each in a fold. Its grids, recipes and published tables have a second page, so that neither grows too long to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape as as_text
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from explorer import datasets
from explorer.files import write_atomically
from explorer.judging.settled import SettledSweep
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.telling import best_points, on_the_way, settled, tables, tuned, words
from explorer.telling.findings.interactions import interaction_table
from explorer.telling.findings.sweep import sweep_sentences
from explorer.telling.names import class_names, name_of
from explorer.telling.plots import confusion, importance
from explorer.telling.plots.facts import Predictions
from explorer.telling.report.shelf import Page, Shelf, bullets, files_of, page_behind
from explorer.telling.words import short_name

STUDY_PLOTS = ("isolation", "moves", "tries", "spent", "size")
SEARCH_PLOTS = ("moves", "tries", "spent")
BY = {"accuracy": "accuracy", "time": "time, within 0.5 points of it", "accuracy per second": "accuracy per second"}
TOGETHER = "grids, recipes and published tables"
WHOSE_TEST = (
    "Test figures with a star are of fresh seeds, which chose nothing. All others are of the seeds that chose the "
    "configuration. Those seeds were lucky on both splits, so the figures are a little too good."
)


def write(shelf: Shelf, dataset: str, model: str) -> None:
    page = page_behind(shelf, f"{dataset}-{model}", name_of(model, dataset))
    page.section("Best configurations", *_best(page, dataset, model))
    page.section("Which knobs matter most", *_importance(page, dataset, model))
    sweeps = shelf.study.of(dataset, model)
    page.section("All sweeps at a glance", *([tables.comparison(sweeps)] if sweeps else []))
    page.section("Interactions", *_interactions(sweeps))
    page.section("Learning curves of the best", *page.pair_picture(dataset, model, "curves", "best_curves"))
    page.section("Where the best errs", *_errors(page, dataset, model))
    tuned_here = [one for one in shelf.study.studies if (one.dataset, one.model) == (dataset, model)]
    page.section("Each value at its best", *studies(page, tuned_here))
    mine = [one for one in shelf.study.settled if (one.sweep.dataset, one.sweep.model) == (dataset, model)]
    page.section("Settled sweeps", *settled_sweeps(page, mine))
    single = [judged for judged in sweeps if judged.role == "knob"]
    page.section("Sweep by sweep", *_folds(page, single))
    if together := [judged for judged in sweeps if judged.role != "knob"]:
        further = page_behind(shelf, tables.page_name(together[0]), f"{page.title}: {TOGETHER}")
        further.section("Sweep by sweep", *_folds(further, together))
        further.save()
        page.section(
            "Several knobs at once", f"[{TOGETHER.capitalize()}]({page.link(further.path)}) have their own page."
        )
    page.save()


def _folds(page: Page, sweeps: Sequence[SweepResult]) -> list[str]:
    return [on_the_way.LEGEND, "", *(line for judged in sweeps for line in sweep(page, judged))] if sweeps else []


def _best(page: Page, dataset: str, model: str) -> list[str]:
    study, rows, commands = page.shelf.study, [], []
    for item in study.best:
        if (item.dataset, item.model) != (dataset, model):
            continue
        run = item.result
        rows.append(
            {
                "by": BY[item.why],
                "configuration": short_name(run.config),
                "n": len(run.validation),
                "validation %": words.figure(run.validation),
                "test %": tables.marked(run),
                "seconds": words.seconds(run.mean_seconds),
                "parameters": f"{run.parameters:,}",
            }
        )
        commands += [f"# {BY[item.why]}", words.training_command(run.config)]
    if not rows:
        return []
    lines = [
        "Chosen on validation. Once anything was repeated, only what was repeated can win. *Time* is the quickest "
        "within 0.5 points of the most accurate. *Accuracy per second* is the validation accuracy above guessing, over "
        f"the training seconds: it rewards the shortest useful run. {WHOSE_TEST}",
        "",
        tables.text_table(rows),
        "",
        "The command that trains each (add `--seed 1` and so on for the other seeds):",
        "",
        "```sh",
        "\n".join(commands),
        "```",
        "",
        *_trained_on_all(page, dataset, model),
    ]
    if ranking := page.pair_picture(dataset, model, "ranking"):
        table = tables.ranking(page.shelf.runs.ranked(model, dataset))
        lines += ["### Top configurations", "", table, "", *ranking]
    return [*lines, *page.pair_picture(dataset, model, "pareto")]


def _trained_on_all(page: Page, dataset: str, model: str) -> list[str]:
    """Final figures of configurations trained on the validation images too: reported, never chosen by."""
    rows = [
        {
            "configuration": short_name(run.config),
            "n": len(run.test),
            "test %": words.figure(run.test),
            "seconds": words.seconds(run.mean_seconds),
        }
        for run in page.shelf.runs.configurations
        if (run.config.dataset, run.config.model, run.config.train_on) == (dataset, model, "all") and run.test
    ]
    if not rows:
        return []
    told = "Trained on the validation images, too; such runs have no validation accuracy, and none was chosen by it:"
    return [told, "", tables.text_table(rows), ""]


def _importance(page: Page, dataset: str, model: str) -> list[str]:
    facts = importance.facts(page.shelf.pair(dataset, model))
    if facts is None:
        return []
    rows = [
        {
            "sweep": row.sweep,
            "values": row.points,
            "n": row.n,
            "effect (sd), points": f"{100 * row.reach:.2f}",
            "with its hopeless point": "-" if row.without is None else f"{100 * row.effect:.2f} with {row.hopeless}",
            "worst to best, points": f"{100 * row.range:.2f}",
            "seed alone (sd), points": f"{100 * row.noise:.2f}",
            "matters": row.matters.word,
        }
        for row in facts.rows
    ]
    lines = [
        "*Effect* is the standard deviation of a sweep's point means. The part that seeds alone would give is taken "
        "out, and so is a hopeless point: a worst point that alone makes more than half of the effect. *Matters* is as "
        "sure as the surest word on any point. A grid sets how far its knob can move the accuracy, so effects compare "
        "grids, too.",
        "",
        tables.text_table(rows),
        "",
    ]
    found = page.shelf.study.knobs(dataset, model)
    if found.not_ranked:
        without = [sweep.title for sweep in found.not_ranked]
        lines += [f"Not ranked, for want of runs: {words.listed(without, most=len(without))}.", ""]
    return [*lines, *page.pair_picture(dataset, model, "importance")]


def _interactions(sweeps: list[SweepResult]) -> list[str]:
    table = interaction_table(sweeps)
    if not table:
        return []
    return [
        "Does the best value of one knob depend on the other? Two knobs interact where cells depart from the sum of "
        "their row's and their column's effect. *Effect*: standard deviation of that departure, noise taken out; "
        "*noise*: that of a single run; *p*: F test at Box's lower bound, a conservative one, in accuracy and in "
        "log-odds. Near 100 % two knobs that each halve the errors cannot add up in accuracy, so an interaction is "
        "claimed only where both scales show it. Where some cell has no result it is not tested.",
        "",
        table,
        "",
    ]


@dataclass(frozen=True)
class Mistakes:
    """What the best of a model gets wrong on the test set. Kept beside its picture: a machine without the data set
    rebuilds the same report."""

    configuration: str
    wrong: int
    of: int
    truth: str
    taken: str
    times: int
    also: tuple[tuple[str, str], ...] = ()
    """What is taken for what as often."""

    @property
    def told(self) -> str:
        """``82 of 10,000 wrong; most often a true 4 is called 9 (8 times).``"""
        pairs = [f"a true {truth} is called {taken}" for truth, taken in ((self.truth, self.taken), *self.also)]
        each = " each" if self.also else ""
        most = f"; most often {words.listed(pairs, 'or')} ({words.plural(self.times, 'time')}{each})"
        return f"{self.wrong:,} of {self.of:,} wrong{most if self.wrong else ''}."


def _errors(page: Page, dataset: str, model: str) -> list[str]:
    ranked, predict = page.shelf.runs.ranked(model, dataset), page.shelf.predict
    if not ranked:
        return []
    name, configuration = name_of(model, dataset), short_name(ranked[0].config)
    path = page.shelf.media / dataset / f"{model}_confusion.png"
    predicted = predict(ranked[0].config) if predict else None
    if predicted is None:
        kept = _kept(path)
        if kept is None or kept.configuration != configuration:
            page.shelf.missing.append(f"Where the best {name} errs: its predictions, or its data, are not here.")
            return []
        page.shelf.errors.append(f"**{name}**: {kept.told}")
        page.shelf.files.append(path)
        return [f"![{confusion.title(dataset, model)}]({page.link(path)})", ""]
    mistakes = _mistakes(dataset, configuration, *predicted[:2])
    page.shelf.errors.append(f"**{name}**: {mistakes.told}")
    about = Predictions(model, dataset, configuration, *predicted)
    lines = page.picture(path, "confusion", about)
    write_atomically(path.with_suffix(".json"), msgspec.json.encode(mistakes) + b"\n")
    return lines


def _kept(picture: Path) -> Mistakes | None:
    """What was said of a picture that is still there."""
    try:
        found = msgspec.json.decode(picture.with_suffix(".json").read_bytes(), type=Mistakes)
    except (OSError, ValueError):
        return None
    return found if picture.is_file() else None


def _mistakes(dataset: str, configuration: str, logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> Mistakes:
    said, classes = logits.argmax(1), logits.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, said), 1)
    np.fill_diagonal(counts, 0)
    names = class_names(dataset, classes)
    (truth, taken), *also = [(names[a], names[b]) for a, b in np.argwhere(counts == counts.max())]
    most = int(counts.max())
    return Mistakes(configuration, int(counts.sum()), len(labels), truth, taken, most, tuple(also) if most else ())


def studies(page: Page, judged: Sequence[StudyResult]) -> list[str]:
    """Studies and searches: every value tuned before it is compared."""
    if not judged:
        return []
    lines = [
        "A study tunes each value of what it asks about before it compares them: settings are tried, the best go on, "
        "and the best of each value runs on *fresh seeds*, which chose nothing. Only these judge, so that choosing "
        "leaves no bias; every pair is compared, Holm-corrected.",
        "",
    ]
    return [*lines, *(line for one in judged for line in _study(page, one))]


def _study(page: Page, judged: StudyResult) -> list[str]:
    """A study's fold: question, verdicts, table, pictures, command."""
    asked, shelf = judged.question, page.shelf
    path, picture, _ = files_of(judged, shelf.results, shelf.media)
    shelf.save(path, tables.study_csv(judged))
    lines = [
        f'<a id="{tables.anchor(judged)}"></a>',
        "",
        "<details>",
        f"<summary>{as_text(f'{asked.title} ({judged.slug})')}</summary>",
        "",
    ]
    lines += [f"**Question**: {asked.question}", ""] if asked.question else []
    lines += [f"**Hypothesis**: {asked.hypothesis}", ""] if asked.hypothesis else []
    lines += [tuned.caption(judged), "", tables.study_table(judged), "", *bullets(tuned.study_sentences(judged)), ""]
    for plot in STUDY_PLOTS if asked.scientific else SEARCH_PLOTS:
        lines += page.picture(picture.with_stem(f"{picture.stem}_{plot}"), plot, judged)
    command, where = words.study_command(judged.request), page.link(path)
    return [*lines, f"Its command: `{command}`. Figures: [{path.name}]({where}).", "", "</details>", ""]


def settled_sweeps(page: Page, judged: Sequence[SettledSweep]) -> list[str]:
    """Every settled sweep, how it is to be read, where its seeds went, and the command that goes on with it."""
    if not judged:
        return []
    lines = [
        "Seeds came in looks, only where a question was open (`--settle`): verdicts are corrected for all comparisons "
        "and all looks of a sweep (5 % in all, for each of its two questions), and rest on seeds of their own, from "
        "500 on. Intervals hold for all comparisons and looks at once. *Equivalent*: the difference surely lies within "
        "the margin, which was set beforehand.",
        "",
    ]
    for one in judged:
        asked, whose = one.sweep, " (yours)" if one.own else ""
        lines += [f"### {asked.title}: {name_of(asked.model, asked.dataset)}{whose}", ""]
        lines += [*bullets(settled.sentences(one)), "", settled.table(one), ""]
        media = page.shelf.media / "own" if one.own else page.shelf.media
        lines += page.picture(media / asked.dataset / f"{asked.model}_{one.slug}_spent.png", "spent", one)
        lines += [f"Its command: `{words.sweep_command(one.request)}`.", ""]
    return lines


def sweep(page: Page, judged: SweepResult) -> list[str]:
    """A sweep's fold: question, hypothesis, verdicts, table, pictures, command."""
    asked, shelf = judged.sweep, page.shelf
    path, picture, curves_picture = files_of(judged, shelf.results, shelf.media)
    shelf.save(path, tables.csv(judged))
    best = f"best: {judged.winner.label}, " if judged.winner else ""
    seeds = judged.seeds or max((len(outcome.test) for outcome in judged.distinct), default=0)
    counted = f"{words.plural(len(judged.distinct), 'point')}, {words.plural(seeds, 'seed')}"
    where = f" on {datasets.title(judged.dataset)}" if judged.origin == "own" else ""
    lines = [
        f'<a id="{tables.anchor(judged)}"></a>',
        "",
        "<details>",
        f"<summary>{as_text(f'{asked.title}{where} ({judged.slug}): {best}{counted}')}</summary>",
        "",
    ]
    lines += [f"**Question**: {asked.question}", ""] if asked.question else []
    lines += [f"**Hypothesis**: {asked.hypothesis}", ""] if asked.hypothesis else []
    shared = shelf.study.sharing_baseline(judged) if judged.origin == "published" else ()
    lines += [*bullets(sweep_sentences(judged, shared)), "", tables.sweep_table(judged), "", *best_points.told(judged)]
    lines += page.picture(picture, "heat" if judged.is_pair else "accuracy", judged, asked.title)
    lines += page.picture(curves_picture, "curves", judged)
    sized = picture.with_stem(f"{picture.stem}_size")
    lines += page.picture(sized, "size", judged, f"{asked.title}: time and parameters")
    where, again = page.link(path), "(shown from the ledger; with `--force` trained anew)"
    lines += [f"Its command: `{words.sweep_command(judged.request)}` {again}. Figures: [{path.name}]({where}).", ""]
    return [*lines, "</details>", ""]
