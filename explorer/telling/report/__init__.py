"""REPORT.md, the pages behind it, CSVs and pictures, rebuilt from the ledger: the same bytes from the same records.

REPORT.md is the front page, for a reader with a minute. Behind it, in ``report/``, lie a page for each model and data
set with all its sweeps, and pages on the study's questions, on published figures and on the statistics.
"""

from collections.abc import Sequence
from pathlib import Path

from explorer.errors import UserError
from explorer.judging import study
from explorer.judging.runs import Runs
from explorer.judging.settled import SettledSweep
from explorer.judging.shifts import Moved
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import SweepResult
from explorer.telling import words
from explorer.telling.report import behind, front, group
from explorer.telling.report.shelf import Own, Predict, Shelf, files_of

__all__ = ["Predict", "files_of", "rebuild"]


def rebuild(
    runs: Runs,
    results: Path,
    media: Path,
    report: Path,
    predict: Predict | None = None,
    own: Sequence[SweepResult] = (),
    own_settled: Sequence[SettledSweep] = (),
    own_studies: Sequence[StudyResult] = (),
    own_moved: Sequence[Moved] = (),
) -> list[Path]:
    """Writes a CSV per sweep into ``results``, PNGs under ``media``, the pages behind the report and the report
    itself; returns the files, the report last.

    ``runs`` are those of the study in ``results``. ``predict`` gives a configuration's test predictions, for the
    confusion matrix. ``own`` are a person's own sweeps, judged by whoever has their records, ``own_settled`` those that
    were asked for with ``--settle``, ``own_studies`` their studies and searches, ``own_moved`` what was measured of
    their nets on images that move: they get a page of their own and change no figure of the study. UserError where
    files cannot be written or the list of sweeps cannot be read.
    """
    shelf = Shelf(
        study.read(runs, results),
        Own(own, own_settled, own_studies, own_moved),
        Path(results),
        Path(media),
        Path(report),
        predict,
    )
    shelf.missing += [words.unreadable(request) for request in shelf.study.unreadable]
    try:
        for dataset, model in shelf.study.pairs:
            group.write(shelf, dataset, model)
        behind.write(shelf)
        front.write(shelf)
    except OSError as error:
        raise UserError(
            f"{error.filename or report}: the report could not be written ({error.strerror or error})"
        ) from error
    return shelf.files
