"""One run: the jitted step, the schedule, the looks along the way, the final figures.

A Trainer holds one *shape*: a net, an optimizer and a batch size, with its step captured once. Everything else a run
can vary (learning rate, decay, rates, magnitudes, seed, data) is written into device buffers that the captured step
reads, so the next run of the shape starts at once, with fresh weights.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tinygrad import Tensor, TinyJit, dtypes
from tinygrad.device import Buffer
from tinygrad.helpers import Context

from explorer.config import Config
from explorer.datasets.dataset import LOOK_IMAGES, Dataset
from explorer.datasets.scaling import affine
from explorer.models.kernels import ops
from explorer.models.kernels.native import enabled
from explorer.models.kernels.replay import Replay
from explorer.models.layers import Dropout
from explorer.models.model import Images
from explorer.record import Diverged, Failed, Look
from explorer.rules import optimizers as rules
from explorer.rules.schedules import SCHEDULES, lr_at
from explorer.training import augment
from explorer.training.optimizers import BoundOptimizer

LOOKS = 20  # how often a run looks at the validation set unless told otherwise
EVALUATION_BATCH = 500
LOG_STEPS = 256  # losses kept on the device before they are fetched
DIVERGED_LOSS = 1e6  # guessing costs ln(classes): Adam at a rate of 1e6 stays finite for ever, but is as lost as NaN
REFRESH_SECONDS = 0.1  # how often a listener hears of the loss between looks

SCALARS = (*rules.SCALARS, "dropout", "angle", "scale", "shift", "multiplier", "offset", "position")


@dataclass(frozen=True)
class Progress:
    """What a listener hears while a run goes on; ``val_accuracy`` is the last look's, None before the first."""

    step: int
    total_steps: int
    train_loss: float
    val_accuracy: float | None
    steps_per_second: float
    look: Look | None = None
    """What was measured at this very step; None between looks."""


@dataclass
class Result:
    """What came of a run. Accuracies are fractions, None where there are none (no validation set, diverged)."""

    error: Diverged | Failed | None = None
    train_loss: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    best_val_accuracy: float | None = None
    best_step: int | None = None
    history: list[Look] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # every step's, in order; not recorded
    test_logits: np.ndarray | None = None  # (n, classes) float32, where it ended well; not recorded
    parameters: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    step_ms: float | None = None


class Trainer:
    """Trains any Config of one shape, one after the other, on tinygrad's default device."""

    def __init__(self, config: Config, of: Images):
        self.shape = config.shape
        self.of = of
        self.augmentation = config.augmentation
        batch = config.batch_size
        self.images = buffer((batch, of.height, of.width), dtypes.uint8)
        self.labels = buffer((batch,), dtypes.int32)
        self.draws = buffer((batch, augment.DRAWS), dtypes.float32)
        self.key = buffer((1,), dtypes.uint32)
        self.log = buffer((2, LOG_STEPS), dtypes.float32)
        self.numbers = buffer((len(SCALARS),), dtypes.float32)
        self.scalars = {name: self.numbers[slot : slot + 1] for slot, name in enumerate(SCALARS)}
        self.evaluation_images = buffer((EVALUATION_BATCH, of.height, of.width), dtypes.uint8)

        self.layers = config.net.build(of)
        for layer in self.layers:
            if isinstance(layer, Dropout):
                layer.rate, layer.key = self.scalars["dropout"], self.key
        self.reset(np.random.default_rng(0))  # gives every weight its memory, before the step is captured
        self.parameters = [tensor for tensor, _ in self._initial if tensor.is_param]
        self.running = [tensor for tensor, _ in self._initial if not tensor.is_param]
        self.optimizer = BoundOptimizer(
            config.optimizer, self.parameters, self.scalars, bool(config.nesterov), self.numbers
        )
        # One TinyJit an instance: as a decorator of the method it would be one object for all trainers.
        self.step, self.forward = Replay(TinyJit(self._step)), Replay(TinyJit(self._forward))

    def _step(self) -> None:
        images: Tensor = self.images
        if self.augmentation:
            angle, scale, shift = (self.scalars[name] for name in ("angle", "scale", "shift"))
            images = augment.augment(images, self.draws, angle, scale, shift, *self.augmentation)
        logits = self._inputs(images).sequential(self.layers)
        loss, accuracy = loss_and_accuracy(logits, self.labels)
        loss.backward()
        # The loss stays on the device: fetching it each step would make the host wait for each step. It is contiguous
        # because each of the log's places would compute it again.
        here = Tensor.arange(LOG_STEPS) == self.scalars["position"]
        self.log.assign(here.where(Tensor.stack(loss, accuracy).reshape(2, 1).contiguous(), self.log))
        Tensor.realize(self.log, *self.running, *self.optimizer.step_tensors())

    def _forward(self) -> Tensor:
        return self._inputs(self.evaluation_images).sequential(self.layers).realize()

    def _inputs(self, images: Tensor) -> Tensor:
        x = images.cast(dtypes.float32) * self.scalars["multiplier"] + self.scalars["offset"]
        return x.reshape(-1, 1, self.of.height, self.of.width).contiguous()

    def reset(self, random: np.random.Generator) -> None:
        """Fresh weights, in the same memory."""
        self._initial = [pair for layer in self.layers if hasattr(layer, "initial") for pair in layer.initial(random)]
        for tensor, values in self._initial:
            write(tensor, values)

    def weights(self) -> list[np.ndarray]:
        """A copy of every weight and running statistic."""
        return [read(tensor) for tensor in (*self.parameters, *self.running)]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        for tensor, values in zip((*self.parameters, *self.running), weights, strict=True):
            write(tensor, values)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """(N, height, width) uint8 -> (N, classes) float32, in evaluation mode with the weights as they are."""
        found = []
        with Context(TRAINING=0):
            for start in range(0, len(images), EVALUATION_BATCH):
                part = images[start : start + EVALUATION_BATCH]
                padding = ((0, EVALUATION_BATCH - len(part)), (0, 0), (0, 0))
                write(self.evaluation_images, np.pad(part, padding) if len(part) < EVALUATION_BATCH else part)
                found.append(read(self.forward())[: len(part)])
        return np.concatenate(found)

    def run(self, config: Config, data: Dataset, listen: Callable[[Progress], None] = lambda progress: None) -> Result:
        """Train from scratch as ``config`` says and measure. KeyboardInterrupt passes through."""
        assert config.shape == self.shape, "this trainer was captured for another shape"
        run = Run(self, config, data, listen)
        with Context(TRAINING=1):
            return run.train()


class Run:
    """One training from its first step to its figures: the state that a Trainer does not keep."""

    def __init__(self, trainer: Trainer, config: Config, data: Dataset, listen: Callable[[Progress], None]):
        started = time.perf_counter()
        self.trainer, self.config, self.data, self.listen = trainer, config, data, listen
        self.training_images, validation = data.split(config.train_on)
        self.total_steps = config.total_steps(self.training_images)
        self.look_every = config.eval_every or math.ceil(self.total_steps / LOOKS)
        kept = slice(self.training_images, self.training_images + validation)
        self.validation = data.train_images[kept], data.train_labels[kept]
        weights, order, draws, keys = (np.random.default_rng(s) for s in np.random.SeedSequence(config.seed).spawn(4))
        self.draws, self.keys = draws, keys
        self.batches = batches(self.training_images, config.batch_size, order)
        self.multiplier, self.offset = affine(
            config.scaling, data.train_images[: len(data.train_images) - data.validation_count]
        )
        schedule = SCHEDULES[config.lr_schedule]
        settings = {name: getattr(config, name) for name in schedule.defaults}
        self.watcher = schedule.watcher(**settings) if schedule.watcher else None
        self.best_weights: list[np.ndarray] = []

        trainer.reset(weights)
        trainer.optimizer.reset()
        self.result = Result(parameters=sum(math.prod(tensor.shape) for tensor in trainer.parameters))
        self.accuracies: list[float] = []
        self.seconds = {"compile": time.perf_counter() - started, "train": 0.0, "eval": 0.0}
        self.spans: list[tuple[float, int]] = []  # (seconds, steps) of uninterrupted training, for the median
        self.fetched = 0

    def train(self) -> Result:
        total = self.total_steps
        span_start, span_step = time.perf_counter(), 0
        looked = 0
        for step in range(1, total + 1):
            capturing = self.trainer.step.calls < 2
            self.take_step(step)
            look = step % self.look_every == 0 or step == total
            now = time.perf_counter()
            # fetching waits for the device, so a span's clock reads the work done, not the work queued
            if look or capturing or step - self.fetched == LOG_STEPS or now - span_start > REFRESH_SECONDS:
                checked = self.fetched
                self.fetch(step)
                now = time.perf_counter()
                self.seconds["compile" if capturing else "train"] += now - span_start
                if not capturing:
                    self.spans.append((now - span_start, step - span_step))
                if self.diverged(since=checked):
                    break
                if look:
                    self.look(step, looked)
                    looked = step
                self.tell(step, look)
                span_start, span_step = time.perf_counter(), step
        self.finish()
        return self.result

    def take_step(self, step: int) -> None:
        trainer, config = self.trainer, self.config
        chosen = next(self.batches)
        write(trainer.images, self.data.train_images[chosen])
        write(trainer.labels, self.data.train_labels[chosen].astype(np.int32))
        if config.augments:
            draws = self.draws.uniform(-1, 1, (config.batch_size, augment.DRAWS))
            write(trainer.draws, draws.astype(np.float32))
        if config.get("dropout"):
            write(trainer.key, self.keys.integers(0, 2**32, 1, np.uint32))
        lr = lr_at(config.lr_schedule, config.lr, step - 1, self.total_steps, config.warmup_steps)
        lr *= self.watcher.factor if self.watcher else 1.0
        self.write_scalars(
            position=(step - 1) % LOG_STEPS,
            **rules.scalar_values(config.optimizer, step, lr, config.momentum or 0.0, config.weight_decay or 0.0),
        )
        trainer.step()

    def write_scalars(self, **values: float) -> None:
        config = self.config
        values |= {name: getattr(config, name) for name in ("angle", "scale", "shift")}
        rate = config.get("dropout")
        values["dropout"] = rate if isinstance(rate, float) else 0.0
        values |= {"multiplier": self.multiplier, "offset": self.offset}
        write(self.trainer.numbers, np.array([values.get(name, 0.0) for name in SCALARS], np.float32))

    def fetch(self, step: int) -> None:
        """Bring the losses and accuracies of the steps since the last fetch to the host."""
        losses, accuracies = read(self.trainer.log)
        slots = [position % LOG_STEPS for position in range(self.fetched, step)]
        self.result.losses += losses[slots].tolist()
        self.accuracies += accuracies[slots].tolist()
        self.fetched = step

    def diverged(self, since: int) -> bool:
        """Whether a loss after step ``since`` was lost; the losses then end with the first such one."""
        sound = np.asarray(self.result.losses[since:]) < DIVERGED_LOSS  # false for what is not a number, too
        if sound.all():
            return False
        step = since + int(np.argmin(sound)) + 1
        self.result.losses = self.result.losses[:step]
        self.result.error = Diverged(step, finite_or_none(self.result.losses[-1]))
        return True

    def look(self, step: int, since: int) -> None:
        """Measure on the fixed slice of the validation set; a schedule's watcher acts on what it sees."""
        started = time.perf_counter()
        loss: float = math.nan
        accuracy: float | None = None
        if len(self.validation[0]):
            loss, accuracy = self.measure(*(part[:LOOK_IMAGES] for part in self.validation))
            if self.result.best_val_accuracy is None or accuracy > self.result.best_val_accuracy:
                self.result.best_val_accuracy, self.result.best_step = accuracy, step
            if self.watcher:
                verdict = self.watcher.observe(loss, step)
                if verdict == "improved":
                    self.best_weights = self.trainer.weights()
                elif verdict == "restore" and self.best_weights:
                    self.trainer.set_weights(self.best_weights)
        trained = float(np.mean(self.result.losses[since:])), float(np.mean(self.accuracies[since:]))
        self.result.history.append(Look(step, *trained, finite_or_none(loss), accuracy))
        self.seconds["eval"] += time.perf_counter() - started

    def tell(self, step: int, look: bool) -> None:
        history, rate = self.result.history, self.seconds["train"]
        steps = sum(count for _, count in self.spans)
        self.listen(
            Progress(
                step=step,
                total_steps=self.total_steps,
                train_loss=float(np.mean(self.result.losses[-20:])),
                val_accuracy=history[-1].val_accuracy if history else None,
                steps_per_second=steps / rate if rate else 0.0,
                look=history[-1] if look else None,
            )
        )

    def finish(self) -> None:
        """The figures that count: all validation images, and the test set, once."""
        started, result = time.perf_counter(), self.result
        if result.error is None:
            logits = self.logits(self.data.test_images)
            if np.isfinite(logits).all():
                result.train_loss = result.history[-1].train_loss
                if len(self.validation[0]):
                    loss, result.val_accuracy = self.measure(*self.validation)
                    result.val_loss = finite_or_none(loss)
                result.test_logits = logits
                _, result.test_accuracy = score(logits, self.data.test_labels)
            else:  # the last step's loss was still that of the weights before it
                result.error = Diverged(self.total_steps, of="outputs")
        self.seconds["eval"] += time.perf_counter() - started
        result.seconds = self.seconds
        if self.spans:
            result.step_ms = float(np.median([1000 * seconds / count for seconds, count in self.spans]))

    def measure(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """(mean cross-entropy, accuracy) of the net as it stands."""
        return score(self.logits(images), labels)

    def logits(self, images: np.ndarray) -> np.ndarray:
        self.write_scalars()
        return self.trainer.logits(images)


def loss_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(mean cross-entropy, share of rows whose largest logit is at the label) of logits (B, classes), labels (B,)."""
    if enabled():
        loss, correct = ops.cross_entropy(logits, labels)
        return loss, correct / int(logits.shape[0])
    return logits.sparse_categorical_crossentropy(labels), (logits.argmax(1) == labels).mean()


def score(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(mean cross-entropy in nats, accuracy as a fraction) of logits (N, classes) against labels (N,)."""
    wide = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite logits of a lost net: their loss is nan, which says it all
        wide -= wide.max(axis=1, keepdims=True)
    log_likelihood = wide[np.arange(len(labels)), labels] - np.log(np.exp(wide).sum(axis=1))
    return float(-log_likelihood.mean()), float((logits.argmax(axis=1) == labels).mean())


def batches(count: int, batch_size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Index arrays (batch_size,) for ever: every image once, in a fresh order, before any image comes again.

    A batch may straddle two passes, so no image is left out where batch_size does not divide count.
    """
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, random.permutation(count)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def buffer(shape: tuple[int, ...], dtype: Any) -> Tensor:
    """A tensor with memory of its own, zeroed, that `write` can fill and a captured step can read."""
    tensor = Tensor.empty(*shape, dtype=dtype).is_param_(False)
    write(tensor, np.zeros(shape, np.dtype(dtype.fmt)))
    return tensor


def write(tensor: Tensor, values: np.ndarray) -> None:
    """Overwrite a tensor's memory in place: what a captured step reads is what was last written."""
    memory = tensor.uop.buffer
    assert isinstance(memory, Buffer)  # not one spread over several devices
    memory.ensure_allocated()
    content = np.ascontiguousarray(values).data.cast("B")
    if hasattr(memory.allocator, "_as_buffer"):  # host memory: written directly once the device is idle
        memory.as_memoryview(force_zero_copy=True)[:] = content
    else:
        memory.copy_from(Buffer("PYTHON", memory.size, memory.dtype, opaque=content))


def read(tensor: Tensor) -> np.ndarray:
    return tensor.numpy()


def finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
