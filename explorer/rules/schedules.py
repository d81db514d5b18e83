"""The learning rate along a run: one entry a schedule, and nothing else to touch. Pure host arithmetic."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


class Plateau:
    """Cuts the learning rate when the validation loss has not fallen for `patience` looks in a row.

    `factor` is what the learning rate is to be multiplied by; it starts at 1. `best_step` is None before the first look
    that had a finite loss.
    """

    def __init__(self, lr_decay: float, patience: int) -> None:
        """`lr_decay` in (0, 1]: what a cut multiplies the factor by. `patience` at least 1. ValueError otherwise."""
        if not 0 < lr_decay <= 1 or patience < 1:
            raise ValueError(f"lr_decay must be in (0, 1] and patience at least 1, not {lr_decay} and {patience}")
        self.lr_decay, self.patience = lr_decay, patience
        self.factor = 1.0
        self.best_loss = math.inf
        self.best_step: int | None = None
        self.looks_without_improvement = 0

    def observe(self, val_loss: float, step: int) -> Literal["improved", "wait", "restore"]:
        """Take in one look and say what the trainer must do.

        `improved`: keep a copy of the weights. `restore`: go back to that copy (`factor` has just been cut; with no
        `best_step` there is no copy). `wait`: nothing. A loss that is not a number is no improvement.
        """
        if val_loss < self.best_loss:
            self.best_loss, self.best_step = val_loss, step
            self.looks_without_improvement = 0
            return "improved"
        self.looks_without_improvement += 1
        if self.looks_without_improvement < self.patience:
            return "wait"
        self.looks_without_improvement = 0
        self.factor *= self.lr_decay
        return "restore"


@dataclass(frozen=True)
class Schedule:
    """What the program knows of a schedule.

    ``rate``: share of the steps after the warm-up that are done, 0 to 1 -> factor of the learning rate.
    ``defaults``: the Config's fields that belong to this schedule, each with its default.
    ``watcher``: called with those fields, makes what acts on the looks at the validation set; None where nothing does.
    """

    name: str
    rate: Callable[[float], float]
    defaults: Mapping[str, float] = field(default_factory=dict)
    watcher: Callable[..., Plateau] | None = None

    @property
    def watches_validation(self) -> bool:
        return self.watcher is not None


SCHEDULES = {
    entry.name: entry
    for entry in (
        Schedule("constant", lambda done: 1.0),
        # half a cosine (arXiv:1608.03983, equation 5, without restarts): 0 at the step after the last
        Schedule("cosine", lambda done: 0.5 * (1.0 + math.cos(math.pi * done))),
        Schedule("plateau", lambda done: 1.0, {"lr_decay": 0.5, "patience": 3}, Plateau),
    )
}


def lr_at(schedule: str, base_lr: float, step: int, total_steps: int, warmup_steps: int = 0) -> float:
    """Learning rate of `step`, which counts from 0 to total_steps - 1, before any watcher's factor.

    Warm-up rises linearly from base_lr / warmup_steps to base_lr over the first warmup_steps steps; the schedule has
    the other steps. ValueError for a schedule that is not in `SCHEDULES`.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"no schedule {schedule!r}: use one of {', '.join(SCHEDULES)}")
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * SCHEDULES[schedule].rate(min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps)))
