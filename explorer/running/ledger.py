"""The ledger: every run ever made, one record per line in ``runs.jsonl``, only ever appended to (explorer.files)."""

import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from explorer.errors import UserError
from explorer.files import Damaged, LineLog, print_to_stderr
from explorer.record import Place, Reader, Record, stored

FILE = "runs.jsonl"
NAMED = 5  # of many damaged lines, so many are told by their number: to count lines takes time


class Ledger:
    """The records in ``<folder>/runs.jsonl``.

    Opening creates folder and file (without ``create``, `prepare` or the first record does), and repairs the end of the
    file: a torn last line moves, byte for byte, to ``runs.jsonl.torn-<UTC time>`` and ``say`` is told in one line; a
    last line that only lacks its newline gets it. Blank lines are ignored. Any other line that is not a record (a JSON
    object in UTF-8 with an ``id``, a ``config`` and, in schema 1, a ``status``), whose figures cannot be, or that is
    not what was written, is damaged: it is left out, `damaged` names it, ``say`` is told, and the file keeps it. A file
    without any record but with other lines is somebody else's: reading it raises UserError, and it is never changed.

    With ``read_only`` nothing is created, written or repaired: a torn last line is ignored, ``say`` is told, and a
    folder without a ledger has no records. The lock is taken only where its file exists and could be written.

    Its records say ``own`` as it was opened. Any number of processes may use one folder. The object holds nothing open
    between calls, so it may be forked; threads need one each.

    Every method that touches the file raises UserError when the folder or file cannot be read or written, when it
    is somebody else's, when a line is of a newer schema, or when another process holds the lock for more than a minute.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None] = print_to_stderr,
        *,
        read_only: bool = False,
        own: bool = False,
        create: bool = True,
    ) -> None:
        self._own, self._say = own, say
        self._told: set[int] = set()  # offsets of the damaged lines that were told
        self._log = LineLog(Path(folder) / FILE, "ledger", "record", say, read_only=read_only)
        self._searched = False
        self._offset = 0  # in bytes: everything before it is in _records
        self._forget()
        if not read_only and (create or os.path.lexists(self.path)):
            self.prepare()
        elif torn_bytes := self._log.end()[1]:
            say(f"{self.path}: the last line is unfinished ({torn_bytes} bytes) and is ignored")

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._log.path

    def prepare(self) -> None:
        """Creates what is missing and repairs the end of the file, as opening does."""
        self._log.prepare(self._judge)

    def append(self, record: Record) -> None:
        """Adds one record, as one line; on return it is on the disk.

        Raises ValueError for a NaN or an infinity (store None instead), TypeError for what JSON cannot hold; UserError
        when the disk is full (the file is then as before). Nothing has been written in any of these cases.
        """
        self._log.append(stored(record), self._judge)

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
                if isinstance(record, Record) and record.id == id:
                    return record
            return None
        self._refresh()
        return self._last_by_id.get(id)

    @property
    def damaged(self) -> list[Damaged]:
        """The lines that are left out, as far as the file was read."""
        self._refresh()
        return [
            Damaged(self.path, self._log.line_number(offset) if number < NAMED else None, why)
            for number, (offset, why) in enumerate(self._damaged)
        ]

    def _forget(self) -> None:
        self._damaged: list[tuple[int, str]] = []  # (offset, why)
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
        new, damaged = self._read(self._offset, stop)
        if damaged and not new and not self._records:
            raise self._foreign(damaged)
        if stop > self._offset:
            # A whole last line counts at once. The newline it gets later then reads as a blank line, which is ignored.
            self._records += new
            self._last_by_id.update((record.id, record) for record in new)
            self._damaged += damaged
            length = min(256, stop)
            self._last_read, self._offset = self._log.read(stop - length, length), stop
        self._tell(damaged)

    def _read(self, start: int, stop: int) -> tuple[list[Record], list[tuple[int, str]]]:
        """(records, (offset, why) of each damaged line)"""
        records, damaged = [], []
        with _collector_paused():
            for offset, line in self._log.lines(start, stop):
                if line.strip():
                    read = self._record(offset, line)
                    if isinstance(read, Record):
                        records.append(read)
                    else:
                        damaged.append((offset, read))
        return records, damaged

    def _record(self, offset: int, line: bytes) -> Record | str:
        """The record, or why there is none. Raises UserError for one of a newer schema."""
        try:
            return self._reader.read(line, Place(self.path, offset, len(line)))
        except ValueError as error:
            return str(error)
        except UserError as error:
            raise UserError(f"{self.path}, line {self._log.line_number(offset)}: {error}") from None

    def _tell(self, damaged: list[tuple[int, str]]) -> None:
        new = [(offset, why) for offset, why in damaged if offset not in self._told]
        for offset, why in new[:NAMED]:
            self._say(f"{self.path}, line {self._log.line_number(offset)}: left out, for it is not a record: {why}")
        if len(new) > NAMED:
            self._say(f"{self.path}: {len(new) - NAMED} more lines are left out")
        self._told.update(offset for offset, _ in new)

    def _foreign(self, damaged: list[tuple[int, str]]) -> UserError:
        offset, why = damaged[0]
        return UserError(
            f"{self.path}, line {self._log.line_number(offset)}: not a record of this program (a JSON object with id, "
            f"config and status: {why}), and no other line is one; move the file away, or use another results folder"
        )

    def _judge(self) -> None:
        """Somebody else's file must stop us before a repair changes anything."""
        records, damaged = self._read(0, self._log.extent()[0])
        if damaged and not records:
            raise self._foreign(damaged)


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
