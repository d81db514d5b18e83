"""Kept nets, told so that a browser can ask them: their layers in order, and their weights as one piece of memory."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec import Struct

from explorer import datasets
from explorer.errors import UserError
from explorer.models.model import Images, Layer
from explorer.running import nets
from explorer.running.nets import Kept, Net
from explorer.telling.words import short_name

Kind = Literal["flatten", "linear", "conv2d", "batchnorm", "max_pool", "activation"]


class LayerFacts(Struct, frozen=True):
    """A layer of `explorer.models.layers`, in evaluation mode. ``first`` is where its numbers begin among the net's:
    weight and bias, of batch normalization also running mean and variance. ``side`` is a kernel's."""

    kind: Kind
    activation: str | None = None
    inputs: int = 0
    outputs: int = 0
    side: int = 1
    pool: bool = False
    epsilon: float = 0.0
    first: int = 0


class FramingFacts(Struct, frozen=True):
    """`explorer.datasets.entry.Framing`."""

    side: int
    centred: str


class NetFacts(Struct, frozen=True):
    """A kept net without its weights. A pixel 0..255 becomes the input multiplier * pixel + offset."""

    id: str
    model: str
    dataset: str
    name: str
    classes: Sequence[str]
    height: int
    width: int
    multiplier: float
    offset: float
    validation: float | None
    test: float | None
    layers: Sequence[LayerFacts]
    framing: FramingFacts | None
    numbers: int
    """How many weights there are."""


def facts(kept: Kept) -> NetFacts:
    """What the page is told of a net. UserError where it has a layer that the page does not know."""
    record, about, config = kept.record, kept.about, kept.config
    images = Images(about.height, about.width, len(about.classes))
    try:
        layers, numbers = layer_facts(config.net.build(images))
    except UserError as error:
        raise UserError(f"net {record.id}: {error}") from None
    entry = datasets.find(config.dataset)
    framing = entry.framing if entry else None
    return NetFacts(
        id=record.id,
        model=config.model,
        dataset=config.dataset,
        name=short_name(config),
        classes=about.classes,
        height=about.height,
        width=about.width,
        multiplier=about.multiplier,
        offset=about.offset,
        validation=record.val_accuracy,
        test=record.test_accuracy,
        layers=layers,
        framing=FramingFacts(framing.side, framing.centred) if framing else None,
        numbers=numbers,
    )


def layer_facts(layers: Iterable[Layer]) -> tuple[list[LayerFacts], int]:
    """What the page is told of layers, and how many numbers they have. UserError for a layer that it does not know."""
    from explorer.models import layers as known  # brings in tinygrad

    found: list[LayerFacts] = []
    first = 0
    for layer in layers:
        if isinstance(layer, known.Linear | known.Conv2d):
            outputs, inputs, *sides = (int(size) for size in layer.weight.shape)
            kind: Kind = "conv2d" if sides else "linear"
            side = sides[0] if sides else 1
            found.append(LayerFacts(kind, layer.activation.name, inputs, outputs, side, first=first))
            first += outputs * inputs * side * side + outputs
        elif isinstance(layer, known.BatchNorm):
            features = int(layer.weight.shape[0])
            found.append(LayerFacts("batchnorm", None, features, features, 1, layer.pool, known.EPSILON, first))
            first += 4 * features
        elif isinstance(layer, known.Activation):
            found.append(LayerFacts("activation", layer.name))
        elif layer is known.flatten or layer is known.max_pool:
            found.append(LayerFacts("flatten" if layer is known.flatten else "max_pool"))
        elif not isinstance(layer, known.Dropout):  # which does nothing here
            raise UserError(f"the page does not know the layer {type(layer).__name__}")
    return found, first


def weights(net: Net) -> bytes:
    """float32, little-endian, in the order that `LayerFacts.first` counts in."""
    order = ("weight", "bias", "running_mean", "running_variance")
    names = sorted(net.weights, key=lambda name: (int(name.split(".")[0]), order.index(name.split(".")[1])))
    return b"".join(np.ascontiguousarray(net.weights[name], "<f4").tobytes() for name in names)


def known(folders: Iterable[Path], say: Callable[[str], None]) -> list[NetFacts]:
    """The kept nets that a browser can ask, the best of a data set and model first; of others ``say`` is told."""
    found = []
    for kept in nets.all_kept(folders):
        try:
            found.append(facts(kept))
        except UserError as error:
            say(str(error))
    return found
