"""The best configuration of each model and data set, its aim, and the models against one another."""

import itertools
import math

from explorer import datasets
from explorer.judging import stats
from explorer.judging.runs import ConfigResult, mean
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import aim_of, model_title, name_of
from explorer.telling.words import difference, points, probability, seconds, short_name, with_n


def top(study: Study) -> list[Sentence]:
    sentences = []
    first = {(item.dataset, item.model): item.result for item in study.best if item.why == "accuracy"}
    for (dataset, model), run in first.items():
        target = aim_of(model, dataset)
        reached = ""
        if target is not None and run.test:
            short = target - mean(run.test)
            reached = (
                f"; the aim of {100 * target:.1f} % is {'reached' if short <= 0 else 'missed by ' + points(short)}"
            )
        sentences.append(
            f"**{name_of(model, dataset)}**: the best on validation ({short_name(run.config)}) has "
            f"{with_n(run.test)} on the test set, after {seconds(run.mean_seconds)} s of training{reached}."
        )
    return [*sentences, *(sentence for dataset in study.datasets for sentence in against_one_another(study, dataset))]


def leaders(study: Study, dataset: str) -> list[ConfigResult]:
    """The best configuration of each model that was run on a data set, in the models' order."""
    return [item.result for item in study.best if (item.dataset, item.why) == (dataset, "accuracy")]


def against_one_another(study: Study, dataset: str) -> list[Sentence]:
    """The best of each model against the best of each model before it."""
    return [_against(one, other, dataset) for one, other in itertools.combinations(leaders(study, dataset), 2)]


def _against(one: ConfigResult, other: ConfigResult, dataset: str) -> Sentence:
    """The best of one model against the best of another, by test accuracy over common seeds."""
    seeds = sorted(one.test.keys() & other.test.keys())
    first, second, data = model_title(one.config.model), model_title(other.config.model), datasets.title(dataset)
    if not seeds:
        return f"On {data} the best {second} and the best {first} have no seed in common."
    cost = other.mean_seconds / one.mean_seconds if one.mean_seconds > 0 else math.nan
    times = "" if math.isnan(cost) else f" for {cost:.1f} times its training seconds"
    pair = stats.paired_test([one.test[seed] for seed in seeds], [other.test[seed] for seed in seeds])
    told = "one seed, so no verdict" if pair.n < 2 else f"p = {probability(pair.p)}"
    return (
        f"**{second} against {first} on {data}**: the best {second}'s test accuracy differs from the "
        f"best {first}'s by {difference(pair)} points (n={pair.n}, {told}){times}."
    )


FINDING = Finding("best", top=top)
