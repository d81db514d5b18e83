"""What a run is announced with and what is said of it when it has ended."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from explorer.cli.command import typed
from explorer.config import Config
from explorer.datasets.dataset import Dataset
from explorer.record import Environment, Record
from explorer.running import nets
from explorer.running.engines import EngineLostError
from explorer.running.store import Store
from explorer.running.trackers.terminal import outcome, percent

if TYPE_CHECKING:  # importing it for real imports tinygrad, which a recorded run does not need
    from explorer.training.facts import StepFacts


def header(config: Config, data: Dataset, environment: Environment) -> str:
    """Three lines: the model, the data, the machine."""
    net = config.net.headline(data.of)
    activation = config.get("activation")
    net += f", {activation}" if activation else ""
    length = f"{config.steps} steps" if config.steps else f"{config.epochs} epochs"
    training, validation = data.split(config.train_on)
    sizes = f"{training:,} train, {validation:,} validation, {len(data.test_images):,} test images"
    code = "own kernels" if environment.kernels else environment.renderer
    return "\n".join(
        (
            f"model    {config.model.upper()} {net}; "
            f"{config.optimizer}, lr {config.lr:g}, batch {config.batch_size}, {length}, seed {config.seed}",
            f"data     {data.name}: {sizes} ({data.source})",
            f"machine  {environment.device} ({code}), {environment.cpu}, "
            f"{environment.cores} cores, tinygrad {environment.tinygrad}",
        )
    )


def summary(record: Record, store: Store, step: "StepFacts | None" = None, published: bool = False) -> str:
    """The figures of a record, a line each, and where it and its net lie; ``step`` where it was trained just now,
    ``published`` where it is of the study that ships."""
    lines = []
    if record.status != "ok":
        lines.append(f"status      {record.status}: {record.error}")
    else:
        lines.append(f"test        {percent(record.test_accuracy or 0.0)}")
        if record.val_accuracy is not None:
            best = f"best look {percent(record.best_val_accuracy or 0.0)} at step {record.best_step}"
            lines.append(f"validation  {percent(record.val_accuracy)}  ({best})")
        if record.stopped_at is not None:
            looks = record.config["stop_patience"]
            told = f"{looks} look{'' if looks == 1 else 's'} in a row found no better validation accuracy"
            lines.append(f"stopped     early, at step {record.stopped_at} of {record.steps}: {told}")
    seconds = record.seconds
    pace = f", {record.step_ms:.3g} ms a step" if record.step_ms else ""
    lines.append(f"parameters  {record.parameters:,}")
    compiling, training, looking = (f"{part:.1f}" for part in (seconds.compile, seconds.train, seconds.eval))
    lines.append(f"seconds     compile {compiling}, train {training}, evaluation {looking}{pace}")
    if step is not None:
        lines.append(step_line(step, record))
    folder = store.published_folder if published else store.folder
    lines.append(f"record      {record.id} in {folder / store.path.name}")
    lines += [f"net         {path}" for path in nets.kept_of(store.folders, record.id)[:1]]
    return "\n".join(lines)


def step_line(facts: "StepFacts", record: Record) -> str:
    """What a training step was made of, for those who know tinygrad."""
    kernels = "step not captured" if facts.kernels is None else f"{facts.kernels} kernels a step"
    speed = f", {facts.operations / record.step_ms / 1e6:.0f} GFLOP/s" if record.step_ms else ""
    own = f"on (version {record.environment.kernels})" if record.environment.kernels else "off"
    return f"tinygrad    {kernels}{speed}, JIT={facts.jit}, BEAM={facts.beam}, own kernels {own}"


def brief(record: Record) -> str:
    """One line for scripts that read text."""
    config = record.config
    length = f"{config['steps']} steps" if config.get("steps") else f"{config['epochs']} epochs"
    net = f"{config['optimizer']} lr {config['lr']:g} batch {config['batch_size']} {length}"
    return f"{config['model']} {config['dataset']} {net} seed {config['seed']}  {outcome(record)}  {record.id}"


@contextmanager
def told_of_interruption(store: Store, what: str) -> Iterator[None]:
    """Turns Ctrl-C, and the loss of the machines that train, into one that says what was kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{what}; {_kept(store)}") from None
    except EngineLostError as error:
        command = typed(*sys.argv[1:])
        raise EngineLostError(f"{error}; {_kept(store)}; this goes on where it stopped: {command}") from None


def _kept(store: Store) -> str:
    kept = len(store.ledger.records())
    return f"{'1 record is' if kept == 1 else f'{kept} records are'} kept in {store.path}"
