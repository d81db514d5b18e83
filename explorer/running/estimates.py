"""How long a run should take, going by the recorded runs most like it."""

from collections.abc import Callable, Iterable, Sequence

from explorer.config import Config
from explorer.record import Record

ALIKE = ("batch_size", "units", "filters", "optimizer")  # what a step's time depends on most, the most telling first


def estimate(run: Config, records: Sequence[Record], training_images: int) -> float | None:
    """Seconds of training and looking, from the median step of the recorded runs most like it; None without any.

    ``records``: runs that ended well and were timed. ``training_images``: how many it trains on, for its epochs.
    """
    alike = [record for record in records if record.config.get("model") == run.model]
    wanted = run.to_json()
    for field in ALIKE:
        alike = [record for record in alike if record.config.get(field) == wanted.get(field)] or alike
    same_batch = [record for record in alike if record.config.get("batch_size") == run.batch_size]
    if not same_batch:
        return None
    step_ms = _median([record.step_ms or 0.0 for record in same_batch])
    looking = _median([record.seconds.eval for record in same_batch])
    return run.total_steps(training_images) * step_ms / 1000 + looking


class Estimator:
    """Estimates for many runs: those of one cost are looked up among the records once."""

    def __init__(self, records: Iterable[Record], training_images: Callable[[Config], int]):
        self.records: list[Record] = []
        self.training_images = training_images
        self.known: dict[object, float | None] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """A run more to go by: what nothing was known of before can be estimated now."""
        if record.status == "ok" and record.step_ms:
            self.records.append(record)
            self.known = {key: seconds for key, seconds in self.known.items() if seconds is not None}

    def __call__(self, run: Config) -> float | None:
        """Seconds, None where no run like it has been timed."""
        steps = run.total_steps(self.training_images(run))
        key = (run.model, run.dataset, run.train_on, steps, *(run.get(field) for field in ALIKE))
        if key not in self.known:
            self.known[key] = estimate(run, self.records, self.training_images(run))
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
