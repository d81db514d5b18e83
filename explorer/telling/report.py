"""REPORT.md, its CSVs and its pictures, rebuilt from the ledger: the same bytes from the same records.

A section without data is left out and listed under "Not run yet".
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from explorer import datasets, escape, models
from explorer.asking import documents
from explorer.config import Config
from explorer.datasets.dataset import LOOK_IMAGES
from explorer.errors import UserError
from explorer.files import write_atomically
from explorer.judging import simulated, study
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.frame import runs_csv
from explorer.judging.runs import Runs
from explorer.judging.settled import SettledSweep
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.record import Environment
from explorer.telling import findings, plots, settled, tables, tuned, words
from explorer.telling.findings.best import against_one_another, leaders
from explorer.telling.findings.interactions import interaction_table
from explorer.telling.findings.published_tables import side_by_side
from explorer.telling.findings.published_tables import tables as published_tables
from explorer.telling.findings.sweep import sweep_sentences
from explorer.telling.names import model_title, name_of
from explorer.telling.plots import importance
from explorer.telling.plots.facts import Pair, Predictions
from explorer.telling.statistics import statistics_lines
from explorer.telling.words import plural, short_name

# (logits (n, classes), labels (n,), images (n, height, width)) of the test set, or None where it cannot be had
Predict = Callable[[Config], tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]] | None]
WHOSE_TEST = (
    "Test figures with a star are of fresh seeds, which chose nothing. All others are of the seeds that chose the "
    "configuration: their luck is in both, so they are a little too good."
)
STUDY_PLOTS = ("isolation", "moves", "tries", "spent")
SEARCH_PLOTS = ("moves", "tries")
BY = {"accuracy": "accuracy", "time": "time, within 0.5 points of it", "accuracy per second": "accuracy per second"}


def rebuild(
    runs: Runs,
    results: Path,
    media: Path,
    report: Path,
    predict: Predict | None = None,
    own: Sequence[SweepResult] = (),
    own_settled: Sequence[SettledSweep] = (),
    own_studies: Sequence[StudyResult] = (),
) -> list[Path]:
    """Writes a CSV per sweep into ``results``, PNGs under ``media`` and the report; returns the files, report last.

    ``runs`` are those of the study in ``results``. ``predict`` gives a configuration's test predictions, for the
    confusion matrix. ``own`` are a person's own sweeps, judged by whoever has their records, ``own_settled`` those that
    were asked for with ``--settle``, ``own_studies`` their studies and searches: they get a section of their own and
    change no figure of the study. UserError where files cannot be written or the list of sweeps cannot be read.
    """
    builder = Builder(
        study.read(runs, results), own, own_settled, own_studies, Path(results), Path(media), Path(report)
    )
    try:
        text = builder.text(predict)
        builder.save(builder.report, text)
    except OSError as error:
        raise UserError(
            f"{error.filename or report}: the report could not be written ({error.strerror or error})"
        ) from error
    return builder.files


def files_of(judged: SweepResult | StudyResult, results: Path, media: Path) -> tuple[Path, Path, Path]:
    """Where a sweep's CSV, picture and learning curves lie; not every sweep has all of them."""
    results, media = Path(results), Path(media)
    if judged.origin == "own":
        results, media = results / "own", media / "own"
    folder, stem = media / judged.dataset, f"{judged.model}_{judged.slug}"
    return results / f"{judged.dataset}_{stem}.csv", folder / f"{stem}.png", folder / f"{stem}_curves.png"


class Builder:
    """One rebuilding: collects the files it writes."""

    def __init__(
        self,
        study: Study,
        own: Sequence[SweepResult],
        own_settled: Sequence[SettledSweep],
        own_studies: Sequence[StudyResult],
        results: Path,
        media: Path,
        report: Path,
    ):
        self.study, self.runs, self.own = study, study.runs, own
        self.own_studies = own_studies
        self.settled = [*study.settled, *own_settled]
        self.results, self.media, self.report = results, media, report
        self.files: list[Path] = []
        self.targets: set[str] = set()  # what links lead to, but for places on the page itself
        self.missing = [words.unreadable(request) for request in study.unreadable]

    def save(self, path: Path, text: str) -> None:
        """Replaces a text file as a whole, if it says anything new."""
        content = text.encode("utf-8", "backslashreplace")
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)
        self.files.append(path)

    def picture(self, path: Path, plot: str, about: object, title: str = "") -> list[str]:
        """Draws a plot and gives the line that shows it, under its own or another title; none where it has no facts."""
        facts = plots.PLOTS[plot].facts(about)
        if facts is None:
            return []
        self.files.append(plots.write(path, plot, facts))
        return [f"![{title or facts.title}]({self.link(path)})", ""]

    def pair(self, dataset: str, model: str) -> Pair:
        return Pair(model, dataset, self.runs.ranked(model, dataset), self.study.of(dataset, model))

    def pair_picture(self, dataset: str, model: str, plot: str, what: str = "") -> list[str]:
        path = self.media / dataset / f"{model}_{what or plot}.png"
        return self.picture(path, plot, self.pair(dataset, model))

    def link(self, path: Path) -> str:
        """A file as the report names it."""
        target = quote(Path(os.path.relpath(path, self.report.parent)).as_posix(), errors="surrogateescape")
        self.targets.add(target)
        return target

    def text(self, predict: Predict | None) -> str:
        """The whole of REPORT.md; writes CSVs and pictures on the way."""
        study = self.study
        lines = ["# What the hyperparameters do", "", *self.preface(), ""]
        sections: list[tuple[str, list[str]]] = [
            ("Findings", bullets(findings.top(study))),
            ("Your own sweeps", self.own_sweeps()),
            ("Best configurations", self.best()),
            ("All sweeps at a glance", self.glance()),
            ("Which knobs matter most", self.importance()),
            ("Answers to the study questions", self.answers()),
            ("Published figures beside measured ones", self.published()),
            (" against ".join(map(model_title, self.compared_models())), self.models()),
            ("Learning curves of the best", self.top_curves()),
            ("Where the best models err", self.confusion(predict)),
            ("Interactions", self.interactions()),
            ("Sweep by sweep", self.sweeps()),
            ("Each value at its best", self.studies()),
            ("Settled sweeps", settled.section(self.settled)),
            ("How it is judged", self.statistics()),
            ("Not run yet", bullets(self.not_run())),
        ]
        present = [(title, body) for title, body in sections if body]
        lines += [" · ".join(f"[{title}](#{title.lower().replace(' ', '-')})" for title, _ in present), ""]
        for title, body in present:
            lines += [f"## {title}", "", *body, ""]
        return escape.page("\n".join(_squeezed(lines)) + "\n", self.targets)

    def preface(self) -> list[str]:
        """How to read the figures, and what they come from."""
        records = self.runs.kept
        if not records:
            return ["The ledger holds no run yet. `python mnist_explorer.py mlp --sweep lr` makes a start."]
        every = self.results / "runs.csv"
        counted = self.runs.counted
        self.save(every, runs_csv(counted, self.study.sweeps))
        hours = sum(record.seconds.total for record in counted) / 3600
        again = (
            f" ({plural(self.runs.repeats, 'record')} more repeat a run, configuration and seed: they count once)"
            if self.runs.repeats
            else ""
        )
        lines = [
            f"From {plural(len(counted), 'run')} of {plural(len(self.runs.configurations), 'configuration')}, "
            f"{hours:.1f} hours of computing{again}. "
            "This file is derived: `python mnist_explorer.py report` rebuilds it from the ledger. "
            f"Every run, a row each, with its sweeps and points: [runs.csv]({self.link(every)}).",
            "",
            "How to read it: accuracies are in per cent, *mean ± half-width of the 95 % interval of the mean* over n "
            f"seeds, or the ends of the interval where 0 or 100 % cuts it; below {MIN_RUNS} seeds the runs themselves, "
            "without interval or verdict. Differences are in points of a per cent. **Validation chooses and judges; "
            "test is measured once, at the end, and only reported.** *Better*, *worse* (sure): the test against the "
            "baseline shows it, corrected within the sweep. *Likely*: only the second opinion does, whose variances "
            "are moderated by all points of the study. *Not settled*: neither; the estimate stands beside it, and its "
            "interval, which is that of one comparison, may still exclude 0. *Tied*: as good as the best, as far as "
            "these runs can tell; *unknown*: not shown worse, but too noisy or too far behind to be called as good. "
            "Two points have one word between them in a sweep, whoever asks. [How it is judged](#how-it-is-judged) has "
            "the tests and how often they err. Seconds are those of training "
            "alone, without compiling and looking, of runs that shared a machine with one another: small "
            f"differences in them mean nothing. Looks along the way (curves, best looks) take at most {LOOK_IMAGES:,} "
            "validation images; every figure in a table takes all of them.",
        ]
        machines = Counter(_machine(record.environment) for record in counted)
        told = "; ".join(f"{machine} ({plural(count, 'run')})" for machine, count in sorted(machines.items()))
        lines += ["", f"Machine{'s' if len(machines) > 1 else ''}: {told}."]
        if len(machines) > 1:
            lines[-1] += " Seconds of different machines should not be compared."
        if self.runs.left_out:
            lines += [
                "",
                "Left out, so as not to mix what does not compare:",
                "",
                *bullets([words.left_out(kind) for kind in self.runs.left_out]),
            ]
        return lines

    def best(self) -> list[str]:
        rows, commands = [], []
        for item in self.study.best:
            run = item.result
            rows.append(
                {
                    "data": datasets.title(item.dataset),
                    "model": model_title(item.model),
                    "by": BY[item.why],
                    "configuration": short_name(run.config),
                    "n": len(run.validation),
                    "validation %": words.figure(run.validation),
                    "test %": tables.marked(run),
                    "seconds": words.seconds(run.mean_seconds),
                }
            )
            commands += [f"# {name_of(item.model, item.dataset)}, {BY[item.why]}", words.training_command(run.config)]
        if not rows:
            return []
        counts = sorted({count for dataset in self.study.datasets if (count := study.classes(dataset))}, reverse=True)
        guessing = f" ({', '.join(f'{100 / count:.3g} %' for count in counts)})" if counts else ""
        lines = [
            "Chosen on validation, where anything was repeated among the configurations that were; the quickest within "
            "0.5 points of the most accurate is listed where it is another. *Accuracy per second* is the validation "
            f"accuracy above guessing{guessing} over the training seconds: it rewards the shortest useful run. "
            f"{WHOSE_TEST}",
            "",
            tables.text_table(rows),
            "",
            "The command that trains each (add `--seed 1` and so on for the other seeds):",
            "",
            "```sh",
            "\n".join(commands),
            "```",
            "",
            *self.trained_on_all(),
        ]
        for dataset, model in self.study.pairs:
            shown = self.pair_picture(dataset, model, "ranking")
            if shown:
                table = tables.ranking(self.runs.ranked(model, dataset))
                lines += [f"### Top configurations, {name_of(model, dataset)}", "", table, "", *shown]
            lines += self.pair_picture(dataset, model, "pareto")
        return lines

    def trained_on_all(self) -> list[str]:
        """Final figures of configurations trained on the validation images too: reported, never chosen by."""
        rows = [
            {
                "data": datasets.title(run.config.dataset),
                "model": model_title(run.config.model),
                "configuration": short_name(run.config),
                "n": len(run.test),
                "test %": words.figure(run.test),
                "seconds": words.seconds(run.mean_seconds),
            }
            for run in self.runs.configurations
            if run.config.train_on == "all" and run.test
        ]
        if not rows:
            return []
        told = (
            "Trained on the validation images, too; such runs have no validation accuracy, and none was chosen by it:"
        )
        return [told, "", tables.text_table(rows), ""]

    def glance(self) -> list[str]:
        return [tables.comparison(self.study.sweeps)] if self.study.sweeps else []

    def importance(self) -> list[str]:
        lines: list[str] = []
        for dataset, model in self.study.pairs:
            facts = importance.facts(self.pair(dataset, model))
            if facts is None:
                continue
            rows = [
                {
                    "sweep": row.sweep,
                    "values": row.points,
                    "n": row.n,
                    "effect (sd), points": f"{100 * row.reach:.2f}",
                    "with its hopeless point": "-"
                    if row.without is None
                    else f"{100 * row.effect:.2f} with {row.hopeless}",
                    "worst to best, points": f"{100 * row.range:.2f}",
                    "seed alone (sd), points": f"{100 * row.noise:.2f}",
                    "matters": row.matters.word,
                }
                for row in facts.rows
            ]
            lines += [f"### {name_of(model, dataset)}", "", tables.text_table(rows), ""]
            found = self.study.knobs(dataset, model)
            if without := [*(judged.slug for judged in found.too_few), *found.not_run]:
                lines += [f"Not ranked, for want of runs: {', '.join(without)}.", ""]
            lines += self.pair_picture(dataset, model, "importance")
        if lines:
            lines[:0] = [
                "Effect: standard deviation of a sweep's point means, the part that seeds alone would give taken out, "
                "and without the worst point where that alone makes more than half of it. *Matters*: as sure as the "
                "surest word on any point against the baseline or the best. A knob's grid sets how far it can move the "
                "accuracy, so effects compare grids too; only knobs that were run are ranked.",
                "",
            ]
        return lines

    def answers(self) -> list[str]:
        lines: list[str] = []
        for question, answer in findings.answers(self.study):
            lines += [f"### {question}", "", *bullets(answer), ""]
        return lines

    def published(self) -> list[str]:
        lines: list[str] = []
        for table in published_tables(self.study):
            for stated, as_run in itertools.zip_longest(table.stated, table.run):
                lines += [f"### The {table.name} table", "", side_by_side(self.study, stated, as_run), ""]
        for judged in self.study.where(lambda judged: judged.role == "published" and not judged.sweep.published):
            title = f"{judged.sweep.title}, {name_of(judged.model, judged.dataset)}"
            lines += [f"### {title}", "", side_by_side(self.study, judged), ""]
        chosen = self.study.where(lambda judged: judged.sweep.published and judged.sweep.reference_is == "validation")
        names = [judged.sweep.published.table for judged in chosen if judged.sweep.published]
        told = f"the {words.listed(names)} table: validation" if names else ""
        if lines:
            lines[:0] = [
                "A published figure is one run of an earlier study, quoted in `sweeps/published-*.toml`. *Inside*: it "
                "lies in the 95 % prediction interval of one more run like ours, on the split it was measured on"
                f"{f' ({told})' if told else ''}; *above*, *below*: it does not. Where that is the test set, test is "
                "judged here, for it was published there. The interval's width comes from deviations moderated by a "
                "trend over the whole study: three runs that lie together by chance would make every other one a miss.",
                "",
            ]
        return lines

    def compared_models(self) -> list[str]:
        """The models that are compared with another on some data set, in their order."""
        both = [leaders(self.study, dataset) for dataset in self.study.datasets]
        there = {run.config.model for runs in both if len(runs) > 1 for run in runs}
        return [model for model in models.names() if model in there]

    def models(self) -> list[str]:
        rows, told = [], []
        for dataset in self.study.datasets:
            best = leaders(self.study, dataset)
            if len(best) < 2:
                continue
            told += against_one_another(self.study, dataset)
            rows += [
                {
                    "data": datasets.title(dataset),
                    "model": model_title(run.config.model),
                    "configuration": short_name(run.config),
                    "n": len(run.validation),
                    "validation %": words.figure(run.validation),
                    "test %": tables.marked(run),
                    "seconds": words.seconds(run.mean_seconds),
                    "parameters": f"{run.parameters:,}",
                }
                for run in best
            ]
        judged = "Validation judges here, too. " + WHOSE_TEST
        return [judged, "", tables.text_table(rows), "", *bullets(told)] if rows else []

    def top_curves(self) -> list[str]:
        lines: list[str] = []
        for dataset, model in self.study.pairs:
            lines += self.pair_picture(dataset, model, "curves", "best_curves")
        return lines

    def confusion(self, predict: Predict | None) -> list[str]:
        lines: list[str] = []
        for dataset, model in self.study.pairs:
            ranked = self.runs.ranked(model, dataset)
            predicted = predict(ranked[0].config) if predict and ranked else None
            if predicted is None:
                self.missing.append(
                    f"Where the best {name_of(model, dataset)} errs: its predictions are not kept here."
                )
                continue
            about = Predictions(model, dataset, short_name(ranked[0].config), *predicted)
            lines += self.picture(self.media / dataset / f"{model}_confusion.png", "confusion", about)
        return lines

    def interactions(self) -> list[str]:
        table = interaction_table(self.study.sweeps)
        if not table:
            return []
        return [
            "Does the best value of one knob depend on the other? Two knobs interact where cells depart from the sum "
            "of their row's and their column's effect. Effect: standard deviation of that departure, noise taken out; "
            "noise: that of a single run; p: F test at Box's lower bound, a conservative one, in accuracy and in "
            "log-odds: near 100 % two knobs that each halve the errors cannot add up in accuracy, so an interaction is "
            "claimed only where both scales show it. Where some cell has no result it is not tested. The heat maps are "
            "with each sweep, below.",
            "",
            table,
            "",
        ]

    def own_sweeps(self) -> list[str]:
        """What a person asked in addition, apart from the study: its figures take no part in any other section."""
        if not self.own and not self.own_studies:
            return []
        lines = [
            "These sweeps are yours. They are judged over your runs and the study's together; nothing else in this "
            "report rests on them.",
            "",
            *([tables.comparison(self.own), ""] if self.own else []),
        ]
        lines += [line for judged in self.own for line in self.sweep(judged)]
        return lines + [line for judged in self.own_studies for line in self.study_lines(judged)]

    def studies(self) -> list[str]:
        """Studies and searches: every value tuned before it is compared."""
        if not self.study.studies:
            return []
        lines = [
            "A study tunes each value of what it asks about before it compares them: settings are tried, the best go "
            "on, and the best of each value runs on *fresh seeds*, which chose nothing. Only these judge, so that "
            "choosing leaves no bias; every pair is compared, Holm-corrected.",
            "",
        ]
        return lines + [line for judged in self.study.studies for line in self.study_lines(judged)]

    def study_lines(self, judged: StudyResult) -> list[str]:
        """A study's section: question, verdicts, table, pictures, command."""
        path, picture, _ = files_of(judged, self.results, self.media)
        asked = judged.question
        self.save(path, tables.study_csv(judged))
        lines = [
            f'<a id="{tables.anchor(judged)}"></a>',
            "",
            f"### {asked.title}: {name_of(judged.model, judged.dataset)}",
            "",
        ]
        lines += [f"**Question**: {asked.question}", ""] if asked.question else []
        lines += [f"**Hypothesis**: {asked.hypothesis}", ""] if asked.hypothesis else []
        lines += [
            tuned.caption(judged),
            "",
            tables.study_table(judged),
            "",
            *bullets(tuned.study_sentences(judged)),
            "",
        ]
        for plot in STUDY_PLOTS if asked.scientific else SEARCH_PLOTS:
            lines += self.picture(picture.with_stem(f"{picture.stem}_{plot}"), plot, judged)
        where = self.link(path)
        return [*lines, f"Its command: `{words.study_command(judged.request)}`. Figures: [{where}]({where}).", ""]

    def sweeps(self) -> list[str]:
        lines: list[str] = []
        for judged in self.study.sweeps:
            lines += self.sweep(judged)
        return lines

    def sweep(self, judged: SweepResult) -> list[str]:
        """A sweep's section: question, hypothesis, command, verdicts, table, pictures."""
        asked = judged.sweep
        path, picture, curves_picture = files_of(judged, self.results, self.media)
        self.save(path, tables.csv(judged))
        lines = [
            f'<a id="{tables.anchor(judged)}"></a>',
            "",
            f"### {asked.title}: {name_of(judged.model, judged.dataset)}",
            "",
        ]
        lines += [f"**Question**: {asked.question}", ""] if asked.question else []
        lines += [f"**Hypothesis**: {asked.hypothesis}", ""] if asked.hypothesis else []
        shared = self.study.sharing_baseline(judged) if judged.origin == "published" else ()
        lines += [*bullets(sweep_sentences(judged, shared)), "", tables.sweep_table(judged), ""]
        lines += self.picture(picture, "heat" if judged.is_pair else "accuracy", judged, asked.title)
        lines += self.picture(curves_picture, "curves", judged)
        where, again = self.link(path), "(shown from the ledger; with `--force` trained anew)"
        command = words.sweep_command(judged.request)
        lines += [f"Its command: `{command}` {again}. Figures: [{where}]({where}).", ""]
        return lines

    def statistics(self) -> list[str]:
        return statistics_lines(self.study, simulated.read(self.results))

    def not_run(self) -> list[str]:
        """Shipped sweeps without a record, unfinished ones, and what else is left out."""
        missing = list(self.missing)
        usual = Config.model_fields["dataset"].default
        for dataset in documents.about():
            for model in models.names():
                run = {judged.request.name for judged in self.study.of(dataset, model) if not judged.request.path}
                names = [name for name in documents.available(model, dataset) if name not in run]
                if names:
                    command = f"python mnist_explorer.py {model} --sweep all"
                    command += f" --dataset {dataset}" if dataset != usual else ""
                    missing.append(f"{name_of(model, dataset)}: {', '.join(names)} (`{command}`)")
        for done in self.study.studies:
            if not done.complete:
                told = f"{plural(done.runs_left, 'run')} of {tables.link(done)}: `{words.study_command(done.request)}`"
                missing.append(told)
        for judged in self.study.sweeps:
            if not judged.complete:
                left = judged.runs_planned - judged.runs_done
                missing.append(
                    f"{plural(left, 'run')} of {tables.link(judged)}: `{words.sweep_command(judged.request)}`"
                )
        return missing


def bullets(told: Iterable[str]) -> list[str]:
    return [f"- {sentence}" for sentence in told]


def _machine(environment: Environment) -> str:
    return (
        f"{environment.cpu}, {environment.cores} cores, device {environment.device} "
        f"({environment.renderer}), tinygrad {environment.tinygrad}"
    )


def _squeezed(lines: Sequence[str]) -> list[str]:
    """No two blank lines in a row, none at the end."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept
