"""Plain SGD as published, its loss beside that of guessing, and the best SGD that was run."""

import math

import numpy as np

from explorer.judging.study import Study, classes
from explorer.judging.sweeps import PointResult, SweepResult
from explorer.telling.findings.claims import published
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import figure, short_name, with_n


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
    return sentences


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


FINDING = Finding("sgd", "Why did plain SGD end at 17 %, and what does SGD reach?", find, lambda study: find(study)[:1])
