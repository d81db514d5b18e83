"""The best configuration of each model and data set, its aim, and the models against one another."""

import itertools
import math

from explorer import datasets
from explorer.judging.aims import AimVerdict, aim_verdict
from explorer.judging.certainty import Certainty, by_chosen_seeds
from explorer.judging.comparing import compare
from explorer.judging.runs import ConfigResult
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import aim_of, model_title, name_of
from explorer.telling.words import points, seconds, short_name, tested, times, worth

TENTH = 0.001  # of a point, as a fraction


def top(study: Study) -> list[Sentence]:
    sentences = []
    for (dataset, model), run in study.leaders.items():
        aim = aim_on(run)
        sentences.append(
            f"**{name_of(model, dataset)}**: the best on validation ({short_name(run.config)}) has "
            f"{tested(run)} on the test set, after {seconds(run.mean_seconds)} s of training"
            f"{f'; {told(aim)}' if aim else ''}."
        )
    return [*sentences, *(sentence for dataset in study.datasets for sentence in against_one_another(study, dataset))]


def aim_on(run: ConfigResult) -> AimVerdict | None:
    """A configuration's test figure against the aim of its model and data set; None without one or the other."""
    target = aim_of(run.config.model, run.config.dataset)
    if target is None or not run.test_figure.scores:
        return None
    entry = datasets.find(run.config.dataset)
    return aim_verdict(run.test_figure, target, entry.test if entry else None)


def told(aim: AimVerdict) -> str:
    """``the aim of 99.5 % is met on average: with the test set's own sampling error, 99.41 to 99.69 %``"""
    words = {
        "reached": "is reached",
        "met on average": "is met on average, which is not yet to reach it",
        "missed on average": f"is missed on average, by {points(aim.target - aim.mean)}",
        "missed": f"is missed by {points(aim.target - aim.mean)}",
        "too few runs": "is open: too few runs",
    }
    interval = ""
    if not math.isnan(aim.low):
        interval = f" ({100 * aim.low:.2f} to {100 * aim.high:.2f} % with the test set's own sampling error)"
    told = f"the aim of {100 * aim.target:.1f} % {words[aim.word]}{interval}"
    return told.replace(" is ", " is likely ", 1) if aim.certainty is Certainty.LIKELY else told


def leaders(study: Study, dataset: str) -> list[ConfigResult]:
    """The best configuration of each model that was run on a data set, in the models' order."""
    return [run for (there, _), run in study.leaders.items() if there == dataset]


def against_one_another(study: Study, dataset: str) -> list[Sentence]:
    """The best of each model against the best of each model before it."""
    return [_against(study, one, other) for one, other in itertools.combinations(leaders(study, dataset), 2)]


def _against(study: Study, one: ConfigResult, other: ConfigResult) -> Sentence:
    """The best of one model against the best of another, on validation."""
    first, second = model_title(one.config.model), model_title(other.config.model)
    found = compare(one, other, study)
    cost = other.mean_seconds / one.mean_seconds if one.mean_seconds > 0 else math.nan
    relation = found.validation
    assert relation is not None  # leaders have validation accuracies
    certainty = relation.certainty if found.fresh else by_chosen_seeds(relation.certainty)
    verdict = "which is better is not settled"
    if certainty is not Certainty.UNKNOWN:
        verdict = f"the {second} is {'better' if relation.is_better else 'worse'}"
    seeds = f"n={relation.n}{', fresh seeds' if found.fresh else ''}"
    digits = 1 if relation.half_width >= TENTH else 2  # so that it is no other than that of the rounded means
    told = (
        f"**{second} against {first} on {datasets.title(one.config.dataset)}**: {verdict} ({certainty.word}). The best "
        f"{second} has {worth(relation, digits)} points of validation accuracy against the best {first} ({seeds})."
    )
    return told if math.isnan(cost) else f"{told} It trains {_times(cost)}."


def _times(cost: float) -> str:
    return f"{times(cost)} times as long" if cost >= 1 else f"in {100 * cost:.0f} % of the time"


FINDING = Finding("best", top=top)
