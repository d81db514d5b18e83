"""What the report calls models and data sets, and what each model aims at: asked here by findings, tables and plots."""

from collections.abc import Iterable

import datasets
import models


def name_of(model: str, dataset: str) -> str:
    """``CNN on Fashion-MNIST``."""
    return f"{model.upper()} on {datasets.title(dataset)}"


def aim_of(model: str, dataset: str) -> float | None:
    """The test accuracy, a fraction, that the model is meant to reach; None where nobody set one."""
    return models.get(model).aims.get(dataset)


def in_order(found: Iterable[str]) -> list[str]:
    """Data sets in the order of lists: the declared ones in theirs, then a person's own by name."""
    declared = datasets.names()
    return sorted(set(found), key=lambda name: (declared.index(name) if name in declared else len(declared), name))


def class_names(dataset: str, classes: int) -> tuple[str, ...]:
    """One name a class; their numbers where the data set names none, or another count of them."""
    names = datasets.known(dataset).classes if dataset in datasets.names() else ()
    return names if len(names) == classes else tuple(map(str, range(classes)))


DATASETS = {name: datasets.title(name) for name in datasets.names()}
