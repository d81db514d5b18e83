"""The ledger: every run ever made, one record per line in ``runs.jsonl``, only ever appended to (explorer.files)."""

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from explorer.errors import UserError
from explorer.files import LineLog, print_to_stderr
from explorer.record import Place, Reader, Record, stored

FILE = "runs.jsonl"


class Ledger:
    """The records in ``<folder>/runs.jsonl``.

    Opening creates folder and file, and repairs the end of the file: a torn last line moves, byte for byte, to
    ``runs.jsonl.torn-<UTC time>`` and ``say`` is told in one line; a last line that only lacks its newline gets it.
    Blank lines are ignored. Any other line that is not a record (a JSON object in UTF-8 with an ``id``, a ``config``
    and, in schema 1, a ``status``) is foreign: reading it raises UserError, and a file with one is never repaired.

    With ``read_only`` nothing is created, written or repaired: a torn last line is ignored, ``say`` is told, and a
    folder without a ledger has no records. The lock is taken only where its file exists and could be written.

    Its records say ``own`` as it was opened. Any number of processes may use one folder. The object holds nothing open
    between calls, so it may be forked; threads need one each.

    Every method that touches the file raises UserError when the folder or file cannot be read or written, when a line
    is foreign or of a newer schema, or when another process holds the lock for more than a minute.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None] = print_to_stderr,
        *,
        read_only: bool = False,
        own: bool = False,
    ) -> None:
        self._own = own
        self._log = LineLog(Path(folder) / FILE, "ledger", "record", say, read_only=read_only)
        self._searched = False
        self._offset = 0  # in bytes: everything before it is in _records
        self._forget()
        if not read_only:
            self._log.prepare(self._judge_all)
        elif torn_bytes := self._log.end()[1]:
            say(f"{self.path}: the last line is unfinished ({torn_bytes} bytes) and is ignored")

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._log.path

    def append(self, record: Record) -> None:
        """Adds one record, as one line; on return it is on the disk.

        Raises ValueError for a NaN or an infinity (store None instead), TypeError for what JSON cannot hold; UserError
        when the disk is full (the file is then as before). Nothing has been written in any of these cases.
        """
        self._log.append(stored(record), self._judge_all)

    def records(self) -> list[Record]:
        """All records, in the order they were appended, by any process. Their looks are read when asked for.

        Reads only what was added since the last call, or everything if the file was replaced or cut.
        """
        self._refresh()
        return list(self._records)

    def find(self, id: str) -> Record | None:
        """The last record with this id, or None. The first call only looks for it; a second one reads all records."""
        if not self._searched and not self._offset:
            self._searched = True
            stop, _ = self._log.end()
            for offset, line in self._log.find(json.dumps(id).encode(), stop):
                record = self._record(offset, line)
                if record.id == id:
                    return record
            return None
        self._refresh()
        return self._last_by_id.get(id)

    def _forget(self) -> None:
        self._records: list[Record] = []
        self._last_by_id: dict[str, Record] = {}
        self._reader = Reader(self._own)
        self._searched, self._offset = False, 0
        self._last_read = b""  # the bytes just before _offset, to notice a file that was replaced or cut

    def _refresh(self) -> None:
        """Reads what is new."""
        stop, _ = self._log.end()
        if (
            self._offset
            and self._log.read(self._offset - len(self._last_read), len(self._last_read)) != self._last_read
        ):
            self._forget()
        new = list(self._read(self._offset, stop))
        if stop > self._offset:
            # A whole last line counts at once. The newline it gets later then reads as a blank line, which is ignored.
            self._records += new
            self._last_by_id.update((record.id, record) for record in new)
            length = min(256, stop)
            self._last_read, self._offset = self._log.read(stop - length, length), stop

    def _read(self, start: int, stop: int) -> Iterator[Record]:
        with _collector_paused():
            for offset, line in self._log.lines(start, stop):
                if line.strip():
                    yield self._record(offset, line)

    def _record(self, offset: int, line: bytes) -> Record:
        try:
            return self._reader.read(line, Place(self.path, offset, len(line)))
        except ValueError:
            problem = (
                "not a record of this program (a JSON object with id, config and status); move the line out of the "
                "file, or use another results folder"
            )
        except UserError as error:
            problem = str(error)
        raise UserError(f"{self.path}, line {self._log.line_number(offset)}: {problem}")

    def _judge_all(self) -> None:
        """A foreign line must stop us before a repair changes anything."""
        stop, _ = self._log.extent()
        for _ in self._read(0, stop):
            pass


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without Python's search for cycles, which records do not make, and which grows with their number."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
