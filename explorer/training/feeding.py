"""How the captured step gets its batches and numbers, and the captured evaluation its images: two ways, one protocol.

`HostFed` copies each step's in from the host. Where host and device share the memory nothing is faster. `Resident` is
for every other device: the images lie there, what 256 steps take of them is uploaded at once, and no step waits for
the host.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from tinygrad import Tensor, TinyJit, UOp, Variable, dtypes
from tinygrad.helpers import Context

from explorer.datasets.dataset import LOOK_IMAGES, Dataset
from explorer.models.kernels.replay import Replay
from explorer.models.model import Images
from explorer.rules import optimizers as rules
from explorer.training import augment
from explorer.training.memory import buffer, gather, read, write

EVALUATION_BATCH = 500
AHEAD = 256  # steps that Resident uploads at once

SCALARS = (*rules.SCALARS, "dropout", "angle", "scale", "shift", "multiplier", "offset", "position")
"""The numbers of a step, in the order in which they lie on the device: an optimizer's first, as its C expects them."""

Forward = Callable[[Tensor], Tensor]
"""Images (B, height, width) uint8 -> logits (B, classes), lazily."""


class StepInput(NamedTuple):
    """What one step takes, in the host's memory."""

    chosen: np.ndarray
    """(B,) places of the batch's images among the training images"""
    numbers: np.ndarray
    """(len(SCALARS),) float32"""
    key: np.ndarray | None
    """(1,) uint32, of dropout; None where the run has none"""
    draws: np.ndarray | None
    """(B, DRAWS) float32 in [-1, 1], of augmentation; None where the run has none"""


class Batch(NamedTuple):
    """What one step takes, on the device: images (B, height, width) uint8, labels (B,) int32, draws (B, DRAWS)."""

    images: Tensor
    labels: Tensor
    draws: Tensor | None


class Feed(Protocol):
    """Serves one captured step and one captured evaluation."""

    ahead: int
    """How many steps' inputs `deliver` takes at once, but for the last ones of a run."""
    numbers: Tensor
    """(len(SCALARS),) float32: the present step's, in the order of SCALARS."""
    key: Tensor
    """(1,) uint32: the present step's key of dropout."""

    def begin(self, data: Dataset) -> bool:
        """Make ready for a run on ``data``. True where what was captured before reads other memory than this run's."""

    def deliver(self, inputs: Sequence[StepInput]) -> None:
        """Hand over the inputs of the next `ahead` steps; again, to change those of steps that are still to come."""

    def take(self) -> Batch:
        """Called within the step: the next step's batch, when `numbers` and `key` are that step's, too."""

    def logits(self, first: int, count: int) -> np.ndarray:
        """(count, classes) float32 of images in a row; ``first`` counts the training images, then the test images."""


class HostFed:
    """Each step's inputs are copied in before it, each evaluation's images before that."""

    ahead = 1

    def __init__(self, of: Images, batch_size: int, augments: bool, forward: Forward):
        self.images = buffer((batch_size, of.height, of.width), dtypes.uint8)
        self.labels = buffer((batch_size,), dtypes.int32)
        self.draws = buffer((batch_size, augment.DRAWS), dtypes.float32) if augments else None
        self.key = buffer((1,), dtypes.uint32)
        self.numbers = buffer((len(SCALARS),), dtypes.float32)
        self.evaluated = buffer((EVALUATION_BATCH, of.height, of.width), dtypes.uint8)
        # One TinyJit an instance: as a decorator of a method it would be one object for all.
        self.forward = Replay(TinyJit(lambda: forward(self.evaluated).realize()))

    def begin(self, data: Dataset) -> bool:
        self.data, self.train_labels = data, data.train_labels.astype(np.int32)
        return False

    def deliver(self, inputs: Sequence[StepInput]) -> None:
        (step,) = inputs
        gather(self.images, self.data.train_images, step.chosen)
        gather(self.labels, self.train_labels, step.chosen)
        if step.draws is not None and self.draws is not None:
            write(self.draws, step.draws)
        if step.key is not None:
            write(self.key, step.key)
        write(self.numbers, step.numbers)

    def take(self) -> Batch:
        return Batch(self.images, self.labels, self.draws)

    def logits(self, first: int, count: int) -> np.ndarray:
        before = len(self.data.train_images)
        images = self.data.train_images[first:] if first < before else self.data.test_images[first - before :]
        found = []
        for start in range(0, count, EVALUATION_BATCH):
            part = images[start : min(start + EVALUATION_BATCH, count)]
            padding = ((0, EVALUATION_BATCH - len(part)), (0, 0), (0, 0))
            write(self.evaluated, np.pad(part, padding) if len(part) < EVALUATION_BATCH else part)
            found.append(read(self.forward())[: len(part)])
        return np.concatenate(found)


class Resident:
    """All images lie on the device. What a step takes is one row of int32: the batch's places and labels, the key, the
    bits of the numbers and of the draws. 256 rows are uploaded at once; a counter on the device, which the step itself
    moves on, says which is the step's."""

    ahead = AHEAD

    def __init__(self, of: Images, batch_size: int, augments: bool, forward: Forward):
        self.of, self.net = of, forward
        sizes = {"chosen": batch_size, "labels": batch_size, "key": 1, "numbers": len(SCALARS)}
        sizes |= {"draws": batch_size * augment.DRAWS} if augments else {}
        ends = dict(zip(sizes, np.cumsum(list(sizes.values())).tolist(), strict=True))
        self.places = {name: slice(end - sizes[name], end) for name, end in ends.items()}
        self.rows = buffer((AHEAD, sum(sizes.values())), dtypes.int32)
        self.row = buffer((sum(sizes.values()),), dtypes.int32)
        self.counter = buffer((1,), dtypes.int32)
        self.chosen, self.labels = self.row[self.places["chosen"]], self.row[self.places["labels"]]
        self.key = self.row[self.places["key"]].bitcast(dtypes.uint32)
        # floats have memory of their own: what reads them is then, to the bit, what it is for HostFed
        self.numbers = buffer((len(SCALARS),), dtypes.float32)
        self.draws = buffer((batch_size, augment.DRAWS), dtypes.float32) if augments else None
        self.data: Dataset | None = None

    def begin(self, data: Dataset) -> bool:
        write(self.counter, np.zeros(1, np.int32))
        if data is self.data:
            return False
        self.data = data
        # the last evaluation may read past the last image
        beyond = np.zeros((EVALUATION_BATCH, self.of.height, self.of.width), np.uint8)
        images = np.concatenate([data.train_images, data.test_images, beyond])
        self.images = buffer(images.shape, dtypes.uint8)
        write(self.images, images)
        self.found = buffer((LOOK_IMAGES, self.of.classes), dtypes.float32)
        self.first = Variable("first", 0, len(images) - EVALUATION_BATCH)
        self.slot = Variable("slot", 0, LOOK_IMAGES - EVALUATION_BATCH)
        self.forward = Replay(TinyJit(self._evaluate))
        return True

    def deliver(self, inputs: Sequence[StepInput]) -> None:
        assert self.data is not None, "begin first"
        rows = np.zeros(self.rows.shape, np.int32)
        for row, step in zip(rows, inputs, strict=False):
            row[self.places["chosen"]] = step.chosen
            row[self.places["labels"]] = self.data.train_labels[step.chosen]
            row[self.places["numbers"]] = step.numbers.view(np.int32)
            if step.key is not None:
                row[self.places["key"]] = step.key.view(np.int32)
            if step.draws is not None:
                row[self.places["draws"]] = step.draws.view(np.int32).reshape(-1)
        write(self.rows, rows)

    def take(self) -> Batch:
        # Realized before anything reads it: each reader would look it up again.
        self.row.assign(self.rows[self.counter].reshape(-1)).realize()
        floats = [("numbers", self.numbers), *([("draws", self.draws)] if self.draws is not None else [])]
        parts = [(tensor, self.row[self.places[name]].bitcast(dtypes.float32)) for name, tensor in floats]
        found = [tensor.assign(part.reshape(tensor.shape)) for tensor, part in parts]
        Tensor.realize(self.counter.assign((self.counter + 1) % AHEAD), *found)
        # A sum over all images of which one counts, as tinygrad first sees it: it would cut so long a sum in two, and
        # then no longer see that it is a plain look-up.
        with Context(SPLIT_REDUCEOP=0):
            images = self.images[self.chosen].contiguous().realize()
        return Batch(images, self.labels, self.draws)

    def _evaluate(self, first: UOp, slot: UOp) -> None:
        logits = self.net(self.images[first : first + EVALUATION_BATCH])
        self.found[slot : slot + EVALUATION_BATCH].assign(logits).realize()

    def logits(self, first: int, count: int) -> np.ndarray:
        found, end = [], first + count
        for start in range(first, end, LOOK_IMAGES):
            for slot in range(0, min(LOOK_IMAGES, end - start), EVALUATION_BATCH):
                self.forward(self.first.bind(start + slot), self.slot.bind(slot))
            found.append(read(self.found)[: end - start])
        return np.concatenate(found)


def named(numbers: Tensor) -> Mapping[str, Tensor]:
    """`SCALARS` -> that number (1,)."""
    return {name: numbers[slot : slot + 1] for slot, name in enumerate(SCALARS)}
