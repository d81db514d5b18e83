"""Placeholder until the entries land."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Optimizer:
    defaults: dict[str, float | bool]


OPTIMIZERS = {
    "sgd": Optimizer({"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}),
    "adam": Optimizer({"weight_decay": 0.0}),
    "adamw": Optimizer({"weight_decay": 0.01}),
    "rmsprop": Optimizer({"momentum": 0.0, "weight_decay": 0.0}),
    "muon": Optimizer({"momentum": 0.95, "weight_decay": 0.0}),
    "lamb": Optimizer({"weight_decay": 0.0}),
    "lars": Optimizer({"momentum": 0.9, "nesterov": False, "weight_decay": 1e-4}),
}
