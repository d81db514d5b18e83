"""``predict``: what a kept net says of a person's own pictures."""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.command import Command
from explorer.cli.options import Machine, add_results, results_of

if TYPE_CHECKING:
    from explorer.running.answers import Answer
    from explorer.running.nets import Net

SHOWN = 3  # classes a picture


@dataclass(frozen=True)
class PredictOptions:
    what: list[Path]
    net: str | None
    dataset: str | None
    results: Path | None
    machine: Machine
    json: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="+", type=Path, metavar="FILE|FOLDER", help="pictures, folders of them, .npz files of images"
    )
    parser.add_argument(
        "--model", metavar="WHICH",
        help="the net: a record's id (its first letters do), mlp, cnn, ..., or a .safetensors file (default: the best)",
    )  # fmt: skip
    parser.add_argument("--dataset", metavar="NAME", help="of the nets trained on this data set alone")
    parser.add_argument("--json", action="store_true", help="a line of JSON a picture, with all probabilities")
    place = parser.add_argument_group("where")
    add_results(place)
    Machine.add_arguments(place)


def run(namespace: argparse.Namespace) -> int:
    return predict(
        PredictOptions(
            namespace.what,
            namespace.model,
            namespace.dataset,
            results_of(namespace),
            Machine.of(namespace),
            namespace.json,
        )
    )


def predict(options: PredictOptions) -> int:
    """The exit code is 2 where any picture was of no use, and the others are answered all the same."""
    from explorer.datasets import pictures
    from explorer.running import nets
    from explorer.running.prepare import prepared
    from explorer.running.store import Store

    net = nets.load(nets.find(Store(options.results, read_only=True).folders, options.net, options.dataset).path)
    found, bad = [], []
    for path in options.what:
        there, useless = pictures.gather(path, net.images, nets.framing_of(net))
        found += there
        bad += useless
    for error in bad:
        print(f"error: {error}", file=sys.stderr)
    if found:
        with prepared(options.machine.device, options.machine.kernels):
            from explorer.running import answers

            said = answers.answered(net, found)
        show(net, said, options.json)
    return 2 if bad else 0


def show(net: "Net", said: "list[Answer]", as_json: bool) -> None:
    """A line an answer, and how many are right where that is known."""
    from explorer.cli import output

    if as_json:
        for answer in said:
            shares = {name: round(share, 6) for name, share in answer.probabilities.items()}
            print(json.dumps({"picture": answer.picture, "class": answer.said, "probabilities": shares}))
        return
    record, config, classes = net.record, net.record.configuration, net.about.classes
    test = "" if record.test_accuracy is None else f"; test {100 * record.test_accuracy:.2f} %"
    print(f"net {record.id}: {config.model.upper()} {config.net.headline(net.images)}, {config.dataset}{test}")
    truth = {
        answer: classes[answer.label] for answer in said if answer.label is not None and answer.label < len(classes)
    }
    rows = []
    for answer in said:
        (first, share), *others = answer.ranked[:SHOWN]
        then = ", ".join(f"{name} {100 * less:.2f} %" for name, less in others)
        row = [answer.picture, first, f"{100 * share:.2f} %", then]
        rows.append([*row, "" if truth.get(answer, first) == first else truth[answer]] if truth else row)
    columns = [
        output.Column("picture", 2), output.Column("class", style="bold"), output.Column("sure", align="right"),
        output.Column("then", 3),
    ]  # fmt: skip
    output.table([*columns, output.Column("but is", style="red")] if truth else columns, rows)
    if truth:
        right = sum(answer.said == is_of for answer, is_of in truth.items())
        print(f"{right:,} of {len(truth):,} right: {100 * right / len(truth):.2f} %")


COMMAND = Command("predict", "what a kept net says of your own pictures", add_arguments, run)
