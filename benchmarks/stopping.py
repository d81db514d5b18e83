"""What cutting tries early saves and what it drops, replayed on the learning curves of our own ledger.

    python -m benchmarks.stopping

Each published sweep of 4 points or more is taken for a search, once for each seed: its points are the tries, in random
order, told one after the other. *Saved*: the share of all steps that were not taken. *Dropped*: the best by the mean
over all seeds was cut. *Worse off*: the best try that was left ends more than 0.2 points below the best of all.
"""

import sys
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from tabulate import tabulate

from benchmarks.machine import PROJECT
from explorer.asking.rules import RISKS, STOP_RULES
from explorer.asking.stopping import accuracy_at, policy
from explorer.judging import study
from explorer.judging.runs import Runs, mean
from explorer.judging.sweeps import SweepResult
from explorer.record import Record
from explorer.running.ledger import Ledger

WORSE = 0.002
ORDERS = 5


def searches() -> list[tuple[SweepResult, int]]:
    """(sweep, seed) of sweeps with 4 points or more that all ended at this seed."""
    folder = PROJECT / "results"
    found = []
    for judged in study.read(Runs(Ledger(folder, read_only=True).records()), folder).sweeps:
        lengths = {outcome.total_steps for outcome in judged.distinct if outcome.validation}
        if len(judged.validation) >= 4 and len(lengths) == 1:
            seeds = set.intersection(*(set(scores) for scores in judged.validation.values()))
            found += [(judged, seed) for seed in sorted(seeds)]
    return found


def replayed(rule: str, tries: Sequence[tuple[str, Record]]) -> dict[str, float]:
    """Label -> share of its steps at which a try was cut, 1 where it was not."""
    stopping = policy(rule)  # type: ignore[arg-type]
    ended = {}
    for label, record in tries:
        cut = 1.0
        for bar in stopping.bars(record.configuration):
            accuracy = accuracy_at(record, bar.share)
            if accuracy is not None and accuracy < bar.accuracy:
                cut = bar.share
                break
        ended[label] = cut
        steps = record.steps or record.config["steps"]
        seen = tuple(look for look in record.history if look.step <= cut * steps)
        stopping.tell(record.configuration, replace(record, history=seen))
    return ended


def main() -> int:
    rows = []
    every = searches()
    for rule in STOP_RULES:
        random = np.random.default_rng(0)
        saved, dropped, worse = [], [], []
        for judged, seed in every:
            labels = list(judged.validation)
            best = max(labels, key=lambda label: mean(judged.validation[label]))
            for _ in range(ORDERS):
                order = [labels[place] for place in random.permutation(len(labels))]
                ended = replayed(rule, [(label, judged.by_label[label].records[seed]) for label in order])
                left = [label for label in labels if ended[label] == 1]
                ends = {label: judged.validation[label][seed] for label in labels}
                saved.append(1 - np.mean(list(ended.values())))
                dropped.append(ended[best] < 1)
                worse.append(max(ends[label] for label in left) < max(ends.values()) - WORSE if left else True)
        rows.append((rule, *(f"{100 * np.mean(some):.1f}" for some in (saved, dropped, worse)), RISKS[rule]))
    print(
        f"{len(every)} searches of {len({id(judged) for judged, _ in every})} published sweeps, {ORDERS} orders of each"
    )
    print(tabulate(rows, ("--stop", "steps saved %", "best dropped %", "worse off %", "what it does"), "github"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
