"""Odd input by chance: ``python -m tests.fuzz --minutes N``. What does not end well is printed with its case's seed.

``inside``: values, question files, ledgers, lists of sweeps, data and predictions are bent, in this process; a case
takes milliseconds. ``outside``: whole command lines are run as a person types them, with odd flags, variables, files,
folders and streams, most of them in forks of a process that has imported everything (``warm``); a case takes a second
or less. A case is its seed alone: ``--seed S --cases 1`` repeats it.
"""

import random
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from explorer.errors import UserError

Kind = Callable[[random.Random, Path], str | None]
"""Makes a case of chance in an empty folder and runs it; returns what went wrong, if anything did. A UserError is one
line for a person, as it should be; any other exception is a failure."""


def failures(seeds: Iterable[int], kinds: Sequence[Kind]) -> Iterator[tuple[int, str]]:
    """(seed, what went wrong) of each case that does not end well."""
    for seed in seeds:
        chance = random.Random(seed)
        kind = chance.choice(kinds)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            if wrong := _tried(kind, chance, Path(folder)):
                yield seed, f"{kind.__name__}: {wrong}"


def _tried(kind: Kind, chance: random.Random, folder: Path) -> str | None:
    try:
        return kind(chance, folder)
    except UserError as error:
        return f"more than one line: {error!r}" if "\n" in str(error) else None
    except Exception:
        return traceback.format_exc(limit=-4)
