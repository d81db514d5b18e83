"""What the plots are about, and the facts that more than one of them has.

Accuracies in facts are fractions; the drawings show per cent. Bars and bands are 95 % intervals of the mean over seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from explorer.config import Config
from explorer.fields import text_of
from explorer.judging import stats
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.runs import ConfigResult
from explorer.judging.settled import SettledSweep
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.telling.names import name_of
from explorer.telling.words import knob_name, said

AXES = {
    "lr": "learning rate", "batch_size": "batch size (images)", "steps": "training steps", "epochs": "epochs",
    "width": "units in each hidden layer", "depth": "hidden layers", "units1": "units in hidden layer 1",
    "units2": "units in hidden layer 2", "dropout": "dropout (share of activations)",
    "angle": "rotation up to ± (degrees)",
    "shift": "shift up to ± (pixels)", "scale": "zoom up to ± (share)",
    "momentum": "momentum", "weight_decay": "weight decay", "warmup_steps": "warm-up (steps)",
    "lr_schedule": "learning-rate schedule", "batchnorm": "batch normalization", "kernel_size": "kernel sides",
}  # fmt: skip
# How a picture says a setting that tables say more shortly: it has no glossary beside it.
WHOLE_WORDS = {
    "lr": "learning rate {}", "angle": "rotation ±{}°", "scale": "zoom ±{}", "shift": "shift ±{} pixels",
    "kernel_size": "kernel sides {}",
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
    own: bool = False
    """Whether it is a person's own, not the study's."""


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


@dataclass(frozen=True)
class Names:
    """What rows, lines or panels are called: by what differs between them, and never cut. ``shared``: what all of them
    have in common, for an axis or a caption; empty where there is nothing."""

    labels: tuple[str, ...]
    shared: str


def names_of_points(labels: Sequence[str], knobs: Sequence[str]) -> Names:
    """Labels of points without the knob that all of them name: ``relu``, and ``activation`` is shared."""
    if len(knobs) > 1 and all(label.count(" / ") == len(knobs) - 1 for label in labels):
        return Names(tuple(labels), " / ".join(map(axis_of, knobs)))
    for knob in knobs:
        start = f"{knob_name(knob)} "
        if labels and all(label.startswith(start) and label != start for label in labels):
            return Names(tuple(label.removeprefix(start) for label in labels), axis_of(knob))
    return Names(tuple(labels), "")


def names_of_configs(configs: Sequence[Config]) -> Names:
    """Configurations by the settings that not all of them have, in whole words."""
    told = [{field: _in_whole_words(field, config, word) for field, word in said(config).items()} for config in configs]
    shared = {field: word for field, word in told[0].items() if all(one.get(field) == word for one in told)}
    if len(configs) == 1:
        return Names((", ".join(told[0].values()) or "defaults",), "")
    labels = [", ".join(word for field, word in one.items() if field not in shared) for one in told]
    return Names(tuple(label or "defaults" for label in labels), ", ".join(shared.values()))


def _in_whole_words(field: str, config: Config, word: str) -> str:
    if field == "batchnorm":
        return "batch normalization" if config.get(field) else "no batch normalization"
    return WHOLE_WORDS[field].format(text_of(config.get(field))) if field in WHOLE_WORDS else word


def titles_of(sweeps: Sequence[SweepResult]) -> list[str]:
    """The sweeps' titles, with what tells apart those that share one."""
    titles = [judged.sweep.title for judged in sweeps]
    return [
        f"{title} ({judged.slug})" if titles.count(title) > 1 else title
        for title, judged in zip(titles, sweeps, strict=True)
    ]


def seeds_words(counts: Sequence[int]) -> str:
    """``n = 5 seeds``, or ``n = 3 to 5 seeds`` where points differ."""
    counts = [count for count in counts if count]
    if not counts:
        return "n = 0"
    low, high = min(counts), max(counts)
    return f"n = {high} seed{'s' * (high > 1)}" if low == high else f"n = {low} to {high} seeds"


def intervals_of(counts: Sequence[int]) -> bool:
    """Whether any point of so many seeds has an interval."""
    return max(counts, default=0) >= MIN_RUNS


def heading(judged: SweepResult | SettledSweep) -> str:
    return f"{judged.sweep.title}: {name_of(judged.request.model, judged.request.dataset)}"


def study_heading(judged: StudyResult) -> str:
    return f"{judged.question.title}: {name_of(judged.request.model, judged.request.dataset)}"
