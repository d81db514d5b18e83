"""Train against validation at the end of the best configuration and of the longest runs; where the loss turned."""

from dataclasses import dataclass

import numpy as np

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.runs import ConfigResult
from explorer.judging.study import Study
from explorer.record import Record
from explorer.rules.schedules import SCHEDULES
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import amount, short_name

TURNED = 0.05  # of its lowest: a validation loss that ends so much above it has turned, if all runs agree


def find(study: Study) -> list[Sentence]:
    sentences = []
    for dataset, model in study.pairs:
        ranked = study.runs.ranked(model, dataset)
        if not ranked:
            continue
        longest = max(ranked, key=lambda run: run.total_steps)
        shown = [("the best configuration", ranked[0]), ("the longest runs", longest)]
        for what, run in shown if longest is not ranked[0] else shown[:1]:
            if told := _gap(run):
                sentences.append(f"{name_of(model, dataset)}, {what} ({short_name(run.config)}): {told}.")
    return sentences


@dataclass(frozen=True)
class End:
    """How a run ended."""

    gap: float
    """Accuracy on training batches, at the last look, less that on all validation images."""
    share: float
    """Of the way, where the validation loss was lowest."""
    rise: float
    """Of the validation loss from there to the end, as a share of the lowest."""


def _end_of(record: Record) -> End | None:
    """None for a run with a look that has no figure of validation."""
    losses = [(look.val_loss, look.step) for look in record.history if look.val_loss is not None]
    if not losses or len(losses) < len(record.history) or record.val_accuracy is None:
        return None
    last, (lowest, step) = record.history[-1], min(losses)
    rise = (losses[-1][0] - lowest) / lowest if lowest > 0 else 0.0
    return End(last.train_accuracy - record.val_accuracy, step / last.step, rise)


def _gap(run: ConfigResult) -> str:
    ends = [end for record in run.finished.values() if (end := _end_of(record))]
    if not ends:
        return ""
    gap = {index: end.gap for index, end in enumerate(ends)}
    regularized = run.config.get("dropout") or run.config.augments
    through = ", the training batches being seen through dropout or augmentation" if regularized else ""
    told = f"accuracy on training batches less that on all validation images ends at {amount(gap)} points"
    return f"{told} (n={len(ends)}{through}); {_loss(run, ends)}"


def _loss(run: ConfigResult, ends: list[End]) -> str:
    """What the validation loss did, and what that says of longer training."""
    if len(ends) < MIN_RUNS:
        return "too few runs to say whether the validation loss turned"
    share, rises = float(np.mean([end.share for end in ends])), [end.rise for end in ends]
    if np.mean(rises) > TURNED and min(rises) > 0:
        risen = f"rose by {100 * np.mean(rises):.0f} % from there"
        told = f"validation loss was lowest {100 * share:.0f} % of the way and {risen}"
        return f"{told}: it overfits" if share < 0.75 else told
    if SCHEDULES[str(run.config.get("lr_schedule"))].rate(1.0) < 0.01:
        return (
            "validation loss ended about at its lowest, the learning rate having gone to 0: these runs had come to "
            "rest, and say nothing of longer ones"
        )
    return "validation loss ended about at its lowest, at a learning rate that had not gone to 0: longer runs may help"


FINDING = Finding("overfitting", "Do the models overfit?", find)
