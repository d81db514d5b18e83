"""What a kept net says: of images, and of the data it was measured on, which must give its record's figures again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.config import Config
from explorer.datasets.dataset import Dataset
from explorer.datasets.pictures import Picture
from explorer.errors import UserError
from explorer.running.nets import Net
from explorer.running.runner import rounded
from explorer.training.trainer import Trainer, score


@dataclass(frozen=True)
class Figure:
    """A figure of a record, and what the kept net gives today."""

    name: str
    recorded: float | None
    measured: float | None


def logits(net: Net, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, classes) of images (N, height, width), 0..255. Needs an open device (`prepared`).

    Raises UserError where the images are not of the net's size, or the weights are not those of its configuration.
    """
    return next(logits_of_each(net, [images]))


def logits_of_each(net: Net, sets: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
    """`logits` of one set of images after the other, by a net that is recalled once."""
    of, trainer = net.images, None
    for images in sets:
        if images.shape[1:] != (of.height, of.width):
            size = "x".join(map(str, images.shape[1:]))
            raise UserError(f"images of {size} pixels; net {net.record.id} takes {of.height}x{of.width}")
        none = np.empty((0, of.height, of.width), np.uint8)
        labels = np.zeros(len(images), np.uint8)
        data = Dataset("", none, labels[:0], images, labels, tuple(net.about.classes), 0, "", "")
        if trainer is None:
            trainer = _recalled(net, data)
        else:
            trainer.recall(data, net.weights, net.about.multiplier, net.about.offset)
        yield trainer.logits(0, len(images))


@dataclass(frozen=True, eq=False)
class Answer:
    """What a net says of a picture: its most likely class, and the probability of each class by name."""

    picture: str
    said: str
    probabilities: dict[str, float]
    label: int | None = None
    """The class it is of, where that is known."""

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """(class, probability), the most likely first."""
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])


def answered(net: Net, pictures: Sequence[Picture]) -> list[Answer]:
    """The answer to each of these pictures. As `logits`."""
    found, classes = [], net.about.classes
    for picture, shares in zip(
        pictures, probabilities(logits(net, np.stack([picture.image for picture in pictures]))), strict=True
    ):
        by_class = dict(zip(classes, shares.tolist(), strict=True))
        found.append(Answer(picture.name, classes[int(shares.argmax())], by_class, picture.label))
    return found


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax over the last axis."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return found


def measure(net: Net, data: Dataset) -> list[Figure]:
    """The figures that count, measured again as the run measured them: equal to the last digit on the same kind of
    machine. Needs an open device. Raises UserError where ``data`` are not those of the run."""
    record, config = net.record, net.record.configuration
    if data.digest != record.data.digest:
        raise UserError(f"{data.name} of digest {data.digest}; the net was measured on {record.data.digest}")
    trainer = _recalled(net, data)
    training, validation = data.split(config.train_on)
    found = []
    if validation:
        loss, accuracy = score(
            trainer.logits(training, validation), data.train_labels[training : training + validation]
        )
        found.append(Figure("validation loss", record.val_loss, rounded(loss)))
        found.append(Figure("validation accuracy", record.val_accuracy, rounded(accuracy)))
    _, accuracy = score(trainer.logits(len(data.train_images), len(data.test_images)), data.test_labels)
    return [*found, Figure("test accuracy", record.test_accuracy, rounded(accuracy))]


def _recalled(net: Net, data: Dataset) -> Trainer:
    """The trainer that trained it, as it stood at the end: what evaluates then evaluates now, to the bit."""
    config = net.record.configuration
    try:
        config.net.check(net.images)
    except ValueError as error:
        raise UserError(f"net {net.record.id}: {error}") from None
    trainer = Trainer(_smallest(config), net.images)
    expected = {name: tuple(tensor.shape) for name, tensor in trainer.state.items()}
    if expected != {name: values.shape for name, values in net.weights.items()}:
        raise UserError(f"net {net.record.id}: its weights are not those of its configuration; train it again")
    trainer.recall(data, net.weights, net.about.multiplier, net.about.offset)
    return trainer


def _smallest(config: Config) -> Config:
    """The configuration with a batch of one: no step will be taken, so none needs memory."""
    return config.model_copy(update={"batch_size": 1})
