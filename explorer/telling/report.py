"""REPORT.md, its CSVs and its pictures, rebuilt from the ledger: the same bytes from the same records.

A section without data is left out and listed under "Not run yet".
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import models
from datasets.dataset import LOOK_IMAGES
from explorer.asking import questions as sweep
from explorer.config import Config
from explorer.errors import UserError
from explorer.fields import text_of
from explorer.files import write_atomically
from explorer.judging.results import ConfigResult, Runs, SweepResult, short_name, sweep_command, training_command
from explorer.record import Environment
from explorer.running import requests
from explorer.telling import findings as sentences
from explorer.telling import plots, tables
from explorer.telling.findings import Study, plural
from explorer.telling.names import name_of
from explorer.telling.plots import importance
from explorer.telling.plots.facts import Pair, Predictions

# (logits (n, 10), labels (n,), images (n, 28, 28) or (n, 784)) of the test set, or None where it cannot be had
Predict = Callable[[Config], tuple[Any, Any, Any] | None]


def rebuild(
    runs: Runs,
    results: Path,
    media: Path,
    report: Path,
    predict: Predict | None = None,
) -> list[Path]:
    """Writes a CSV per sweep into ``results``, PNGs under ``media`` and the report; returns the files, report last.

    ``predict`` gives a configuration's test predictions, for the confusion matrix. UserError where files cannot be
    written or the list of sweeps cannot be read.
    """
    builder = Builder(runs, Path(results), Path(media), Path(report))
    builder.read_sweeps()
    try:
        text = builder.text(predict)
        builder.save(builder.report, text)
    except OSError as error:
        raise UserError(
            f"{error.filename or report}: the report could not be written ({error.strerror or error})"
        ) from error
    return builder.files


def files_of(judged: SweepResult, results: Path, media: Path) -> tuple[Path, Path, Path]:
    """Where a sweep's CSV, picture and learning curves lie; not every sweep has all of them."""
    folder, stem = Path(media) / judged.request.dataset, f"{judged.request.model}_{judged.slug}"
    return Path(results) / f"{judged.request.dataset}_{stem}.csv", folder / f"{stem}.png", folder / f"{stem}_curves.png"


def read_study(runs: Runs, results: Path) -> tuple[list[SweepResult], list[str]]:
    """The sweeps in ``results`` with any record, judged, and a sentence for each that can no longer be read.

    A sweep run in two ways (other overrides, another file) has two entries; the first without overrides, else the
    first of all, keeps the plain name.
    """
    judged, problems = [], []
    known = requests.read(results)
    for request in known:
        alike = [p for p in known if (p.name, p.model, p.dataset) == (request.name, request.model, request.dataset)]
        plain = next((p for p in alike if not p.overrides and not p.path), alike[0])
        slug = request.name if request is plain else f"{request.name}-{_suffix(request, alike)}"
        try:
            loaded = sweep.load(
                request.path or request.name, request.model, request.dataset, request.overrides, yes=True
            )
        except UserError as error:
            problems.append(f"`{sweep_command(request)}` was run, but cannot be read any more: {error}")
            continue
        candidate = SweepResult(request, loaded, runs, slug)
        if candidate.runs_done:
            judged.append(candidate)
    order = {name: index for index, name in enumerate(datasets.names())}
    judged.sort(
        key=lambda j: (
            order.get(j.request.dataset, 9),
            models.names().index(j.request.model),
            j.request.name,
            j.slug != j.request.name,
            j.slug,
        )
    )
    return judged, problems


def _suffix(request: requests.Request, alike: Sequence[requests.Request]) -> str:
    words = "-".join(f"{field}-{text_of(value)}" for field, value in sorted(request.overrides.items()))
    words = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in words)
    return words[:40] + ("" if words and len(words) <= 40 and not request.path else str(alike.index(request) + 1))


class Builder:
    """One rebuilding: collects the files it writes."""

    def __init__(self, runs: Runs, results: Path, media: Path, report: Path):
        self.runs, self.results, self.media, self.report = runs, results, media, report
        self.files: list[Path] = []
        self.missing: list[str] = []
        self.study = Study(runs, ())

    def read_sweeps(self) -> None:
        judged, self.missing = read_study(self.runs, self.results)
        self.study = Study(self.runs, tuple(judged))

    def save(self, path: Path, text: str) -> None:
        """Replaces a text file as a whole, if it says anything new."""
        content = text.encode()
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)
        self.files.append(path)

    def picture(self, path: Path, plot: str, about: Any, words: str = "") -> list[str]:
        """Draws a plot and gives the line that shows it, in these words or its title; none where it has no facts."""
        facts = plots.PLOTS[plot].facts(about)
        if facts is None:
            return []
        self.files.append(plots.write(path, plot, facts))
        where = Path(os.path.relpath(path, self.report.parent)).as_posix()
        return [f"![{words or facts.title}]({where})", ""]

    def pair(self, dataset: str, model: str) -> Pair:
        return Pair(model, dataset, self.ranked(dataset, model), self.of(dataset, model))

    def pair_picture(self, dataset: str, model: str, plot: str, suffix: str = "") -> list[str]:
        path = self.media / dataset / f"{model}_{suffix or plot}.png"
        return self.picture(path, plot, self.pair(dataset, model))

    def text(self, predict: Predict | None) -> str:
        """The whole of REPORT.md; writes CSVs and pictures on the way."""
        study = self.study
        lines = ["# What the hyperparameters do", "", *self.preface(), ""]
        sections: list[tuple[str, list[str]]] = [
            ("Findings", bullets(sentences.top_findings(study))),
            ("Best configurations", self.best()),
            ("All sweeps at a glance", self.glance()),
            ("Which knobs matter most", self.importance()),
            ("Answers to the study questions", self.answers()),
            ("Published figures beside measured ones", self.published()),
            ("MLP against CNN", self.models()),
            ("Learning curves of the best", self.top_curves()),
            ("Where the best models err", self.confusion(predict)),
            ("Interactions", self.interactions()),
            ("Sweep by sweep", self.sweeps()),
            ("Not run yet", bullets(self.not_run())),
        ]
        present = [(title, body) for title, body in sections if body]
        lines += [" · ".join(f"[{title}](#{title.lower().replace(' ', '-')})" for title, _ in present), ""]
        for title, body in present:
            lines += [f"## {title}", "", *body, ""]
        return "\n".join(_squeezed(lines)) + "\n"

    def preface(self) -> list[str]:
        """How to read the figures, and what they come from."""
        records = self.runs.kept
        if not records:
            return ["The ledger holds no run yet. `python mnist_explorer.py mlp --sweep lr` makes a start."]
        hours = sum(record.seconds.total for record in records) / 3600
        lines = [
            f"From {plural(len(records), 'run')} of {plural(len(self.runs.configurations), 'configuration')}, "
            f"{hours:.1f} hours of computing. "
            "This file is derived: `python mnist_explorer.py report` rebuilds it from the ledger.",
            "",
            "How to read it: accuracies are in per cent, *mean ± half-width of the 95 % interval of the mean* over n "
            "seeds; differences are in points of a per cent. **Validation chooses and judges; test is measured once, "
            "at the end, and only reported.** Verdicts against the baseline come from paired tests over common seeds, "
            "Holm-corrected within a sweep, so an interval (of one comparison) that excludes 0 can stand beside *no "
            "difference shown*. *Ties* are the points a winner does not beat by a test of its own (one-sided, "
            "shared equally among the points, for it was picked after looking): it can be *better* than the baseline "
            "and still tie with it, or the reverse. Seconds are those of training "
            "alone, without compiling and looking, of runs that shared a machine with one another: small "
            f"differences in them mean nothing. Looks along the way (curves, best looks) take at most {LOOK_IMAGES:,} "
            "validation images; every figure in a table takes all of them.",
        ]
        machines = Counter(_machine(record.environment) for record in records)
        told = "; ".join(f"{machine} ({plural(count, 'run')})" for machine, count in sorted(machines.items()))
        lines += ["", f"Machine{'s' if len(machines) > 1 else ''}: {told}."]
        if len(machines) > 1:
            lines[-1] += " Seconds of different machines should not be compared."
        if self.runs.left_out:
            lines += ["", "Left out, so as not to mix what does not compare:", "", *bullets(self.runs.left_out)]
        return lines

    def ranked(self, dataset: str, model: str) -> list[ConfigResult]:
        return self.runs.ranked(model, dataset)

    def best(self) -> list[str]:
        rows, commands = [], []
        for item in sentences.best(self.study):
            run = item.measured
            rows.append(
                {
                    "data": datasets.title(item.dataset),
                    "model": item.model.upper(),
                    "by": item.why,
                    "configuration": short_name(run.config),
                    "n": len(run.validation),
                    "validation %": tables.figure(run.validation),
                    "test %": tables.figure(run.test),
                    "seconds": tables.seconds(run.mean_seconds),
                }
            )
            commands.append(f"# {name_of(item.model, item.dataset)}, {item.why}\n{training_command(run.config)}")
        if not rows:
            return []
        lines = [
            "Chosen on validation, where anything was repeated among the configurations that were; the quickest within "
            "0.5 points of the most accurate is listed where it is another. *Accuracy per second* is the validation "
            "accuracy above guessing (10 %) over the training seconds: it rewards the shortest useful run.",
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
                table = tables.ranking(self.ranked(dataset, model))
                lines += [f"### Top configurations, {name_of(model, dataset)}", "", table, "", *shown]
            lines += self.pair_picture(dataset, model, "pareto")
        return lines

    def trained_on_all(self) -> list[str]:
        """Final figures of configurations trained on the validation images too: reported, never chosen by."""
        rows = [
            {
                "data": datasets.title(run.config.dataset),
                "model": run.config.model.upper(),
                "configuration": short_name(run.config),
                "n": len(run.test),
                "test %": tables.figure(run.test),
                "seconds": tables.seconds(run.mean_seconds),
            }
            for run in self.runs.configurations
            if run.config.train_on == "all" and run.test
        ]
        if not rows:
            return []
        told = "Trained on all 60,000 images; such runs have no validation accuracy, and nothing was chosen by them:"
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
                    "effect (sd), points": f"{100 * row.effect:.2f}",
                    "worst to best, points": f"{100 * row.range:.2f}",
                    "seed alone (sd), points": f"{100 * row.noise:.2f}",
                    "p": sentences.probability(row.p),
                }
                for row in facts.rows
            ]
            lines += [f"### {name_of(model, dataset)}", "", tables.text_table(rows), ""]
            lines += self.pair_picture(dataset, model, "importance")
        if lines:
            lines[:0] = [
                "Effect: standard deviation of a sweep's point means, the part that seeds alone would give taken out. "
                "p: does the knob matter at all (repeated-measures F test, Greenhouse-Geisser; next to no power below "
                "5 seeds). A knob's grid sets how far it can move the accuracy, so effects compare grids too.",
                "",
            ]
        return lines

    def of(self, dataset: str, model: str) -> list[SweepResult]:
        return [
            judged for judged in self.study.sweeps if (judged.request.dataset, judged.request.model) == (dataset, model)
        ]

    def answers(self) -> list[str]:
        lines: list[str] = []
        for question, answer in sentences.questions(self.study):
            lines += [f"### {question}", "", *bullets(answer), ""]
        return lines

    def published(self) -> list[str]:
        lines: list[str] = []
        for model in models.names():
            stated = self.study.get(f"published-{model}", model, "mnist")
            as_run = self.study.get(f"published-{model}-as-run", model, "mnist")
            if stated or as_run:
                lines += [f"### The MNIST {model.upper()} table", "", sentences.side_by_side(stated, as_run), ""]
        others = [("published-final", model, "mnist") for model in models.names()] + [
            ("published-fashion", "mlp", "fashion")
        ]
        for name, model, dataset in others:
            judged = self.study.get(name, model, dataset)
            if judged:
                lines += [
                    f"### {judged.sweep.title}, {name_of(model, dataset)}",
                    "",
                    sentences.side_by_side(judged, None),
                    "",
                ]
        if lines:
            lines[:0] = [
                "A published figure is one run of an earlier study, quoted in `sweeps/published-*.toml`. *Inside*: it "
                "lies in the 95 % prediction interval of one more run like ours, on the split it was measured on (the "
                "Fashion table: validation); *above*, *below*: it does not.",
                "",
            ]
        return lines

    def models(self) -> list[str]:
        rows, told = [], []
        for dataset in datasets.names():
            ranked = {model: self.ranked(dataset, model) for model in models.names()}
            if not all(ranked.values()):
                continue
            mlp, cnn = ranked["mlp"][0], ranked["cnn"][0]
            told.append(sentences.against(mlp, cnn, dataset))
            rows += [
                {
                    "data": datasets.title(dataset),
                    "model": run.config.model.upper(),
                    "configuration": short_name(run.config),
                    "n": len(run.test),
                    "test %": tables.figure(run.test),
                    "seconds": tables.seconds(run.mean_seconds),
                    "parameters": f"{next(iter(run.records.values())).parameters:,}",
                }
                for run in (mlp, cnn)
            ]
        return [tables.text_table(rows), "", *bullets(told)] if rows else []

    def top_curves(self) -> list[str]:
        lines: list[str] = []
        for dataset, model in self.study.pairs:
            lines += self.pair_picture(dataset, model, "curves", "best_curves")
        return lines

    def confusion(self, predict: Predict | None) -> list[str]:
        lines: list[str] = []
        for dataset, model in self.study.pairs:
            ranked = self.ranked(dataset, model)
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
        rows = []
        for judged in self.study.sweeps:
            if judged.is_pair and judged.validation:
                found = sentences.interaction_of(judged)
                tested = found.shown != "not tested"
                rows.append(
                    {
                        "data": judged.request.dataset,
                        "model": judged.request.model,
                        "sweep": tables.link(judged),
                        "best mean": f"{found.tuned} {found.best}",
                        "interaction": found.shown,
                        "p": sentences.probability(found.p) if tested else "-",
                        "effect (sd), points": f"{100 * found.effect:.2f}" if tested else "-",
                        "noise (sd), points": f"{100 * found.noise:.2f}" if tested else "-",
                        "n": found.n,
                    }
                )
        if not rows:
            return []
        return [
            "Does the best value of one knob depend on the other? Two knobs interact where cells depart from the sum "
            "of their row's and their column's effect. Effect: standard deviation of that departure, noise taken out; "
            "noise: that of a single run; p: F test at Box's lower bound, a conservative one. Where some cell has no "
            "result it is not tested. The heat maps are with each sweep, below.",
            "",
            tables.text_table(rows),
            "",
        ]

    def sweeps(self) -> list[str]:
        lines: list[str] = []
        for judged in self.study.sweeps:
            lines += self.sweep(judged)
        return lines

    def sweep(self, judged: SweepResult) -> list[str]:
        """A sweep's section: question, hypothesis, command, verdicts, table, pictures."""
        request, asked = judged.request, judged.sweep
        path, picture, curves_picture = files_of(judged, self.results, self.media)
        self.save(path, tables.csv(judged))
        lines = [
            f'<a id="{tables.anchor(judged)}"></a>',
            "",
            f"### {asked.title}: {name_of(request.model, request.dataset)}",
            "",
        ]
        lines += [f"**Question**: {asked.question}", ""] if asked.question else []
        lines += [f"**Hypothesis**: {asked.hypothesis}", ""] if asked.hypothesis else []
        lines += [*bullets(sentences.sweep_sentences(judged)), "", tables.sweep_table(judged), ""]
        lines += self.picture(picture, "heat" if judged.is_pair else "accuracy", judged, asked.title)
        lines += self.picture(curves_picture, "curves", judged)
        where = Path(os.path.relpath(path, self.report.parent)).as_posix()
        again = "(shown from the ledger; with `--force` trained anew)"
        lines += [f"Its command: `{sweep_command(request)}` {again}. Figures: [{where}]({where}).", ""]
        return lines

    def not_run(self) -> list[str]:
        """Shipped sweeps without a record, unfinished ones, and what else is left out."""
        missing = list(self.missing)
        for dataset in ("mnist", "fashion"):
            for model in models.names():
                run = {judged.request.name for judged in self.of(dataset, model) if not judged.request.path}
                names = [name for name in sweep.available(model, dataset) if name not in run]
                if names:
                    command = f"python mnist_explorer.py {model} --sweep all"
                    command += f" --dataset {dataset}" if dataset != "mnist" else ""
                    missing.append(f"{name_of(model, dataset)}: {', '.join(names)} (`{command}`)")
        for judged in self.study.sweeps:
            if not judged.complete:
                left = judged.runs_planned - judged.runs_done
                missing.append(f"{plural(left, 'run')} of {tables.link(judged)}: `{sweep_command(judged.request)}`")
        return missing


def bullets(told: Sequence[str]) -> list[str]:
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
