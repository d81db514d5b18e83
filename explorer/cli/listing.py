"""``list``: every shipped sweep, its question, its grid and how far it has been run."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from explorer import datasets, models
from explorer.cli.command import Command
from explorer.cli.options import add_results, results_of
from explorer.errors import UserError
from explorer.fields import nearest


@dataclass(frozen=True)
class ListOptions:
    words: list[str]
    """Models and sweeps, of which alone to tell."""
    dataset: str | None
    results: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="a model or a sweep: of these alone (list mlp, list lr)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="what has been run on this data set")
    add_results(parser.add_argument_group("where"))


def run(namespace: argparse.Namespace) -> int:
    return list_sweeps(ListOptions(namespace.words, namespace.dataset, results_of(namespace, there=True)))


def list_sweeps(options: ListOptions) -> int:
    from explorer.asking import documents, questions, studies
    from explorer.cli import output
    from explorer.judging.runs import Runs
    from explorer.judging.studies import StudyResult
    from explorer.judging.study import loaded_study
    from explorer.judging.sweeps import SweepResult
    from explorer.running.store import Store

    offered = {model: {*documents.available(model), *studies.available(model)} for model in models.names()}
    sweeps = list(dict.fromkeys([*documents.available(), *studies.available()]))
    for word in options.words:
        if word not in (*offered, *sweeps):
            raise UserError(f"{word!r} is no model and no sweep{nearest(word, [*offered, *sweeps])}")
    only_models = [word for word in options.words if word in offered] or list(offered)
    only_sweeps = [word for word in options.words if word in sweeps] or sweeps
    store = Store(options.results, read_only=True)
    measured = Runs(store.records())
    asked = sorted((request for request in store.requests() if not request.settle), key=lambda request: request.seeds)
    known = {request.key: request for request in asked}.values()  # of one question that with the most seeds
    rows = []
    for name in only_sweeps:
        for model in [model for model in only_models if name in offered[model]]:
            run = [request for request in known if (request.name, request.model) == (name, model) and not request.path]
            run = [request for request in run if options.dataset in (None, request.dataset)]
            if options.dataset and not run:
                continue
            run.sort(key=lambda request: (datasets.rank(request.dataset), sorted(request.overrides)))
            states = []
            if studies.is_study(name, model):
                question = studies.load(name, model, yes=True)
                for request in run:
                    tuned = StudyResult(request, loaded_study(request), measured)
                    states.append(f"{tuned.dataset} {tuned.runs_done}/{tuned.runs_done + tuned.runs_left}")
                what = f"{' x '.join(question.scientific)}: {len(question.contenders)} values x {question.tries} "
                what += f"tries, {question.fresh_seeds} fresh seeds"
                rows.append((model, name, question.question, what, ", ".join(states) or "not run"))
                continue
            for request in run:
                loaded = questions.load(name, model, request.dataset, request.overrides, yes=True)
                judged = SweepResult(request, loaded, measured)
                states.append(f"{request.dataset} {judged.runs_done}/{judged.runs_planned}")
            loaded = questions.load(name, model, yes=True)
            grid = f"{' x '.join(loaded.knobs) or 'points'}: {len(loaded.points)} points x {loaded.seeds_default} seeds"
            rows.append((model, name, loaded.question, grid, ", ".join(states) or "not run"))
    if not rows:
        on = f" has been run on {options.dataset}" if options.dataset else " is there"
        raise UserError(f"no such sweep{on}; list without more words has them all")
    columns = [
        output.Column("model"), output.Column("sweep", style="bold"), output.Column("question", 4),
        output.Column("grid", 3), output.Column("runs done", 2),
    ]  # fmt: skip
    output.table(columns, rows)
    return 0


COMMAND = Command("list", "the sweeps there are: question, grid, runs, state", add_arguments, run)
