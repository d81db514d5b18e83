"""``list``: every shipped sweep, a line each, and where it has been run; all of one where it is named."""

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer import datasets, models
from explorer.cli.command import Command
from explorer.cli.options import add_results, results_of
from explorer.errors import UserError
from explorer.fields import nearest

if TYPE_CHECKING:
    from explorer.asking.questions import Sweep
    from explorer.asking.studies import StudyQuestion
    from explorer.judging.runs import Runs
    from explorer.running.requests import Request

LONGEST_PLACES = 22  # letters of the data sets a sweep was run on
KNOBS_FROM, QUESTIONS_FROM = 110, 150  # columns: from here there is room for what a sweep varies, and for its question


@dataclass(frozen=True)
class ListOptions:
    words: list[str]
    """Models and sweeps, of which alone to tell."""
    dataset: str | None
    results: Path | None


@dataclass(frozen=True)
class State:
    """How far a sweep has been run on a data set."""

    dataset: str
    done: int
    planned: int
    fixed: str
    """What a person fixed for all of it, in words."""

    @property
    def counts(self) -> str:
        return f"{self.dataset} {self.done}/{self.planned}{f' with {self.fixed}' if self.fixed else ''}"

    @property
    def brief(self) -> str:
        return self.dataset if self.done >= self.planned else f"{self.dataset} {self.done}/{self.planned}"


@dataclass(frozen=True)
class Entry:
    """A sweep or study as one model is asked it."""

    model: str
    question: "Sweep | StudyQuestion"
    varies: str
    size: str
    states: Sequence[State]
    """By data set, as the sweep is asked before any way in which a person changed it."""

    @property
    def where(self) -> str:
        """The data sets it was run on, each once."""
        found: dict[str, str] = {}
        for state in self.states:
            found.setdefault(state.dataset, state.brief)
        return ", ".join(found.values()) or "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="a model: its sweeps (list mlp); a sweep: all of it (list lr)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="only what has been run on this data set")
    add_results(parser.add_argument_group("where"))


def run(namespace: argparse.Namespace) -> int:
    return list_sweeps(ListOptions(namespace.words, namespace.dataset, results_of(namespace, there=True)))


def list_sweeps(options: ListOptions) -> int:
    from explorer.asking import documents, studies

    offered = {model: {*documents.available(model), *studies.available(model)} for model in models.names()}
    sweeps = list(dict.fromkeys([*documents.available(), *studies.available()]))
    for word in options.words:
        if word not in (*offered, *sweeps):
            otherwise = "list without more words has them all"
            raise UserError(f"{word!r} is no model and no sweep{nearest(word, [*offered, *sweeps], otherwise)}")
    only_models = [word for word in options.words if word in offered] or list(offered)
    named = [word for word in options.words if word in sweeps]
    asked = [(name, model) for name in named or sweeps for model in only_models if name in offered[model]]
    found = entries(options, asked)
    if not found:
        on = f" has been run on {options.dataset}" if options.dataset else " is there"
        raise UserError(f"no such sweep{on}; list without more words has them all")
    if named:
        for name, these in found.items():
            details(name, these)
    else:
        overview(found, only_models)
    return 0


def entries(options: ListOptions, asked: Sequence[tuple[str, str]]) -> dict[str, list[Entry]]:
    """By name each sweep as each model is asked it; with a data set, those that were run on it."""
    from explorer.asking import studies
    from explorer.judging.runs import Runs
    from explorer.running.store import Store

    store = Store(options.results, read_only=True)
    measured = Runs(store.records())
    noted = [request for request in store.requests() if not request.settle and not request.path]
    noted.sort(key=lambda request: request.seeds)
    known = {request.key: request for request in noted}.values()  # of one question that with the most seeds
    found: dict[str, list[Entry]] = {}
    for name, model in asked:
        run = [request for request in known if (request.name, request.model) == (name, model)]
        run = [request for request in run if options.dataset in (None, request.dataset)]
        if options.dataset and not run:
            continue
        run.sort(key=lambda request: (datasets.rank(request.dataset), sorted(request.overrides)))
        of = of_study if studies.is_study(name, model) else of_sweep
        found.setdefault(name, []).append(of(name, model, run, measured))
    return found


def of_sweep(name: str, model: str, run: Sequence["Request"], measured: "Runs") -> Entry:
    from explorer.asking import questions
    from explorer.judging.sweeps import SweepResult
    from explorer.telling.words import knob_name

    sweep, states = questions.load(name, model, yes=True), []
    for request in run:
        loaded = questions.load(name, model, request.dataset, request.overrides, yes=True)
        judged = SweepResult(request, loaded, measured)
        states.append(State(request.dataset, judged.runs_done, judged.runs_planned, fixed(request)))
    size = f"{len(sweep.points)} points x {sweep.seeds_default} seeds"
    return Entry(model, sweep, " x ".join(map(knob_name, sweep.knobs)) or "points", size, states)


def of_study(name: str, model: str, run: Sequence["Request"], measured: "Runs") -> Entry:
    from explorer.asking import studies
    from explorer.judging.studies import StudyResult
    from explorer.judging.study import loaded_study
    from explorer.telling.words import knob_name

    question, states = studies.load(name, model, yes=True), []
    for request in run:
        tuned = StudyResult(request, loaded_study(request), measured)
        states.append(State(tuned.dataset, tuned.runs_done, tuned.runs_done + tuned.runs_left, fixed(request)))
    size = f"{len(question.contenders)} values x {question.tries} tries, {question.fresh_seeds} fresh seeds"
    return Entry(model, question, " x ".join(map(knob_name, question.scientific)), size, states)


def fixed(request: "Request") -> str:
    from explorer.telling.words import setting

    return setting(request.overrides) if request.overrides else ""


def overview(found: dict[str, list[Entry]], of: Sequence[str]) -> None:
    """A line a sweep."""
    from explorer.cli import output

    width = output.width()
    columns = [output.Column("sweep", style="bold")]
    columns += [
        output.Column("question", 8, cut=True) if width >= QUESTIONS_FROM else output.Column("about", 5, cut=True)
    ]
    columns += [output.Column("varies", 3, cut=True)] if width >= KNOBS_FROM else []
    columns += [output.Column(f"{model} on") for model in of]
    rows = []
    for name, these in found.items():
        first, by_model = these[0], {one.model: one for one in these}
        row = [name, first.question.question if width >= QUESTIONS_FROM else first.question.title]
        row += [first.varies] if width >= KNOBS_FROM else []
        for model in of:
            row.append(
                textwrap.shorten(by_model[model].where, LONGEST_PLACES, placeholder=" ...") if model in by_model else ""
            )
        rows.append(row)
    output.table(columns, rows)
    print('\n"mlp on": on which data it was run; "mnist 5/70": 5 of 70 runs; "-": not run.')
    print("list NAME has all of one.")


def details(name: str, these: Sequence[Entry]) -> None:
    """All of one sweep."""
    from explorer.cli import output

    question = these[0].question
    print(f"{question.title} ({name})")
    told = [question.question, f"Hypothesis: {question.hypothesis}" if question.hypothesis else ""]
    for text in filter(None, told):
        print("\n".join(textwrap.wrap(text, output.width())))
    columns = [
        output.Column("model"),
        output.Column("varies", 3),
        output.Column("asks for", 4),
        output.Column("runs done", 4),
    ]
    rows = [
        (one.model, one.varies, one.size, "\n".join(state.counts for state in one.states) or "not run") for one in these
    ]
    output.table(columns, rows)
    for one in these:
        print(f"  python mnist_explorer.py {one.model} --sweep {name}")
    print()


COMMAND = Command("list", "the sweeps there are, a line each; list NAME tells all of one", add_arguments, run)
