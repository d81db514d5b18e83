"""A person's own data: a folder of four IDX files, or an .npz file as Keras writes them.

In a folder: the files of ``idx.FILES`` under any of their names, gzipped or not. In an .npz: ``x_train``, ``y_train``,
``x_test``, ``y_test``. Images are grey-scale, (N, height, width) or (N, height, width, 1), whole numbers from 0 to 255,
1 to 64 pixels a side. Labels are (N,) or (N, 1), whole numbers from 0, of 2 to 100 classes. Names of the classes are
optional: ``classes.txt`` in the folder or beside the .npz, one name a line, or the array ``class_names`` in the .npz.

The validation images are a sixth of the training images, drawn class by class with a fixed seed: their files are often
sorted by class, so the last sixth, which MNIST takes, would be one class. Test images are test images only.

Nothing is unpickled, and sizes are looked at before contents: no more than ``MOST_BYTES`` are unpacked.
"""

import gzip
import io
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from explorer.datasets import idx, reading
from explorer.datasets.dataset import Dataset, make
from explorer.datasets.entry import Own
from explorer.errors import UserError

LONGEST_SIDE = 64
CLASSES = (2, 100)
VALIDATION_SHARE = 6  # one image in so many
MOST_BYTES = 1 << 30  # of all four arrays together, unpacked
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
CLASS_FILE, CLASS_ARRAY, CLASS_BYTES, LONGEST_CLASS = "classes.txt", "class_names", 1 << 20, 40


def read(path: Path, name: str) -> Dataset:
    """The data set in the folder or .npz file ``path``, to be called ``name``.

    Raises UserError with one line that says what is wrong and what would be right.
    """
    if os.path.isdir(path):
        places, arrays = _from_folder(path)
        names = None
    else:
        places = [f"{path}: {array}" for array in ARRAYS]
        arrays, names = _from_npz(path)
    train_images, test_images = (as_images(places[part], arrays[part]) for part in (0, 2))
    train_labels, test_labels = (as_labels(places[part], arrays[part], len(arrays[part - 1])) for part in (1, 3))
    if train_images.shape[1:] != test_images.shape[1:]:
        sizes = [f"{height}x{width}" for height, width in (train_images.shape[1:], test_images.shape[1:])]
        raise UserError(f"{path}: training images are {sizes[0]} and test images {sizes[1]}; they must be alike")
    count = _count_classes(places, train_labels, test_labels)
    if names is None:
        names = _from_text(path / CLASS_FILE if os.path.isdir(path) else path.with_name(CLASS_FILE))
    classes = _checked(*names, count) if names else tuple(map(str, range(count)))

    training, validation = split(train_labels)
    if (train_images[training] == train_images[training[0]].flat[0]).all():
        raise UserError(f"{places[0]} has one single value in all pixels: there is nothing to learn from")
    order = np.concatenate([training, validation])
    final = (train_images[order], train_labels[order], test_images, test_labels)
    return make(name, final, classes, len(validation), str(path), map(idx.pack, final))


def entry_of(data: Dataset, path: Path) -> Own:
    """What is known of a person's own data from now on."""
    training, validation = data.split("split")
    return Own(
        name=data.name,
        title=data.name,
        classes=data.classes,
        height=data.height,
        width=data.width,
        training=training,
        validation=validation,
        test=len(data.test_images),
        path=path,
    )


def split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(training, validation): the indices of all images, given their labels (N,), at least two of each class.

    The images are shuffled by a fixed seed; of each class the first sixth, rounded, but at least one image, validates.
    """
    # RandomState, unlike Generator, promises the same stream in every release of numpy.
    order = np.random.RandomState(0).permutation(len(labels))
    shuffled = labels[order]
    chosen = np.zeros(len(labels), bool)
    for label in range(int(labels.max()) + 1):
        there = np.flatnonzero(shuffled == label)
        chosen[there[: max(1, round(len(there) / VALIDATION_SHARE))]] = True
    return order[~chosen], order[chosen]


def _from_folder(folder: Path) -> tuple[list[str], list[np.ndarray]]:
    """(what each file is called, what it holds), in the order of idx.FILES."""
    paths = {file: idx.find(folder, file) for file in idx.FILES}
    found = [path for path in paths.values() if path is not None]
    if len(found) < len(paths):
        missing = ", ".join(f"{file}[.gz]" for file, path in paths.items() if path is None)
        raise UserError(
            f"{folder} lacks {missing}; a data set's folder holds four IDX files, a file has {ARRAYS[0]}, ..."
        )
    arrays: list[np.ndarray] = []
    for path in found:
        arrays.append(_read_idx(path, MOST_BYTES - sum(array.nbytes for array in arrays)))
    return list(map(str, found)), arrays


def _read_idx(path: Path, most: int) -> np.ndarray:
    """The array of an IDX file, of ``most`` bytes at most; its header is read before its values."""
    with reading.opened(path, reading.packed_limit(most)) as raw:
        try:
            packed = raw.read(len(reading.GZIP)) == reading.GZIP
            raw.seek(0)
            stream: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if packed else raw
            shape = idx.read_header(stream)
            _within(math.prod(shape), most, str(path))
            values = stream.read(math.prod(shape) + 1)
            return idx.shaped(values, shape)
        except UserError:
            raise
        except Exception as error:  # gzip, zlib and the header's reader raise many kinds where bytes are damaged
            raise UserError(f"{path} is no sound IDX file: {_reason(error)}") from None


def _from_npz(path: Path) -> tuple[list[np.ndarray], tuple[str, list[str]] | None]:
    """(the four arrays, in the order of ARRAYS; where names of classes are and what they are, or None)."""
    with _archive(path) as archive:
        members = set(archive.namelist())
        if missing := [array for array in ARRAYS if f"{array}.npy" not in members]:
            raise UserError(f"{path} lacks {', '.join(missing)}; it must have {', '.join(ARRAYS)}")
        arrays: list[np.ndarray] = []
        for array in ARRAYS:
            left = MOST_BYTES - sum(one.nbytes for one in arrays)
            arrays.append(_member(archive, array, left, f"{path}: {array}"))
        if f"{CLASS_ARRAY}.npy" not in members:
            return arrays, None
        said = f"{path}: {CLASS_ARRAY}"
        return arrays, (said, _words(_member(archive, CLASS_ARRAY, CLASS_BYTES, said), said))


def names_in(path: Path) -> list[str]:
    """The names of the arrays of an .npz file. UserError where it is none."""
    with _archive(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def array_of(path: Path, name: str, most: int) -> np.ndarray:
    """One array of an .npz file, of ``most`` bytes at most, never unpickled. UserError where it cannot be had."""
    with _archive(path) as archive:
        return _member(archive, name, most, f"{path}: {name}")


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with reading.opened(path, reading.packed_limit(MOST_BYTES)) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                yield archive
        except UserError:
            raise
        except Exception as error:  # zipfile, zlib and numpy's reader raise a dozen kinds where bytes are damaged
            raise UserError(f"{path} is no sound .npz file: {_reason(error)}") from None


def _member(archive: zipfile.ZipFile, array: str, most: int, said: str) -> np.ndarray:
    """One array of an .npz, of ``most`` bytes at most: never unpickled, its header read before its values."""
    member = archive.getinfo(f"{array}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{said} is packed in a way that numpy.savez_compressed does not use")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise UserError(f"{said} is in version {version[0]}.{version[1]} of the .npy format; 1.0 and 2.0 are read")
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = header(stream)
        if dtype.hasobject:
            raise UserError(f"{said} is pickled (dtype object), which is never read; save it as numbers or text")
        if any(side < 0 for side in shape):
            raise UserError(f"{said} has the shape {shape}")
        size = math.prod(shape) * dtype.itemsize
        _within(size, most, said)
        content = stream.read(size + 1)
    if len(content) != size:
        raise UserError(f"{said} should have {size:,} bytes of values, and has {'more' if content[size:] else 'fewer'}")
    values = np.frombuffer(content, dtype) if content else np.empty(0, dtype)
    return values.reshape(shape, order="F" if fortran_order else "C")


def _within(size: int, most: int, said: str) -> None:
    if size > most:
        raise UserError(f"{said} would take {size:,} bytes; a data set may have {MOST_BYTES:,} in all")


def as_images(said: str, values: np.ndarray) -> np.ndarray:
    """(N, height, width) uint8."""
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim == 4 and values.shape[3] in (3, 4):
        raise UserError(f"{said} has colour images, of shape {values.shape}; make them grey: (N, height, width)")
    if values.ndim != 3:
        raise UserError(f"{said} has the shape {values.shape}; images must be (N, height, width)")
    if values.shape[0] == 0:
        raise UserError(f"{said} has no image")
    if not all(1 <= side <= LONGEST_SIDE for side in values.shape[1:]):
        size = f"{values.shape[1]}x{values.shape[2]}"
        raise UserError(f"{said} has images of {size} pixels; a side must have 1 to {LONGEST_SIDE}")
    _whole(said, values, "pixels", 255)
    return np.ascontiguousarray(values, np.uint8)


def as_labels(said: str, values: np.ndarray, images: int) -> np.ndarray:
    """(N,) uint8, one for each of so many images."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise UserError(f"{said} has the shape {values.shape}; labels must be (N,): one whole number an image")
    if len(values) != images:
        raise UserError(f"{said} has {len(values):,} labels for {images:,} images")
    _whole(said, values, "labels", CLASSES[1] - 1)
    return np.ascontiguousarray(values, np.uint8)


def _whole(said: str, values: np.ndarray, what: str, most: int) -> None:
    """UserError unless all values are whole numbers from 0 to ``most``."""
    if values.dtype.kind not in "iu":
        hint = "; for pixels from 0 to 1: (255 * x).round().astype('uint8')" if values.dtype.kind == "f" else ""
        raise UserError(
            f"{said} has values of type {values.dtype}; {what} must be whole numbers from 0 to {most}{hint}"
        )
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > most:
        raise UserError(f"{said} has values from {low} to {high}; {what} must be whole numbers from 0 to {most}")


def _count_classes(places: Sequence[str], train: np.ndarray, test: np.ndarray) -> int:
    """How many classes the labels have; UserError where they are too few, or a class lacks what it needs."""
    counts = np.bincount(train)
    if len(counts) < CLASSES[0]:
        raise UserError(f"{places[1]} has one class alone; there must be {CLASSES[0]} to {CLASSES[1]}")
    if counts.min() < 2:
        label = int(counts.argmin())
        raise UserError(
            f"{places[1]} has class {label} {('nowhere', 'once')[int(counts[label])]}; each class from 0 to "
            f"{len(counts) - 1} needs at least two images: one to train on, one to validate on"
        )
    if test.max() >= len(counts):
        raise UserError(
            f"{places[3]} has the class {test.max()}, which no training image has: they end at {len(counts) - 1}"
        )
    return len(counts)


def _from_text(path: Path) -> tuple[str, list[str]] | None:
    """(where it is, the lines of the text file ``path``), or None where there is none."""
    if not os.path.lexists(path):
        return None
    try:
        lines = reading.content(path, CLASS_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8") from None
    return str(path), [line.strip() for line in lines if line.strip()]


def _words(values: np.ndarray, said: str) -> list[str]:
    if values.ndim != 1 or values.dtype.kind not in "US":
        raise UserError(f"{said} must be texts, of shape (classes,), and has {values.dtype} of shape {values.shape}")
    try:
        texts = [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
    except UnicodeDecodeError:
        raise UserError(f"{said} is not text in UTF-8") from None
    return [text.strip() for text in texts]


def _checked(said: str, names: list[str], count: int) -> tuple[str, ...]:
    """The names of the classes; UserError unless there is one, of its own and fit to be shown, for each class."""
    if len(names) != count:
        raise UserError(f"{said} has {len(names)} names for {count} classes")
    for name in names:
        if not 1 <= len(name) <= LONGEST_CLASS or not name.isprintable():
            raise UserError(f"{said}: a class's name has 1 to {LONGEST_CLASS} printable characters, not {name[:60]!r}")
    if len(set(names)) < count:
        raise UserError(f"{said} has one name twice; each class needs its own")
    return tuple(names)


def _reason(error: Exception) -> str:
    """What an exception says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
