"""Placeholder until the entries land."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    defaults: dict[str, float | int]
    watches_validation: bool = False


SCHEDULES = {
    "constant": Schedule({}),
    "cosine": Schedule({}),
    "plateau": Schedule({"lr_decay": 0.5, "patience": 3}, watches_validation=True),
}
