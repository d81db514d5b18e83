"""What makes inputs of pixels: one multiplication and one addition."""

import numpy as np

from explorer.datasets.dataset import Dataset

SCALINGS = ("unit", "signed", "standard")


def affine(scaling: str, images: np.ndarray) -> tuple[float, float]:
    """The pair (multiplier, offset) that makes of a pixel 0..255 the input multiplier * pixel + offset.

    ``unit`` gives [0, 1], ``signed`` [-1, 1], ``standard`` mean 0 and standard deviation 1 over all pixels of
    ``images``: uint8 of any shape, for an honest measurement the training part alone, without validation and test.
    Raises ValueError for another scaling, and for ``standard`` over images of one single value.
    """
    if scaling == "unit":
        return 1 / 255, 0.0
    if scaling == "signed":
        return 2 / 255, -1.0
    if scaling != "standard":
        raise ValueError(f"no scaling {scaling!r}: one of {', '.join(SCALINGS)}")
    # By counting values: exact, and without a floating-point copy of all pixels.
    counts = np.zeros(256, np.int64)
    for image in np.array_split(images.reshape(-1), max(1, images.size // 1_000_000)):
        counts += np.bincount(image, minlength=256)
    values = np.arange(256)
    mean = float(counts @ values / counts.sum())
    deviation = float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))
    if deviation == 0:
        raise ValueError("images of one single value have no standard scaling")
    return 1 / deviation, -mean / deviation


def inputs_of(scaling: str, data: Dataset) -> tuple[float, float]:
    """`affine` of a data set's training part."""
    return affine(scaling, data.train_images[: len(data.train_images) - data.validation_count])
