"""How this program writes: a file whole or not at all, and logs that are only ever appended to.

Why a log's lines survive ``kill -9`` and power cuts:

- An entry is one line, and its newline is its last byte. Whatever a killed writer leaves behind is therefore an
  unterminated tail, and it lies after every finished line. No proper prefix of a JSON object is itself JSON, so "torn"
  and "whole but for its newline" cannot be confused.
- Writers take turns under a file lock, which the system frees when its holder dies. Each writer puts a torn tail aside
  before adding its own line, so that the two can never run together.
- Each line is flushed to the disk before ``append`` returns.
"""

import atexit
import codecs
import errno
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from explorer.errors import UserError

LOCK_TIMEOUT_SECONDS = 60.0
LOCK_POLL_SECONDS = 0.005  # an append takes about a millisecond: filelock's own 50 ms would mostly be spent asleep
BLOCK = 1 << 20  # bytes read at a time: a log of any size is read in so much memory


@dataclass(frozen=True)
class Damaged:
    """A line of a log that is left out. ``line`` is its number, None where it was not counted."""

    path: Path
    line: int | None
    why: str


def user_cache() -> Path:
    """This user's folder for what can be made or fetched again."""
    from platformdirs import user_cache_path  # late: few commands need it

    return user_cache_path("mnist-explorer")


def user_data() -> Path:
    """This user's folder for what cannot be made again."""
    from platformdirs import user_data_path

    return user_data_path("mnist-explorer")


_temporary_folders: list[str] = []


def temporary_folder() -> Path:
    """A fresh folder only this user can write to, removed when the program ends."""
    _temporary_folders.append(tempfile.mkdtemp(prefix="mnist-explorer-"))
    return Path(_temporary_folders[-1])


@atexit.register
def remove_temporary_folders() -> None:
    """For who ends the process without Python's own end."""
    while _temporary_folders:
        shutil.rmtree(_temporary_folders.pop(), ignore_errors=True)


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Makes ``content`` the whole content of the file, or leaves it as it was, whoever else writes and whenever this
    ends. Its folder is made if need be; where the path is a link, the link is replaced, not what it leads to.

    ``mode`` are the file's permissions, less what the user's umask takes away. Raises OSError, also where a folder, a
    pipe or a device stands in the file's place: root would replace /dev/null.
    """
    path = Path(path)
    if not path.is_symlink() and path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    start = os.fsdecode(os.fsencode(path.name)[:80])  # a name may have 255 bytes
    temporary = path.with_name(f".{start}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        _append_bytes(temporary, content, os.O_EXCL, mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def strict_json(line: bytes) -> Any:
    """The line's JSON value. Raises ValueError if it is not strict JSON in UTF-8: NaN is none."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(line.decode("utf-8"), parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def print_to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class LineLog:
    """A file of lines that is only ever appended to. Each line is a JSON object in UTF-8; blank ones do not count.

    ``holds`` is what the file is called, ``entry`` what a line is called in messages. Any number of processes may use
    one file. The object holds nothing open between calls, so it may be forked; threads need one each.

    With ``read_only`` nothing is created, written or repaired, and the lock is taken only where its file exists and
    could be written.

    Every method that touches the file raises UserError when it cannot be read or written, or when another process
    holds the lock for more than a minute.
    """

    def __init__(
        self,
        path: Path,
        holds: str,
        entry: str,
        say: Callable[[str], None] = print_to_stderr,
        *,
        read_only: bool = False,
    ) -> None:
        self.path, self.read_only = Path(path), read_only
        self._holds, self._entry, self._say = holds, entry, say

    def prepare(self, judge: Callable[[], object] = lambda: None) -> None:
        """Creates folder and file where they are missing, and ends the file with a newline again.

        A torn last line moves, byte for byte, to ``<name>.torn-<UTC time>``, and ``say`` is told in one line; a last
        line that only lacks its newline gets it. ``judge`` is called before any byte changes, and may raise.
        """
        with self._os_errors_told(f"cannot keep a {self._holds} here"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_links()
            with self.locked():
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666))
                notice = self._repair(judge)
        if notice:
            self._say(notice)

    def append(
        self,
        line: bytes,
        judge: Callable[[], object] = lambda: None,
        unless: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Adds one line, which has no newline itself; on return it is on the disk. False where ``unless`` says so.

        ``unless`` and ``judge`` are asked under the lock, so they must not take it; ``judge`` as for `prepare`.
        When the disk is full the file is as before.
        """
        if self.read_only:
            raise ValueError(f"{self.path} was opened read-only")
        self._refuse_links()
        notice = None
        try:
            with self._os_errors_told(f"{self._entry} not written, the {self._holds} is intact"):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.locked():
                    if unless():
                        return False
                    notice = self._repair(judge)
                    _append_bytes(self.path, line + b"\n")
        finally:  # told last: a terminal that blocks or breaks must not hold the lock or cost the line
            if notice:
                self._say(notice)
        return True

    def end(self) -> tuple[int, int]:
        """(where the last whole line ends, how many bytes of a torn one follow), in bytes. A missing file has none."""
        if not os.path.lexists(self.path):  # a lock would make the folder
            return 0, 0
        with self._os_errors_told(f"cannot read the {self._holds}"), self.locked():
            return self.extent()

    def extent(self) -> tuple[int, int]:
        """`end`, for who holds the lock."""
        with self._os_errors_told(f"cannot read the {self._holds}"):
            start, tail = _unterminated_tail(self.path)
        return (start + len(tail), 0) if _is_json(tail) else (start, len(tail))

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(offset in bytes, line without its newline) of all lines from ``start`` to ``stop``, blank ones included."""
        with self._os_errors_told(f"cannot read the {self._holds}"):
            offset, rest = start, b""
            for block in self._blocks(start, stop):
                *whole, rest = (rest + block).split(b"\n")
                for line in whole:
                    yield _unmarked(offset, line)
                    offset += len(line) + 1
            if rest:
                yield _unmarked(offset, rest)

    def find(self, word: bytes, stop: int) -> Iterator[tuple[int, bytes]]:
        """(offset, line) of the lines before ``stop`` that hold the word, the last one first."""
        rest = b""  # what the block read before begins with: the end of a line that begins in this one
        while stop > 0:
            start = max(0, stop - BLOCK)
            block = self.read(start, stop - start) + rest
            first = block.find(b"\n") + 1 if start else 0
            if start and not first:  # a line longer than a block
                rest, stop = block, start
                continue
            at = len(block)
            while (at := block.rfind(word, first, at)) >= 0:
                finish = block.find(b"\n", at)
                at = block.rfind(b"\n", first, at) + 1 or first
                yield _unmarked(start + at, block[at : finish if finish >= 0 else len(block)])
            rest, stop = block[:first], start

    def read(self, offset: int, length: int) -> bytes:
        """The bytes at this place; fewer where the file ends before."""
        if not self.path.exists():
            return b""
        with self._os_errors_told(f"cannot read the {self._holds}"), open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def line_number(self, offset: int) -> int:
        """The number of the line that starts at this offset; the first is 1."""
        return 1 + sum(block.count(b"\n") for block in self._blocks(0, offset))

    def _blocks(self, start: int, stop: int | None) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                while block := file.read(BLOCK if stop is None else min(BLOCK, stop - start)):
                    start += len(block)
                    yield block
        except FileNotFoundError:
            return

    def _refuse_links(self) -> None:
        """What somebody else's folder holds may lead out of it: nothing is written through a link."""
        for path in (self.path, self.path.with_name(self.path.name + ".lock")):
            if path.is_symlink():
                raise UserError(f"{path}: is a link, and nothing is written through one; put the file itself here")

    def _repair(self, judge: Callable[[], object]) -> str | None:
        """Ends the file with a newline again, under the lock. Returns the line to say if bytes were set aside."""
        start, tail = _unterminated_tail(self.path)
        if not tail:
            return None
        judge()
        if _is_json(tail):
            _append_bytes(self.path, b"\n")
            return None
        aside = _unused_name(self.path)
        try:
            _append_bytes(aside, tail)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        # Only now that the bytes are safe elsewhere. A kill in between leaves a second copy, never none.
        with open(self.path, "r+b") as file:
            file.truncate(start)
            os.fsync(file.fileno())
        return f"{self.path}: a torn last line ({len(tail)} bytes) was set aside in {aside.name}; all before it is kept"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """This process's turn. It is not to be taken twice."""
        lock_path = self.path.with_name(self.path.name + ".lock")
        if self.read_only and not os.access(lock_path, os.W_OK):
            yield
            return
        lock = FileLock(lock_path, timeout=LOCK_TIMEOUT_SECONDS, poll_interval=LOCK_POLL_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                f"{lock_path}: another process has held this lock for {LOCK_TIMEOUT_SECONDS:g} s; end that process "
                "(if none is left, delete the lock file) and run again"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _os_errors_told(self, what: str) -> Iterator[None]:
        if os.path.exists(self.path) and not os.path.isfile(self.path):  # to open a pipe waits, a device never ends
            raise UserError(f"{self.path}: {what} (it is no regular file); use another results folder")
        try:
            yield
        except OSError as error:
            reason = (
                "a file is in the folder's place" if isinstance(error, FileExistsError) else error.strerror or error
            )
            advice = "free disk space, or make the folder readable and writable, or use another results folder"
            raise UserError(f"{self.path}: {what} ({reason}); {advice}") from error


def _unmarked(offset: int, line: bytes) -> tuple[int, bytes]:
    """A line and where it starts, without the mark that some editors put before a file of UTF-8."""
    marked = offset == 0 and line.startswith(codecs.BOM_UTF8)
    return (len(codecs.BOM_UTF8), line[len(codecs.BOM_UTF8) :]) if marked else (offset, line)


def _is_json(line: bytes) -> bool:
    try:
        strict_json(line.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        return False
    return True


def _append_bytes(path: Path, data: bytes, flags: int = 0, mode: int = 0o666) -> None:
    """Adds the bytes at the end of the file and flushes them to the disk; on an OSError the file is as long as before.

    A log needs its lock held: the length to go back to must not be another writer's.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flags, mode)
    try:
        old_size = os.fstat(file).st_size
        try:
            rest = memoryview(data)
            while rest:  # once, unless the disk or a size limit allows only part of it
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            with suppress(OSError):  # a tail we cannot cut off is torn, and the next writer sets it aside
                os.ftruncate(file, old_size)
            raise
    finally:
        os.close(file)


def _unterminated_tail(path: Path) -> tuple[int, bytes]:
    """Where the bytes after the last newline start, and these bytes, read from the end in blocks. No file: 0, none."""
    try:
        with open(path, "rb") as file:
            start = file.seek(0, os.SEEK_END)
            tail = b""
            while start > 0:
                length = min(start, 65536 if tail else 1)  # nearly always the last byte is a newline, and that is all
                start -= length
                file.seek(start)
                block = file.read(length)
                newline = block.rfind(b"\n")
                tail = block[newline + 1 :] + tail
                if newline >= 0:
                    return start + newline + 1, tail
            return 0, tail
    except FileNotFoundError:
        return 0, b""


def _unused_name(path: Path) -> Path:
    stem = f"{path.name}.torn-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    candidate = path.with_name(stem)
    number = 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{stem}-{number}")
    return candidate
