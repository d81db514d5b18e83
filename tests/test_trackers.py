"""The trackers there are: nobody, lines of JSON, and what a person sees in a terminal or a pipe."""

import io
import json

import pytest
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn

from explorer.running.trackers import Silent
from explorer.running.trackers.json_lines import JsonLines
from explorer.running.trackers.terminal import RunBar, RunLines, SweepBar, SweepLines, many_runs, one_run
from tests.engine_suite import configs
from tests.records import record
from tests.tracker_suite import TrackerSuite, progress, runs

LABELS = {configs(1)[0].point: "lr 0.001"}


class TestSilent(TrackerSuite):
    @pytest.fixture
    def tracker(self):
        return Silent()

    @pytest.fixture
    def written(self, capsys):
        return lambda: capsys.readouterr().out

    def test_it_says_nothing(self, tracker, written):
        (run,) = runs(1)
        tracker.finished(run, record(run.config, 0.9))
        assert written() == ""


class TestJsonLines(TrackerSuite):
    @pytest.fixture
    def stream(self):
        return io.StringIO()

    @pytest.fixture
    def tracker(self, stream):
        return JsonLines(stream)

    @pytest.fixture
    def written(self, stream):
        def lines() -> str:
            assert all(isinstance(json.loads(line), dict) for line in stream.getvalue().splitlines())
            return stream.getvalue()

        return lines

    def test_a_line_a_look_and_the_record_last(self, tracker, written):
        (run,) = runs(1)
        made = record(run.config, 0.9)
        for step in (5, 10, 15, 20):
            tracker.looked(run, progress(step, look=step % 10 == 0))
        tracker.finished(run, made)
        *looks, last = [json.loads(line) for line in written().splitlines()]
        assert [(look["run"], look["step"], look["val_accuracy"]) for look in looks] == [
            (run.id, 10, 0.75), (run.id, 20, 0.75),
        ]  # fmt: skip
        assert last == json.loads(json.dumps(made.to_json()))

    def test_a_recorded_run_is_written_as_if_it_were_trained_now(self, tracker, written):
        made = record(configs(1)[0], 0.9)
        tracker.replay(made)
        *looks, last = [json.loads(line) for line in written().splitlines()]
        assert [look["step"] for look in looks] == [look.step for look in made.history]
        assert last == json.loads(json.dumps(made.to_json()))


class TestRunLines(TrackerSuite):
    @pytest.fixture
    def tracker(self):
        return RunLines()

    @pytest.fixture
    def written(self, capsys):
        return lambda: capsys.readouterr().out

    def test_a_long_run_is_twenty_lines(self, tracker, written):
        (run,) = runs(1)
        for step in range(1, 1001):
            tracker.looked(run, progress(step, total=1000))
        assert len(written().splitlines()) == 20


class TestSweepLines(TrackerSuite):
    @pytest.fixture
    def tracker(self):
        return SweepLines(4, LABELS)

    @pytest.fixture
    def written(self, capsys):
        return lambda: capsys.readouterr().out

    def test_each_run_is_a_line_with_its_point_and_how_many_are_done(self, tracker, written):
        for run in runs(2):
            tracker.finished(run, record(run.config, 0.9))
        first, second = written().splitlines()
        assert first.startswith("[1/4] validation 90.00 %  lr 0.001, seed 0  test 89.00 %")
        assert second.startswith("[2/4] validation 90.00 %  lr 0.001, seed 1")

    def test_the_time_left_counts_what_is_done_of_runs_that_go_on(self, tracker):
        first, second, _ = runs(3)
        tracker.began -= 100
        tracker.finished(first, record(first.config, 0.9))
        assert tracker.left == "5 min"  # 100 s for one of four
        tracker.looked(second, progress(20))
        assert tracker.left == "2 min"  # 100 s for two of four


class Terminal:
    """A live bar on a made-up terminal."""

    def __init__(self):
        self.stream = io.StringIO()
        console = Console(file=self.stream, force_terminal=True, width=120)
        self.bar = Bar(TextColumn("{task.fields[figures]}"), console=console)
        self.task = self.bar.add_task("", total=4, figures="", done=0, left="?", leader="")


@pytest.fixture
def terminal():
    made = Terminal()
    with made.bar:
        yield made


class TestRunBar(TrackerSuite):
    @pytest.fixture
    def tracker(self, terminal):
        return RunBar(terminal.bar, terminal.task)

    @pytest.fixture
    def written(self, terminal):
        return terminal.stream.getvalue

    def test_it_shows_how_far_the_run_is(self, tracker, terminal):
        tracker.looked(runs(1)[0], progress(10))
        (task,) = terminal.bar.tasks
        assert (task.completed, task.total) == (10, 20)


class TestSweepBar(TrackerSuite):
    @pytest.fixture
    def tracker(self, terminal):
        return SweepBar(4, LABELS, terminal.bar, terminal.task)

    @pytest.fixture
    def written(self, terminal):
        return terminal.stream.getvalue

    def test_it_moves_with_every_look_of_every_worker(self, tracker, terminal):
        first, second, third = runs(3)
        tracker.finished(first, record(first.config, 0.9))
        tracker.looked(second, progress(10))
        tracker.looked(third, progress(5))
        (task,) = terminal.bar.tasks
        assert task.completed == pytest.approx(1.75)
        assert task.fields["done"] == 1
        assert "90.00 %" in task.fields["leader"]


def test_what_is_no_terminal_gets_plain_lines(capsys):
    with one_run() as one, many_runs(3, {}) as many:
        assert type(one) is RunLines
        assert type(many) is SweepLines
