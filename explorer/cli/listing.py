"""``list``: every shipped sweep, its question, its grid and how far it has been run."""

import argparse
from pathlib import Path

from explorer import datasets, models
from explorer.cli.command import Command
from explorer.cli.options import add_results, results_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_results(parser.add_argument_group("where"))


def run(namespace: argparse.Namespace) -> int:
    return list_sweeps(results_of(namespace))


def list_sweeps(results: Path | None) -> int:
    from tabulate import tabulate

    from explorer.asking import documents, questions, studies
    from explorer.judging.runs import Runs
    from explorer.judging.studies import StudyResult
    from explorer.judging.study import loaded_study
    from explorer.judging.sweeps import SweepResult
    from explorer.running.store import Store

    store = Store(results, read_only=True)
    measured = Runs(store.records())
    asked = sorted((request for request in store.requests() if not request.settle), key=lambda request: request.seeds)
    known = {request.key: request for request in asked}.values()  # of one question that with the most seeds
    rows = []
    offered = {model: documents.available(model) for model in models.names()}
    for name in documents.available():
        for model in [model for model, names in offered.items() if name in names]:
            run = [request for request in known if (request.name, request.model) == (name, model) and not request.path]
            run.sort(key=lambda request: (datasets.rank(request.dataset), sorted(request.overrides)))
            states = []
            for request in run:
                loaded = questions.load(name, model, request.dataset, request.overrides, yes=True)
                judged = SweepResult(request, loaded, measured)
                states.append(f"{request.dataset} {judged.runs_done}/{judged.runs_planned}")
            loaded = questions.load(name, model, yes=True)
            grid = f"{' x '.join(loaded.knobs) or 'points'}: {len(loaded.points)} points x {loaded.seeds_default} seeds"
            rows.append((model, name, loaded.question, grid, ", ".join(states) or "not run"))
    for name in studies.available():
        for model in [model for model in models.names() if name in studies.available(model)]:
            question = studies.load(name, model, yes=True)
            run = [request for request in known if (request.name, request.model) == (name, model) and not request.path]
            run.sort(key=lambda request: (datasets.rank(request.dataset), sorted(request.overrides)))
            states = []
            for request in run:
                tuned = StudyResult(request, loaded_study(request), measured)
                states.append(f"{tuned.dataset} {tuned.runs_done}/{tuned.runs_done + tuned.runs_left}")
            what = f"{' x '.join(question.scientific)}: {len(question.contenders)} values x {question.tries} tries, "
            what += f"{question.fresh_seeds} fresh seeds"
            rows.append((model, name, question.question, what, ", ".join(states) or "not run"))
    columns = [None, None, 46, 40, 24]
    print(tabulate(rows, ("model", "sweep", "question", "grid", "runs done"), "simple", maxcolwidths=columns))
    return 0


COMMAND = Command("list", "the sweeps there are: question, grid, runs, state", add_arguments, run)
