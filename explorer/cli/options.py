"""What a person asked for, parsed once: small frozen values made from argparse's Namespace, which ends here."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from explorer import places
from explorer.asking.rules import StopRule
from explorer.cli.tracking import tracked
from explorer.config import config_file, fields_for, from_environment, merge
from explorer.errors import UserError
from explorer.fields import flag_of
from explorer.places import CHECKOUT
from explorer.running.where import ENGINES, Where

if TYPE_CHECKING:
    from explorer.running.trackers.kinds import Place

MOST_SEEDS = 20  # the default of --cap: the last look of --settle
SETTLE_REFUSES = {
    "seeds": "finds out how many seeds it takes, --cap limits them",
    "fresh_seeds": "has seeds of its own, from 500 on",
    "search": "compares the points of a sweep",
    "stop": "runs every run to its end",
    "force": "looks at each seed once",
    "keep": "trains seeds whose nets never lead, so none is kept",
}
LONGEST_NAME = 255  # bytes of a file's or folder's name, on every file system in use


def whole(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text}")
    return int(text)


def time_span(text: str) -> float:
    """Seconds of ``90s``, ``30m``, ``1.5h``, for argparse."""
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"must be a time like 90s, 30m or 2h, got {text}")
    return seconds


def path(text: str) -> Path:
    """A path, for argparse, ``~`` resolved."""
    found = Path(os.path.expanduser(text))
    if not text:
        raise argparse.ArgumentTypeError("must be a path, got nothing")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in found.parts):
        raise argparse.ArgumentTypeError(
            f"no part of a path may be longer than {LONGEST_NAME} bytes, as of {text[:60]}…"
        )
    return found


@dataclass(frozen=True)
class Places:
    """Where records are (None: the published study and this clone's own runs), and where what is derived goes."""

    results: Path | None
    media: Path
    report: Path

    @staticmethod
    def add_arguments(group: argparse._ArgumentGroup) -> None:
        add_results(group)
        add_place(group, "media", "folder of the pictures")
        add_place(group, "report", "the report's file", "FILE", "REPORT.md")

    @classmethod
    def of(cls, namespace: argparse.Namespace) -> "Places":
        media, report = namespace.media or places.default("media"), namespace.report or places.default("REPORT.md")
        if os.path.isdir(report):  # told now, not when all is trained
            raise UserError(f"{report}: is a folder; --report names the file to write")
        return cls(results_of(namespace), media, report)


def add_results(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--results", type=path, metavar="FOLDER",
        help="records and tables are read from this folder and written to it, and to no other (default: the published "
        "study in results, which is only read, and your own runs in results/own)",
    )  # fmt: skip


def results_of(namespace: argparse.Namespace, there: bool = False) -> Path | None:
    """The folder a person named; where the program is installed without a study beside it, ./results.

    Raises UserError where it has to be ``there``, for it is only read, and is not.
    """
    named: Path | None = namespace.results
    if there and named and not os.path.isdir(named):
        raise UserError(f"{named}: no such folder; --results names the one that holds runs.jsonl")
    return named if named or CHECKOUT else places.default("results")


def add_place(group: argparse._ArgumentGroup, name: str, meaning: str, kind: str = "FOLDER", default: str = "") -> None:
    group.add_argument(f"--{name}", type=path, metavar=kind, help=f"{meaning} (default: {default or name})")


def add_data_dir(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--data-dir", type=path, metavar="FOLDER", help="folder holding mnist/ and fashion/ (env MNIST_EXPLORER_DATA)"
    )


def data_dir_of(namespace: argparse.Namespace) -> Path | None:
    """The folder of data a person named. Raises UserError for one that is not there, whatever is trained on."""
    named: Path | None = namespace.data_dir
    if named and not os.path.isdir(named):
        raise UserError(f"--data-dir {named}: there is no such folder; it holds data sets, a folder each")
    return named


@dataclass(frozen=True)
class Machine:
    """What it runs on: a tinygrad device and whether with our own kernels; None is what the environment says."""

    device: str | None
    kernels: bool | None

    @staticmethod
    def add_arguments(group: argparse._ArgumentGroup) -> None:
        group.add_argument(
            "--device",
            metavar="NAME",
            help="tinygrad device: CPU, CUDA, NV, AMD, METAL, CL, ... (env DEV; default: the best)",
        )
        group.add_argument(
            "--kernels", choices=("on", "off"), help="own C kernels on the CPU device (env KERNELS=1|0; default on)"
        )

    @classmethod
    def of(cls, namespace: argparse.Namespace) -> "Machine":
        return cls(namespace.device, None if namespace.kernels is None else namespace.kernels == "on")

    def kernels_on(self, device: str) -> bool:
        """Whether our own kernels are to run on this device, if they can be had."""
        asked = os.environ.get("KERNELS", "1") != "0" if self.kernels is None else self.kernels
        return asked and device.split(":")[0] == "CPU"


def add_where(group: argparse._ArgumentGroup) -> None:
    """Where a sweep's runs are computed."""
    group.add_argument(
        "--jobs",
        type=whole,
        metavar="N",
        help="how many runs go on at once (default: as many as cores, 1 on a GPU; "
        "with --engine ray as many as there is room for)",
    )
    group.add_argument(
        "--run-timeout", type=time_span, metavar="TIME",
        help="a run without a sign of life for so long is killed and tried once more (default: ten times the longest "
        "recorded run of its model and data set, at least 5m; none where a GPU has one run at a time)",
    )  # fmt: skip
    group.add_argument(
        "--engine", choices=ENGINES,
        help="where runs are computed: in processes of this machine (local, the default), or on the machines of a Ray "
        "cluster that is up",
    )  # fmt: skip
    group.add_argument(
        "--address", metavar="WHERE",
        help="with --engine ray: the cluster, as host:port of its head, ray://host:port, or auto (the default), which "
        "is the one that this machine is part of",
    )  # fmt: skip
    group.add_argument(
        "--threads", type=whole, metavar="N",
        help="with --engine ray: processors that a run takes where it has no GPU (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--record-host", action="store_true",
        help="with --engine ray: records name the node by its host, not by a part of its id in Ray",
    )  # fmt: skip


def where_of(namespace: argparse.Namespace) -> Where:
    """Raises UserError for what only a cluster has, without one."""
    asked = {name: getattr(namespace, name) for name in ("address", "threads", "record_host")}
    given = {name: value for name, value in asked.items() if value}
    if given and namespace.engine != "ray":
        raise UserError(f"{flag_of(next(iter(given)))} is for clusters; add --engine ray or leave it out")
    return Where(namespace.engine or "local", namespace.jobs, namespace.run_timeout, **given)


@dataclass(frozen=True)
class Asked:
    """The hyperparameters that flags, a file and the environment set, and what the person called each."""

    model: str
    values: dict[str, object]
    named: dict[str, str]
    data: str | None
    """The data set that was named: its name, or the path of a person's own; ``values`` has the name. None: nobody
    named one."""
    own_data: bool = False
    """Whether ``data`` is a path."""

    @classmethod
    def of(cls, namespace: argparse.Namespace) -> "Asked":
        """Raises UserError where two environment variables contradict each other, or no data set is called so."""
        from explorer import datasets

        known = fields_for(namespace.command)
        flags = {field: value for field, value in vars(namespace).items() if field in known}
        from_variables, names = from_environment()
        file: Path | None = namespace.config
        from_file = config_file(file, namespace.command) if file else {}
        values = merge(merge(from_variables, from_file), flags)
        names |= {field: f"{file}: {field}" for field in from_file}
        named = {field: flag_of(field) if field in flags else names[field] for field in values}
        if "dataset" not in values:
            return cls(namespace.command, values, named, None)
        name, path = datasets.locate(str(values["dataset"]), data_dir_of(namespace), named["dataset"])
        values["dataset"] = name
        return cls(namespace.command, values, named, str(path.resolve()) if path else name, path is not None)


@dataclass(frozen=True)
class TrainOptions:
    """One run."""

    asked: Asked
    machine: Machine
    data_dir: Path | None
    strict_data: bool
    results: Path | None
    force: bool
    quiet: bool
    json: bool
    json_lines: bool
    keep: bool
    track: "tuple[Place, ...]"
    """The tools that its run is kept in as well."""

    @classmethod
    def of(cls, namespace: argparse.Namespace) -> "TrainOptions":
        """Raises UserError for flags of sweeps: they would be ignored."""
        for flag in (
            *("seeds", "fresh_seeds", "tries", "budget", "stop", "jobs", "run_timeout", "dry_run", "yes", "settle"),
            *("cap", "media", "report", "engine", "address", "threads", "record_host"),
        ):
            if getattr(namespace, flag):
                raise UserError(f"{flag_of(flag)} is for sweeps; add --sweep NAME or leave it out")
        if namespace.json and namespace.json_lines:
            raise UserError("--json and --json-lines are two ways of printing; give one of them")
        return cls(
            Asked.of(namespace), Machine.of(namespace), data_dir_of(namespace), namespace.strict_data,
            results_of(namespace), namespace.force, namespace.quiet, namespace.json, namespace.json_lines,
            namespace.keep, tracked(namespace),
        )  # fmt: skip


@dataclass(frozen=True)
class SweepOptions:
    """One or more sweeps."""

    which: str
    asked: Asked
    seeds: int | None
    fresh_seeds: int | None
    """The winner's; None: none for a sweep, as many as its file says for a study."""
    search: Literal["random", "qmc", "tpe"] | None
    """How to search, if it is a search."""
    tries: int | None
    budget: float | None
    """Seconds for all that is trained."""
    stop: StopRule
    """What cuts tries of a study or a search early."""
    settle: bool
    cap: int
    """The most seeds of a point, with ``settle``."""
    where: Where
    dry_run: bool
    yes: bool
    machine: Machine
    data_dir: Path | None
    places: Places
    force: bool
    quiet: bool
    json_lines: bool
    keep: bool
    track: "tuple[Place, ...]"
    """The tools that its runs are kept in as well."""

    @classmethod
    def of(cls, namespace: argparse.Namespace) -> "SweepOptions":
        """Raises UserError for ``--json``, which is for one run, and for a plan that nobody would see."""
        if namespace.json:
            raise UserError(
                "--json is for one run; --json-lines prints a sweep's looks and records, and its records are lines of "
                "JSON in runs.jsonl, under --results"
            )
        if namespace.tries and not namespace.search:
            raise UserError("--tries is for --search; a study's file says its tries")
        if namespace.config:
            raise UserError("--config is one run's; what a whole sweep has in common stands in its file's [base]")
        if namespace.cap and not namespace.settle:
            raise UserError("--cap is the most seeds that --settle may take; add --settle or leave it out")
        for flag, why in SETTLE_REFUSES.items():
            if namespace.settle and getattr(namespace, flag):
                raise UserError(f"--settle {why}; leave out {flag_of(flag)}")
        if silent := [flag for flag in ("quiet", "json_lines") if namespace.dry_run and getattr(namespace, flag)]:
            raise UserError(f"--dry-run only says what there is to do, and {flag_of(silent[0])} would not say it")
        where = where_of(namespace)
        return cls(
            "search" if namespace.sweep is None else namespace.sweep, Asked.of(namespace), namespace.seeds,
            namespace.fresh_seeds, namespace.search, namespace.tries, namespace.budget, namespace.stop or "off",
            namespace.settle, namespace.cap or MOST_SEEDS, where, namespace.dry_run,
            namespace.yes, Machine.of(namespace), data_dir_of(namespace), Places.of(namespace), namespace.force,
            namespace.quiet, namespace.json_lines, namespace.keep, tracked(namespace),
        )  # fmt: skip

    def refuse_for_studies(self) -> None:
        """Raises UserError for flags that a study would ignore."""
        if self.seeds:
            raise UserError("--seeds is for sweeps; the seeds of a study and of a search stand in its file")
