"""Test-set predictions of trained nets, kept beside the ledger so that the report can show where a model errs."""

import functools
import io
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer import datasets
from explorer.config import Config
from explorer.errors import UserError
from explorer.files import print_to_stderr, write_atomically
from explorer.record import run_id

FOLDER = "predictions"
Predictions = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]
"""Logits (n, classes), labels (n,), images (n, height, width) of a test set."""
_OWN_NAME = re.compile(r"[0-9a-f]{16}\.npz")
MOST_BYTES = 1 << 28  # of logits: what a file says it holds is checked before it is read


def path_of(results: Path, run: str) -> Path:
    """Where the predictions of the run with this id are kept."""
    return Path(results) / FOLDER / f"{run}.npz"


def save(results: Path, run: str, logits: NDArray[np.float32]) -> None:
    """Keep test logits (n, 10) as float16: enough to rank them by. Where their folder cannot be written, or is a link,
    nothing is kept and a line says so: the run they are of has its record."""
    content = io.BytesIO()
    np.savez_compressed(content, logits=logits.astype(np.float16))
    path = path_of(results, run)
    try:
        if path.parent.is_symlink():
            raise OSError("its folder is a link, and nothing is written through one")
        write_atomically(path, content.getvalue())
    except OSError as error:
        print_to_stderr(f"{path}: the predictions are not kept ({error.strerror or error})")


def clear(results: Path, kept: set[str]) -> None:
    """Remove the predictions of all runs but ``kept``: files of our own naming in a folder of our own, never through a
    link, which may lead anywhere."""
    folder = Path(results) / FOLDER
    if folder.is_symlink():
        return
    for path in folder.glob("*.npz"):
        if _OWN_NAME.fullmatch(path.name) and path.stem not in kept:
            path.unlink(missing_ok=True)


def reader(folders: Iterable[Path], data_dir: Path | None = None) -> Callable[[Config], Predictions | None]:
    """config -> (logits (n, classes), labels (n,), images (n, height, width)) of the test set, or None where none are
    kept in any of these results ``folders``."""
    places = list(folders)
    load = functools.cache(lambda name: datasets.load(name, data_dir))  # both models need each data set

    def predict(config: Config) -> Predictions | None:
        try:
            dataset = load(config.dataset)
        except UserError:
            return None
        for folder in places:
            logits = _read(path_of(folder, run_id(config.identity(), dataset.digest)))
            if logits is not None and logits.shape == (len(dataset.test_labels), dataset.of.classes):
                return logits, dataset.test_labels, dataset.test_images
        return None

    return predict


def _read(path: Path) -> NDArray[np.float32] | None:
    """The logits of a file, float32; None where there is none, or it is no file of ours."""
    if not path.is_file():  # to open a pipe waits
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                return None
        with np.load(path) as kept:
            return np.asarray(kept["logits"]).astype(np.float32)
    except Exception:  # zipfile, zlib and numpy raise what they like at a file that is damaged or made to trick them
        return None
