"""What the plots are about, and the facts that more than one of them has.

Accuracies in facts are fractions; the drawings show per cent. Bars and bands are 95 % intervals of the mean over seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from explorer.judging import stats
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.runs import ConfigResult
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.telling.names import name_of

AXES = {
    "lr": "learning rate", "batch_size": "batch size (images)", "steps": "training steps", "epochs": "epochs",
    "width": "units in each hidden layer", "depth": "hidden layers", "units1": "units in hidden layer 1",
    "units2": "units in hidden layer 2", "dropout": "dropout (share of activations)",
    "angle": "rotation up to ± (degrees)",
    "shift": "shift up to ± (pixels)", "scale": "zoom up to ± (share)",
    "momentum": "momentum", "weight_decay": "weight decay", "warmup_steps": "warm-up (steps)",
    "lr_schedule": "learning-rate schedule", "batchnorm": "batch normalization", "kernel_size": "kernel sides",
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A model on a data set: its configurations, the best mean on validation first, and its judged sweeps."""

    model: str
    dataset: str
    ranked: Sequence[ConfigResult]
    sweeps: Sequence[SweepResult]

    @property
    def name(self) -> str:
        return name_of(self.model, self.dataset)


@dataclass(frozen=True)
class Predictions:
    """What one trained net says of the test set: logits (n, classes), labels (n,), images (n, height, width)."""

    model: str
    dataset: str
    configuration: str
    logits: NDArray[Any]
    labels: NDArray[Any]
    images: NDArray[Any]


@dataclass(frozen=True)
class Facts:
    """What every picture has: a title above it and a caption below."""

    title: str
    caption: str


@dataclass(frozen=True)
class Bar:
    """A mean with the half-width of its 95 % interval, of the longer side where 0 or 100 % cuts it (None where there is
    none); below `MIN_RUNS` the ``runs`` themselves, which are then what is shown."""

    mean: float
    half_width: float | None
    n: int
    runs: tuple[float, ...] = ()


def bar_of(scores: Mapping[int, float]) -> Bar | None:
    """Mean and interval of seed -> score; None without any."""
    if not scores:
        return None
    interval = stats.accuracy_interval(list(scores.values()))
    runs = tuple(scores.values()) if 1 < interval.n < MIN_RUNS else ()
    return Bar(interval.mean, None if math.isnan(interval.half_width) else interval.half_width, interval.n, runs)


def axis_of(knob: str) -> str:
    """What an axis says of a knob, with its unit where it has one."""
    return AXES.get(knob, knob.replace("_", " "))


def seeds_words(counts: Sequence[int]) -> str:
    """``n = 5 seeds``, or ``n = 3 to 5 seeds`` where points differ."""
    counts = [count for count in counts if count]
    if not counts:
        return "n = 0"
    low, high = min(counts), max(counts)
    if high < MIN_RUNS:
        return f"n = {high} seed{'s' * (high > 1)}, so no intervals"
    return f"n = {high} seeds" if low == high else f"n = {low} to {high} seeds"


def heading(judged: SweepResult) -> str:
    return f"{judged.sweep.title}: {name_of(judged.request.model, judged.request.dataset)}"


def study_heading(judged: StudyResult) -> str:
    return f"{judged.question.title}: {name_of(judged.request.model, judged.request.dataset)}"
