"""How long runs should take, going by the recorded runs most like them: from their start to their record."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from explorer import machine
from explorer.config import AUGMENTATIONS, Config
from explorer.record import Record


def _has(field: str) -> Callable[[Mapping[str, object]], object]:
    return lambda fields: fields.get(field)


def _augments(fields: Mapping[str, object]) -> bool:
    """As `Config.augments`, of a record's fields."""
    return any(fields.get(field) for field in AUGMENTATIONS)


# What a run's time depends on beside its model and batch size, the most telling first. Muon's steps take up to twenty
# times as long as Adam's, augmented ones several times as long as plain ones; most data sets take the same.
ALIKE = (
    _has("units"), _has("filters"), _has("kernel_size"), _has("optimizer"), _augments, _has("dataset"),
    _has("batchnorm"), _has("train_on"),
)  # fmt: skip
NEAREST = 15  # records to go by: of those alike, the ones of the nearest length
START_SECONDS = 3.0  # until workers train: Python, tinygrad, the data set


@dataclass(frozen=True)
class Site:
    """Where runs are to run, as records name it: the device, whether with our own kernels, the processor, and the
    threads that each run has of it."""

    device: str
    kernels: bool
    cpu: str
    threads: int

    @classmethod
    def here(cls, device: str, kernels: bool, jobs: int) -> "Site":
        """This machine, whose cores so many runs at once share."""
        return cls(device, kernels, machine.cpu_model(), max(1, machine.cores() // jobs))


def estimate(run: Config, records: Sequence[Record], training_images: int, where: Site | None = None) -> float | None:
    """Seconds of compiling, training and looking, by the recorded runs most like it; None without any of its model and
    batch size.

    ``records``: runs that ended well and were timed. ``training_images``: how many it trains on, for its epochs.
    ``where``: runs of there are preferred to others of the same net.
    """
    kind = run.model, run.batch_size
    alike = [one for one in records if (one.config.get("model"), one.config.get("batch_size")) == kind]
    if not alike:
        return None
    for wanted in _wanted(run, where):
        alike = [record for record in alike if wanted(record)] or alike
    newest = max(record.environment.kernels for record in alike)
    alike = [record for record in alike if record.environment.kernels == newest]
    if where is not None:
        alike = [record for record in alike if record.environment.threads == where.threads] or alike
    steps = run.total_steps(training_images)
    alike = sorted(alike, key=lambda record: abs(math.log(_steps(record) / steps)))[:NEAREST]
    compiling = sum(record.seconds.compile for record in alike) / len(alike)  # the first of a shape alone does: a mean
    looking = _median([record.seconds.eval for record in alike])
    return compiling + steps * _median([_step_seconds(record) for record in alike]) + looking


def _wanted(run: Config, where: Site | None) -> Iterator[Callable[[Record], bool]]:
    """What a record should have, the most telling first."""
    fields = run.to_json()
    for of in ALIKE:
        yield lambda record, of=of: of(record.config) == of(fields)  # type: ignore[misc]
    if where is not None:
        yield lambda record: record.environment.device == where.device
        yield lambda record: (record.environment.kernels > 0) == where.kernels
        yield lambda record: record.environment.cpu == where.cpu


def _steps(record: Record) -> float:
    """How many steps it took."""
    if steps := record.stopped_at or record.steps:
        return steps
    return max(1.0, 1000 * record.seconds.train / (record.step_ms or 1.0))


def _step_seconds(record: Record) -> float:
    """What a step took on the whole, pauses included: more than the median step."""
    return max(record.seconds.train / _steps(record), (record.step_ms or 0.0) / 1000)


def together(seconds: Sequence[float], jobs: int) -> float:
    """Seconds until the last of runs that take so long ends, where ``jobs`` go at once: their starting included."""
    if not seconds:
        return 0.0
    return START_SECONDS + max(max(seconds), sum(seconds) / jobs)


class Estimator:
    """Estimates for many runs: those of one cost are looked up among the records once."""

    def __init__(self, records: Iterable[Record], training_images: Callable[[Config], int], where: Site | None = None):
        self.records: list[Record] = []
        self.training_images, self.where = training_images, where
        self.known: dict[object, float | None] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """A run more to go by."""
        if record.status == "ok" and record.step_ms:
            self.records.append(record)
            self.known.clear()

    def __call__(self, run: Config) -> float | None:
        """Seconds, None where no run like it has been timed."""
        images = self.training_images(run)
        fields = run.to_json()
        key = (run.model, run.batch_size, run.total_steps(images), *(repr(of(fields)) for of in ALIKE))
        if key not in self.known:
            self.known[key] = estimate(run, self.records, images, self.where)
        return self.known[key]


SHORTEST_PATIENCE_SECONDS = 300.0
PATIENCE_FACTOR = 10.0


def patience(records: Sequence[Record]) -> Callable[[Config], float]:
    """Config -> seconds after which a run without a sign of life is taken for stuck: ten times the longest recorded
    run of its model and data set, at least five minutes."""
    longest: dict[tuple[object, object], float] = {}
    for record in records:
        kind = record.config.get("model"), record.config.get("dataset")
        seconds = record.seconds
        longest[kind] = max(longest.get(kind, 0.0), seconds.compile + seconds.train + seconds.eval)

    def of(config: Config) -> float:
        return max(SHORTEST_PATIENCE_SECONDS, PATIENCE_FACTOR * longest.get((config.model, config.dataset), 0.0))

    return of


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
