"""Where a model errs: the confusion matrix of the test set, and the wrong images it was surest of."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.telling.names import class_names, name_of
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, Predictions
from explorer.telling.plots.picture import GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 9
COUNTED = 20  # with more classes than this, a cell has no room for its count: the shade alone speaks


@dataclass(frozen=True)
class Wrong:
    """A test image (rows of pixels, any range) that the model takes for another class, with its softmax for that."""

    index: int
    true: int
    predicted: int
    confidence: float
    image: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ConfusionFacts(Facts):
    """counts[true][predicted] on the test set, and the wrong images the model was surest of, surest first."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    wrong: tuple[Wrong, ...]


def title(dataset: str, model: str, own: bool = False) -> str:
    return f"Where {'your' if own else 'the'} best {name_of(model, dataset)} errs"


def facts(predicted: Predictions) -> ConfusionFacts:
    labels = np.asarray(predicted.labels).astype(int)
    classes = predicted.logits.shape[1]
    guesses, confidence, wrong = judged(predicted.logits, labels)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, guesses), 1)
    surest = wrong[:MOST]
    return ConfusionFacts(
        title=title(predicted.dataset, predicted.model, predicted.own),
        caption=f"{predicted.configuration}, seed 0: {len(wrong):,} of {len(labels):,} test images wrong. "
        "The shades are on a log scale.",
        classes=class_names(predicted.dataset, classes),
        counts=tuple(tuple(map(int, row)) for row in counts),
        wrong=tuple(
            Wrong(
                int(index),
                int(labels[index]),
                int(guesses[index]),
                float(confidence[index]),
                tuple(tuple(map(float, row)) for row in predicted.images[index]),
            )
            for index in surest
        ),
    )


def judged(logits: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of logits (n, classes) and labels (n,): the guesses (n,), how sure each is (n,), 0 to 1, and the places of the
    wrong ones, the surest first."""
    scores = np.asarray(logits, np.float64)
    guesses = scores.argmax(axis=1)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    confidence = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    wrong = np.flatnonzero(guesses != np.asarray(labels).astype(int))
    return guesses, confidence, wrong[np.lexsort((wrong, -confidence[wrong]))]


def draw(facts: ConfusionFacts) -> "Figure":
    import matplotlib
    from matplotlib.colors import LogNorm

    figure = picture.frame(11, 6.6, facts.title, facts.caption)
    parts = figure.subfigures(1, 2, width_ratios=(1.4, 1), squeeze=False)
    left, right = parts[0]
    axes = left.subplots()
    counts = np.array(facts.counts)
    errors = counts.astype(float)
    np.fill_diagonal(errors, np.nan)
    shown = np.where(errors > 0, errors, np.nan)
    most = np.nanmax(shown) if np.isfinite(shown).any() else 1.0
    norm = LogNorm(0.5, max(most, 4.0))
    axes.imshow(shown, cmap=matplotlib.colormaps["Blues"].with_extremes(bad="white"), norm=norm)
    for (true, predicted), count in np.ndenumerate(counts):
        if count and len(facts.classes) <= COUNTED:
            dark = true != predicted and norm(count) > 0.55
            axes.text(
                predicted, true, str(count), ha="center", va="center", fontsize=13 if len(facts.classes) <= 10 else 10,
                color="white" if dark else GREY if true == predicted else "black",
            )  # fmt: skip
    axes.grid(False)
    places, size = range(len(facts.classes)), 14 if len(facts.classes) <= COUNTED else 5
    upright = any(len(name) > 1 for name in facts.classes)
    labels = [picture.wrapped(name, 24) for name in facts.classes]
    axes.set_xticks(places, labels, rotation=90 if upright else 0, fontsize=size)
    axes.set_yticks(places, labels, fontsize=size)
    axes.set_xlabel("predicted (right: grey figures; wrong: blue fields)", fontsize=14)
    axes.set_ylabel("true", fontsize=14)
    if facts.wrong:
        columns = 3
        grid = right.subplots(math.ceil(len(facts.wrong) / columns), columns, squeeze=False)
        for place in grid.flat:
            place.axis("off")
        names = [picture.wrapped(name, 20) for name in facts.classes]
        short = max(map(len, names)) < 4  # then what it is and what it is taken for share a line
        told = [
            f"{names[wrong.true]} →{' ' if short else chr(10)}{names[wrong.predicted]}, {100 * wrong.confidence:.0f} %"
            for wrong in facts.wrong
        ]
        widest = max(len(line) for words in told for line in words.splitlines())
        small = min(14.0, 14.0 * 13 / widest)  # three titles share the width
        for place, wrong, words in zip(grid.flat, facts.wrong, told, strict=False):
            place.imshow(np.array(wrong.image), cmap="gray_r")
            place.set_title(words, fontsize=small, fontweight="normal", loc="center", pad=3)
        right.supxlabel("the surest mistakes: true → predicted, how sure", fontsize=13)
    return figure
