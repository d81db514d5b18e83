"""Config -> record, in this process. What becomes of the record is the caller's business."""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from explorer.config import Config
from explorer.datasets.dataset import Dataset
from explorer.datasets.scaling import inputs_of
from explorer.errors import UserError
from explorer.record import Bar, ConfigFields, Cut, DataUsed, Diverged, Ended, Failed, Look, Record, Seconds, run_id
from explorer.running.nets import About, Net
from explorer.training import device as environment

if TYPE_CHECKING:  # importing it for real imports tinygrad, which a recorded run does not need
    from explorer.training.trainer import Progress, Result, Trainer

HISTORY_POINTS = 25  # a record stays under 4 KB


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a run."""

    record: Record
    logits: NDArray[np.float32] | None = None
    """(n, classes) float32, what the net says of the test images; only of runs that `may_lead`."""
    net: Net | None = None
    """The trained net, of runs that `may_lead` (with a Runner that says ``keep`` of all), where it ended well."""


def may_lead(config: Config) -> bool:
    """Whether the run could be the best of its model and data set: one of seed 0 that is judged on validation."""
    return config.seed == 0 and config.train_on == "split"


class Runner:
    """Trains configs on one data set in this process. Runs of one shape share a Trainer, so only the first compiles.

    With ``keep`` every run's net is handed over as one that was asked for; else that of runs that `may_lead`.
    """

    def __init__(self, data: Dataset, keep: bool = False):
        self.data, self.keep = data, keep
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

    def run(
        self,
        config: Config,
        listen: Callable[["Progress"], None] = lambda progress: None,
        bars: Sequence[Bar] = (),
    ) -> Trained:
        """Train and measure, cut where one of ``bars`` is missed. Whatever goes wrong is raised, and the memory of this
        shape is given back."""
        from explorer.training.trainer import Trainer

        started = now()
        try:
            if self.trainer is None or self.trainer.shape != config.shape:
                self.forget()  # its memory goes before the next one's comes
                self.trainer = Trainer(config, self.data.of)
            result = self.trainer.run(config, self.data, listen, bars)
        except BaseException:
            self.forget()  # a trainer stopped in the middle of a step is not to be trusted
            raise
        record = self.make_record(config, result, started)
        logits = result.test_logits if may_lead(config) else None
        wanted = (self.keep or may_lead(config)) and not record.error
        return Trained(record, logits, self.net(config, record) if wanted else None)

    def net(self, config: Config, record: Record) -> Net:
        """The net as its run left it."""
        assert self.trainer is not None
        of = self.data.of
        multiplier, offset = inputs_of(config.scaling, self.data)
        about = About(of.height, of.width, list(self.data.classes), multiplier, offset, asked=self.keep)
        weights = {name: tensor.numpy().astype(np.float32) for name, tensor in self.trainer.state.items()}
        return Net(record, about, weights)

    def failed(self, config: Config, reason: str) -> Record:
        """The record of a run that could not be brought to an end."""
        from explorer.training.trainer import Result

        return self.make_record(config, Result(error=Failed(reason)), now())

    def forget(self) -> None:
        """Give the memory of the last shape back."""
        self.trainer = None

    def make_record(self, config: Config, result: "Result", started: str) -> Record:
        training, validation = self.data.split(config.train_on)
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
                Look(
                    look.step,
                    six_digits(look.train_loss),
                    six_digits(look.train_accuracy),
                    rounded(look.val_loss),
                    rounded(look.val_accuracy),
                )
                for look in thinned(result.history, HISTORY_POINTS)
            ),
            parameters=result.parameters,
            steps=config.total_steps(training),
            stopped_at=result.stopped_at,
            seconds=Seconds(**{name: round(value, 3) for name, value in result.seconds.items()}),
            step_ms=rounded(result.step_ms),
            environment=environment.describe(),
            data=DataUsed(self.data.name, self.data.digest, training, validation, len(self.data.test_images)),
            started=started,
            error=_rounded(result.error),
        )


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def six_digits(value: float) -> float:
    """6 significant digits: what float32 holds, and no more bytes than that."""
    return float(f"{value:.6g}")


def rounded(value: float | None) -> float | None:
    return None if value is None else six_digits(value)


def _rounded(error: Ended | None) -> Ended | None:
    if isinstance(error, Cut):
        return Cut(error.step, six_digits(error.accuracy), six_digits(error.bar))
    return msgspec.structs.replace(error, loss=rounded(error.loss)) if isinstance(error, Diverged) else error


def thinned(history: list[Look], most: int) -> list[Look]:
    """At most ``most`` looks, evenly spread, the first and the last among them."""
    if len(history) <= most:
        return history
    return [history[round(index * (len(history) - 1) / (most - 1))] for index in range(most)]
