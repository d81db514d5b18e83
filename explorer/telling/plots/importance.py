"""Which knobs matter: how far each moves the accuracy, beside what the seed alone does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.telling.plots import picture
from explorer.telling.plots.facts import Facts, Pair, names_of_points, seeds_words, titles_of
from explorer.telling.plots.picture import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FACES = {Certainty.SURE: BLUE, Certainty.LIKELY: "#9ecae1", Certainty.UNKNOWN: "white"}


@dataclass(frozen=True)
class Knob:
    """A sweep's effect: standard deviation of its points' means, seed noise taken out, of all points and without its
    hopeless one (None where it has none); range; the seed's own spread; whether it matters at all. ``worst``: what
    tells the hopeless point from the sweep's others."""

    sweep: str
    title: str
    worst: str
    effect: float
    without: float | None
    hopeless: str
    range: float
    noise: float
    matters: Certainty
    points: int
    n: int

    @property
    def reach(self) -> float:
        return self.effect if self.without is None else self.without


@dataclass(frozen=True)
class ImportanceFacts(Facts):
    rows: tuple[Knob, ...]


def facts(pair: Pair) -> ImportanceFacts | None:
    """The sweeps about one thing, the greatest effect first; None where none has `MIN_RUNS`."""
    rows = []
    for judged, title in zip(pair.sweeps, titles_of(pair.sweeps), strict=True):
        found, hopeless = judged.importance, judged.hopeless
        if judged.role == "knob" and found.n >= MIN_RUNS and found.points > 1:
            labels = list(judged.validation)
            names = dict(zip(labels, names_of_points(labels, judged.sweep.knobs).labels, strict=True))
            worst = names[hopeless.label] if hopeless else ""
            rows.append(
                Knob(
                    judged.slug, title, worst, found.corrected, hopeless.rest.corrected if hopeless else None,
                    hopeless.label if hopeless else "", found.spread.range, judged.noise,
                    judged.relations.effect, found.points, found.n,
                )
            )  # fmt: skip
    if not rows:
        return None
    rows.sort(key=lambda row: (-row.reach, row.sweep))
    return ImportanceFacts(
        title=f"Which knobs matter: {pair.name}",
        caption="Standard deviation of validation accuracy over a knob's values, "
        f"{seeds_words([row.n for row in rows])}. A knob's grid sets its reach: a wider one moves more. "
        "A hopeless value alone makes more than half of it: the cross is with it, the dot without.",
        rows=tuple(rows),
    )


def draw(facts: ImportanceFacts) -> "Figure":
    count = len(facts.rows)
    figure = picture.frame(9, 2.3 + 0.51 * max(count, 3), facts.title, facts.caption)
    axes = figure.subplots()
    floor = 0.01  # in points of a per cent, where a log axis needs an end: an effect of 0 lies at it
    shown = [max(100 * value, floor) for row in facts.rows for value in (row.effect, row.reach, row.noise)]
    low, high = min(shown) / 5, max(shown) * 2.5
    middle = (low * high) ** 0.5
    for y, row in enumerate(facts.rows):
        effect, noise = max(100 * row.reach, floor), max(100 * row.noise, floor)
        away = 1 if effect >= noise else -1  # from the seed's mark
        # Only places mean something on a log axis, lengths do not: the line leads from the seed's spread to the knob's.
        axes.plot([noise, effect], [y, y], color="#c8c8c8", linewidth=2, zorder=2)
        axes.plot(
            noise, y, "|", color=GREY, markersize=15, markeredgewidth=3, label="the seeds alone" if y == 0 else None
        )
        axes.plot(effect, y, "o", color=BLUE, mfc=FACES[row.matters], markersize=9, zorder=4)
        if row.without is not None:
            whole = max(100 * row.effect, floor)
            axes.plot([effect, whole], [y, y], ":", color=VERMILION, linewidth=1.6, zorder=2)
            axes.plot(whole, y, "x", color=VERMILION, markersize=8, markeredgewidth=2.4, zorder=3)
            axes.annotate(
                f"{100 * row.effect:.2f} with {row.worst}",
                (whole, y),
                xytext=(5 if whole > middle else -5, 13),  # above the line, as the knob's own figure is below it
                textcoords="offset points",
                ha="right" if whole > middle else "left",
                va="center",
                fontsize=picture.SMALL,
                color=VERMILION,
            )
        axes.annotate(
            f"{100 * row.reach:.2f}" if 100 * row.reach >= floor else f"< {floor}",
            (effect, y),
            xytext=(0, -13) if row.without is not None else (10 * away, 0),  # off the line to the cross
            textcoords="offset points",
            ha="center" if row.without is not None else "left" if away > 0 else "right",
            va="center",
            fontsize=12,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6},
            zorder=4,
        )
    for certainty, label in ((2, "knob matters: sure"), (1, "likely"), (0, "unknown")):
        axes.plot([], [], "o", color=BLUE, mfc=FACES[Certainty(certainty)], label=label)
    picture.log_axis(axes, "x", (low, high))
    picture.row_labels(axes, [row.title for row in facts.rows])
    axes.set_xlabel("spread of validation accuracy (percentage points, log scale)")
    picture.legend(axes)
    return figure
