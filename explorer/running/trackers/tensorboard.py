"""Runs as TensorBoard's event files: a folder a sweep, in it one a point, in it one a seed; scalars a look and at the
end, and the configuration for the HParams table, where the seeds of a point are one group.

A run is one file, named after its id: typed twice, nothing is there twice. The messages and their checksum are
tensorboardX's, which needs no TensorFlow. They are appended here: its own writer hands them to a thread that a full
disk ends, and whoever writes then waits for ever.
"""

import os
import re
import shlex
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.errors import UserError
from explorer.files import write_atomically
from explorer.record import Record
from explorer.running.trackers import TrackedRun
from explorer.running.trackers.elsewhere import beside
from explorer.running.trackers.facts import (
    Home,
    Seen,
    began,
    ended,
    figures,
    last_step,
    look_figures,
    looks_of,
    seeds_of,
    settings,
)

if TYPE_CHECKING:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
    from tensorboardX.proto.summary_pb2 import Summary

FOLDER = "tensorboard"
VERSION = "brain.Event:2"  # of the format: a file's first message
PLUGIN = "hparams"
START, END = "_hparams_/session_start_info", "_hparams_/session_end_info"
LONGEST_NAME = 80  # letters of a folder's name
_UNFIT = re.compile(r"[^\w.,=+() -]")


class TensorBoard:
    """A `Destination`: a folder of event files, made when there is something to write. Raises UserError where a file is
    in its place."""

    def __init__(self, folder: Path):
        import tensorboardX.record_writer  # noqa: F401  # where it is missing, that is told now

        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: is a file; the event files of TensorBoard need a folder")
        self.folder, self.where = folder, str(folder)
        self._open: dict[str, list[Path]] = {}

    def began(self, run: TrackedRun, homes: Sequence[Home]) -> None:
        self._open[run.id] = [self.path_of(home, run) for home in homes]
        for home, path in zip(homes, self._open[run.id], strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # whoever reads the old one must not see it begin anew
            _append(path, _opening(run, home, time.time()))

    def looked(self, id: str, seen: Sequence[Seen]) -> None:
        for path in self._open.get(id, ()):
            _append(path, _looks(seen))

    def forget(self, id: str) -> None:
        self._open.pop(id, None)

    def ended(self, run: TrackedRun, record: Record, homes: Sequence[Home]) -> bool:
        live, wrote = self._open.pop(run.id, []), False
        for home in homes:
            path = self.path_of(home, run)
            if path in live:
                _append(path, _ending(record, time.time()))
            elif not _is_whole(path):
                _write(path, _whole(run, record, home))
            else:
                continue
            wrote = True
        return wrote

    def flush(self) -> None:
        """Each append is on its way when it returns."""

    def close(self) -> None:
        """The file of a run that was interrupted says no end: it is replaced when the run begins again."""

    def path_of(self, home: Home, run: TrackedRun) -> Path:
        """The file of a run: ``mnist/mlp/lr/lr 0.001 9a8df6b1/seed 0/events.out.tfevents.9a8df6b1281cfc71``."""
        folders = [*home.experiment.split("/"), f"{_fit(home.label)} {home.point[:8]}", f"seed {run.config.seed}"]
        return self.folder.joinpath(*map(_fit, folders), f"events.out.tfevents.{run.id}")


def open_at(where: str | None, results: Path | None) -> TensorBoard:
    found = Path(os.path.expanduser(where)) if where else beside(results, FOLDER, "tensorboard:my/folder")
    return TensorBoard(found)


def watch_command(where: str) -> str:
    return shlex.join(["tensorboard", "--logdir", where])


def _fit(name: str) -> str:
    """The name as a folder's: no sign that leads elsewhere or that a file system does not take."""
    return _UNFIT.sub("_", name).strip(" .")[:LONGEST_NAME] or "_"


def _is_whole(path: Path) -> bool:
    return path.is_file() and END.encode() in path.read_bytes()


def _append(path: Path, content: bytes) -> None:
    with open(path, "ab") as file:
        file.write(content)


def _write(path: Path, content: bytes) -> None:
    """As a whole, by way of a name that TensorBoard does not read."""
    aside = path.with_name(f".{path.suffix[1:]}")
    write_atomically(aside, content)
    os.replace(aside, path)


def _whole(run: TrackedRun, record: Record, home: Home) -> bytes:
    return _opening(run, home, began(record)) + _looks(looks_of(record)) + _ending(record, ended(record))


def _opening(run: TrackedRun, home: Home, at: float) -> bytes:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionStartInfo

    seeds = seeds_of(run.config)
    session = SessionStartInfo(group_name=f"{home.experiment}/{home.label} {home.point[:8]}, {seeds} seeds")
    session.start_time_secs = at
    for name, value in {**settings(run.config), "sweep": home.experiment, "seeds": seeds}.items():
        match value:
            case bool():
                session.hparams[name].bool_value = value
            case str():
                session.hparams[name].string_value = value
            case _:
                session.hparams[name].number_value = value
    return _version(at) + _about(START, HParamsPluginData(session_start_info=session), at)


def _ending(record: Record, at: float) -> bytes:
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo

    status = Status.Value("STATUS_SUCCESS" if record.status == "ok" else "STATUS_FAILURE")
    session = SessionEndInfo(status=status, end_time_secs=at)
    about = _about(END, HParamsPluginData(session_end_info=session), at)
    return _scalars(figures(record), last_step(record), at) + about


def _version(at: float) -> bytes:
    from tensorboardX.proto.event_pb2 import Event

    return _framed(Event(wall_time=at, file_version=VERSION).SerializeToString())


def _about(tag: str, content: "HParamsPluginData", at: float) -> bytes:
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

    plugin = SummaryMetadata.PluginData(plugin_name=PLUGIN, content=content.SerializeToString())
    return _event(Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))]), 0, at)


def _looks(seen: Sequence[Seen]) -> bytes:
    return b"".join(_scalars(look_figures(look), look.step, at) for look, at in seen)


def _scalars(values: Mapping[str, float], step: int, at: float) -> bytes:
    from tensorboardX.proto.summary_pb2 import Summary

    named = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return _event(Summary(value=named), step, at) if named else b""


def _event(summary: "Summary", step: int, at: float) -> bytes:
    from tensorboardX.proto.event_pb2 import Event

    return _framed(Event(wall_time=at, step=step, summary=summary).SerializeToString())


def _framed(message: bytes) -> bytes:
    """A record of the TFRecord format: https://www.tensorflow.org/tutorials/load_data/tfrecord, its last section."""
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(message))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), message, struct.pack("<I", masked_crc32c(message)))
    )
