"""A list of Configs -> records: skip what is recorded, train the rest, append each as it ends."""

import datetime
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from datasets.dataset import Dataset
from explorer.config import Config
from explorer.errors import UserError
from explorer.record import ConfigFields, DataUsed, Diverged, Ended, Environment, Failed, Look, Record, Seconds, run_id
from explorer.running import predictions
from explorer.running.ledger import Ledger
from explorer.training import device as environment

if TYPE_CHECKING:  # importing it for real imports tinygrad, which a recorded run does not need
    from explorer.training.trainer import Progress, Result, Trainer

HISTORY_POINTS = 25  # a record stays under 4 KB


class Runner:
    """Trains configs on one data set in this process. Runs of one shape share a Trainer, so only the first compiles."""

    def __init__(self, data: Dataset, ledger: Ledger):
        self.data, self.ledger = data, ledger
        self.trainer: Trainer | None = None

    def id_of(self, config: Config) -> str:
        return run_id(config.identity(), self.data.digest)

    def check(self, configs: Iterable[Config]) -> None:
        """Raises UserError for a config that cannot be run on this data set, before anything is computed."""
        for config in configs:
            training, _ = self.data.split(config.train_on)
            if config.batch_size > training:
                size = f"the {training} training images of {self.data.name}"
                raise UserError(f"batch_size {config.batch_size} is larger than {size}; it must be 1 to {training}")
            try:
                config.net.check(self.data.of)
            except ValueError as error:
                raise UserError(f"{config.model}: {error}") from None

    def recorded(self, config: Config) -> Record | None:
        """The record of this very run, if it has been run; a failed run does not count."""
        record = self.ledger.find(self.id_of(config))
        return record if record and record.status != "failed" else None

    def run(self, config: Config, listen: Callable[["Progress"], None] = lambda progress: None) -> Record:
        """Train, append the record to the ledger, return it."""
        from explorer.training.trainer import Trainer

        started = now()
        if self.trainer is None or self.trainer.shape != config.shape:
            self.trainer = None  # its memory goes before the next one's comes
            self.trainer = Trainer(config, self.data.of)
        result = self.trainer.run(config, self.data, listen)
        record = self.make_record(config, result, started)
        leads = self.leads(record)
        self.ledger.append(record)
        if leads and result.test_logits is not None:  # they are here now: to have them later is to train once more
            predictions.save(self.ledger.path.parent, record.id, result.test_logits)
        return record

    def leads(self, record: Record) -> bool:
        """Whether no recorded run of seed 0 of this model on this data set is better on validation."""
        best = record.val_accuracy
        if best is None or record.seed != 0:
            return False

        def rivals(other: Record) -> bool:
            return all(other.config[name] == record.config[name] for name in ("model", "dataset", "seed"))

        return all((o.val_accuracy or 0.0) <= best for o in self.ledger.records() if rivals(o))

    def record_failure(self, config: Config, reason: str) -> Record:
        """Append and return the record of a run that could not be brought to an end."""
        from explorer.training.trainer import Result

        record = self.make_record(config, Result(error=Failed(reason)), now())
        self.ledger.append(record)
        return record

    def make_record(self, config: Config, result: "Result", started: str) -> Record:
        training, validation = self.data.split(config.train_on)
        described = environment.describe()
        return Record(
            id=self.id_of(config),
            config=ConfigFields.of(config),
            train_loss=rounded(result.train_loss),
            val_loss=rounded(result.val_loss),
            val_accuracy=rounded(result.val_accuracy),
            test_accuracy=rounded(result.test_accuracy),
            best_val_accuracy=rounded(result.best_val_accuracy),
            best_step=result.best_step,
            history=tuple(
                Look(**{name: rounded(getattr(look, name)) for name in Look.__struct_fields__})
                for look in thinned(result.history, HISTORY_POINTS)
            ),
            parameters=result.parameters,
            steps=config.total_steps(training),
            seconds=Seconds(**{name: round(value, 3) for name, value in result.seconds.items()}),
            step_ms=rounded(result.step_ms),
            environment=Environment(**{**described, "kernels": int(described["kernels"])}),
            data=DataUsed(self.data.name, self.data.digest, training, validation, len(self.data.test_images)),
            started=started,
            error=_rounded_loss(result.error),
        )


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def rounded(value: Any) -> Any:
    """Floats to 6 significant digits: what float32 holds, and no more bytes than that."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _rounded_loss(error: Ended | None) -> Ended | None:
    return msgspec.structs.replace(error, loss=rounded(error.loss)) if isinstance(error, Diverged) else error


def thinned(history: list[Look], most: int) -> list[Look]:
    """At most ``most`` looks, evenly spread, the first and the last among them."""
    if len(history) <= most:
        return history
    return [history[round(index * (len(history) - 1) / (most - 1))] for index in range(most)]
