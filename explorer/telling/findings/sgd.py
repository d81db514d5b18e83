"""Plain SGD as published, its loss beside that of guessing, the best SGD that was run, and what a schedule does."""

import math

import numpy as np

from explorer.judging.runs import mean
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study, classes
from explorer.judging.sweeps import PointResult, SweepResult
from explorer.telling.findings.claims import published
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import estimate, figure, short_name, with_n


def find(study: Study) -> list[Sentence]:
    plain = [
        (judged, row)
        for judged in study.where(lambda judged: judged.role == "published" and not judged.request.overrides)
        for row in judged.distinct
        if row.config.optimizer == "sgd" and not row.config.momentum and row.validation
    ]
    sentences = [_as_published(judged, row) for judged, row in plain]
    for dataset, model in study.pairs:
        ranked = [run for run in study.runs.ranked(model, dataset) if run.config.optimizer == "sgd"]
        if not ranked or ranked[0].config in [row.config for _, row in plain]:
            continue
        best_run = ranked[0]
        words = [f"the best SGD that was run on {name_of(model, dataset)} ({short_name(best_run.config)}) reaches"]
        words.append(f"{with_n(best_run.validation)} on validation and {figure(best_run.test)} % on test")
        other = next((run for run in ranked if bool(run.config.momentum) != bool(best_run.config.momentum)), None)
        if other:
            kind = "with" if other.config.momentum else "without"
            words.append(f"(the best {kind} momentum: {short_name(other.config)}, {figure(other.validation)} %)")
        sentences.append(f"**SGD with another learning rate**: {' '.join(words)}.")
    judges: list[SweepResult | StudyResult] = [*study.studies, *study.sweeps]
    return [*sentences, *(told for judged in judges if (told := _with_a_schedule(judged)))]


def _with_a_schedule(judged: SweepResult | StudyResult) -> Sentence:
    """``**SGD with a schedule**, MLP on MNIST ...: the best, ..., against the best Adam with one: ...``; empty
    where not both rules were run with a falling rate."""
    if "lr_schedule" not in judged.fields or "optimizer" not in judged.fields:
        return ""

    def best(optimizer: str, falling: bool) -> str | None:
        those = [
            label
            for label, config in judged.configs.items()
            if config.optimizer == optimizer and (config.lr_schedule != "constant") == falling
        ]
        return max(those, key=lambda label: mean(judged.validation[label]), default=None)

    sgd, adam, constant = best("sgd", True), best("adam", True), best("sgd", False)
    if sgd is None or adam is None:
        return ""
    told = [f"against {adam}: {estimate(judged.relations.of(sgd, adam))}"]
    if constant is not None:
        told.append(f"against {constant}: {estimate(judged.relations.of(sgd, constant))}")
    how = "each tuned" if judged.fresh_alone else "at one setting"
    where = f"{name_of(judged.model, judged.dataset)}, {how} ({judged.slug})"
    return (
        f"**SGD with a schedule**, {where}: the best, {sgd}, has "
        f"{with_n(judged.validation[sgd])}; {'; '.join(told)}, in points."
    )


def _as_published(judged: SweepResult, row: PointResult) -> Sentence:
    loss = float(np.mean([run.train_loss for run in row.finished.values() if run.train_loss is not None]))
    stuck = ": so small a rate is slow to leave the start, for SGD, unlike Adam, does not scale its steps up"
    told = (
        f"**Plain SGD**: with lr {row.config.lr:g} and no momentum, {row.total_steps} steps of batch "
        f"{row.config.batch_size} end at {with_n(row.validation)} on validation{published(judged, row.label)}, the "
        f"training loss at {loss:.2f}"
    )
    count = classes(judged.dataset)
    if count is None:
        return f"{told}."
    guessing = math.log(count)
    return f"{told} where guessing has {guessing:.2f} (ln {count}){stuck if loss > 0.8 * guessing else ''}."


FINDING = Finding(
    "sgd",
    "Why did plain SGD end at 17 %, what does SGD reach, and does a schedule make it competitive?",
    find,
    lambda study: find(study)[:1],
)
