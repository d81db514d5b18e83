"""How often the verdicts err and what they find, as `benchmarks/judging.py` measured and wrote it down."""

from pathlib import Path

import msgspec
from msgspec import Struct

from explorer.errors import UserError

FILE = "judging.json"  # beside the ledger


class Rates(Struct, frozen=True):
    """Of one rule, shares of sweeps or comparisons. ``false``: sweeps with a word against the baseline that is not
    true. ``found``: of the points that truly differ from the baseline, those that get the true word; null where none
    does. ``lost``: sweeps in which the truly best point is called worse than the winner."""

    false: float
    found: float | None
    lost: float


class Row(Struct, frozen=True):
    """Simulated sweeps of one kind with ``n`` seeds, by each rule: ``paired`` t tests at any n, as it was before;
    ``welch`` tests at any n; ``sure``, the main verdict; ``likely``, the main verdict or the second opinion."""

    kind: str
    n: int
    paired: Rates
    welch: Rates
    sure: Rates
    likely: Rates


class Simulated(Struct, frozen=True):
    """``sweeps`` simulated for each row, with the shapes and spreads of ``templates`` sweeps of the ledger; seeds have
    ``correlation`` in common; what differs does so by ``shift`` times the sweep's median deviation, what collapses
    loses ``drop`` (a fraction) in a share ``collapse`` of its seeds."""

    sweeps: int
    templates: int
    correlation: float
    shift: float
    drop: float
    collapse: float
    rows: tuple[Row, ...]


def read(results: Path) -> Simulated | None:
    """What is written in a folder of results; None where nothing is. UserError for a file that is no simulation."""
    path = Path(results) / FILE
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Simulated)
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"{path} cannot be read: {error}; benchmarks/judging.py writes it") from error
