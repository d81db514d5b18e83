"""Records as data frames, for a person's own questions: one row a run, or one row a look."""

import math
import statistics
from collections.abc import Iterable, Sequence

import pandas as pd

from explorer.config import fields_for, unsaid
from explorer.judging.sweeps import SweepResult
from explorer.record import Look, Record
from explorer.seeds import is_fresh

MARKS = (90, 95, 97, 98, 99)  # per cent of validation accuracy: how many steps it takes to each
LAST_LOOKS = 5
BETWEEN = "; "  # sweeps and points, where a run belongs to several

Cell = str | int | float | bool | None


def runs_frame(records: Iterable[Record], sweeps: Iterable[SweepResult] = ()) -> pd.DataFrame:
    """One row a run, in the order of ``records``; accuracies are fractions, seconds seconds, losses nats.

    ``sweep`` and ``point`` name what it belongs to among ``sweeps``, ``dataset/model/sweep`` and labels; a run may
    answer several. Every field of a configuration that any run has is a column of its name, empty where it does not
    apply. ``train_accuracy`` is the last look's; ``gap`` is that less the validation accuracy, of all images;
    ``loss_gap`` is the validation loss less the training loss. ``fresh``
    runs have a seed that never chooses (explorer.seeds); they belong to no point.
    ``steps_to_95`` is the first look at 95 % or more of the validation slice, empty where there was none.
    """
    belongs: dict[str, tuple[list[str], list[str]]] = {}
    for sweep in sweeps:
        for outcome in sweep.distinct:
            for record in outcome.records.values():
                names, labels = belongs.setdefault(record.id, ([], []))
                names.append(f"{sweep.dataset}/{sweep.model}/{sweep.slug}")
                labels.append(outcome.label)
    kept = list(records)
    there = {name for record in {record.settings: record for record in kept}.values() for name in record.config}
    fields = [name for name in ("model", *fields_for(None)) if name in there]
    return pd.DataFrame([_row(record, fields, *belongs.get(record.id, ([], []))) for record in kept])


def _row(record: Record, fields: Sequence[str], sweeps: Sequence[str], labels: Sequence[str]) -> dict[str, Cell]:
    looks = list(record.history)
    last = looks[-1] if looks else None
    return {
        "id": record.id,
        "own": record.own,
        "sweep": BETWEEN.join(sweeps),
        "point": BETWEEN.join(labels),
        **{name: _cell(record.config.get(name, unsaid(name))) for name in fields},
        "fresh": is_fresh(record.seed),
        "status": record.status,
        "diverged_at": record.diverged_at,
        "train_loss": record.train_loss,
        "val_loss": record.val_loss,
        "loss_gap": _less(record.val_loss, record.train_loss),
        "train_accuracy": last.train_accuracy if last else None,
        "val_accuracy": record.val_accuracy,
        "gap": _less(last.train_accuracy if last else None, record.val_accuracy),
        "test_accuracy": record.test_accuracy,
        "best_val_accuracy": record.best_val_accuracy,
        "best_step": record.best_step,
        **{f"steps_to_{mark}": steps_to(looks, mark / 100) for mark in MARKS},
        "unsteadiness": unsteadiness(looks),
        "parameters": record.parameters,
        "compile_seconds": record.seconds.compile,
        "train_seconds": record.seconds.train,
        "eval_seconds": record.seconds.eval,
        "step_ms": record.step_ms,
        "device": record.environment.device,
        "kernels": record.environment.kernels,
        "cpu": record.environment.cpu,
        "tinygrad": record.environment.tinygrad,
        "data_digest": record.data.digest,
        "started": record.started,
    }


def _less(one: float | None, other: float | None) -> float | None:
    """The first less the second, where both are known."""
    return None if one is None or other is None else one - other


def _cell(value: object) -> Cell:
    """Lists as a flag takes them: ``512,512``."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    assert value is None or isinstance(value, (str, int, float))
    return value


def unsteadiness(looks: Sequence[Look]) -> float | None:
    """The standard deviation of the validation accuracy over the last `LAST_LOOKS` looks: how much the end of the run
    depends on the step at which it ended. None below three looks."""
    seen = [look.val_accuracy for look in looks if look.val_accuracy is not None][-LAST_LOOKS:]
    return statistics.stdev(seen) if len(seen) >= 3 else None


def means(records: Iterable[Record]) -> dict[str, float]:
    """Of a configuration's runs that ended well: mean losses, gaps, unsteadiness and steps to each of `MARKS`, nan
    where there is none; of steps to a mark also nan where some run never came there."""
    rows = [_row(record, (), (), ()) for record in records]
    names = ("train_loss", "val_loss", "loss_gap", "gap", "unsteadiness", *(f"steps_to_{mark}" for mark in MARKS))
    found = {}
    for name in names:
        values = [value for row in rows if isinstance(value := row[name], int | float)]
        whole = bool(values) and (len(values) == len(rows) or not name.startswith("steps_to"))
        found[name] = statistics.fmean(values) if whole else math.nan
    return found


def steps_to(looks: Sequence[Look], accuracy: float) -> int | None:
    """The steps done at the first look with this validation accuracy or more; None where there was none."""
    return next((look.step for look in looks if look.val_accuracy is not None and look.val_accuracy >= accuracy), None)


def runs_csv(records: Iterable[Record], sweeps: Iterable[SweepResult] = ()) -> str:
    """`runs_frame` as CSV: 6 significant digits, empty where there is no figure; the same bytes from the same runs."""
    frame = with_whole_numbers(runs_frame(records, sweeps))
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def with_whole_numbers(runs: pd.DataFrame) -> pd.DataFrame:
    """A `runs_frame` whose columns of whole numbers are such, also where there are gaps: pandas makes them floats."""
    whole = ("diverged_at", "best_step", *(f"steps_to_{mark}" for mark in MARKS))
    return runs.astype({name: "Int64" for name in runs.columns if name in whole or _is_whole(runs[name])})


def _is_whole(column: "pd.Series[float]") -> bool:
    """Whether a column with gaps holds whole numbers alone: pandas would write them as ``3.0``."""
    return column.dtype.kind == "f" and bool(column.isna().any()) and bool((column.dropna() % 1 == 0).all())


def looks_frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a look, its run's ``id`` before it."""
    names = Look.__struct_fields__
    rows = [(record.id, *(getattr(look, name) for name in names)) for record in records for look in record.history]
    return pd.DataFrame(rows, columns=["id", *names])
