"""Hand-made records: figures whose means, differences and verdicts a reader can work out on paper."""

from pathlib import Path

from explorer.config import Config, make_config
from explorer.record import (
    ConfigFields,
    DataUsed,
    Diverged,
    Environment,
    Failed,
    Look,
    Record,
    Seconds,
    run_id,
    stored,
)
from explorer.running import requests
from explorer.running.ledger import Ledger
from explorer.running.requests import Request

LOOKS = (10, 20, 30)


def record(config: Config, validation: float | None, **changes) -> Record:
    """A finished run with this validation accuracy; the test accuracy is 0.01 below it unless said.

    ``status`` makes it one that diverged at step 7, or failed.
    """
    status = changes.pop("status", "ok")
    error = {"ok": None, "diverged": Diverged(7), "failed": Failed("it was killed")}[status]
    test = 0.9 if validation is None else round(validation - 0.01, 6)
    history = tuple(
        Look(
            step=step,
            train_loss=0.1,
            train_accuracy=(validation or 0.9) + 0.005,
            val_loss=0.2,
            val_accuracy=None if validation is None else round(validation - 0.3 + step / 100, 6),
        )
        for step in LOOKS
    )
    data = changes.get("data", {"digest": "d"})
    made = {
        "id": run_id(config.identity(), data["digest"] if isinstance(data, dict) else data.digest),
        "config": ConfigFields.of(config),
        "train_loss": 0.1,
        "val_loss": 0.2,
        "val_accuracy": None if error else validation,
        "test_accuracy": None if error else test,
        "best_val_accuracy": validation,
        "best_step": 30,
        "history": () if error else history,
        "parameters": 1000,
        "seconds": Seconds(compile=1.0, train=2.0, eval=0.5),
        "step_ms": 1.0,
        "environment": Environment(
            device="CPU",
            renderer="ClangRenderer",
            tinygrad="0.14.0",
            python="3.11.7",
            cpu="a processor",
            cores=2,
            commit="abc",
            dirty=False,
        ),
        "data": DataUsed(config.dataset, "d"),
        "started": "2026-01-01T00:00:00+00:00",
        "error": error,
    }
    return Record(**{**made, **changes})


def runs(values: dict, accuracies: list[float | None], **changes) -> list[Record]:
    """One record a seed, seeds from 0; None is a run that diverged at step 7."""
    made = []
    for seed, accuracy in enumerate(accuracies):
        config = make_config({"model": "mlp", "dataset": "digits", "steps": 30, **values, "seed": seed})
        lost = {"status": "diverged"} if accuracy is None else {}
        made.append(record(config, accuracy, **{**lost, **changes}))
    return made


LR = """
title = "Learning rate"
question = "Which learning rate is best?"
hypothesis = "0.001 is best."
expect_best.lr = [0.001]
base.steps = 30
grid.lr = [0.0003, 0.001, 0.003, 0.01]
"""
PAIR = """
title = "Learning rate x batch size"
base.steps = 30
baseline = { lr = 0.001, batch_size = 32 }
grid.lr = [0.001, 0.003]
grid.batch_size = [16, 32]
"""
POINTS = """
title = "Published table"
repeats = true
base.steps = 30
points = [
  { label = "first", reference = 0.93, lr = 0.001 },
  { label = "again", reference = 0.80, lr = 0.001 },
  { label = "other", lr = 0.003 },
]
"""


def notebook(folder: Path, text: str, records: list[Record], seeds: int = 3, name: str = "mine", **request) -> Ledger:
    """A results folder with a sweep of this text noted down and these records appended."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text)
    requests.append(
        results,
        Request(**{"name": name, "model": "mlp", "dataset": "digits", "seeds": seeds, "path": str(path), **request}),
    )
    with open(results / "runs.jsonl", "ab") as file:
        file.writelines(stored(item) + b"\n" for item in records)
    return Ledger(results)
