"""How often a run looks at the validation set unless it is told: a rule of counts, never of a clock, so that a run
repeats."""

import math

from explorer.config import Config
from explorer.datasets.dataset import LOOK_IMAGES
from explorer.rules.schedules import SCHEDULES

LOOKS = 20  # of a run that is long enough
LOOK_SHARE = 0.3  # images looked at, of those trained on: forward is a third of a step's work, so a tenth of its time


def look_every(config: Config, total_steps: int, validation_images: int) -> int:
    """Steps from one look to the next, ``eval_every`` where it is said. The last step is looked at in any case.

    Else 20 looks, and fewer in a short run: all but the last take a tenth of the training's time at most. The last one
    costs nothing, as its images are among those of the final figures. A run whose looks act on it, by its schedule or
    by early stopping, has all 20: there they are part of the training.
    """
    if config.eval_every:
        return config.eval_every
    looks, images = LOOKS, min(validation_images, LOOK_IMAGES)
    acted_on = SCHEDULES[config.lr_schedule].watches_validation or config.stop_patience
    if images and not acted_on:
        looks = min(LOOKS, 1 + int(LOOK_SHARE * total_steps * config.batch_size / images))
    return math.ceil(total_steps / looks)
