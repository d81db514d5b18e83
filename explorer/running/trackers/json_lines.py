"""One JSON object a line: every look as it is taken, every record as its run ends. For programs that watch."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

import msgspec

from explorer.record import Look, Record
from explorer.running.trackers import Silent, TrackedRun

if TYPE_CHECKING:
    from explorer.training.trainer import Progress


class JsonLines(Silent):
    """Writes looks as ``{"run": id, "step": ..., "val_accuracy": ..., ...}`` and records as they are, with ``id``."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        if progress.look is not None:
            self.look(run.id, progress.look)

    def finished(self, run: TrackedRun, record: Record) -> None:
        self.write(record.to_json())

    def replay(self, record: Record) -> None:
        """What it would have written of a run recorded before, as far as the record has its looks."""
        for look in record.history:
            self.look(record.id, look)
        self.write(record.to_json())

    def look(self, id: str, look: Look) -> None:
        self.write({"run": id, **msgspec.structs.asdict(look)})

    def write(self, content: Mapping[str, object]) -> None:
        self.stream.write(json.dumps(content) + "\n")
        self.stream.flush()
