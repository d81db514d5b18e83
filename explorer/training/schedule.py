"""The learning rate along a run. Pure host arithmetic: the trainer writes the figure to the device."""

import math
from typing import Literal

SCHEDULES = ("constant", "cosine", "plateau")


def lr_at(schedule: str, base_lr: float, step: int, total_steps: int, warmup_steps: int = 0) -> float:
    """Learning rate of `step`, which counts from 0 to total_steps - 1.

    Warm-up rises linearly from base_lr / warmup_steps to base_lr over the first warmup_steps steps. `cosine` then falls
    over the other steps along half a cosine (arXiv:1608.03983, equation 5, without restarts): it starts at base_lr and
    would be 0 at step total_steps, one past the last. `plateau` is constant here: the trainer multiplies by
    `Plateau.factor`. ValueError for another schedule.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"no schedule {schedule!r}: use one of {', '.join(SCHEDULES)}")
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    if schedule != "cosine":
        return base_lr
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return base_lr * 0.5 * (1.0 + math.cos(math.pi * progress))


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
