"""PLAY's runs: one at a time, in a worker process that stays warm, recorded with a person's own results. Their nets
stay in memory, as long as the runs are shown, until a person asks to keep one."""

import threading
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from explorer import datasets
from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Record
from explorer.running import nets
from explorer.running.engines import WorkerSetup
from explorer.running.engines.local import LocalProcesses
from explorer.running.nets import Net
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
    kept: bool = False
    """Whether its net is kept beside its record."""


class Grown(Struct):
    """What a run that goes on has just told; ``accuracy`` where it looked."""

    key: str
    step: int
    loss: float
    rate: float
    accuracy: float | None


class _StoppedError(Exception):
    """Raised by the tracker: the engine ends its worker and passes it on."""


@dataclass(frozen=True)
class _Wanted:
    """A run to be trained, with ``keep`` even where it is recorded, for its net."""

    config: Config
    run: PlayRun
    keep: bool = False


class Player:
    """Trains what it is given last, in a thread of its own that waits for an engine."""

    def __init__(self, results: Path | None, data_dir: Path | None, device: str | None, kernels: bool | None):
        self.results, self.data_dir, self.device, self.kernels = results, data_dir, device, kernels
        self.news = News()
        self.runs: deque[PlayRun] = deque(maxlen=REMEMBERED)
        self._configs: dict[str, Config] = {}
        self._nets: dict[str, Net] = {}
        """Of the runs that are remembered, by key."""
        self._wanted: _Wanted | None = None
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
        return self._ask(config, said)

    def keep(self, key: str) -> None:
        """Keep the net of the run of this key, for good, as ``--keep`` does; where it is gone, it is trained again.

        Raises UserError where there is no such run, or it did not end well.
        """
        with self._change:
            run = next((one for one in self.runs if one.key == key), None)
            net = self._nets.get(key)
        if run is None or run.state != "ok":
            raise UserError("only a run that ended well, and is still shown, has a net to keep")
        folder = Store(self.results).folder
        if nets.ask_for(folder, run.id) or (net is not None and nets.save(folder, net) is not None):
            run.kept = True
            self.news.tell({"run": run})
        elif net is None:
            self._ask(self._configs[key], run.said, keep=True)
        else:
            raise UserError(f"the net could not be written to {folder}")

    def _ask(self, config: Config, said: dict[str, str], keep: bool = False) -> PlayRun:
        with self._change:
            self._count += 1
            run = PlayRun(str(self._count), f"{config.model.upper()} {short_name(config)}", said, config.steps or 0)
            self._wanted, self._stop = _Wanted(config, run, keep), True
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
                config, run = wanted.config, wanted.run
                try:
                    if problem is not None:
                        raise problem
                    if engine is None or engine.runner.data.name != config.dataset:
                        if engine is not None:
                            engine.close()
                        engine = stack.enter_context(closing(self._engine(config.dataset)))
                    self._train(engine, store, wanted)
                except UserError as error:
                    self._finish(run, "failed", str(error))
                except _StoppedError:
                    self._finish(run, "stopped")
                except Exception as error:  # whatever goes wrong is this run's matter
                    self._finish(run, "failed", f"{type(error).__name__}: {error}")

    def _engine(self, dataset: str) -> LocalProcesses:
        runner = Runner(datasets.load(dataset, self.data_dir))
        return LocalProcesses(runner, WorkerSetup(dataset, self.data_dir, keep=True), jobs=1)

    def _next(self) -> _Wanted | None:
        with self._change:
            self._change.wait_for(lambda: self._wanted is not None or self._over)
            if self._over:
                return None
            assert self._wanted is not None
            wanted, self._wanted, self._stop = self._wanted, None, False
            self.runs.append(wanted.run)
            self._configs[wanted.run.key] = wanted.config
            for known in (self._configs, self._nets):
                for key in set(known) - {run.key for run in self.runs}:
                    del known[key]
            self.news.tell({"run": wanted.run})
            return wanted

    def _train(self, engine: LocalProcesses, store: Store, wanted: _Wanted) -> None:
        config, run = wanted.config, wanted.run
        engine.runner.check([config])
        training, _ = engine.runner.data.split(config.train_on)
        run.total = config.total_steps(training)
        recorder = Recorder(store, engine.runner.data.digest, own_only=True)
        record = None if wanted.keep else recorder.recorded(config)
        if record is None:
            recorder.prepare()
            for trained in engine.run([config], _Listener(self, run)):
                if trained.net is not None:
                    self._nets[run.key] = trained.net
                record = recorder.keep(trained if wanted.keep else replace(trained, net=None))
        else:
            run.steps = run.look_steps = [look.step for look in record.history]
            run.losses = [look.train_loss for look in record.history]
            run.accuracies = [look.val_accuracy for look in record.history if look.val_accuracy is not None]
            run.step, run.why = run.total, "recorded before"
        assert record is not None
        self._conclude(run, record)

    def _conclude(self, run: PlayRun, record: Record) -> None:
        run.id, run.validation, run.test = record.id, record.val_accuracy, record.test_accuracy
        run.kept = bool(nets.kept_of([Store(self.results).folder], record.id))
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
