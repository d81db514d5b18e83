"""Files are read with a limit: what is no regular file, or holds too much, is refused before it fills memory."""

import contextlib
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from explorer.errors import UserError

GZIP = b"\x1f\x8b"


@contextlib.contextmanager
def opened(path: Path, most: int) -> Iterator[io.BufferedReader]:
    """The file, open for reading. UserError where it cannot be read, is no regular file, or has over ``most`` bytes."""
    try:
        # without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise UserError(f"{path} is not a regular file; only such are read")
    with open(handle, "rb") as stream:
        if found.st_size > most:
            raise UserError(f"{path} has {found.st_size:,} bytes, and may have {most:,}")
        try:
            yield stream
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def content(path: Path, most: int) -> bytes:
    """All bytes of the file, of which it may have ``most``. UserError as ``opened`` raises it."""
    with opened(path, most) as stream:
        found = stream.read(most + 1)
    if len(found) > most:  # it has grown meanwhile
        raise UserError(f"{path} has over {most:,} bytes, which is what it may have")
    return found


def packed_limit(most: int) -> int:
    """How long a gzip file of ``most`` bytes can be: incompressible blocks, with their headers, a name, a comment."""
    return most + most // 1000 + 65_536


def unpack(raw: bytes, most: int) -> bytes | None:
    """What ``raw`` holds: itself, or what its gzip layer wraps; None for a gzip that is damaged or cut short.

    Raises ValueError where that is over ``most`` bytes; no more than these are unpacked.
    """
    found: bytes | None = raw
    if raw.startswith(GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
                found = stream.read(most + 1)
        except (OSError, EOFError, zlib.error):
            return None
    if found is not None and len(found) > most:
        raise ValueError(f"it holds more than the {most:,} bytes it should")
    return found
