"""Learning curves: validation error by training step, each seed thin, their mean bold, from the first look on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer import datasets
from explorer.datasets.dataset import LOOK_IMAGES
from explorer.judging.runs import ConfigResult, mean
from explorer.judging.sweeps import SweepResult
from explorer.telling.names import name_of
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, Pair, names_of_configs, names_of_points, seeds_words
from explorer.telling.plots.picture import BLUE, GREY, ORANGE, PALE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IN_ONE = 4  # the most curves that one panel can show apart
OF_A_SWEEP, OF_A_PAIR = 12, 3


@dataclass(frozen=True)
class Curve:
    """One configuration's errors, fractions, at its looks: (steps,) the mean over seeds, (seeds, steps) each seed's.

    ``train``: the mean on the batches since the look before; empty where that is not shown.
    """

    label: str
    steps: tuple[float, ...]
    error: tuple[float, ...]
    seeds: tuple[tuple[float, ...], ...]
    train: tuple[float, ...] = ()


@dataclass(frozen=True)
class CurvesFacts(Facts):
    """``panels``: each curve has its own, beside the best one's mean in grey; ``best`` is that one's place.

    ``names``: what the labels are values of.
    """

    log: bool
    panels: bool
    best: int
    names: str
    curves: tuple[Curve, ...]


def facts(about: SweepResult | Pair) -> CurvesFacts | None:
    """Of a sweep: its points, of many the winner, the baseline and the best of the rest. Of a pair: its best
    configurations, with their training error.

    None where no run looked at validation.
    """
    return _of_sweep(about) if isinstance(about, SweepResult) else _of_pair(about)


def _of_sweep(judged: SweepResult) -> CurvesFacts | None:
    if judged.winner is None:
        return None
    best, baseline = judged.winner.label, judged.baseline
    ranked = sorted(judged.validation, key=lambda label: -mean(judged.validation[label]))
    chosen = [label for label in dict.fromkeys([best, baseline, *ranked]) if label in judged.validation][:OF_A_SWEEP]
    chosen = [label for label in judged.validation if label in chosen]  # in the sweep's order
    names = names_of_points(chosen, judged.sweep.knobs)
    marks = {baseline: " (baseline)", best: " (best)"}
    curves = [
        curve_of(judged.by_label[label], name + marks.get(label, ""))
        for label, name in zip(chosen, names.labels, strict=True)
    ]
    title = f"{judged.sweep.title}, learning curves: {name_of(judged.model, judged.dataset)}"
    first = sum(curve is not None for curve in curves[: chosen.index(best)])
    return facts_of(title, curves, judged.dataset, best=first, of=len(judged.validation), names=names.shared)


def _of_pair(pair: Pair) -> CurvesFacts | None:
    shown = pair.ranked[:OF_A_PAIR]
    if not shown:
        return None
    names = names_of_configs([run.config for run in shown])
    curves = [curve_of(run, label, train=True) for run, label in zip(shown, names.labels, strict=True)]
    title = f"Training and validation error of the best: {pair.name}"
    return facts_of(title, curves, pair.dataset, panels=True, all_share=names.shared)


def curve_of(measured: ConfigResult, label: str, train: bool = False) -> Curve | None:
    """A configuration's looks, of the seeds that ended well; None without looks at validation."""
    histories = [record.history for record in measured.finished.values()]
    histories = [looks for looks in histories if looks and looks[0].val_accuracy is not None]
    if not histories:
        return None
    length = min(map(len, histories))  # of runs that early stopping ended, as far as all of them went
    steps = [look.step for look in histories[0][:length]]
    histories = [looks[:length] for looks in histories if [look.step for look in looks[:length]] == steps]
    validation = 1.0 - np.array([[look.val_accuracy for look in looks] for looks in histories], np.float64)
    trained = 1.0 - np.array([[look.train_accuracy for look in looks] for looks in histories])

    def floats(values: NDArray[np.float64]) -> tuple[float, ...]:
        return tuple(map(float, values))

    every = tuple(map(floats, validation))
    on_batches = floats(trained.mean(axis=0)) if train else ()
    return Curve(label, tuple(map(float, steps)), floats(validation.mean(axis=0)), every, on_batches)


def facts_of(
    title: str,
    curves: Sequence[Curve | None],
    dataset: str,
    best: int = 0,
    of: int = 0,
    names: str = "",
    all_share: str = "",
    panels: bool = False,
) -> CurvesFacts | None:
    """Facts of given curves, ``of`` so many there could be; None without any."""
    shown = tuple(curve for curve in curves if curve)
    if not shown:
        return None
    ends = [curve.steps[-1] for curve in shown]
    panels = panels or len(shown) > IN_ONE
    part = (
        f" (at {LOOK_IMAGES:,} of its images: an end may differ from the tables, which have them all)"
        if dataset not in datasets.names() or datasets.known(dataset).validation > LOOK_IMAGES
        else ""
    )
    seeds = seeds_words([len(curve.seeds) for curve in shown])
    told = [
        f"A panel for each value of: {names}." if names and panels else "",
        f"{len(shown)} of {of} points: the best and the baseline among them." if len(shown) < of else "",
        f"Validation error{part}; thin: a seed, bold: their mean, {seeds}.",
        "Dashed: error on the training batches." if any(curve.train for curve in shown) else "",
        "Grey: the best, to compare with." if panels and len(shown) > 1 else "",
        f"All: {all_share}." if all_share else "",
    ]
    caption = " ".join(filter(None, told))
    return CurvesFacts(title, caption, max(ends) >= 4 * min(ends), panels, best, names, shown)


def draw(facts: CurvesFacts) -> "Figure":
    return _draw_panels(facts) if facts.panels else _draw_one(facts)


def _draw_one(facts: CurvesFacts) -> "Figure":
    figure = picture.frame(8, 5.2, facts.title, facts.caption)
    axes = figure.subplots()
    for color, curve in zip(SERIES, facts.curves, strict=False):
        _draw_curve(axes, curve, color)
    _set_axes([axes], facts)
    ends = [
        (curve.steps[-1], 100 * curve.error[-1], curve.label, color)
        for color, curve in zip(SERIES, facts.curves, strict=False)
    ]
    picture.end_labels(axes, ends)
    if facts.names:
        axes.set_title(facts.names, loc="right", fontsize=12, fontweight="normal", color=GREY)
    axes.set_xlabel("training step" + _log_words(facts))
    axes.set_ylabel("validation error (%, log scale)")
    return figure


def _draw_panels(facts: CurvesFacts) -> "Figure":
    count = len(facts.curves)
    columns = min(count, 3 if count in (5, 6, 9) else 4)
    rows = math.ceil(count / columns)
    width = 9.0 if rows > 1 and columns < 4 else 10.5
    titles = [picture.wrapped(curve.label, int(8.6 * width / columns)) for curve in facts.curves]
    lines = max(title.count("\n") + 1 for title in titles)
    figure = picture.frame(width, 1.5 + rows * ((1.7 if rows > 1 else 2.9) + 0.2 * lines), facts.title, facts.caption)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    every = list(grid.flat)
    best = facts.curves[facts.best]
    for number, (axes, curve, title) in enumerate(zip(every, facts.curves, titles, strict=False)):
        if curve is not best:
            axes.plot(best.steps, _shown(best.error), color=PALE, linewidth=2.4, zorder=2)
        _draw_curve(axes, curve, BLUE)
        heavy = "bold" if number == facts.best and lines < 3 else "normal"
        axes.set_title(title, fontsize=12, fontweight=heavy, loc="left")
    _set_axes(every[:count], facts)
    for number, axes in enumerate(every):
        axes.set_visible(number < count)
        axes.label_outer()
        if count <= number + columns:  # the lowest of its column, though perhaps not of the figure
            axes.tick_params(labelbottom=True)
        if number >= len(every) - columns:
            axes.set_xlabel("training step" + _log_words(facts))
    whose = "" if any(curve.train for curve in facts.curves) else "validation "
    figure.supylabel(f"{whose}error (%, log scale)", fontsize=13)
    return figure


def _log_words(facts: CurvesFacts) -> str:
    return " (log scale)" if facts.log else ""


def _shown(errors: Sequence[float]) -> list[float]:
    return [100 * error for error in errors]


def _draw_curve(axes: "Axes", curve: Curve, color: str) -> None:
    for seed in curve.seeds if len(curve.seeds) > 1 else ():
        axes.plot(curve.steps, _shown(seed), color=color, linewidth=0.7, alpha=0.45, zorder=3)
    if curve.train:
        axes.plot(curve.steps, _shown(curve.train), "--", color=ORANGE, linewidth=1.6, zorder=4)
    axes.plot(curve.steps, _shown(curve.error), color=color, linewidth=2.6, zorder=5)


def _set_axes(panels: Sequence["Axes"], facts: CurvesFacts) -> None:
    """One range for all panels: the whole of what is shown, but for errors of 0, which no log axis has."""
    errors = [100 * error for one in facts.curves for line in (*one.seeds, one.train) for error in line if error > 0]
    low, high = min(errors, default=1.0), max(errors, default=100.0)
    first, last = min(one.steps[0] for one in facts.curves), max(one.steps[-1] for one in facts.curves)
    for axes in panels:
        picture.log_axis(axes, "y", (low / 1.15, min(high * 1.1, 100.0)), most=6 if facts.panels else 8)
        if facts.log:
            picture.log_axis(
                axes, "x", (first / 1.1, last * (1.1 if facts.panels else 1.0)), most=5 if facts.panels else 8
            )
        else:
            axes.set_xlim(0, last * (1.02 if facts.panels else 1.0))
