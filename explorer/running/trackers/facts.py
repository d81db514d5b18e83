"""What the tools that people watch are told of a run, under the same names in each: where it stands, its settings, its
figures along the way and at the end."""

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from explorer.config import Config
from explorer.fields import text_of
from explorer.record import Look, Record, run_id
from explorer.running.requests import Request
from explorer.seeds import is_fresh

Setting = bool | int | float | str
LOOKS = "looks/"  # before the figures of a look: those at the end are of all validation images
SETTLED = " settled"


class Seen(NamedTuple):
    """A look, and when it was: seconds since 1970."""

    look: Look
    at: float


@dataclass(frozen=True)
class Home:
    """Where a run stands among others; one that answers several sweeps has several."""

    experiment: str
    """A sweep's, ``mnist/mlp/lr``; or ``mnist/mlp``, of runs that belong to none."""
    sweep: str
    """The sweep's name; empty where it belongs to none."""
    label: str
    """What its point is called there."""
    point: str
    """The id that its point's run at seed 0 has: the same for all its seeds, and for no other configuration or data."""


def home(experiment: str, sweep: str, label: str, config: Config, digest: str) -> Home:
    return Home(experiment, sweep, label, run_id(config.point.identity(), digest))


def experiment_of(request: Request) -> str:
    """``mnist/mlp/lr``, with the fields that the person fixed: it depends on nothing else that was ever asked for."""
    fixed = "".join(f", {field} {text_of(value)}" for field, value in sorted(request.overrides.items()))
    name = f"{request.dataset}/{request.model}/{request.name}{fixed}"
    return name + (SETTLED if request.settle else "")


def settings(config: Config) -> dict[str, Setting]:
    """Every field that applies but the seed, which is what a point has in common; lists as a flag takes them."""
    return {
        name: value if isinstance(value, Setting) else text_of(value)
        for name, value in config.to_json().items()
        if name != "seed"
    }


def seeds_of(config: Config) -> str:
    """Whether its seed may choose, in a word: the figures of a point's fresh seeds are not mixed with the others'."""
    return "fresh" if is_fresh(config.seed) else "choosing"


def look_figures(look: Look) -> dict[str, float]:
    """A look's figures; accuracies are fractions of the validation slice, losses in nats."""
    return _numbers({f"{LOOKS}{name}": getattr(look, name) for name in Look.__struct_fields__ if name != "step"})


def figures(record: Record) -> dict[str, float]:
    """A run's figures at its end: accuracies are fractions, losses in nats."""
    return _numbers(
        {
            "train_loss": record.train_loss,
            "val_loss": record.val_loss,
            "val_accuracy": record.val_accuracy,
            "test_accuracy": record.test_accuracy,
            "best_val_accuracy": record.best_val_accuracy,
            "train_seconds": record.seconds.train,
            "step_ms": record.step_ms,
        }
    )


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}


def began(record: Record) -> float:
    """When it began, in seconds since 1970; 0 where its record does not say."""
    try:
        return datetime.datetime.fromisoformat(record.started).timestamp()
    except ValueError:
        return 0.0


def ended(record: Record) -> float:
    """When it ended, likewise."""
    return began(record) + record.seconds.total


def last_step(record: Record) -> int:
    """The step that its figures are of."""
    last = record.history[-1].step if len(record.history) else 0
    return record.steps_done or last


def looks_of(record: Record) -> list[Seen]:
    """Its looks, and when they were as far as a record tells: its steps took the same time each, after it was
    compiled."""
    steps, seconds = max(last_step(record), 1), record.seconds
    each = (seconds.train + seconds.eval) / steps
    return [Seen(look, began(record) + seconds.compile + look.step * each) for look in record.history]
