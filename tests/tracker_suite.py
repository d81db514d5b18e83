"""What every tracker must bear. A test module makes a subclass with a ``tracker`` fixture; pytest runs these there."""

import pytest

from explorer.record import Look
from explorer.running.trackers import TrackedRun, Tracker
from explorer.training.trainer import Progress
from tests.engine_suite import configs
from tests.records import record


def progress(step: int, total: int = 20, look: bool = False) -> Progress:
    seen = Look(step, train_loss=0.5, train_accuracy=0.8, val_loss=0.6, val_accuracy=0.75)
    return Progress(step, total, 0.5, 0.75 if look else None, 100.0, seen if look else None)


def runs(count: int) -> list[TrackedRun]:
    return [TrackedRun(record(config, None).id, config) for config in configs(count)]


class TrackerSuite:
    """Needs fixtures: ``tracker``, a Tracker of at least three runs; ``written``, which returns the text it wrote."""

    def test_runs_may_interleave_and_end_in_any_order(self, tracker: Tracker, written):
        first, second, third = runs(3)
        tracker.started(first)
        tracker.started(second)
        for step in (5, 10, 20):
            tracker.looked(first, progress(step))
            tracker.looked(second, progress(step, look=True))
        tracker.finished(second, record(second.config, 0.9))
        tracker.started(third)
        tracker.finished(third, record(third.config, 0.8))  # so short that it never looked
        tracker.finished(first, record(first.config, 0.7))
        written()

    @pytest.mark.parametrize("status", ["failed", "diverged"])
    def test_a_run_without_a_result_is_heard_of_like_any_other(self, tracker: Tracker, written, status):
        (run,) = runs(1)
        tracker.started(run)
        tracker.started(run)  # its worker died
        made = record(run.config, None, status=status)
        tracker.finished(run, made)
        written()

    def test_what_it_hears_is_not_changed(self, tracker: Tracker):
        (run,) = runs(1)
        made = record(run.config, 0.9)
        before = repr(made)
        tracker.started(run)
        tracker.looked(run, progress(20, look=True))
        tracker.finished(run, made)
        assert repr(made) == before
