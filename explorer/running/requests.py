"""Which sweeps were run, and how: ``results/sweeps.jsonl``, so that the report can be rebuilt without being told.

A record belongs to no sweep: one run may answer three questions. What a person asked for is written here, one JSON
object a line, and only ever appended to.
"""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from explorer.errors import UserError

FILE = "sweeps.jsonl"


@dataclass(frozen=True)
class Request:
    """A sweep somebody ran. ``overrides`` are Config fields fixed for all of it; ``path`` is set for a person's own
    TOML file; ``seeds`` are 0 to seeds - 1."""

    name: str
    model: str
    dataset: str
    overrides: dict[str, Any] = field(default_factory=dict)
    seeds: int = 1
    path: str | None = None

    @property
    def key(self) -> str:
        """What makes it the same question: all but the number of seeds."""
        return json.dumps([self.name, self.model, self.dataset, self.overrides, self.path], sort_keys=True)


def read(results: Path) -> list[Request]:
    """The distinct sweeps in ``results``, in the order first asked for, each with the most seeds ever asked for.

    Raises UserError for a file that cannot be read or a line that is no plan; an unfinished last line is ignored.
    """
    path = Path(results) / FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    requests: dict[str, Request] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        request = _parsed(line)
        if request is None:
            if number == len(lines):  # no newline after it: its writer was killed, and will ask again
                continue
            raise UserError(f"{path}, line {number}: not a sweep's plan (name, model, dataset, overrides, seeds, path)")
        known = requests.get(request.key, request)
        requests[request.key] = replace(request, seeds=max(request.seeds, known.seeds))
    return list(requests.values())


def append(results: Path, request: Request) -> bool:
    """Notes ``plan`` down; False if the file said as much already. On return it is on the disk.

    Writers take turns under a lock; what a killed writer left unfinished is cut off first. Raises UserError as `read`.
    """
    results = Path(results)
    path = results / FILE
    try:
        results.mkdir(parents=True, exist_ok=True)
        with FileLock(results / (FILE + ".lock"), timeout=60), open(path, "a+b") as file:
            if any(known.key == request.key and known.seeds >= request.seeds for known in read(results)):
                return False
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            tail = content[content.rfind(b"\n") + 1 :]
            whole = tail + b"\n" if _parsed(tail) else b""
            file.write(whole + json.dumps(asdict(request), separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            return True
    except OSError as error:  # filelock's Timeout is one
        raise UserError(f"{path}: the sweep could not be noted down ({error.strerror or error})") from error


def _parsed(line: bytes) -> Request | None:
    try:
        request = Request(**json.loads(line))
    except (ValueError, TypeError):
        return None
    kinds = (
        (request.name, str),
        (request.model, str),
        (request.dataset, str),
        (request.overrides, dict),
        (request.seeds, int),
    )
    return request if all(isinstance(value, kind) for value, kind in kinds) and request.seeds >= 1 else None
