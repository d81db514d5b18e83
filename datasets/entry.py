"""Entry: what is known of a data set without loading it, and how it is had. Light: no numpy at import."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.datasets.dataset import Dataset

Say = Callable[[str], None]


class UnavailableError(UserError):
    """A data set is neither on this machine nor to be fetched."""


@dataclass(frozen=True)
class Framing:
    """How a data set's makers put what is shown into an image, so that other pictures can be put likewise: its longer
    side scaled to so many pixels; its centre of mass, or its middle, in the middle. White on black."""

    side: int
    centred: Literal["mass", "middle"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A declared data set of grey-scale images. A file declares one of a subclass that says how it is had."""

    name: str  # as --dataset takes it; the name of the file
    title: str  # as it is written in a sentence
    classes: tuple[str, ...]  # names of the classes, in the order of the labels
    height: int  # of an image, in pixels
    width: int
    training: int  # numbers of images; the validation images are the last ones of the training files
    validation: int
    test: int
    place: int = 100  # where it stands in a list; those of one place go by name
    # What counts as no difference in accuracy, as fractions, for --settle: within `epsilon` of the best a point is as
    # good as the best, within `delta` of the baseline it is the same. Less than a tenth of what the knobs move.
    epsilon: float = 0.002
    delta: float = 0.005
    stand_in: str = ""  # the data set that may replace it where it cannot be had and nobody asked for it by name
    framing: Framing | None = None  # None: a picture is scaled whole

    def split(self, train_on: str) -> tuple[int, int]:
        """(training images, validation images): ``split`` keeps the last ones for validation, ``all`` keeps none."""
        return (self.training, self.validation) if train_on == "split" else (self.training + self.validation, 0)

    def load(self, data_dir: str | Path | None, say: Say) -> Dataset:
        """The data set itself. UserError, or UnavailableError, where it cannot be had.

        An entry of a kind of its own says here how it is had; ``read`` of datasets/__init__.py knows the kinds below.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how {self.name} is had")


@dataclass(frozen=True, kw_only=True)
class Own(Entry):
    """A person's own data: a folder or an .npz file."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Published(Entry):
    """Four public IDX files: on this machine, or on one of several mirrors."""

    # SHA-256 of each file UNPACKED, in the order of idx.FILES: mirrors compress differently, the content is one.
    digests: tuple[str, str, str, str]
    mirrors: tuple[str, ...]  # addresses that end where the file's name begins
    debian: tuple[str, Path] | None = None  # a Debian package that has it, and the folder it puts it into

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Bytes of each file UNPACKED, in the order of idx.FILES: a header of 4 bytes a word, then a byte a value."""
        together = self.training + self.validation
        shapes = ((together, self.height, self.width), (together,), (self.test, self.height, self.width), (self.test,))
        first, second, third, fourth = (4 + 4 * len(shape) + math.prod(shape) for shape in shapes)
        return first, second, third, fourth
