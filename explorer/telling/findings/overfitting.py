"""Train against validation at the end of the best configuration and of the longest runs; where the loss turned."""

from dataclasses import dataclass

import numpy as np

from explorer.judging.runs import ConfigResult
from explorer.judging.study import Study
from explorer.record import Record
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import figure, short_name


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
    """Accuracy on training batches less that on validation, at the last look."""
    share: float
    """Of the way, where the validation loss was lowest."""
    rise: float
    """Of the validation loss from there to the end."""


def _end_of(record: Record) -> End | None:
    """None for a run with a look that has no figure of validation."""
    losses = [(look.val_loss, look.step) for look in record.history if look.val_loss is not None]
    if not losses or len(losses) < len(record.history):
        return None
    last, (lowest, step) = record.history[-1], min(losses)
    if last.val_accuracy is None:
        return None
    return End(last.train_accuracy - last.val_accuracy, step / last.step, losses[-1][0] - lowest)


def _gap(run: ConfigResult) -> str:
    ends = [end for record in run.finished.values() if (end := _end_of(record))]
    if not ends:
        return ""
    gap = {index: end.gap for index, end in enumerate(ends)}
    share, rise = float(np.mean([end.share for end in ends])), float(np.mean([end.rise for end in ends]))
    turned = "validation loss was still about its lowest at the end: longer training may help"
    if rise > 0.005:
        turned = f"validation loss was lowest {100 * share:.0f} % of the way and rose by {rise:.3f} from there"
        turned += ": it overfits" if share < 0.75 else ""
    regularized = run.config.get("dropout") or run.config.augments
    through = ", the training batches being seen through dropout or augmentation" if regularized else ""
    told = f"accuracy on training batches less that on validation ends at {figure(gap)} points"
    return f"{told} (n={len(ends)}{through}); {turned}"


FINDING = Finding("overfitting", "Do the models overfit?", find)
