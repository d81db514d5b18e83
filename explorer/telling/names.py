"""What the report calls a model on a data set, what is aimed at there, and what the classes are called."""

from explorer import datasets, models


def model_title(model: str) -> str:
    """``CNN``"""
    return model.upper()


def name_of(model: str, dataset: str) -> str:
    """``CNN on Fashion-MNIST``."""
    return f"{model_title(model)} on {datasets.title(dataset)}"


def aim_of(model: str, dataset: str) -> float | None:
    """The test accuracy, a fraction, that the model is meant to reach; None where nobody set one."""
    return models.get(model).aims.get(dataset)


def class_names(dataset: str, classes: int) -> tuple[str, ...]:
    """One name a class; their numbers where the data set is a person's own and not at hand."""
    entry = datasets.find(dataset)
    return entry.classes if entry and len(entry.classes) == classes else tuple(map(str, range(classes)))
