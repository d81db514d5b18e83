"""Records as Parquet files, for data frames and data bases: a row a run, and a row a look."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from explorer.errors import UserError
from explorer.files import write_atomically
from explorer.judging.frame import looks_frame, runs_frame, with_whole_numbers
from explorer.judging.sweeps import SweepResult
from explorer.record import Record

RUNS, LOOKS = "runs.parquet", "looks.parquet"


def write(folder: Path, records: Sequence[Record], sweeps: Iterable[SweepResult]) -> list[Path]:
    """Write both files, with the columns of `runs_frame` and `looks_frame`; returns them. The same bytes from the same
    records. Raises UserError where they cannot be written."""
    frames = {RUNS: with_whole_numbers(runs_frame(records, sweeps)), LOOKS: looks_frame(records)}
    for name, frame in frames.items():
        try:
            write_atomically(folder / name, _bytes(frame))
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be written ({error.strerror or error})") from None
    return [folder / name for name in frames]


def _bytes(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.to_parquet(content, engine="pyarrow", index=False)
    return content.getvalue()
