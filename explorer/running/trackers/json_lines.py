"""One JSON object a line: every look as it is taken, every record as its run ends. For programs that watch."""

import json
from typing import TYPE_CHECKING, Any, TextIO

from explorer.running.trackers import TrackedRun

if TYPE_CHECKING:
    from explorer.training.trainer import Progress


class JsonLines:
    """Writes looks as ``{"run": id, "step": ..., "val_accuracy": ..., ...}`` and records as they are, with ``id``."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def started(self, run: TrackedRun) -> None:
        pass

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        if progress.look is not None:
            self.write({"run": run.id, **progress.look})

    def finished(self, run: TrackedRun, record: dict[str, Any]) -> None:
        self.write(record)

    def replay(self, record: dict[str, Any]) -> None:
        """What it would have written of a run recorded before, as far as the record has its looks."""
        for look in record["history"]:
            self.write({"run": record["id"], **look})
        self.write(record)

    def write(self, content: dict[str, Any]) -> None:
        self.stream.write(json.dumps(content) + "\n")
        self.stream.flush()
