"""What a person sees who types no command, on a terminal: a few numbered choices. Each ends in a command, which is
printed before it runs, so that it can be typed the next time."""

import shlex
import sys
from collections.abc import Callable, Sequence

from explorer import datasets, models
from explorer.cli import output
from explorer.errors import UserError

PROGRAM = "python mnist_explorer.py"


def choose(title: str, choices: Sequence[str]) -> int:
    """The place of the choice a person made, from 0. EOFError and KeyboardInterrupt where they made none."""
    print(f"\n{title}")
    room = output.width() - 6
    for number, choice in enumerate(choices, 1):
        print(f"  {number:2}  {choice if len(choice) <= room else choice[: room - 1].rstrip() + '…'}")
    while True:
        word = input(f"1 to {len(choices)}, or q to quit: ").strip().lower()
        if word in ("q", "quit", "exit"):
            raise EOFError
        if word.isdigit() and 1 <= int(word) <= len(choices):
            return int(word) - 1
        print(f"{word!r} is none of them.", file=sys.stderr)


def menu(known: Sequence[str]) -> list[str]:
    """The words of the command that a person chose, of the ``known`` commands; [] where they chose none."""
    branches: list[tuple[str, Callable[[], list[str]]]] = [
        ("train a net and watch it", _train),
        ("ask a question: a sweep over a hyperparameter, with several seeds", _sweep),
        ("look at results", lambda: _results(known)),
    ]
    if "page" in known:
        branches.append(("play: a page to turn the knobs and draw on", lambda: ["page"]))
    elif "predict" in known:
        branches.append(("play: what a kept net says of a picture of yours", _predict))
    try:
        words = branches[choose("What would you like to do?", [title for title, _ in branches])][1]()
    except EOFError:
        print()
        return []
    print(f"\n$ {PROGRAM} {shlex.join(words)}", flush=True)
    return words


def _model() -> str:
    names = models.names()
    return names[choose("Which model?", [f"{name}: {models.get(name).title()}" for name in names])]


def _dataset() -> list[str]:
    names = datasets.names()
    name = names[choose("On which images?", [datasets.title(name) for name in names])]
    return [] if name == names[0] else ["--dataset", name]


def _train() -> list[str]:
    return [_model(), *_dataset(), "--keep"]


def _sweep() -> list[str]:
    from explorer.asking import documents, questions, studies

    model, dataset = _model(), _dataset()
    names = sorted({*documents.available(model), *studies.available(model)})
    loaded = [(studies if studies.is_study(name, model) else questions).load(name, model, yes=True) for name in names]
    asked = [f"{name}: {one.question}" for name, one in zip(names, loaded, strict=True)]
    return [model, "--sweep", names[choose("Which question?", asked)], *dataset]


def _results(known: Sequence[str]) -> list[str]:
    offered = [
        ("best", "the best configuration of each model, as a command"),
        ("runs", "the runs there are, the newest last"),
        ("list", "the sweeps there are, and how far they have been run"),
        ("report", "REPORT.md, made anew from all that is recorded"),
    ]
    offered = [(name, about) for name, about in offered if name in known]
    return [offered[choose("Which results?", [about for _, about in offered])][0]]


def _predict() -> list[str]:
    path = input("The picture's file: ").strip()
    if not path:
        raise UserError("no file was named")
    return ["predict", path]
