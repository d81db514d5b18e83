"""What ``--settle`` settles and what it costs, simulated on the spreads of our own ledger, beside a fixed number of
seeds.

    python -m benchmarks.settle                 about two minutes of one core
    python -m benchmarks.settle --sweeps 50     quicker, rougher

Each published sweep lends its points' means and standard deviations as truth; scores are drawn from them (normal, at
most 100 %). Three truths: the sweep's own means; *no effect*, all points at the baseline's mean; *half*, every other
point there. A word is false where the truth says otherwise: *better* or *worse* of what is not, *equivalent* of what
differs by delta or more, a settled best that another point beats by more than epsilon. Fixed seeds are judged by the
same rules in one look.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.machine import PROJECT
from explorer.asking.racing import BETTER, EQUIVALENT, GIVEN_UP, LOOKS, OPEN, WORSE, Margins, Races, settle
from explorer.judging import study
from explorer.judging.runs import Runs
from explorer.judging.settled import margins
from explorer.running.ledger import Ledger

FIXED = (3, 5, 7, 10, 14, 20, 28, 40)
PRIOR = 4  # degrees of freedom that the sweep's typical spread has in each point's: three seeds may lie equal by chance
SHARES = ("comparisons", "races", "false_words", "false_best")
TRUTHS = ("own", "no effect", "half")


@dataclass(frozen=True)
class Truth:
    """A sweep's true means and standard deviations, (points,)."""

    name: str
    dataset: str
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    baseline: int
    margins: Margins


@dataclass(frozen=True)
class Outcome:
    """Over simulated sweeps: shares, and the mean number of runs a point got."""

    comparisons: float
    """Share of the comparisons with the baseline that were settled."""
    races: float
    """Share of the sweeps whose best was settled."""
    false_words: float
    """Share of the sweeps with any false word about the baseline."""
    false_best: float
    """Share of the sweeps with a false best."""
    seeds: float


def truths() -> list[Truth]:
    """The published sweeps with three points or more that have two results or more."""
    folder = PROJECT / "results"
    found = []
    for judged in study.read(Runs(Ledger(folder, read_only=True).records()), folder).sweeps:
        scores = {label: list(values.values()) for label, values in judged.validation.items() if len(values) > 1}
        if len(scores) < 3 or judged.baseline not in scores:
            continue
        counts = np.array([len(values) for values in scores.values()])
        variances = np.array([np.var(values, ddof=1) for values in scores.values()])
        typical = float(np.median(variances))
        moderated = (PRIOR * typical + (counts - 1) * variances) / (PRIOR + counts - 1)
        found.append(
            Truth(
                f"{judged.dataset}/{judged.model}/{judged.slug}",
                judged.dataset,
                np.array([np.mean(values) for values in scores.values()]),
                np.sqrt(moderated),
                list(scores).index(judged.baseline),
                margins(judged.dataset),
            )
        )
    return found


def drawn(
    truth: Truth, means: NDArray[np.float64], sweeps: int, seeds: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Scores (sweeps, points, seeds)."""
    noise = random.standard_normal((sweeps, len(means), seeds))
    scores: NDArray[np.float64] = np.minimum(1.0, means[:, None] + truth.deviations[:, None] * noise)
    return scores


def under(truth: Truth, which: str) -> NDArray[np.float64]:
    """The true means under one of TRUTHS."""
    same = np.zeros(len(truth.means), bool) if which == "own" else np.ones(len(truth.means), bool)
    if which == "half":
        same[1::2] = False
    return np.where(same, truth.means[truth.baseline], truth.means)


def judged(truth: Truth, means: NDArray[np.float64], races: Races, spent: NDArray[np.int64]) -> Outcome:
    differences = means - means[truth.baseline]
    word, others = races.word, np.arange(len(means)) != truth.baseline
    wrong = ((word == BETTER) & (differences <= 0)) | ((word == WORSE) & (differences >= 0))
    wrong |= (word == EQUIVALENT) & (np.abs(differences) >= truth.margins.delta)
    beaten = means.max() - means[races.leader] > truth.margins.epsilon
    closed = ~np.isin(word, (OPEN, GIVEN_UP))
    return Outcome(
        float(closed[:, others].mean()),
        float(races.over.mean()),
        float(wrong.any(1).mean()),
        float((races.over & beaten).mean()),
        float(spent.mean()),
    )


def fixed(scores: NDArray[np.float64], truth: Truth, n: int) -> tuple[Races, NDArray[np.int64]]:
    """The same rules in a single look at ``n`` seeds, with all of alpha."""
    races = Races(scores.shape[0], scores.shape[1], truth.baseline, truth.margins)
    races.schedule, races.cap = [(n, 1.0)], 10**9
    races.look(scores[..., :n])
    return races, np.full(scores.shape[:2], n)


def mean(outcomes: Sequence[Outcome]) -> Outcome:
    """Every sweep counts alike."""
    fields = ("comparisons", "races", "false_words", "false_best", "seeds")
    return Outcome(*(float(np.mean([getattr(outcome, name) for outcome in outcomes])) for name in fields))


def simulated(found: Sequence[Truth], which: str, sweeps: int, counts: Sequence[int]) -> dict[int | str, list[Outcome]]:
    """ "settle", and each fixed number of seeds -> an outcome a sweep."""
    random = np.random.default_rng(TRUTHS.index(which))
    outcomes: dict[int | str, list[Outcome]] = {"settle": [], **{n: [] for n in counts}}
    for truth in found:
        means = under(truth, which)
        scores = drawn(truth, means, sweeps, max((*counts, LOOKS[-1])), random)
        outcomes["settle"].append(judged(truth, means, *settle(scores, truth.baseline, truth.margins)))
        for n in counts:
            outcomes[n].append(judged(truth, means, *fixed(scores, truth, n)))
    return outcomes


def equal_seeds(outcomes: dict[int | str, Outcome], share: str) -> float:
    """How many fixed seeds settle the same share as ``settle`` does, interpolated; nan beyond those simulated."""
    wanted = getattr(outcomes["settle"], share)
    counts = [n for n in outcomes if isinstance(n, int)]
    shares = [getattr(outcomes[n], share) for n in counts]
    return float(np.interp(wanted, shares, counts, right=np.nan))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sweeps", type=int, default=200, help="simulated sweeps for each published one")
    options = parser.parse_args(arguments)
    found = truths()
    rows = []
    for which in TRUTHS:
        counts = FIXED if which == "own" else (5,)
        outcomes = simulated(found, which, options.sweeps, counts)
        for dataset in dict.fromkeys(truth.dataset for truth in found):
            mine = [index for index, truth in enumerate(found) if truth.dataset == dataset]
            told = {name: mean([some[index] for index in mine]) for name, some in outcomes.items()}
            for name in ("settle", 5):
                one = told[name]
                rows.append(
                    (
                        which, dataset, name if name == "settle" else f"{name} seeds",
                        *(f"{100 * getattr(one, share):.1f}" for share in SHARES),
                        f"{one.seeds:.1f}",
                    )
                )  # fmt: skip
            if which == "own":
                for share, words in (("comparisons", "comparisons"), ("races", "bests")):
                    seeds = equal_seeds(told, share)
                    print(
                        f"{dataset}: as many {words} settled by {seeds:.1f} fixed seeds a point: "
                        f"{seeds / told['settle'].seeds:.2f} times what --settle takes"
                    )
    heads = (
        "truth",
        "data",
        "seeds",
        "comparisons settled %",
        "best settled %",
        "false word %",
        "false best %",
        "seeds a point",
    )
    print(f"{len(found)} published sweeps, {options.sweeps} simulated of each")
    print(tabulate(rows, heads, "github"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
