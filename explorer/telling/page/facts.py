"""What the page is told of a study: typed values, which msgspec writes as JSON. Accuracies are fractions.

Rows of which there are thousands are arrays in JSON, in the order of their fields; `assets/js/data.js` reads them.
"""

from collections.abc import Sequence

from msgspec import Struct


class Field(Struct, frozen=True):
    """A hyperparameter that any configuration has. ``values`` are all that occur, in ascending order, as labels show
    them; ``numbers`` the same as numbers, where they are numbers."""

    name: str
    label: str
    meaning: str
    values: Sequence[str]
    numbers: Sequence[float] | None


class Configuration(Struct, frozen=True, array_like=True):
    """A configuration whatever its seed. ``id`` is that of its first record: what ``compare`` takes."""

    id: str
    model: str
    dataset: str
    values: Sequence[int]
    """One a `Field`: the place of its value among the field's, -1 where it does not apply."""
    name: str
    n: int
    """Seeds with a validation accuracy."""
    validation: float | None
    low: float | None
    high: float | None
    """The 95 % interval of that mean; None where there is none."""
    told: str
    """The mean with its interval, in words."""
    test: float | None
    test_told: str
    seconds: float | None
    """Of training, the mean of its runs."""
    parameters: int
    steps: int
    lost: str
    """Which runs have no result, in words."""
    own: bool


class Run(Struct, frozen=True, array_like=True):
    """A run. ``configuration`` is a place among the configurations; ``status`` is 0 ok, 1 diverged, 2 failed, 3 cut;
    ``fresh``: whether its seed only judges, see explorer.seeds."""

    configuration: int
    seed: int
    id: str
    validation: float | None
    test: float | None
    status: int
    fresh: bool


class Point(Struct, frozen=True, array_like=True):
    """A point of a sweep. ``configuration`` is a place among the configurations, -1 where it was not run."""

    label: str
    configuration: int
    values: Sequence[str]
    """One a knob of the sweep."""
    verdict: str
    against: str
    """The difference from the baseline in words; empty where there is none."""


class Sweep(Struct, frozen=True):
    """A question with what came of it. ``key`` is dataset/model/sweep."""

    key: str
    model: str
    dataset: str
    title: str
    question: str
    knobs: Sequence[str]
    axes: Sequence[str]
    """What the axes say of the knobs, with their units."""
    points: Sequence[Point]
    baseline: str
    winner: str
    ties: Sequence[str]
    hypothesis: str
    done: int
    planned: int
    command: str
    own: bool


class Title(Struct, frozen=True):
    """What a model or a data set is called."""

    name: str
    title: str


class Study(Struct, frozen=True):
    """All the page knows at its start."""

    models: Sequence[Title]
    datasets: Sequence[Title]
    fields: Sequence[Field]
    configurations: Sequence[Configuration]
    runs: Sequence[Run]
    sweeps: Sequence[Sweep]
    best: Sequence[int]
    """The best configuration of each model and data set, chosen on validation."""
    left_out: Sequence[str]
    """Records that do not stand with the others, in words."""


class Curve(Struct, frozen=True):
    """What a run saw along the way, by step; losses in nats. None where there was no validation set."""

    seed: int
    step: Sequence[int]
    train_loss: Sequence[float]
    val_loss: Sequence[float | None]
    val_accuracy: Sequence[float | None]


class Differs(Struct, frozen=True):
    """A field in which two configurations differ; ``-`` where it does not apply."""

    label: str
    first: str
    second: str


class Compared(Struct, frozen=True):
    """Two configurations set against each other, in the judges' words. ``sentence`` decides, ``test`` only reports."""

    sentence: str
    test: str
    differs: Sequence[Differs]
    command: str


class Mistake(Struct, frozen=True, array_like=True):
    """A test image that a net takes for another class, and how sure it was (softmax)."""

    index: int
    true: int
    predicted: int
    confidence: float


class Gallery(Struct, frozen=True):
    """The surest mistakes of the best configuration of a model on a data set, the surest first."""

    dataset: str
    model: str
    name: str
    classes: Sequence[str]
    height: int
    width: int
    tested: int
    wrong: int
    """How many of the tested images it takes for another class; ``mistakes`` are the surest of them."""
    mistakes: Sequence[Mistake]
    pixels: bytes
    """One byte a pixel, image after image."""
