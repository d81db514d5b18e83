"""What Ray starts on a node: it sees whether the node may take part, and leads to the program that lies there.

Ray sends this module by value, since a node may have another version of the program, or none. So it stands on the
standard library alone, and what it is handed is plain.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # which a node may not have
    from explorer.running.engines.ray.worker import Worker

SUFFIXES = (".py", ".c", ".h")  # of the files that decide what a run comes to
OWN_FILES = ("MNIST_EXPLORER_MODELS", "MNIST_EXPLORER_DATASETS")  # variables that name folders of a person's own code
VERSIONS = ("tinygrad", "numpy")  # packages that decide it too


class Wanted(NamedTuple):
    """What a node must have to take part."""

    folder: str
    """Where the program lies on the machine that asks: it may lie there on the node as well."""
    program: str
    """`program_digest`"""
    versions: Mapping[str, str]
    environment: Mapping[str, str]
    """Variables that the program reads."""
    terms: bytes
    """For the program on the node, once it is known to be the same."""
    label: str
    """What records call the node."""


class Actor:
    """A worker on a node. ``open`` comes first, and again with data where it asks for them; then ``hear``."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.worker: Worker | None = None

    def open(self, data: object = None) -> tuple[str, str]:
        """("ready", ""), ("needs data", "") or ("refused", why this node cannot take part)."""
        if self.worker is None:
            os.environ.update(self.wanted.environment)
            if (Path(self.wanted.folder) / "explorer").is_dir():
                sys.path.insert(0, self.wanted.folder)
            sys.path.append(os.getcwd())  # where `ray start` was typed
            if line := difference(self.wanted):
                return "refused", line
            try:
                module = importlib.import_module("explorer.running.engines.ray.worker")
            except ImportError as error:
                return "refused", f"it lacks the package {error.name}; pip install -r requirements-ray.txt there"
            self.worker = module.Worker(self.wanted.terms, self.wanted.label)
        return self.worker.open(data)

    def hear(self, task: bytes | None = None) -> tuple[bool, list[bytes]]:
        """Take a task, if there is one, and wait for news: (whether a run goes on, the messages)."""
        assert self.worker is not None
        return self.worker.hear(task)


def difference(wanted: Wanted) -> str:
    """Why the machine that this runs on cannot take part; empty where it can."""
    for package, expected in wanted.versions.items():
        if (found := installed(package)) != expected:
            return f"it has {package} {found}, and {expected} is used here; pip install -r requirements-ray.txt there"
    program = find_spec("explorer")
    if program is None or not program.submodule_search_locations:
        return f"it does not have this program: install it there, or put its folder at {wanted.folder}"
    folder = next(iter(program.submodule_search_locations))
    if program_digest(Path(folder), wanted.environment) != wanted.program:
        return f"it has another version of this program in {folder}; bring both to the same one"
    return ""


def installed(package: str) -> str:
    """Its version, or ``none``."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def program_digest(folder: Path, environment: Mapping[str, str]) -> str:
    """16 hex digits for the program's code: of all source files below the package's ``folder``, and of a person's own
    models and data sets."""
    sha = hashlib.sha256()
    own = [Path(part) for name in OWN_FILES for part in environment.get(name, "").split(os.pathsep) if part]
    for root in (folder, *own):
        found = [
            (os.path.relpath(os.path.join(place, name), root), os.path.join(place, name))
            for place, _, names in os.walk(root, followlinks=True)
            for name in names
            if name.endswith(SUFFIXES)
        ]
        for name, path in sorted(found):
            sha.update(f"{name}\0".encode("utf-8", "surrogateescape"))
            sha.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return sha.hexdigest()[:16]
