"""Dataset: the images and labels that a run trains on and is measured by."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from explorer.models.model import Images

LOOK_IMAGES = 2000  # how many validation images a look along the way takes; the final figure takes all of them

Arrays = tuple[
    np.ndarray, np.ndarray, np.ndarray, np.ndarray
]  # images and labels to train on, images and labels to test


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled grey-scale images. The last ``validation_count`` training images are the validation split.

    Images are (N, height, width) uint8, labels (N,) uint8, one less than the number of classes at most; the arrays are
    read-only. ``name`` is what the data are, which after a fall-back is not what was asked for. ``classes`` are the
    names of the classes, in the order of the labels. ``digest`` (16 hex digits) stands for the content and the order of
    all four arrays, ``source`` says where they came from.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    validation_count: int
    digest: str
    source: str

    @property
    def of(self) -> Images:
        """What a net for these images is built for."""
        return Images(self.height, self.width, len(self.classes))

    @property
    def height(self) -> int:
        return int(self.train_images.shape[1])

    @property
    def width(self) -> int:
        return int(self.train_images.shape[2])

    def split(self, train_on: str) -> tuple[int, int]:
        """(training images, validation images): ``split`` keeps the last ones for validation, ``all`` keeps none."""
        validation = self.validation_count if train_on == "split" else 0
        return len(self.train_images) - validation, validation


def make(
    name: str, arrays: Arrays, classes: tuple[str, ...], validation_count: int, source: str, contents: Iterable[bytes]
) -> Dataset:
    """A Dataset of read-only arrays, whose digest is taken over ``contents``: the bytes of the four arrays or files."""
    for array in arrays:
        array.flags.writeable = False
    joined = b"".join(hashlib.sha256(content).digest() for content in contents)
    return Dataset(name, *arrays, classes, validation_count, hashlib.sha256(joined).hexdigest()[:16], source)
