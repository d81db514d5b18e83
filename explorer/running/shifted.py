"""How right a trained net is on test images moved by whole pixels: ``shifted.jsonl`` beside the ledger, a line a net.

Measured after a run has ended, on the test set, so it tells of a net and chooses nothing. It is no part of a record:
the same run with it and without is the same run.
"""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.files import LineLog
from explorer.running.nets import Net

FILE = "shifted.jsonl"
PIXELS = 4
"""The farthest: the digits of MNIST have so much room to each side."""
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""Down and across, of each of which all test images are moved."""


class Shifted(Struct, frozen=True):
    """A net's test accuracies, fractions, on images moved by 0, 1, 2, ... pixels: the mean of `DIRECTIONS`. ``id`` is
    its record's."""

    id: str
    accuracy: tuple[float, ...]
    images: int
    """Of the test set, each moved in every direction."""


def moved(images: NDArray[np.uint8], down: int, across: int) -> NDArray[np.uint8]:
    """Images (N, height, width) moved by so many pixels, negative ones up and to the left: what leaves is lost, what
    comes in is black."""
    found = np.zeros_like(images)
    height, width = images.shape[1:]
    rows, columns = slice(max(down, 0), height + min(down, 0)), slice(max(across, 0), width + min(across, 0))
    from_rows = slice(max(-down, 0), height + min(-down, 0))
    from_columns = slice(max(-across, 0), width + min(-across, 0))
    found[:, rows, columns] = images[:, from_rows, from_columns]
    return found


def measure(net: Net, data: Dataset, pixels: int = PIXELS) -> Shifted:
    """Needs an open device (`prepared`). Raises UserError where ``data`` are not those of the net's run."""
    from explorer.running.answers import logits_of_each

    if data.digest != net.record.data.digest:
        raise UserError(f"{data.name} of digest {data.digest}; the net was measured on {net.record.data.digest}")
    ways = [
        (far * down, far * across)
        for far in range(pixels + 1)
        for down, across in DIRECTIONS[: 1 if far == 0 else None]
    ]
    sets = (moved(data.test_images, down, across) for down, across in ways)
    right: dict[int, list[float]] = {}
    for (down, across), said in zip(ways, logits_of_each(net, sets), strict=True):
        right.setdefault(abs(down + across), []).append(float((said.argmax(1) == data.test_labels).mean()))
    found = [round(fmean(shares), 6) for _, shares in sorted(right.items())]
    return Shifted(net.record.id, tuple(found), len(data.test_labels))


_SHIFTED = msgspec.json.Decoder(Shifted)


def _log(results: Path) -> LineLog:
    return LineLog(Path(results) / FILE, "list of nets measured on shifted images", "the measurement is")


def read(folders: Iterable[Path]) -> dict[str, Shifted]:
    """Record's id -> what was measured of its net, the last line of each; lines that are none are left out."""
    found = {}
    for folder in folders:
        log = _log(folder)
        for _, line in log.lines(0, log.extent()[0]):
            try:
                one = _SHIFTED.decode(line)
            except (ValueError, RecursionError):
                continue
            if one.accuracy and all(0 <= accuracy <= 1 for accuracy in one.accuracy):
                found[one.id] = one
    return found


def append(results: Path, shifted: Shifted) -> None:
    """Writes a measurement down; on return it is on the disk."""
    log = _log(results)
    log.prepare()
    log.append(msgspec.json.encode(shifted))
