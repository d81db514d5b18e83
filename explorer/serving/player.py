"""PLAY's runs: one at a time, in a worker process that stays warm, kept with a person's own results."""

import threading
from collections import deque
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from explorer import datasets
from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Record
from explorer.running.engines import WorkerSetup
from explorer.running.engines.local import LocalProcesses
from explorer.running.prepare import prepared
from explorer.running.recorder import Recorder
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent, TrackedRun
from explorer.serving.news import News
from explorer.telling.words import short_name

if TYPE_CHECKING:
    from explorer.training.trainer import Progress

REMEMBERED = 6
State = Literal["compiling", "training", "ok", "diverged", "failed", "cut", "stopped"]


class PlayRun(Struct, rename="camel"):
    """A run as PLAY shows it: losses and accuracies by step, and what came of it."""

    key: str
    name: str
    said: dict[str, str]
    """The knobs that were set, as an address has them."""
    total: int
    state: State = "compiling"
    why: str = ""
    id: str = ""
    step: int = 0
    rate: float = 0.0
    steps: list[int] = []
    losses: list[float] = []
    look_steps: list[int] = []
    accuracies: list[float] = []
    validation: float | None = None
    test: float | None = None


class Grown(Struct):
    """What a run that goes on has just told; ``accuracy`` where it looked."""

    key: str
    step: int
    loss: float
    rate: float
    accuracy: float | None


class _StoppedError(Exception):
    """Raised by the tracker: the engine ends its worker and passes it on."""


class Player:
    """Trains what it is given last, in a thread of its own that waits for an engine."""

    def __init__(self, results: Path | None, data_dir: Path | None, device: str | None, kernels: bool | None):
        self.results, self.data_dir, self.device, self.kernels = results, data_dir, device, kernels
        self.news = News()
        self.runs: deque[PlayRun] = deque(maxlen=REMEMBERED)
        self._wanted: tuple[Config, PlayRun] | None = None
        self._count = 0
        self._change = threading.Condition()
        self._stop = self._over = False
        self._thread: threading.Thread | None = None

    def told(self) -> dict[str, list[PlayRun]]:
        """All it remembers."""
        with self._change:
            return {"runs": list(self.runs)}

    def train(self, config: Config, said: dict[str, str]) -> PlayRun:
        """Train this next, in the place of what is trained now. Returns at once."""
        with self._change:
            self._count += 1
            run = PlayRun(str(self._count), f"{config.model.upper()} {short_name(config)}", said, config.steps or 0)
            self._wanted, self._stop = (config, run), True
            if self._thread is None:
                self._thread = threading.Thread(target=self._live, name="player", daemon=True)
                self._thread.start()
            self._change.notify()
        return run

    def stop(self) -> None:
        """Stop what is trained; it is not recorded."""
        with self._change:
            self._wanted, self._stop = None, True

    def close(self) -> None:
        """Stop, and end the worker."""
        with self._change:
            self._wanted, self._stop, self._over = None, True, True
            self._change.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _live(self) -> None:
        with ExitStack() as stack:
            try:
                stack.enter_context(prepared(self.device, self.kernels))
            except UserError as error:
                problem: UserError | None = error
            else:
                problem = None
            store = Store(self.results)
            engine: LocalProcesses | None = None
            while (wanted := self._next()) is not None:
                config, run = wanted
                try:
                    if problem is not None:
                        raise problem
                    if engine is None or engine.runner.data.name != config.dataset:
                        if engine is not None:
                            engine.close()
                        engine = stack.enter_context(closing(self._engine(config.dataset)))
                    self._train(engine, store, config, run)
                except UserError as error:
                    self._finish(run, "failed", str(error))
                except _StoppedError:
                    self._finish(run, "stopped")
                except Exception as error:  # whatever goes wrong is this run's matter
                    self._finish(run, "failed", f"{type(error).__name__}: {error}")

    def _engine(self, dataset: str) -> LocalProcesses:
        runner = Runner(datasets.load(dataset, self.data_dir))
        return LocalProcesses(runner, WorkerSetup(dataset, self.data_dir), jobs=1)

    def _next(self) -> tuple[Config, PlayRun] | None:
        with self._change:
            self._change.wait_for(lambda: self._wanted is not None or self._over)
            if self._over:
                return None
            assert self._wanted is not None
            wanted, self._wanted, self._stop = self._wanted, None, False
            self.runs.append(wanted[1])
            self.news.tell({"run": wanted[1]})
            return wanted

    def _train(self, engine: LocalProcesses, store: Store, config: Config, run: PlayRun) -> None:
        engine.runner.check([config])
        training, _ = engine.runner.data.split(config.train_on)
        run.total = config.total_steps(training)
        recorder = Recorder(store, engine.runner.data.digest, own_only=True)
        record = recorder.recorded(config)
        if record is None:
            recorder.prepare()
            for trained in engine.run([config], _Listener(self, run)):
                record = recorder.keep(trained)
        else:
            run.steps = run.look_steps = [look.step for look in record.history]
            run.losses = [look.train_loss for look in record.history]
            run.accuracies = [look.val_accuracy for look in record.history if look.val_accuracy is not None]
            run.step, run.why = run.total, "recorded before"
        assert record is not None
        self._conclude(run, record)

    def _conclude(self, run: PlayRun, record: Record) -> None:
        run.id, run.validation, run.test = record.id, record.val_accuracy, record.test_accuracy
        self._finish(run, record.status, str(record.error or run.why))

    def _finish(self, run: PlayRun, state: State, why: str = "") -> None:
        run.state, run.why = state, why
        self.news.tell({"run": run})

    def is_wanted(self) -> bool:
        """Whether the run that goes on is still what the person wants."""
        return not self._stop


class _Listener(Silent):
    """The tracker of PLAY's run."""

    def __init__(self, player: Player, run: PlayRun):
        self.player, self.run = player, run

    def started(self, run: TrackedRun) -> None:
        self._heed()

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        self._heed()
        mine = self.run
        if mine.state == "compiling":
            mine.state = "training"
            self.player.news.tell({"run": mine})
        mine.step, mine.rate = progress.step, progress.steps_per_second
        accuracy = progress.look.val_accuracy if progress.look else None
        mine.steps.append(progress.step)
        mine.losses.append(progress.train_loss)
        if accuracy is not None:
            mine.look_steps.append(progress.step)
            mine.accuracies.append(accuracy)
        self.player.news.tell({"grown": Grown(mine.key, progress.step, progress.train_loss, mine.rate, accuracy)})

    def finished(self, run: TrackedRun, record: Record) -> None:
        pass

    def _heed(self) -> None:
        if not self.player.is_wanted():
            raise _StoppedError
