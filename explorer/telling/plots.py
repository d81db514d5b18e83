"""The report's pictures, two functions each: facts (plain data, tested) and a drawing of the facts.

Accuracies in facts are fractions; the drawings show per cent. Bars and bands are 95 % intervals of the mean over seeds.
A PNG carries the digest of its facts and of this file, and is drawn again only if that digest changes: drawing is most
of what rebuilding the report costs. matplotlib is imported only where something is drawn.
"""

import hashlib
import io
import json
import math
import os
import struct
import textwrap
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import datasets
from datasets.dataset import LOOK_IMAGES
from explorer.fields import text_of
from explorer.judging import stats
from explorer.judging.results import ConfigResult, SweepResult, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with every common colour blindness.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#000000",
)  # fmt: skip
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
GREY = "#666666"
DPI = 110
STYLE = {
    "font.size": 12, "axes.titlesize": 13, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 12, "xtick.labelsize": 11, "ytick.labelsize": 11, "legend.fontsize": 10.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e3e3e3",
    "axes.axisbelow": True, "lines.linewidth": 2.0, "lines.markersize": 7, "errorbar.capsize": 4,
    "legend.frameon": False, "figure.facecolor": "white", "savefig.facecolor": "white",
}  # fmt: skip
UNITS = {
    "lr": "learning rate", "batch_size": "batch size (images)", "steps": "training steps", "epochs": "epochs",
    "width": "units in each hidden layer", "depth": "hidden layers", "units1": "units in hidden layer 1",
    "units2": "units in hidden layer 2", "dropout": "dropout (share of activations)",
    "angle": "rotation up to ± (degrees)",
    "shift": "shift up to ± (pixels)", "scale": "zoom up to ± (share)",
    "momentum": "momentum", "weight_decay": "weight decay", "warmup_steps": "warm-up (steps)",
    "lr_schedule": "learning-rate schedule", "batchnorm": "batch normalization", "kernel_size": "kernel sides",
}  # fmt: skip
# The accuracy on the test set that each model is meant to reach.
TARGETS = {("mnist", "mlp"): 0.988, ("mnist", "cnn"): 0.995, ("fashion", "mlp"): 0.90, ("fashion", "cnn"): 0.93}
BAND_SEEDS = 5
DATASETS = {"mnist": "MNIST", "fashion": "Fashion-MNIST", "digits": "digits"}


@dataclass(frozen=True)
class Bar:
    """A mean with the half-width of its 95 % interval (None for a single run)."""

    mean: float
    half_width: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """One point of a sweep: x is set on a numeric axis; ``lost`` says which runs have no result."""

    label: str
    x: float | None
    validation: Bar | None
    test: Bar | None
    reference: float | None
    lost: str


@dataclass(frozen=True)
class AccuracyFacts:
    """Accuracy by knob, or by point. ``axis`` names the x axis; None: a dot plot, best first."""

    title: str
    axis: str | None
    log: bool
    rows: tuple[Row, ...]
    baseline: str | None
    winner: str | None
    target: float | None
    caption: str


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
class CurvesFacts:
    title: str
    log: bool
    curves: tuple[Curve, ...]
    caption: str


@dataclass(frozen=True)
class HeatFacts:
    """cells[row][column]; None where nothing was measured, with the reason in ``lost``."""

    title: str
    row_axis: str
    column_axis: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Bar | None, ...], ...]
    lost: tuple[tuple[str, ...], ...]
    best: tuple[int, int] | None
    ties: tuple[tuple[int, int], ...]
    baseline: tuple[int, int] | None
    caption: str


@dataclass(frozen=True)
class ParetoFacts:
    """Mean training seconds and validation accuracy of every configuration, quickest first."""

    title: str
    labels: tuple[str, ...]
    seconds: tuple[float, ...]
    accuracy: tuple[Bar, ...]
    front: tuple[bool, ...]
    caption: str


@dataclass(frozen=True)
class KnobRow:
    """A sweep's effect: standard deviation of its points' means, seed noise taken out; range; the seed's own spread."""

    sweep: str
    effect: float
    range: float
    noise: float
    p: float
    points: int
    n: int


@dataclass(frozen=True)
class ImportanceFacts:
    title: str
    rows: tuple[KnobRow, ...]
    caption: str


@dataclass(frozen=True)
class RankingFacts:
    title: str
    labels: tuple[str, ...]
    validation: tuple[Bar, ...]
    test: tuple[Bar | None, ...]
    tied: tuple[bool, ...]
    target: float | None
    caption: str


@dataclass(frozen=True)
class ConfusionFacts:
    """counts[true][predicted] on the test set, and the wrong images the model was surest of, surest first."""

    title: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    wrong: tuple[tuple[int, int, int, float], ...]  # (index of the image, true, predicted, confidence)
    caption: str


def bar(scores: Mapping[int, float]) -> Bar | None:
    """Mean and interval of seed -> score; None without any."""
    if not scores:
        return None
    interval = stats.mean_interval(list(scores.values()))
    return Bar(interval.mean, None if math.isnan(interval.half_width) else interval.half_width, interval.n)


def is_geometric(values: Sequence[float]) -> bool:
    """Whether numbers ask for a log axis: all above 0, wide, and with steps about alike on it."""
    ordered = sorted(set(values))
    if len(ordered) < 3 or ordered[0] <= 0 or ordered[-1] / ordered[0] < 8:
        return False
    ratios = np.log(np.divide(ordered[1:], ordered[:-1]))
    return float(ratios.max() / ratios.min()) < 2.35  # 1, 3, 10, 100 is such a grid, 1, 2, 3, 4, 8 is not


def seeds_words(counts: Sequence[int]) -> str:
    """``n = 5 seeds``, or ``n = 3 to 5 seeds`` where points differ."""
    counts = [count for count in counts if count]
    if not counts:
        return "n = 0"
    low, high = min(counts), max(counts)
    if high == 1:
        return "n = 1 seed, so no intervals"
    return f"n = {high} seeds" if low == high else f"n = {low} to {high} seeds"


def heading(judged: SweepResult) -> str:
    return f"{judged.sweep.title}: {judged.request.model.upper()} on {DATASETS[judged.request.dataset]}"


def accuracy_facts(judged: SweepResult) -> AccuracyFacts | None:
    """Every point with its figures: in the order of x on a numeric axis, else the best validation mean first.

    None where no run ended well.
    """
    knob = judged.numeric_knob
    rows = [
        Row(
            outcome.label,
            float(outcome.point.values[knob]) if knob else None,
            bar(outcome.validation),
            bar(outcome.test),
            outcome.point.reference,
            outcome.lost,
        )
        for outcome in judged.distinct
        if outcome.records
    ]
    if not any(row.validation or row.test for row in rows):
        return None
    if knob:
        rows.sort(key=lambda row: row.x if row.x is not None else 0.0)
    else:
        rows.sort(key=lambda row: -_height(row))
    present = {row.label for row in rows}
    counts = [row.test.n for row in rows if row.test]
    return AccuracyFacts(
        heading(judged),
        UNITS.get(knob, knob.replace("_", " ")) if knob else None,
        bool(knob) and is_geometric([row.x for row in rows if row.x is not None]),
        tuple(rows),
        judged.baseline if judged.baseline in present else None,
        judged.winner.label if judged.winner else None,
        _target_in_sight(judged),
        f"Mean and 95 % interval, {seeds_words(counts)}. Validation chooses; test is only reported.",
    )


def _target_in_sight(judged: SweepResult) -> float | None:
    """The aim for the test set, where a point comes within a point of a per cent of it."""
    target = TARGETS.get((judged.request.dataset, judged.request.model))
    means = [stats.mean_interval(list(outcome.test.values())).mean for outcome in judged.distinct if outcome.test]
    return target if target is not None and means and max(means) >= target - 0.01 else None


def _height(row: Row) -> float:
    shown = row.validation or row.test
    return shown.mean if shown else -1.0


def curve_of(measured: ConfigResult, label: str) -> Curve | None:
    """The mean of a configuration's looks over the seeds that ended well; None without looks at validation."""
    histories = [record.history for record in measured.records.values() if record.status == "ok"]
    histories = [looks for looks in histories if looks and looks[0].val_accuracy is not None]
    if not histories:
        return None
    steps = [look.step for look in histories[0]]
    histories = [looks for looks in histories if [look.step for look in looks] == steps]
    train = np.array([[look.train_accuracy for look in looks] for looks in histories])
    validation = np.array([[look.val_accuracy for look in looks] for looks in histories])
    mean, low, high = validation.mean(axis=0), validation.min(axis=0), validation.max(axis=0)
    if len(histories) >= BAND_SEEDS:
        widths = np.array([stats.mean_interval(column).half_width for column in validation.T])
        low, high = mean - widths, np.minimum(mean + widths, 1.0)

    def floats(values: NDArray[np.float64]) -> tuple[float, ...]:
        return tuple(map(float, values))

    x, trained = floats(np.array(steps)), floats(train.mean(axis=0))
    return Curve(label, x, trained, floats(mean), floats(low), floats(high), len(histories))


def curves_facts(judged: SweepResult, most: int = 4) -> CurvesFacts | None:
    """The winner, the baseline and the best of the rest, up to ``most`` curves."""
    means = {label: stats.mean_interval(list(s.values())).mean for label, s in judged.validation.items()}
    if not means or judged.winner is None:
        return None
    ranked = sorted(means, key=lambda label: -means[label])
    chosen = list(dict.fromkeys([judged.winner.label, judged.baseline, *ranked]))
    chosen = [label for label in chosen if label in means][:most]
    marks = {judged.baseline: " (baseline)", judged.winner.label: " (best)"}
    curves = [
        curve_of(judged.by_label[label], label + marks.get(label, "")) for label in sorted(chosen, key=ranked.index)
    ]
    shown = [curve for curve in curves if curve]
    return curves_of(f"Learning curves, {heading(judged)}", shown, len(means), judged.request.dataset)


def curves_of(title: str, curves: Sequence[Curve], of: int, dataset: str) -> CurvesFacts | None:
    """Facts of given curves, ``of`` so many there could be."""
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
        title,
        max(ends) >= 8 * min(ends),
        tuple(curves),
        f"{some}Solid: validation at each look{part}{band}, {seeds_words(counts)}. Dashed: training batches.",
    )


def top_curves_facts(dataset: str, model: str, ranked: Sequence[ConfigResult], most: int = 3) -> CurvesFacts | None:
    """Learning curves of the best configurations."""
    curves = [curve_of(run, short_name(run.config)) for run in ranked[:most]]
    title = f"Train against validation, best configurations: {model.upper()} on {DATASETS[dataset]}"
    shown = [curve for curve in curves if curve]
    return curves_of(title, shown, len(shown), dataset)


def heat_facts(judged: SweepResult) -> HeatFacts | None:
    """Validation accuracy of a pair sweep: the first knob down, the second across, in the sweep's order.

    None where no run ended well.
    """
    if not judged.validation:
        return None
    row_knob, column_knob = judged.sweep.knobs
    rows, columns = judged.values(row_knob), judged.values(column_knob)
    place = {
        label: (rows.index(judged.value(label, row_knob)), columns.index(judged.value(label, column_knob)))
        for label in (outcome.label for outcome in judged.distinct)
    }
    cells: list[list[Bar | None]] = [[None] * len(columns) for _ in rows]
    lost = [["not run"] * len(columns) for _ in rows]
    for outcome in judged.distinct:
        row, column = place[outcome.label]
        cells[row][column] = bar(outcome.validation)
        if outcome.records:
            statuses = outcome.statuses
            lost[row][column] = next(
                (f"{statuses[s]}/{len(outcome.records)} {s}" for s in ("diverged", "failed") if statuses[s]), ""
            )
    winner = judged.winner
    return HeatFacts(
        heading(judged),
        UNITS.get(row_knob, row_knob.replace("_", " ")),
        UNITS.get(column_knob, column_knob.replace("_", " ")),
        tuple(map(text_of, rows)),
        tuple(map(text_of, columns)),
        tuple(map(tuple, cells)),
        tuple(map(tuple, lost)),
        place[winner.label] if winner else None,
        tuple(place[label] for label in winner.ties) if winner else (),
        place.get(judged.baseline),
        f"Mean validation accuracy in % ± half its 95 % interval, "
        f"{seeds_words([len(scores) for scores in judged.validation.values()])}.",
    )


def pareto_facts(dataset: str, model: str, ranked: Sequence[ConfigResult]) -> ParetoFacts | None:
    """Every configuration that validation ranks, against its training seconds; None for fewer than two."""
    runs = sorted((run for run in ranked if run.mean_seconds > 0), key=lambda run: run.mean_seconds)
    if len(runs) < 2:
        return None
    bars = [bar(run.validation) for run in runs]
    accuracy = [shown for shown in bars if shown]
    front = stats.pareto_front([run.mean_seconds for run in runs], [shown.mean for shown in accuracy])
    return ParetoFacts(
        f"Accuracy against training time: {model.upper()} on {DATASETS[dataset]}",
        tuple(short_name(run.config) for run in runs),
        tuple(run.mean_seconds for run in runs),
        tuple(accuracy),
        tuple(map(bool, front)),
        f"{len(runs)} configurations, {seeds_words([shown.n for shown in accuracy])}; "
        "training seconds without compiling and looking.",
    )


def importance_facts(dataset: str, model: str, sweeps: Sequence[SweepResult]) -> ImportanceFacts | None:
    """Sweeps about one thing, of one model and data set, the greatest effect first; None where nothing was repeated."""
    rows = []
    for judged in sweeps:
        importance = judged.importance
        if not judged.varies_one_thing or math.isnan(importance.p):
            continue
        spread = importance.spread.range
        rows.append(
            KnobRow(
                judged.slug, importance.corrected, spread, judged.noise, importance.p, importance.points, importance.n
            )
        )
    if not rows:
        return None
    rows.sort(key=lambda row: (-row.effect, row.sweep))
    return ImportanceFacts(
        f"Which knobs matter: {model.upper()} on {DATASETS[dataset]}",
        tuple(rows),
        f"Standard deviation of validation accuracy over a knob's values, {seeds_words([row.n for row in rows])}. "
        "A knob's grid sets its reach: a wider one moves more.",
    )


def ranking_facts(dataset: str, model: str, ranked: Sequence[ConfigResult], most: int = 12) -> RankingFacts | None:
    """The best configurations by validation; ``tied``: cannot be told from the best of all."""
    if len(ranked) < 2:
        return None
    scores = {str(index): run.validation for index, run in enumerate(ranked)}
    winner = stats.winner(scores)
    shown = ranked[:most]
    bars = [bar(run.validation) for run in shown]
    repeated = any(len(run.validation) > 1 for run in shown)
    return RankingFacts(
        f"Top configurations: {model.upper()} on {DATASETS[dataset]}",
        tuple(short_name(run.config) for run in shown),
        tuple(item for item in bars if item),
        tuple(bar(run.test) for run in shown),
        tuple(repeated and str(index) in (winner.label, *winner.ties) for index in range(len(shown))),
        TARGETS.get((dataset, model)),
        f"{len(shown)} of {len(ranked)} configurations by mean validation accuracy, "
        f"{seeds_words([item.n for item in bars if item])}"
        + (", 95 % intervals. Bold: cannot be told from the best." if repeated else "."),
    )


def confusion_facts(
    dataset: str, model: str, name: str, logits: NDArray[Any], labels: NDArray[Any], most: int = 12
) -> ConfusionFacts:
    """From the test set's logits (n, classes), labels (n,): counts, and the wrong images with the greatest softmax."""
    scores = np.asarray(logits, np.float64)
    labels = np.asarray(labels).astype(int)
    predicted = scores.argmax(axis=1)
    classes = scores.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predicted), 1)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    confidence = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.lexsort((wrong, -confidence[wrong]))][:most]
    return ConfusionFacts(
        f"Where the best {model.upper()} on {DATASETS[dataset]} errs",
        datasets.known(dataset).classes if dataset in datasets.names() else tuple(map(str, range(classes))),
        tuple(tuple(map(int, row)) for row in counts),
        tuple((int(i), int(labels[i]), int(predicted[i]), float(confidence[i])) for i in surest),
        f"{name}, seed 0: {len(wrong)} of {len(labels)} test images wrong.",
    )


def write(path: Path, facts: Any, draw: Callable[..., "Figure"], *arrays: NDArray[Any]) -> Path:
    """Draws ``facts`` (and arrays the drawing needs) into the PNG ``path``, unless that very picture is there.

    The file is replaced as a whole, never half written, and its bytes depend on nothing but facts and this code.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(json.dumps([draw.__name__, asdict(facts)], sort_keys=True).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    if _digest_in(path) == digest.hexdigest():
        return path
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.style.context(["default", STYLE]):  # a person's own matplotlibrc must not change the bytes
        figure = draw(facts, *arrays)
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(_with_digest(_in_few_colors(buffer), digest.hexdigest()))
    temporary.replace(path)
    return path


def _in_few_colors(png: io.BytesIO) -> bytes:
    """The PNG with a palette of 256 colours, a third of the size: the pictures are a few colours and their edges."""
    from PIL import Image

    image = Image.open(png).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


SIGNATURE_AND_HEADER = 33  # bytes of a PNG before its second chunk: 8 of signature, 25 of IHDR
KEYWORD = b"facts\0"


def _with_digest(png: bytes, digest: str) -> bytes:
    """The PNG with a tEXt chunk (PNG specification, 11.3.4.3) right behind its header."""
    body = b"tEXt" + KEYWORD + digest.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:SIGNATURE_AND_HEADER] + chunk + png[SIGNATURE_AND_HEADER:]


def _digest_in(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            start = file.read(SIGNATURE_AND_HEADER + 8 + len(KEYWORD) + 64)
    except OSError:
        return None
    text = start[SIGNATURE_AND_HEADER + 4 :]
    return text[4 + len(KEYWORD) :].decode("latin-1") if text.startswith(b"tEXt" + KEYWORD) else None


def _figure(width: float, height: float, title: str, caption: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.supxlabel(_wrapped(caption, int(width * 12.5)), x=0.01, ha="left", fontsize=10.5, color=GREY)
    return figure


DOTS: dict[str, Any] = {"linestyle": "none", "markersize": 6, "capsize": 2.5, "linewidth": 1.6}


def _wrapped(text: str, columns: int) -> str:
    return "\n".join(textwrap.wrap(text, columns))


def _limits(bars: Sequence[Bar], more: Sequence[float] = ()) -> tuple[float, float]:
    """An axis in per cent that shows the good points apart: those far below the rest fall off it, as do ends of
    intervals many times the others'. ``more`` are fractions to keep in sight."""
    means = np.sort([100 * bar.mean for bar in bars])[::-1]
    top, middle = means[0], means[len(means) // 2]
    # Far below: by a multiple of what lies between the best and the middle, once there is a middle to speak of.
    reach = max(3 * (top - middle), 1.0) if len(means) >= 4 else np.inf
    lowest = top - reach if top - means[-1] > 1.6 * reach else means[-1]
    seen = [bar for bar in bars if 100 * bar.mean >= lowest]
    widths = [100 * bar.half_width for bar in seen if bar.half_width is not None]
    widest = 3 * float(np.median(widths)) if widths else 0.0
    ends = [100 * bar.mean + sign * min(100 * (bar.half_width or 0.0), widest) for bar in seen for sign in (-1, 1)]
    ends += [100 * value for value in more if 100 * value >= lowest - reach / 2]
    low, high = min(ends), max(ends)
    room = 0.06 * max(high - low, 0.4)
    return max(low - room, -1.0), min(high + room, max(100.2, means[0] + 0.2))


def draw_accuracy(facts: AccuracyFacts) -> "Figure":
    return _draw_line(facts) if facts.axis else _draw_dots(facts)


def _bars_of(facts: AccuracyFacts) -> list[Bar]:
    return [bar for row in facts.rows for bar in (row.validation, row.test) if bar]


def _kept_in_sight(facts: AccuracyFacts) -> list[float]:
    references = [row.reference for row in facts.rows if row.reference is not None]
    return references + ([facts.target] if facts.target is not None else [])


def _error_bars(
    axes: "Axes", name: str, places: Sequence[float], bars: Sequence[Bar], across: bool, **style: Any
) -> None:
    """Validation filled and blue, test open and orange; the intervals run along y, or ``across`` along x."""
    color, marker, face = (BLUE, "o", BLUE) if name == "validation" else (ORANGE, "s", "white")
    means = [100 * bar.mean for bar in bars]
    widths = [100 * (bar.half_width or 0.0) for bar in bars]
    style |= {"color": color, "marker": marker, "markerfacecolor": face, "label": name}
    if across:
        axes.errorbar(means, list(places), xerr=widths, **style)
    else:
        axes.errorbar(list(places), means, yerr=widths, **style)


def _draw_line(facts: AccuracyFacts) -> "Figure":
    figure = _figure(8, 5, facts.title, facts.caption)
    axes = figure.subplots()
    rows = [row for row in facts.rows if row.x is not None]
    if facts.log:
        axes.set_xscale("log")
    low, high = _limits(_bars_of(facts), _kept_in_sight(facts))
    axes.set_ylim(low, high)
    for name, line in (("test", ":"), ("validation", "-")):
        shown = [(row.x, getattr(row, name)) for row in rows if getattr(row, name)]
        inside = [(x, bar) for x, bar in shown if x is not None and 100 * bar.mean >= low]
        axes.plot(
            [x for x, _ in shown if x is not None],
            [100 * bar.mean for _, bar in shown],
            line,
            color=BLUE if name == "validation" else ORANGE,
            zorder=2,
        )
        if inside:
            _error_bars(
                axes, name, [x for x, _ in inside], [bar for _, bar in inside], False, linestyle="none", zorder=3
            )
    if facts.target is not None:
        axes.axhline(100 * facts.target, color=GREEN, linestyle="-.", linewidth=1.6, label="aim (test)", zorder=1)
    for row in rows:
        assert row.x is not None
        if row.label == facts.baseline:
            axes.axvline(row.x, color=GREY, linestyle="--", linewidth=1.3, zorder=1, label="baseline")
        below = row.validation is not None and 100 * row.validation.mean < low
        notes = [f"{100 * row.validation.mean:.1f} %"] if below and row.validation else []
        notes += [_short(row.lost)] if row.lost else []
        if notes:
            bottom = axes.get_xaxis_transform()
            axes.plot(row.x, 0.02, "v" if below else "X", color=VERMILION, transform=bottom, clip_on=False, zorder=5)
            axes.annotate(
                "\n".join(notes),
                (row.x, 0.02),
                xycoords=bottom,
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=10,
                color=VERMILION,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
                zorder=6,
            )
    _number_ticks(axes, [row.x for row in rows if row.x is not None], facts.log)
    axes.margins(x=0.06)
    axes.set_xlabel(str(facts.axis))
    axes.set_ylabel("accuracy (%)")
    _legend(axes)
    return figure


def _short(lost: str) -> str:
    return lost.split(" (")[0].replace(" of ", "/")


def _number_ticks(axes: "Axes", values: Sequence[float], log: bool) -> None:
    """The grid's own values as ticks, where they have the room."""
    from matplotlib.ticker import NullFormatter, NullLocator

    if len(values) <= 9:
        axes.set_xticks(list(values), [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
    elif log:
        axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(axes: "Axes", side: str = "left") -> None:
    """Above the axes, under the title, where it can cover nothing: in a row from the left or up to the right edge, or
    with long labels (then also for one alone) one below the other."""
    handles, labels = axes.get_legend_handles_labels()
    fits = sum(len(label) + 6 for label in labels) < 90
    if len(labels) > 1 or not fits:
        at: Any = {"loc": f"lower {side}", "bbox_to_anchor": (0.0 if side == "left" else 1.0, 1.0)}
        labels = [textwrap.fill(label, 84) for label in labels]
        axes.legend(handles, labels, **at, ncols=len(labels) if fits else 1, borderaxespad=0.2, columnspacing=1.4)


def _draw_dots(facts: AccuracyFacts) -> "Figure":
    count = len(facts.rows)
    height = 2.1 + 0.38 * max(count, 3) if count <= 30 else 2.4 + 0.25 * count
    figure = _figure(8, height, facts.title, facts.caption)
    axes = figure.subplots()
    low, high = _limits(_bars_of(facts), _kept_in_sight(facts))
    axes.set_xlim(low, high)
    for name, offset in (("validation", -0.13), ("test", 0.13)):
        points = [(y + offset, getattr(row, name)) for y, row in enumerate(facts.rows)]
        points = [(y, bar) for y, bar in points if bar and 100 * bar.mean >= low]
        if points:
            _error_bars(axes, name, [y for y, _ in points], [bar for _, bar in points], True, **DOTS)
    published = [
        (y, row.reference)
        for y, row in enumerate(facts.rows)
        if row.reference is not None and 100 * row.reference >= low
    ]
    if published:
        x = [100 * reference for _, reference in published]
        axes.plot(x, [y for y, _ in published], "D", color=BLACK, mfc="none", label="published", zorder=4)
    if facts.target is not None:
        axes.axvline(100 * facts.target, color=GREEN, linestyle="-.", linewidth=1.6, label="aim (test)", zorder=1)
    for y, row in enumerate(facts.rows):
        here = row.validation or row.test
        if row.label == facts.baseline and here and 100 * here.mean >= low:
            axes.axvline(100 * here.mean, color=GREY, linestyle="--", linewidth=1.3, zorder=1, label="baseline")
        notes = [f"◀ {100 * here.mean:.1f} %"] if here and 100 * here.mean < low else []
        if row.reference is not None and 100 * row.reference < low:
            notes.append(f"◀ published {100 * row.reference:.1f} %")
        notes += [_short(row.lost)] if row.lost else []
        if notes:
            _beside(axes, ", ".join(notes), y)
    axes.set_yticks(range(count), [_in_two_lines(row.label) for row in facts.rows])
    for tick, row in zip(axes.get_yticklabels(), facts.rows, strict=True):
        if row.label == facts.winner:
            tick.set_fontweight("bold")
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlabel("accuracy (%)")
    _legend(axes, side="right")  # the labels at the left may leave the axes little room
    return figure


def _beside(axes: "Axes", text: str, y: float) -> None:
    """A note at the left edge, on what lies beyond it."""
    left = axes.get_yaxis_transform()
    axes.annotate(text, (0.01, y), xycoords=left, va="center", fontsize=10, color=VERMILION, zorder=6)


def _in_two_lines(label: str, width: int = 48) -> str:
    """A configuration has many words; those that tell two apart may be the last."""
    return textwrap.fill(label, width, max_lines=2, placeholder="…")


def draw_curves(facts: CurvesFacts) -> "Figure":
    figure = _figure(8, 5, facts.title, facts.caption)
    axes = figure.subplots()
    for color, curve in zip(SERIES, facts.curves, strict=False):
        band = 100 * np.array([curve.low, curve.high])
        axes.plot(curve.steps, 100 * np.array(curve.validation), color=color, label=curve.label, zorder=3)
        axes.fill_between(curve.steps, *band, color=color, alpha=0.12, linewidth=0)
        axes.plot(curve.steps, 100 * np.array(curve.train), color=color, linestyle="--", linewidth=1.3)
    ends = [100 * value for curve in facts.curves for value in (curve.validation[-1], curve.train[-1])]
    low, high = min(ends), max(ends)
    starts = [100 * curve.validation[len(curve.validation) // 4] for curve in facts.curves]
    # The first looks of a run climb from 10 %: they would leave the end, where runs differ, a hair's breadth.
    bottom = min(low, float(np.median(starts))) - 0.15 * max(high - low, 0.5)
    if facts.log:
        axes.set_xscale("log")
    axes.set_ylim(max(0.0, bottom), min(100.4, high + 0.15 * (high - bottom)))
    axes.set_xlabel("training step")
    axes.set_ylabel("accuracy (%)")
    _legend(axes)
    return figure


def draw_heat(facts: HeatFacts) -> "Figure":
    rows, columns = len(facts.rows), len(facts.columns)
    wide = columns > 5 or rows > 6
    figure = _figure(max(7.0, 1.8 + 1.15 * columns), max(4.0, 2.1 + 0.72 * rows), facts.title, facts.caption)
    axes = figure.subplots()
    means = np.array([[100 * cell.mean if cell else np.nan for cell in row] for row in facts.cells])
    known = means[np.isfinite(means)]
    bottom = _limits([Bar(mean / 100, None, 1) for mean in known])[0]
    cut = bottom > known.min()
    low, high = max(bottom, float(known.min())), float(known.max())
    import matplotlib

    colors = matplotlib.colormaps["viridis"].with_extremes(bad="#dddddd")
    image = axes.imshow(means, cmap=colors, vmin=low, vmax=max(high, low + 0.01), aspect="auto")
    for row in range(rows):
        for column in range(columns):
            cell, lost = facts.cells[row][column], facts.lost[row][column]
            text = f"{100 * cell.mean:.2f}" if cell else lost
            if cell and cell.half_width is not None:
                text += f"\n±{100 * cell.half_width:.2f}"
            if cell and lost:
                text += f"\n{lost}"
            shade = (100 * cell.mean - low) / max(high - low, 0.01) if cell else 1.0
            best = (row, column) == facts.best
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                color="white" if shade < 0.6 else "black",
                fontsize=9.5 if wide else 11,
                fontweight="bold" if best else "normal",
                linespacing=1.05,
            )
            if best or (row, column) in facts.ties:
                _frame(axes, row, column, 0.46, VERMILION, "-" if best else ":", 3.0 if best else 2.4)
            if (row, column) == facts.baseline:  # inside the other, which it may have too
                _frame(axes, row, column, 0.41, "white", "--", 1.8)
    axes.grid(False)
    axes.set_xticks(range(columns), facts.columns)
    axes.set_yticks(range(rows), facts.rows)
    axes.set_xlabel(facts.column_axis)
    axes.set_ylabel(facts.row_axis)
    bar_ = figure.colorbar(image, ax=axes, extend="min" if cut else "neither", pad=0.02)
    bar_.set_label("validation accuracy (%)")
    axes.set_title(
        "solid frame: best; dotted: cannot be told from it; dashed: baseline",
        fontsize=10.5,
        color=GREY,
        fontweight="normal",
    )
    return figure


def _frame(axes: "Axes", row: int, column: int, half: float, color: str, style: str, width: float) -> None:
    from matplotlib.patches import Rectangle

    corner, side = (column - half, row - half), 2 * half
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=color, linestyle=style, linewidth=width))


def draw_pareto(facts: ParetoFacts) -> "Figure":
    figure = _figure(8, 6.2, facts.title, facts.caption)
    axes = figure.subplots()
    seconds, means = np.array(facts.seconds), np.array([100 * item.mean for item in facts.accuracy])
    front = np.array(facts.front)
    low, high = _limits(facts.accuracy)
    axes.set_xscale("log")
    axes.set_ylim(low, high)
    widths = np.array([100 * (item.half_width or 0.0) for item in facts.accuracy])
    style: dict[str, Any] = {"color": VERMILION, "marker": "o", "zorder": 3, "capsize": 3}
    axes.errorbar(seconds[front], means[front], yerr=widths[front], label="Pareto front", **style)
    axes.plot(seconds[~front], means[~front], "o", color=GREY, alpha=0.45, markersize=5, label="other configurations")
    shown = [int(index) for index in np.flatnonzero(front) if means[index] >= low]
    # A long front cannot name every point: its ends and some between, numbered, with a key below the plot.
    picked = shown if len(shown) <= 8 else [shown[round(i * (len(shown) - 1) / 7)] for i in range(8)]
    for number, index in enumerate(picked, start=1):
        axes.annotate(
            str(number),
            (seconds[index], means[index]),
            xytext=(-11, 6),
            textcoords="offset points",
            fontsize=11,
            fontweight="bold",
            color=VERMILION,
        )
    axes.set_xlabel("training time (seconds, log scale)")
    axes.set_ylabel("validation accuracy (%)")
    _plain_log_ticks(axes)
    _legend(axes)
    key = [
        textwrap.fill(f"{number}  {facts.labels[index]}", 105, subsequent_indent="    ")
        for number, index in enumerate(picked, start=1)
    ]
    hidden = int((means < low).sum())
    key += [f"{hidden} of them lie below the axis"] if hidden else []
    axes.annotate("\n".join(key), (0.0, 0.0), xytext=(0, -48), va="top", fontsize=10, color=VERMILION,
                  xycoords="axes fraction", textcoords="offset points")  # fmt: skip
    return figure


def _plain_log_ticks(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def draw_importance(facts: ImportanceFacts) -> "Figure":
    count = len(facts.rows)
    figure = _figure(8, 2.0 + 0.42 * max(count, 3), facts.title, facts.caption)
    axes = figure.subplots()
    floor = 0.01  # in points of a per cent, where a log axis needs an end: an effect of 0 lies at it
    for y, row in enumerate(facts.rows):
        effect, noise = max(100 * row.effect, floor), max(100 * row.noise, floor)
        matters = row.p <= 0.05
        # Only places mean something on a log axis, lengths do not: the line leads from the seed's spread to the knob's.
        axes.plot([noise, effect], [y, y], color="#c8c8c8", linewidth=2, zorder=2)
        axes.plot(noise, y, "|", color=GREY, markersize=15, markeredgewidth=3, label="seed alone" if y == 0 else None)
        axes.plot(effect, y, "o", color=BLUE, mfc=BLUE if matters else "white", markersize=9, zorder=4)
        axes.annotate(
            f"{100 * row.effect:.2f}" if 100 * row.effect >= floor else f"< {floor}",
            (effect, y),
            xytext=(10 if effect >= noise else -10, 0),
            textcoords="offset points",
            ha="left" if effect >= noise else "right",  # away from the seed's mark
            va="center",
            fontsize=10.5,
        )
    axes.plot([], [], "o", color=BLUE, label="knob (p ≤ 0.05)")
    axes.plot([], [], "o", color=BLUE, mfc="white", label="knob (no effect shown)")
    axes.set_xscale("log")
    _plain_log_ticks(axes)
    shown = [max(100 * value, floor) for row in facts.rows for value in (row.effect, row.noise)]
    axes.set_xlim(min(shown) / 3, max(shown) * 2.5)
    axes.set_yticks(range(count), [row.sweep for row in facts.rows])
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlabel("effect on validation accuracy (points of a per cent, log scale)")
    _legend(axes)
    return figure


def draw_ranking(facts: RankingFacts) -> "Figure":
    count = len(facts.labels)
    figure = _figure(9, 2.0 + 0.4 * max(count, 3), facts.title, facts.caption)
    axes = figure.subplots()
    shown = [item for item in (*facts.validation, *facts.test) if item]
    low, high = _limits(shown, [facts.target] if facts.target is not None else [])
    axes.set_xlim(low, high)
    for name, items, offset in (("validation", facts.validation, -0.13), ("test", facts.test, 0.13)):
        points = [(y + offset, item) for y, item in enumerate(items) if item and 100 * item.mean >= low]
        for y, item in enumerate(items):
            if item and 100 * item.mean < low:
                _beside(axes, f"◀ {name} {100 * item.mean:.1f} %", y + 2 * offset)
        if points:
            _error_bars(axes, name, [y for y, _ in points], [item for _, item in points], True, **DOTS)
    if facts.target is not None:
        axes.axvline(100 * facts.target, color=GREEN, linestyle="-.", linewidth=1.6, label="aim (test)", zorder=1)
    axes.set_yticks(range(count), [_in_two_lines(label) for label in facts.labels])
    for tick, tied in zip(axes.get_yticklabels(), facts.tied, strict=True):
        tick.set_fontweight("bold" if tied else "normal")
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlabel("accuracy (%)")
    _legend(axes)
    return figure


def draw_confusion(facts: ConfusionFacts, images: NDArray[Any]) -> "Figure":
    """``images`` (n, height, width): those of ``facts.wrong``, in its order, any number type."""
    import matplotlib
    from matplotlib.colors import LogNorm

    figure = _figure(11, 6, facts.title, facts.caption)
    parts = figure.subfigures(1, 2, width_ratios=(1.25, 1), squeeze=False)
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
        if count:
            dark = true != predicted and norm(count) > 0.55
            axes.text(
                predicted, true, str(count), ha="center", va="center", fontsize=9.5,
                color="white" if dark else GREY if true == predicted else "black",
            )  # fmt: skip
    axes.grid(False)
    named = any(len(name) > 1 for name in facts.classes)
    axes.set_xticks(range(len(facts.classes)), facts.classes, rotation=90 if named else 0)
    axes.set_yticks(range(len(facts.classes)), facts.classes)
    axes.set_xlabel("predicted (errors shaded, right ones grey)")
    axes.set_ylabel("true")
    if facts.wrong:
        columns = 4
        grid = right.subplots(math.ceil(len(facts.wrong) / columns), columns, squeeze=False)
        for place in grid.flat:
            place.axis("off")
        for place, image, (_, true, predicted, confidence) in zip(grid.flat, images, facts.wrong, strict=False):
            place.imshow(np.asarray(image, float), cmap="gray_r")
            words = f"{facts.classes[true]}\n→ {facts.classes[predicted]} {100 * confidence:.0f}%"
            place.set_title(words, fontsize=9.5, fontweight="normal", loc="center", pad=3)
        right.supxlabel("surest of the wrong: true → predicted, confidence", fontsize=10.5)
    return figure
