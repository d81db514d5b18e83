"""What the report calls models and data sets, and what each model aims at: asked here by findings, tables and plots."""

from datasets.data import CLASS_NAMES

# In the order of the report. A data set that is not listed goes by its own name.
DATASETS = {"mnist": "MNIST", "fashion": "Fashion-MNIST", "digits": "digits"}
# The accuracy on the test set that each model is meant to reach.
TARGETS = {("mnist", "mlp"): 0.988, ("mnist", "cnn"): 0.995, ("fashion", "mlp"): 0.90, ("fashion", "cnn"): 0.93}


def name_of(model: str, dataset: str) -> str:
    """``CNN on Fashion-MNIST``."""
    return f"{model.upper()} on {DATASETS.get(dataset, dataset)}"


def aim_of(model: str, dataset: str) -> float | None:
    """The test accuracy, a fraction, that the model is meant to reach; None where nobody set one."""
    return TARGETS.get((dataset, model))


def class_names(dataset: str, classes: int) -> tuple[str, ...]:
    """One name a class; their numbers where the data set names none, or another count of them."""
    names = CLASS_NAMES.get(dataset, ())
    return names if len(names) == classes else tuple(map(str, range(classes)))
