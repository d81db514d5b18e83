"""The IDX format: the files' names, how they are found, what their bytes mean. Y. LeCun, "The MNIST database"."""

import io
import math
import os
import struct
from pathlib import Path

import numpy as np

# The order counts: a data set's digest is taken over the files in this order.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def find(folder: Path, file: str) -> Path | None:
    """The path of ``file`` in ``folder`` under any of the names it goes by; unpacked comes first, being faster.

    A regular file comes before whatever else has such a name, which the reader will refuse with the reason.
    """
    dotted = file.replace("-idx", ".idx")
    candidates = [folder / spelling for spelling in (file, dotted, f"{file}.gz", f"{dotted}.gz")]
    there = [path for path in candidates if os.path.lexists(path)]
    return next((path for path in there if os.path.isfile(path)), there[0] if there else None)


def read_header(stream: io.BufferedIOBase) -> tuple[int, ...]:
    """The shape of the values that follow. Raises ValueError where ``stream`` is no IDX file of unsigned bytes.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
    32-bit integer, then the values, last dimension fastest.
    Source: Y. LeCun, "The MNIST database", section "File formats".
    """
    start = stream.read(4)
    if len(start) < 4 or start[:3] != b"\x00\x00\x08":
        raise ValueError("not an IDX file of unsigned bytes")
    lengths = stream.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise ValueError("an IDX file cut short within its header")
    return struct.unpack(f">{start[3]}I", lengths)


def shaped(content: bytes | memoryview, shape: tuple[int, ...]) -> np.ndarray:
    """The values after the header as a read-only uint8 array. Raises ValueError where they are more or fewer."""
    values = np.frombuffer(content, np.uint8)
    if values.size != math.prod(shape):
        raise ValueError(
            f"an IDX file of shape {shape} with {'more' if values.size > math.prod(shape) else 'fewer'} values"
        )
    return values.reshape(shape)


def parse(content: bytes) -> np.ndarray:
    """An unpacked IDX file of unsigned bytes as a read-only uint8 array of the shape its header tells.

    Raises ValueError where ``content`` is anything else.
    """
    stream = io.BytesIO(content)
    shape = read_header(stream)
    return shaped(memoryview(content)[stream.tell() :], shape)


def pack(values: np.ndarray) -> bytes:
    """uint8 ``values`` of any shape as an unpacked IDX file."""
    header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + np.ascontiguousarray(values, np.uint8).tobytes()
