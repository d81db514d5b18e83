"""Learning curves: accuracy by training step, validation's solid and training's dashed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer import datasets
from explorer.datasets.dataset import LOOK_IMAGES
from explorer.judging import stats
from explorer.judging.runs import ConfigResult
from explorer.judging.sweeps import SweepResult
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, Pair, heading, seeds_words
from explorer.telling.words import short_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_A_SWEEP, OF_A_PAIR = 4, 3  # the most curves that can be told apart, and fewer where labels are long
BAND_SEEDS = 5


@dataclass(frozen=True)
class Curve:
    """One configuration's looks, averaged over seeds: (steps,) each.

    ``low`` to ``high`` is validation's 95 % interval; below BAND_SEEDS seeds, where that is wider than any run was, the
    lowest to the highest run.
    """

    label: str
    steps: tuple[float, ...]
    train: tuple[float, ...]
    validation: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: int


@dataclass(frozen=True)
class CurvesFacts(Facts):
    log: bool
    curves: tuple[Curve, ...]


def facts(about: SweepResult | Pair) -> CurvesFacts | None:
    """Of a sweep: the winner, the baseline and the best of the rest. Of a pair: its best configurations.

    None where no run looked at validation.
    """
    return _of_sweep(about) if isinstance(about, SweepResult) else _of_pair(about)


def _of_sweep(judged: SweepResult) -> CurvesFacts | None:
    means = {label: stats.mean_interval(list(s.values())).mean for label, s in judged.validation.items()}
    if not means or judged.winner is None:
        return None
    ranked = sorted(means, key=lambda label: -means[label])
    chosen = list(dict.fromkeys([judged.winner.label, judged.baseline, *ranked]))
    chosen = [label for label in chosen if label in means][:OF_A_SWEEP]
    marks = {judged.baseline: " (baseline)", judged.winner.label: " (best)"}
    curves = [
        curve_of(judged.by_label[label], label + marks.get(label, "")) for label in sorted(chosen, key=ranked.index)
    ]
    shown = [curve for curve in curves if curve]
    return facts_of(f"Learning curves, {heading(judged)}", shown, len(means), judged.request.dataset)


def _of_pair(pair: Pair) -> CurvesFacts | None:
    curves = [curve_of(run, short_name(run.config)) for run in pair.ranked[:OF_A_PAIR]]
    shown = [curve for curve in curves if curve]
    title = f"Train against validation, best configurations: {pair.name}"
    return facts_of(title, shown, len(shown), pair.dataset)


def curve_of(measured: ConfigResult, label: str) -> Curve | None:
    """The mean of a configuration's looks over the seeds that ended well; None without looks at validation."""
    histories = [record.history for record in measured.records.values() if record.status == "ok"]
    histories = [looks for looks in histories if looks and looks[0].val_accuracy is not None]
    if not histories:
        return None
    length = min(map(len, histories))  # of runs that early stopping ended, as far as all of them went
    steps = [look.step for look in histories[0][:length]]
    histories = [looks[:length] for looks in histories if [look.step for look in looks[:length]] == steps]
    train = np.array([[look.train_accuracy for look in looks] for looks in histories])
    validation = np.array([[look.val_accuracy for look in looks] for looks in histories])
    mean, low, high = validation.mean(axis=0), validation.min(axis=0), validation.max(axis=0)
    if len(histories) >= BAND_SEEDS:
        bands = [stats.accuracy_interval(column) for column in validation.T]
        low = np.array([band.low if band.known else band.mean for band in bands])
        high = np.array([band.high if band.known else band.mean for band in bands])

    def floats(values: NDArray[np.float64]) -> tuple[float, ...]:
        return tuple(map(float, values))

    x, trained = floats(np.array(steps)), floats(train.mean(axis=0))
    return Curve(label, x, trained, floats(mean), floats(low), floats(high), len(histories))


def facts_of(title: str, curves: Sequence[Curve], of: int, dataset: str) -> CurvesFacts | None:
    """Facts of given curves, ``of`` so many there could be; None without any."""
    if not curves:
        return None
    ends = [curve.steps[-1] for curve in curves]
    counts = [curve.n for curve in curves]
    some = f"{len(curves)} of {of} points. " if len(curves) < of else ""
    part = (
        f" (at {LOOK_IMAGES:,} of its images: an end may differ from the tables, which have them all)"
        if dataset not in datasets.names() or datasets.known(dataset).validation > LOOK_IMAGES
        else ""
    )
    band = ""
    if max(counts) > 1:
        band = f"; band: 95 % interval of the mean, below {BAND_SEEDS} seeds the lowest to the highest"
        band = band if min(counts) < BAND_SEEDS <= max(counts) else "; band: 95 % interval of the mean"
        band = "; band: the lowest to the highest" if max(counts) < BAND_SEEDS else band
    return CurvesFacts(
        title=title,
        caption=f"{some}Solid: validation at each look{part}{band}, {seeds_words(counts)}. Dashed: training batches.",
        log=max(ends) >= 8 * min(ends),
        curves=tuple(curves),
    )


def draw(facts: CurvesFacts) -> "Figure":
    figure = picture.frame(8, 5, facts.title, facts.caption)
    axes = figure.subplots()
    for color, curve in zip(picture.SERIES, facts.curves, strict=False):
        band = 100 * np.array([curve.low, curve.high])
        axes.plot(curve.steps, 100 * np.array(curve.validation), color=color, label=curve.label, zorder=3)
        axes.fill_between(curve.steps, *band, color=color, alpha=0.12, linewidth=0)
        axes.plot(curve.steps, 100 * np.array(curve.train), color=color, linestyle="--", linewidth=1.3)
    ends = [100 * value for curve in facts.curves for value in (curve.validation[-1], curve.train[-1])]
    low, high = min(ends), max(ends)
    starts = [100 * curve.validation[len(curve.validation) // 4] for curve in facts.curves]
    # The first looks of a run climb from a guess: they would leave the end, where runs differ, a hair's breadth.
    bottom = min(low, float(np.median(starts))) - 0.15 * max(high - low, 0.5)
    if facts.log:
        picture.log_axis(axes)
    axes.set_ylim(max(0.0, bottom), min(100.4, high + 0.15 * (high - bottom)))
    axes.set_xlabel("training step")
    axes.set_ylabel("accuracy (%)")
    picture.legend(axes)
    return figure
