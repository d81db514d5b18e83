"""Which sweeps were run, and how: ``results/sweeps.jsonl``, so that the report can be rebuilt without being told.

A record belongs to no sweep: one run may answer three questions. What a person asked for is written here, one JSON
object a line, and only ever appended to (see explorer.files).
"""

import json
import re
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from explorer.errors import UserError
from explorer.files import Damaged, LineLog

FILE = "sweeps.jsonl"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")  # files are named after it: it must not lead out of a folder


class Request(Struct, frozen=True):
    """A sweep, study or search somebody ran. ``overrides`` are Config fields fixed for all of it; ``path`` is set for a
    person's own TOML file, ``data`` for a person's own data; ``seeds`` are 0 to seeds - 1 (unless it says ``settle``),
    and ``fresh_seeds`` of them judge the winner (0: as many as a study's file says, none for a sweep). ``search`` is a
    search's method, ``tries`` is set where its file's number was not taken.

    Raises ValueError for what cannot be one: names are letters, digits, ``_``, ``-`` and ``.``.
    """

    name: str
    model: str
    dataset: str
    overrides: dict[str, object] = {}
    seeds: int = 1
    path: str | None = None
    data: str | None = None
    search: Literal["random", "qmc", "tpe"] | None = None
    tries: int | None = None
    fresh_seeds: int = 0
    settle: bool = False
    """Whether its seeds come where the question is open (``--settle``): ``seeds`` is then the most a point may get."""
    own: bool = False
    """Whether this clone asked, and not the published study; told by where it is noted, not noted itself."""

    def __post_init__(self) -> None:
        for what, word in (("name", self.name), ("model", self.model), ("dataset", self.dataset)):
            if not NAME.fullmatch(word):
                raise ValueError(f"the {what} {word[:80]!r} has other signs than letters, digits, _, - and .")
        if self.seeds < 1 or self.fresh_seeds < 0 or (self.tries is not None and self.tries < 1):
            raise ValueError(f"seeds, fresh seeds and tries must be 1 or more, got {self.seeds}")
        for what, path in (("path", self.path), ("data", self.data)):
            if path is not None and (not path or not path.isprintable()):  # it is printed, and is no command there
                raise ValueError(f"the {what} {path[:80]!r} is empty or has signs that cannot be printed")

    @property
    def key(self) -> str:
        """What makes it the same question: all but the number of seeds."""
        besides = [self.data] if self.data else []
        besides += [f"{self.search} {self.tries or ''}"] if self.search else []
        besides += ["settle"] if self.settle else []
        return json.dumps([self.name, self.model, self.dataset, self.overrides, self.path, *besides], sort_keys=True)

    def covers(self, other: "Request") -> bool:
        """Whether this is the same question with as many seeds."""
        return self.key == other.key and self.seeds >= other.seeds and self.fresh_seeds >= other.fresh_seeds


_REQUEST = msgspec.json.Decoder(Request)


def _log(results: Path) -> LineLog:
    return LineLog(Path(results) / FILE, "list of sweeps", "the sweep is")


def read(results: Path, own: bool = False) -> list[Request]:
    """The distinct sweeps in ``results``, in the order first asked for, each with the most seeds ever asked for.
    They say ``own`` as asked for here. A line that is no request is left out, as `damaged` tells.

    Raises UserError for a file that cannot be read or holds other lines alone; an unfinished last line is ignored.
    """
    requests: dict[str, Request] = {}
    for request in _read(Path(results))[0]:
        known = requests.get(request.key, request)
        requests[request.key] = replace(
            request,
            seeds=max(request.seeds, known.seeds),
            fresh_seeds=max(request.fresh_seeds, known.fresh_seeds),
            own=own,
        )
    return list(requests.values())


def damaged(results: Path) -> list[Damaged]:
    """The lines that are no requests."""
    return _read(Path(results))[1]


def _read(results: Path) -> tuple[list[Request], list[Damaged]]:
    log = _log(results)
    requests, damaged = [], []
    for offset, line in log.lines(0, log.extent()[0]):
        if not line.strip():
            continue
        try:
            requests.append(_REQUEST.decode(line))
        except (ValueError, RecursionError) as error:
            damaged.append(Damaged(log.path, log.line_number(offset), str(error)))
    if damaged and not requests:
        raise UserError(f"{log.path}, line {damaged[0].line}: not a sweep's request: {damaged[0].why}")
    return requests, damaged


def append(results: Path, request: Request) -> bool:
    """Notes ``request`` down; False if the file said as much already. On return it is on the disk.

    Writers take turns under a lock; what a killed writer left unfinished is set aside first. Raises UserError
    as `read`.
    """
    log = _log(results)
    log.prepare(lambda: read(results))

    def known() -> bool:
        return any(other.covers(request) for other in read(results))

    fields = asdict(request)
    del fields["own"]
    for name, usual in (("data", None), ("search", None), ("tries", None), ("fresh_seeds", 0), ("settle", False)):
        if fields[name] == usual:
            del fields[name]
    line = json.dumps(fields, separators=(",", ":"))
    return log.append(line.encode(), unless=known)
