"""How often the verdicts of a sweep err, and what they find: sweeps simulated with the shapes and spreads of ours.

    python -m benchmarks.judging                    8,000 sweeps of each kind and number of seeds; some minutes
    python -m benchmarks.judging --write            ... into results/judging.json, for the report's statistics
    python -m benchmarks.judging --sweeps 1000      fewer

Each simulated sweep takes the number of points, the baseline and the standard deviations of one of ours, drawn at
random. These deviations are estimates from few seeds themselves, so they scatter more than the true ones: that is hard
on tests that suppose anything about spreads. The tests are those of `explorer.judging.pairs`, run on arrays.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.machine import PROJECT
from explorer.files import write_atomically
from explorer.judging import pairs, study
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.moderation import Prior, Trend
from explorer.judging.relations import ALPHA
from explorer.judging.runs import Runs
from explorer.judging.simulated import FILE, Rates, Row, Simulated
from explorer.running.ledger import Ledger

SWEEPS = 8000
SEEDS = (3, 4, 5, 10)
KINDS = (
    "nothing differs",
    "half of the points differ",
    "a point collapses",
    "the baseline collapses",
    "a point collapses, equal on average",
)
CORRELATION = 0.1  # of two points over common seeds
SHIFT = 3.0  # in the sweep's median standard deviations
DROP, COLLAPSE = 0.1, 0.2
FEWEST_POINTS = 3
AT_ONCE = 400  # simulated sweeps in memory


@dataclass(frozen=True)
class Template:
    """A sweep of ours: the deviation of each point and what is usual at its accuracy; which is the baseline."""

    deviations: NDArray[np.float64]
    prior: Prior
    baseline: int


@dataclass
class Counts:
    """Of one rule, over simulated sweeps."""

    false: int = 0
    found: int = 0
    differing: int = 0
    lost: int = 0
    sweeps: int = 0

    def add(
        self, words: NDArray[np.int8], truth: NDArray[np.float64], baseline: int, means: NDArray[np.float64]
    ) -> None:
        """``words`` (sweeps, k, k) are 1, 0 or -1; ``truth`` (sweeps, k) the true means."""
        true = np.sign(truth - truth[:, baseline, None])
        said = words[:, :, baseline]
        self.false += int(((said != 0) & (said != true)).any(axis=1).sum())
        self.found += int(((said == true) & (true != 0)).sum())
        self.differing += int((true != 0).sum())
        rows = np.arange(len(truth))
        best, winner = truth.argmax(axis=1), means.argmax(axis=1)  # the first of the truly best
        self.lost += int((words[rows, best, winner] < 0).sum())
        self.sweeps += len(truth)

    def rates(self) -> Rates:
        found = round(self.found / self.differing, 4) if self.differing else None
        return Rates(round(self.false / self.sweeps, 4), found, round(self.lost / self.sweeps, 4))


def templates(found: study.Study, trend: Trend) -> list[Template]:
    """The sweeps with `FEWEST_POINTS` points or more that were run `MIN_RUNS` times."""
    made = []
    for judged in found.sweeps:
        points = {label: list(s.values()) for label, s in judged.validation.items() if len(s) >= MIN_RUNS}
        if len(points) >= FEWEST_POINTS and judged.baseline in points:
            scores = list(points.values())
            prior = trend.prior([float(np.mean(values)) for values in scores])
            deviations = np.array([np.std(values, ddof=1) for values in scores])
            made.append(Template(deviations, prior, list(points).index(judged.baseline)))
    return made


def simulate(kind: str, n: int, sweeps: int, of: list[Template], seed: int) -> Row:
    """One row, reproducible from ``seed``."""
    random = np.random.default_rng(seed)
    counts = {rule: Counts() for rule in ("paired", "welch", "sure", "likely")}
    drawn = np.bincount(random.integers(len(of), size=sweeps), minlength=len(of))
    for template, many in zip(of, drawn, strict=True):
        for start in range(0, int(many), AT_ONCE):
            _add(counts, kind, n, min(AT_ONCE, int(many) - start), template, random)
    return Row(kind, n, **{rule: count.rates() for rule, count in counts.items()})


def _add(
    counts: dict[str, Counts], kind: str, n: int, sweeps: int, template: Template, random: np.random.Generator
) -> None:
    scores, truth = _drawn(kind, n, sweeps, template, random)
    means = scores.mean(axis=-1)
    family = [[(point, template.baseline) for point in range(truth.shape[1]) if point != template.baseline]]

    def words(found: pairs.Pairs) -> NDArray[np.int8]:
        shown = pairs.adjusted(found.p, family) <= ALPHA
        return np.where(shown, np.sign(found.difference), 0).astype(np.int8)

    paired, welch = words(pairs.compared(scores, paired_from=2)), words(pairs.compared(scores, paired_from=n + 1))
    sure = paired if n >= pairs.PAIRED_FROM else welch
    likely = np.where(sure != 0, sure, words(pairs.second_opinion(scores, template.prior)))
    for rule, said in (("paired", paired), ("welch", welch), ("sure", sure), ("likely", likely)):
        counts[rule].add(said, truth, template.baseline, means)


def _drawn(
    kind: str, n: int, sweeps: int, template: Template, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(scores (sweeps, k, n), true means (sweeps, k))."""
    k = len(template.deviations)
    common, own = random.normal(size=(sweeps, 1, n)), random.normal(size=(sweeps, k, n))
    scores = template.deviations[:, None] * (CORRELATION**0.5 * common + (1 - CORRELATION) ** 0.5 * own)
    truth = np.zeros((sweeps, k))
    others = [point for point in range(k) if point != template.baseline]
    if kind == "half of the points differ":
        size = SHIFT * float(np.median(template.deviations))
        signs = random.choice([-size, size], size=(sweeps, k))
        differs = random.permuted(np.tile(np.arange(len(others)) < len(others) / 2, (sweeps, 1)), axis=1)
        truth[:, others] = np.where(differs, signs[:, others], 0.0)
        scores = scores + truth[:, :, None]
    elif kind != "nothing differs":
        which = template.baseline if kind == "the baseline collapses" else others[0]
        scores[:, which] -= DROP * (random.random((sweeps, n)) < COLLAPSE)
        if kind.endswith("equal on average"):
            scores[:, which] += DROP * COLLAPSE  # so its other runs lie above all
        else:
            truth[:, which] -= DROP * COLLAPSE
    return scores, truth


def simulated(results: Path, sweeps: int) -> Simulated:
    runs = Runs(Ledger(results, read_only=True).records())
    trend = runs.validation_trend
    if trend is None:
        sys.exit(f"{results} has too few configurations that were run {MIN_RUNS} times")
    of = templates(study.read(runs, results), trend)
    cells = [(kind, n) for kind in KINDS for n in SEEDS]
    rows = [simulate(kind, n, sweeps, of, seed) for seed, (kind, n) in enumerate(cells)]
    return Simulated(sweeps, len(of), CORRELATION, SHIFT, DROP, COLLAPSE, tuple(rows))


def table(found: Simulated) -> str:
    rows = []
    for row in found.rows:
        cells: dict[str, object] = {"kind": row.kind, "n": row.n}
        for rule in ("paired", "welch", "sure", "likely"):
            rates: Rates = getattr(row, rule)
            cells[f"{rule}: false %"] = f"{100 * rates.false:.1f}"
            cells[f"{rule}: found %"] = "-" if rates.found is None else f"{100 * rates.found:.0f}"
            cells[f"{rule}: lost %"] = f"{100 * rates.lost:.1f}"
        rows.append(cells)
    return tabulate(rows, headers="keys", disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=SWEEPS, help=f"of each kind and number of seeds ({SWEEPS:,})")
    parser.add_argument("--results", type=Path, default=PROJECT / "results", help="the folder of the ledger")
    parser.add_argument("--write", action="store_true", help=f"keep it as {FILE} in that folder")
    said = parser.parse_args()
    found = simulated(said.results, said.sweeps)
    print(table(found))
    if said.write:
        write_atomically(said.results / FILE, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


if __name__ == "__main__":
    main()
