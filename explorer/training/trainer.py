"""One run: the jitted step, the schedule, the looks along the way, the final figures.

A Trainer holds one *shape*: a net, an optimizer and a batch size, with its step captured once. Everything else a run
can vary (learning rate, decay, rates, magnitudes, seed, data) is written into device buffers that the captured step
reads, so the next run of the shape starts at once, with fresh weights.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from tinygrad import Tensor, TinyJit, dtypes
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from explorer.config import Config
from explorer.datasets.dataset import LOOK_IMAGES, Dataset
from explorer.datasets.scaling import inputs_of
from explorer.models.kernels import ops
from explorer.models.kernels.native import enabled
from explorer.models.kernels.replay import Replay
from explorer.models.layers import Dropout
from explorer.models.model import Images
from explorer.record import Bar, Cut, Diverged, Failed, Look
from explorer.rules import optimizers as rules
from explorer.rules.schedules import SCHEDULES, lr_at
from explorer.training import augment
from explorer.training.feeding import SCALARS, Feed, HostFed, Resident, StepInput, named
from explorer.training.looks import look_every
from explorer.training.memory import buffer, read, write
from explorer.training.optimizers import BoundOptimizer

LOG_STEPS = 256  # losses kept on the device before they are fetched
DIVERGED_LOSS = 1e6  # guessing costs ln(classes): Adam at a rate of 1e6 stays finite for ever, but is as lost as NaN
REFRESH_SECONDS = 0.1  # how often a listener hears of the loss between looks


@dataclass(frozen=True)
class Progress:
    """What a listener hears while a run goes on; ``val_accuracy`` is the last look's, None before the first."""

    step: int
    total_steps: int
    train_loss: float
    """Of the batches since the last look, as far as they are done; at a look that look's own, which is recorded."""
    val_accuracy: float | None
    steps_per_second: float
    look: Look | None = None
    """What was measured at this very step; None between looks."""


@dataclass
class Result:
    """What came of a run. Accuracies are fractions, None where there are none (no validation set, diverged)."""

    error: Diverged | Failed | Cut | None = None
    train_loss: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    best_val_accuracy: float | None = None
    best_step: int | None = None
    stopped_at: int | None = None  # the step at which early stopping ended it
    history: list[Look] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # every step's, in order; not recorded
    test_logits: np.ndarray | None = None  # (n, classes) float32, where it ended well; not recorded
    parameters: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    step_ms: float | None = None


class Trainer:
    """Trains any Config of one shape, one after the other, on tinygrad's default device."""

    def __init__(self, config: Config, of: Images, feed: type[HostFed] | type[Resident] | None = None):
        """``feed``: how steps get their batches; None: as suits the device."""
        self.shape = config.shape
        self.of = of
        self.augmentation = config.augmentation
        kind = feed or (HostFed if enabled() else Resident)
        self.feed: Feed = kind(of, config.batch_size, self.augmentation is not None, self._forward)
        self.scalars = named(self.feed.numbers)
        self.log = buffer((2, LOG_STEPS), dtypes.float32)

        self.layers = config.net.build(of)
        for layer in self.layers:
            if isinstance(layer, Dropout):
                layer.rate, layer.key = self.scalars["dropout"], self.feed.key
        self.reset(np.random.default_rng(0))  # gives every weight its memory, before the step is captured
        self.parameters = [tensor for tensor, _ in self._initial if tensor.is_param]
        self.running = [tensor for tensor, _ in self._initial if not tensor.is_param]
        self.optimizer = BoundOptimizer(
            config.optimizer, self.parameters, self.scalars, bool(config.nesterov), self.feed.numbers
        )
        # One TinyJit an instance: as a decorator of the method it would be one object for all trainers.
        self.step = Replay(TinyJit(self._step))

    def _step(self) -> None:
        images, labels, draws = self.feed.take()
        if draws is not None and self.augmentation:
            angle, scale, shift = (self.scalars[name] for name in ("angle", "scale", "shift"))
            images = augment.augment(images, draws, angle, scale, shift, *self.augmentation)
        logits = self._forward(images)
        loss, accuracy = loss_and_accuracy(logits, labels)
        loss.backward()
        # The loss stays on the device: fetching it each step would make the host wait for each step. It is contiguous
        # because each of the log's places would compute it again.
        here = Tensor.arange(LOG_STEPS) == self.scalars["position"]
        self.log.assign(here.where(Tensor.stack(loss, accuracy).reshape(2, 1).contiguous(), self.log))
        Tensor.realize(self.log, *self.running, *self.optimizer.step_tensors())

    def _forward(self, images: Tensor) -> Tensor:
        x = images.cast(dtypes.float32) * self.scalars["multiplier"] + self.scalars["offset"]
        return x.reshape(-1, 1, self.of.height, self.of.width).contiguous().sequential(self.layers)

    def begin(self, data: Dataset, random: np.random.Generator) -> None:
        """Make ready for a run on ``data``, with fresh weights."""
        if self.feed.begin(data):
            self.step = Replay(TinyJit(self._step))
        self.reset(random)
        self.optimizer.reset()

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

    @property
    def state(self) -> dict[str, Tensor]:
        """Every weight and running statistic by the name that tinygrad's nn.state gives it: the layer's place in the
        list, a dot, the attribute."""
        own = {id(tensor) for tensor, _ in self._initial}
        return {name: tensor for name, tensor in get_state_dict(self.layers).items() if id(tensor) in own}

    def recall(self, data: Dataset, state: Mapping[str, np.ndarray], multiplier: float, offset: float) -> None:
        """Make ready to measure on ``data`` what was trained before: its `state`, and the scaling of its inputs."""
        self.begin(data, np.random.default_rng(0))
        for name, tensor in self.state.items():
            write(tensor, state[name])
        scaling = {"multiplier": multiplier, "offset": offset}
        write(self.feed.numbers, np.array([scaling.get(name, 0.0) for name in SCALARS], np.float32))

    def logits(self, first: int, count: int) -> np.ndarray:
        """`Feed.logits` in evaluation mode, with the weights as they are."""
        with Context(TRAINING=0):
            return self.feed.logits(first, count)

    def run(
        self,
        config: Config,
        data: Dataset,
        listen: Callable[[Progress], None] = lambda progress: None,
        bars: Sequence[Bar] = (),
    ) -> Result:
        """Train from scratch as ``config`` says and measure. A run that misses one of ``bars`` (the earliest first) is
        cut there, and its result says so. KeyboardInterrupt passes through."""
        assert config.shape == self.shape, "this trainer was captured for another shape"
        run = Run(self, config, data, listen, bars)
        with Context(TRAINING=1):
            return run.train()


class Run:
    """One training from its first step to its figures: the state that a Trainer does not keep."""

    def __init__(
        self,
        trainer: Trainer,
        config: Config,
        data: Dataset,
        listen: Callable[[Progress], None],
        bars: Sequence[Bar] = (),
    ):
        started = time.perf_counter()
        self.bars = list(bars)  # those to come
        self.trainer, self.config, self.data, self.listen = trainer, config, data, listen
        self.training_images, validation = data.split(config.train_on)
        self.total_steps = config.total_steps(self.training_images)
        self.look_every = look_every(config, self.total_steps, validation)
        self.validation_labels = data.train_labels[self.training_images : self.training_images + validation]
        weights, order, draws, keys = (np.random.default_rng(s) for s in np.random.SeedSequence(config.seed).spawn(4))
        self.draws, self.keys = draws, keys
        self.batches = batches(self.training_images, config.batch_size, order)
        multiplier, offset = inputs_of(config.scaling, data)
        rate = config.get("dropout")
        self.fixed_numbers = {
            "dropout": rate if isinstance(rate, float) else 0.0,
            "multiplier": multiplier,
            "offset": offset,
            **{name: getattr(config, name) for name in ("angle", "scale", "shift")},
        }
        schedule = SCHEDULES[config.lr_schedule]
        settings = {name: getattr(config, name) for name in schedule.defaults}
        self.watcher = schedule.watcher(**settings) if schedule.watcher else None
        self.best_weights: list[np.ndarray] = []
        self.final_logits: np.ndarray | None = None  # of all validation images, from the last look on
        self.delivered: list[StepInput] = []  # the inputs of the steps from self.first_delivered on
        self.first_delivered = 0

        trainer.begin(data, weights)
        self.result = Result(parameters=sum(math.prod(tensor.shape) for tensor in trainer.parameters))
        self.accuracies: list[float] = []
        self.seconds = {"compile": time.perf_counter() - started, "train": 0.0, "eval": 0.0}
        self.spans: list[tuple[float, int]] = []  # (seconds, steps) of uninterrupted training, for the median
        self.fetched = 0  # steps whose losses are on the host
        self.losses_since_look = 0.0  # their sum
        self.looks_without_gain = 0

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
                if look and step < total and self.is_cut(step):
                    break
                if look and step < total and 0 < self.config.stop_patience <= self.looks_without_gain:
                    self.result.stopped_at = step
                    break
                span_start, span_step = time.perf_counter(), step
        self.finish()
        return self.result

    def take_step(self, step: int) -> None:
        """Take the step of that number; they count from 1."""
        if not self.delivered or step == self.first_delivered + len(self.delivered):
            last = min(step + self.trainer.feed.ahead - 1, self.total_steps)
            self.first_delivered = step
            self.delivered = [self.step_input(coming) for coming in range(step, last + 1)]
            self.trainer.feed.deliver(self.delivered)
        self.trainer.step()

    def step_input(self, step: int) -> StepInput:
        """What a step takes; to be asked for step by step, as each draws from the run's random streams."""
        config, batch = self.config, next(self.batches)
        key = self.keys.integers(0, 2**32, 1, np.uint32) if config.get("dropout") else None
        draws = None
        if config.augments:
            draws = self.draws.uniform(-1, 1, (config.batch_size, augment.DRAWS)).astype(np.float32)
        return StepInput(batch, self.numbers(step), key, draws)

    def numbers(self, step: int) -> np.ndarray:
        """A step's `SCALARS`, as far as is known now: a watcher may yet cut the learning rate of steps to come."""
        config = self.config
        lr = lr_at(config.lr_schedule, config.lr, step - 1, self.total_steps, config.warmup_steps)
        lr *= self.watcher.factor if self.watcher else 1.0
        values = rules.scalar_values(config.optimizer, step, lr, config.momentum or 0.0, config.weight_decay or 0.0) | {
            "position": (step - 1) % LOG_STEPS,
            **self.fixed_numbers,
        }
        return np.array([values[name] for name in SCALARS], np.float32)

    def deliver_again(self, done: int) -> None:
        """Tell the device of a learning rate that was cut after step ``done``, for the steps it has the inputs of."""
        coming = range(self.first_delivered, self.first_delivered + len(self.delivered))
        if done + 1 in coming:
            pairs = zip(coming, self.delivered, strict=True)
            self.delivered = [inputs._replace(numbers=self.numbers(step)) for step, inputs in pairs]
            self.trainer.feed.deliver(self.delivered)

    def fetch(self, step: int) -> None:
        """Bring the losses and accuracies of the steps since the last fetch to the host."""
        losses, accuracies = read(self.trainer.log)
        slots = [position % LOG_STEPS for position in range(self.fetched, step)]
        self.result.losses += losses[slots].tolist()
        self.losses_since_look += float(losses[slots].sum())
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
        if len(self.validation_labels):
            if step == self.total_steps:  # the final figures are of the same weights: measured once
                logits = self.final_logits = self.validate()
            else:
                logits = self.validate(LOOK_IMAGES)
            loss, accuracy = score(logits[:LOOK_IMAGES], self.validation_labels[:LOOK_IMAGES])
            if self.result.best_val_accuracy is None or accuracy > self.result.best_val_accuracy:
                self.result.best_val_accuracy, self.result.best_step = accuracy, step
                self.looks_without_gain = 0
            else:
                self.looks_without_gain += 1
            if self.watcher:
                verdict = self.watcher.observe(loss, step)
                if verdict == "improved":
                    self.best_weights = self.trainer.weights()
                elif verdict == "restore":
                    if self.best_weights:
                        self.trainer.set_weights(self.best_weights)
                        self.final_logits = None
                    self.deliver_again(step)
        trained = float(np.mean(self.result.losses[since:])), float(np.mean(self.accuracies[since:]))
        self.result.history.append(Look(step, *trained, finite_or_none(loss), accuracy))
        self.losses_since_look = 0.0
        self.seconds["eval"] += time.perf_counter() - started

    def is_cut(self, step: int) -> bool:
        """Whether the look at this step missed a bar that lies at it or before."""
        accuracy = self.result.history[-1].val_accuracy
        while self.bars and accuracy is not None and step >= self.bars[0].share * self.total_steps:
            bar = self.bars.pop(0)
            if accuracy < bar.accuracy:
                self.result.error = Cut(step, accuracy, bar.accuracy)
                return True
        return False

    def tell(self, step: int, look: bool) -> None:
        history, rate = self.result.history, self.seconds["train"]
        steps = sum(count for _, count in self.spans)
        since_look = step - (history[-1].step if history else 0)
        self.listen(
            Progress(
                step=step,
                total_steps=self.total_steps,
                train_loss=history[-1].train_loss if look else self.losses_since_look / since_look,
                val_accuracy=history[-1].val_accuracy if history else None,
                steps_per_second=steps / rate if rate else 0.0,
                look=history[-1] if look else None,
            )
        )

    def finish(self) -> None:
        """The figures that count: all validation images, and the test set, once."""
        started, result = time.perf_counter(), self.result
        if result.error is None:
            logits = self.trainer.logits(len(self.data.train_images), len(self.data.test_images))
            if np.isfinite(logits).all():
                result.train_loss = result.history[-1].train_loss
                if len(self.validation_labels):
                    found = self.validate() if self.final_logits is None else self.final_logits
                    loss, result.val_accuracy = score(found, self.validation_labels)
                    result.val_loss = finite_or_none(loss)
                result.test_logits = logits
                _, result.test_accuracy = score(logits, self.data.test_labels)
            else:  # the last step's loss was still that of the weights before it
                result.error = Diverged(self.fetched, of="outputs")
        self.seconds["eval"] += time.perf_counter() - started
        result.seconds = self.seconds
        if self.spans:
            result.step_ms = float(np.median([1000 * seconds / count for seconds, count in self.spans]))

    def validate(self, most: int | None = None) -> np.ndarray:
        """Logits (n, classes) of the net as it stands, for the first ``most`` validation images or for all."""
        return self.trainer.logits(self.training_images, len(self.validation_labels[:most]))


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


def finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
