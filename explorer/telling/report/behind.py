"""The pages behind REPORT.md that are about no single model: questions, published figures, statistics, own sweeps."""

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from explorer import models
from explorer.asking import documents
from explorer.config import Config
from explorer.judging import simulated
from explorer.judging.frame import runs_csv
from explorer.judging.runs import mean
from explorer.judging.shifts import Moved
from explorer.record import Environment
from explorer.telling import findings, on_the_way, shifts, tables, words
from explorer.telling.findings.published_tables import side_by_side
from explorer.telling.findings.published_tables import tables as published_tables
from explorer.telling.names import name_of
from explorer.telling.plots.facts import Predictions
from explorer.telling.report.group import settled_sweeps, studies, sweep
from explorer.telling.report.shelf import Page, Shelf, bullets, page_behind
from explorer.telling.statistics import statistics_lines
from explorer.telling.words import plural


def write(shelf: Shelf) -> None:
    _questions(shelf)
    _published(shelf)
    _statistics(shelf)
    _own(shelf)


def _questions(shelf: Shelf) -> None:
    page = page_behind(shelf, "questions", "Questions to the whole study")
    page.section("What stands out", *bullets(findings.top(shelf.study)))
    for finding, answer in findings.answers(shelf.study):
        more = _moved(page, shelf.study.moved, shelf.media) if finding.id == "translation" else []
        page.section(finding.question, f'<a id="{finding.id}"></a>', "", *bullets(answer), "", *more)
        shelf.answered[finding.id] = finding.question
    if page.sections:
        page.save()


def _moved(page: Page, every: Sequence[Moved], media: Path) -> list[str]:
    """Tables and pictures of test images that move, and how they were measured."""
    found = [shifts.HOW, ""]
    for moved in every:
        picture = page.picture(media / moved.dataset / "shifts.png", "shifts", moved)
        found += [shifts.table(moved), "", *picture]
    return found


def _published(shelf: Shelf) -> None:
    page = page_behind(shelf, "published", "Published figures beside measured ones")
    study, lines = shelf.study, []
    for table in published_tables(study):
        for stated, as_run in itertools.zip_longest(table.stated, table.run):
            lines += [f"## The {table.name} table", "", side_by_side(study, stated, as_run), ""]
    for judged in study.where(lambda judged: judged.role == "published" and not judged.sweep.published):
        title = f"{judged.sweep.title}, {name_of(judged.model, judged.dataset)}"
        lines += [f"## {title}", "", side_by_side(study, judged), ""]
    if not lines:
        return
    chosen = study.where(lambda judged: judged.sweep.published and judged.sweep.reference_is == "validation")
    names = [judged.sweep.published.table for judged in chosen if judged.sweep.published]
    told = f" (the {words.listed(names)} table: validation)" if names else ""
    page.say(
        "A published figure is one run of an earlier study, quoted in `sweeps/published-*.toml`. *Inside*: it lies in "
        f"the 95 % prediction interval of one more run like ours, on the split it was measured on{told}. *Above*, "
        "*below*: it does not. Where that is the test set, test is judged here, for it was published there. The "
        "interval's width comes from deviations moderated by a trend over the whole study: three runs that lie "
        "together by chance would make every other one a miss.",
    )
    page.say(*lines)
    page.save()


def _statistics(shelf: Shelf) -> None:
    page = page_behind(shelf, "statistics", "How it is judged")
    records = shelf.runs.kept
    if not records:
        return
    counted = shelf.runs.counted
    shelf.save(shelf.every_run, runs_csv(counted, shelf.study.sweeps))
    page.section("The rules, and how often they err", *statistics_lines(shelf.study, simulated.read(shelf.results)))
    machines = Counter(_machine(record.environment) for record in counted)
    told = [f"{machine}: {plural(count, 'run')}" for machine, count in sorted(machines.items())]
    again = [f"{plural(shelf.runs.repeats, 'record')} more repeat a run, configuration and seed: they count once."]
    page.section(
        "What was run",
        *bullets(told),
        *bullets(again if shelf.runs.repeats else []),
        f"- Every run, a row each, with its sweeps and points: [runs.csv]({page.link(shelf.every_run)}).",
    )
    page.section("Left out, so as not to mix what does not compare", *bullets(map(words.left_out, shelf.runs.left_out)))
    page.section("Not run yet", *_not_run(shelf))
    page.save()


def _not_run(shelf: Shelf) -> list[str]:
    """Shipped sweeps and studies without a record, unfinished ones, what each would take, and what else is left out."""
    missing, costs = list(shelf.missing), shelf.costs
    for dataset in documents.about():
        for model in models.names():
            left = shelf.study.not_run(dataset, model)
            if left:
                told = ", ".join(f"{judged.request.name}{words.in_brackets(costs.left(judged))}" for judged in left)
                command = words.asking_command(model, "NAME", dataset)
                missing.append(f"{name_of(model, dataset)}: {told}. `{command}`")
    for done in shelf.study.studies:
        if not done.complete:
            takes = words.in_brackets(costs.left(done))
            told = (
                f"{plural(done.runs_left, 'run')} of {tables.link(done)}{takes}: `{words.study_command(done.request)}`"
            )
            missing.append(told)
    for judged in shelf.study.sweeps:
        if not judged.complete:
            missing.append(
                f"{plural(len(judged.to_run()), 'run')} of {tables.link(judged)}"
                f"{words.in_brackets(costs.left(judged))}: `{words.sweep_command(judged.request)}`"
            )
    return ["Times are of one core, going by the recorded runs most alike.", "", *bullets(missing)] if missing else []


def _own(shelf: Shelf) -> None:
    """What a person asked in addition, apart from the study: its figures take no part in any other page."""
    own = shelf.own
    if not own:
        return
    page = page_behind(shelf, "own", "Your own sweeps")
    page.say(
        "These sweeps are yours. They are judged over your runs and the study's together; nothing else in the report "
        "rests on them."
    )
    page.say(*([tables.comparison(own.sweeps)] if own.sweeps else []))
    if own.sweeps:
        page.say(on_the_way.LEGEND, "", *(line for judged in own.sweeps for line in sweep(page, judged)))
    page.section("Where your best err", *_own_errors(page))
    page.section("Each value at its best", *studies(page, own.studies))
    page.section("Settled sweeps", *settled_sweeps(page, own.settled))
    if own.moved:
        told = bullets(sentence for moved in own.moved for sentence in shifts.sentences(moved))
        page.section("Test images that move", *told, "", *_moved(page, own.moved, shelf.media / "own"))
    page.save()


def _own_errors(page: Page) -> list[str]:
    """What the best of a person's own sweeps of each model and data set gets wrong, where its predictions are kept."""
    shelf, lines = page.shelf, list[str]()
    best: dict[tuple[str, str], list[tuple[float, Config]]] = {}
    for judged in shelf.own.sweeps:
        if judged.winner:
            run = judged.by_label[judged.winner.label]
            best.setdefault((judged.dataset, judged.model), []).append((mean(run.validation), run.config))
    for (dataset, model), found in best.items():
        _, config = max(found, key=lambda pair: pair[0])
        predicted = shelf.predict(config) if shelf.predict else None
        if predicted is not None:
            about = Predictions(model, dataset, words.short_name(config), *predicted, own=True)
            lines += page.picture(shelf.media / "own" / dataset / f"{model}_confusion.png", "confusion", about)
    return lines


def _machine(environment: Environment) -> str:
    return (
        f"{environment.cpu}, {environment.cores} cores, device {environment.device} "
        f"({environment.renderer}), tinygrad {environment.tinygrad}"
    )
