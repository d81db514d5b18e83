"""The ledger: every run ever made, one JSON object per line in ``runs.jsonl``, only ever appended to.

Why records survive ``kill -9`` and power cuts:

- A record is one line, and its newline is its last byte. Whatever a killed writer leaves behind is therefore an
  unterminated tail, and it lies after every finished record. No proper prefix of a JSON object is itself JSON, so
  "torn" and "whole but for its newline" cannot be confused.
- Writers take turns under a file lock, which the system frees when its holder dies. Each writer puts a torn tail aside
  before adding its own line, so that the two can never run together.
- Each record is flushed to the disk before ``append`` returns.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from explorer.errors import UserError

LOCK_TIMEOUT_SECONDS = 60.0
LOCK_POLL_SECONDS = 0.005  # an append takes about a millisecond: filelock's own 50 ms would mostly be spent asleep


def run_id(config: Mapping[str, Any], data_digest: str) -> str:
    """The identity of a run: 16 hex digits of SHA-256 over its whole configuration and the digest of its data.

    The order of the keys does not matter. ``1`` and ``1.0`` differ, so pass a validated configuration.
    Raises ValueError for a NaN or an infinity, TypeError for what JSON cannot hold.
    """
    content = {"config": dict(config), "data": data_digest}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _print_to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class Ledger:
    """The records in ``<folder>/runs.jsonl``.

    Opening creates folder and file, reads every record, and repairs the end of the file: a torn last line moves, byte
    for byte, to ``runs.jsonl.torn-<UTC time>`` and ``say`` is told in one line; a last line that only lacks its newline
    gets it. Blank lines are ignored. Any other line that is not a record (a JSON object in UTF-8 with a string ``id``,
    an object ``config`` and a string ``status``) is foreign: the file is left as it is.

    With ``read_only`` nothing is created, written or repaired: a torn last line is ignored, ``say`` is told, and a
    folder without a ledger has no records. The lock is taken only where its file exists and could be written.

    Any number of processes may use one folder. The object holds nothing open between calls, so it may be forked;
    threads need one each.

    Every method that touches the file raises UserError when the folder or file cannot be read or written, when a line
    is foreign, or when another process holds the lock for more than a minute.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = _print_to_stderr, *, read_only: bool = False) -> None:
        self._path = Path(folder) / "runs.jsonl"
        self._say = say
        self._read_only = read_only
        self._forget()
        if read_only:
            torn_bytes = self._refresh()
            if torn_bytes:
                say(f"{self._path}: the last line is unfinished ({torn_bytes} bytes) and is ignored")
            return
        with self._os_errors_told("cannot keep a ledger here"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666))
                self._read_new_lines()  # a foreign line must stop us before the repair changes anything
                notice = self._repair()
        if notice:
            say(notice)

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._path

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds one record, as one line; on return it is on the disk.

        Raises ValueError for a NaN, an infinity (store None instead) or a record without ``id``, ``config`` and
        ``status``; TypeError for what JSON cannot hold; UserError when the disk is full (the file is then as before).
        Nothing has been written in any of these cases.
        """
        if self._read_only:
            raise ValueError(f"{self._path} was opened read-only")
        line = json.dumps(dict(record), separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if not _is_record(_parsed(line)):
            raise ValueError("a record needs a string 'id', an object 'config' and a string 'status'")
        notice = None
        try:
            with self._os_errors_told("record not written, the ledger is intact"), self._locked():
                notice = self._repair()
                _append_bytes(self._path, line)
        finally:  # told last: a terminal that blocks or breaks must not hold the lock or cost the record
            if notice:
                self._say(notice)

    def records(self) -> list[dict[str, Any]]:
        """All records, in the order they were appended, by any process. Treat them as read-only: they are not copies.

        Reads only what was added since the last call, or everything if the file was replaced or cut.
        """
        self._refresh()
        return list(self._records)

    def find(self, id: str) -> dict[str, Any] | None:
        """The last record with this id, or None."""
        self._refresh()
        return self._last_by_id.get(id)

    def _forget(self) -> None:
        self._records: list[dict[str, Any]] = []
        self._last_by_id: dict[str, dict[str, Any]] = {}
        self._offset = 0  # in bytes: everything before it is in _records
        self._newlines = 0  # before _offset
        self._last_read = b""  # the bytes just before _offset, to notice a file that was replaced or cut

    def _refresh(self) -> int:
        """Reads what is new. Returns the length in bytes of a torn last line, 0 without one."""
        with self._os_errors_told("cannot read the ledger"), self._locked():
            return self._read_new_lines()

    def _read_new_lines(self) -> int:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset - len(self._last_read))
                data = file.read()
                if not data.startswith(self._last_read):
                    self._forget()
                    file.seek(0)
                    data = file.read()
        except FileNotFoundError:
            self._forget()
            return 0
        data = data[len(self._last_read) :]
        *lines, tail = data.split(b"\n")
        new_records = []
        for number, line in enumerate(lines, start=self._newlines + 1):
            if line.strip():
                new_records.append(self._record(line, number))
        last_line_number = self._newlines + len(lines) + 1
        torn_bytes = 0
        # A whole last line counts at once. The newline it gets later then reads as a blank line, which is ignored.
        if tail and _is_json(tail):
            new_records.append(self._record(tail, last_line_number))
        elif tail:
            torn_bytes = len(tail)
        self._records += new_records
        self._last_by_id.update((record["id"], record) for record in new_records)
        read = data[: len(data) - torn_bytes]
        if read:
            self._offset += len(read)
            self._newlines += len(lines)
            self._last_read = (self._last_read + read[-256:])[-256:]
        return torn_bytes

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = _parsed(line)
        except ValueError:
            value = None
        if not _is_record(value):
            raise UserError(
                f"{self._path}, line {number}: not a record of this program (a JSON object with id, config and "
                "status); move the line out of the file, or use another results folder"
            )
        return value

    def _repair(self) -> str | None:
        """Ends the file with a newline again, under the lock. Returns the line to say if bytes were set aside."""
        start, tail = _unterminated_tail(self._path)
        if not tail:
            return None
        if _is_json(tail):
            self._record(tail, self._path.read_bytes().count(b"\n") + 1)  # foreign: refuse rather than adopt it
            _append_bytes(self._path, b"\n")
            return None
        aside = _unused_name(self._path)
        try:
            _append_bytes(aside, tail)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        # Only now that the bytes are safe elsewhere. A kill in between leaves a second copy, never none.
        with open(self._path, "r+b") as file:
            file.truncate(start)
            os.fsync(file.fileno())
        return (
            f"{self._path}: a torn last line ({len(tail)} bytes) was set aside in {aside.name}; all before it is kept"
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock_path = self._path.with_name(self._path.name + ".lock")
        if self._read_only and not os.access(lock_path, os.W_OK):
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
        try:
            yield
        except OSError as error:
            reason = (
                "a file is in the folder's place" if isinstance(error, FileExistsError) else error.strerror or error
            )
            advice = "free disk space, or make the folder readable and writable, or use another results folder"
            raise UserError(f"{self._path}: {what} ({reason}); {advice}") from error


def _parsed(line: bytes) -> Any:
    """The line's JSON value; ValueError if it is not strict JSON in UTF-8."""
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_json(line: bytes) -> bool:
    try:
        _parsed(line)
    except ValueError:
        return False
    return True


def _is_record(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and isinstance(value.get("config"), dict)
        and isinstance(value.get("status"), str)
    )


def _append_bytes(path: Path, data: bytes) -> None:
    """Adds the bytes at the end of the file and flushes them to the disk; on an OSError the file is as long as before.

    Needs the lock: the length to go back to must not be another writer's.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
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
