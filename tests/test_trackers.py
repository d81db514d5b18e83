"""The trackers there are: nobody, lines of JSON, and what a person sees in a terminal or a pipe."""

import io
import json
import re

import pytest
from rich.console import Console
from rich.live import Live
from rich.progress import Progress as Bar
from rich.progress import TextColumn

from explorer.record import Cut
from explorer.running.trackers import Silent, TrackedRun
from explorer.running.trackers.json_lines import JsonLines
from explorer.running.trackers.live import BLOCKS, SweepTable, many_runs, sparkline
from explorer.running.trackers.terminal import RunBar, RunLines, SweepLines, one_run
from tests.engine_suite import configs
from tests.records import record
from tests.tracker_suite import TrackerSuite, progress, runs


def label(config):
    return "lr 0.001" if config == configs(1)[0].point else config.model


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


def told_of_a_study(tracker) -> None:
    """Four tries, two finalists, the winner's fresh seeds: the best try is not the best finalist, and the tries that
    are no finalists stay ahead of both."""
    seeds = {0.1: (0.99, 0.80, 0.80), 0.2: (0.97, 0.93, 0.94), 0.3: (0.96,), 0.4: (0.95,)}
    told = [(rate, seed, scores[seed]) for seed in range(3) for rate, scores in seeds.items() if seed < len(scores)]
    for rate, seed, score in (*told, *((0.2, 1000 + fresh, 0.5) for fresh in range(5))):
        config = configs(1)[0].model_copy(update={"lr": rate, "seed": seed})
        tracker.finished(TrackedRun(f"{rate} {seed}", config), record(config, score))


class TestSweepLines(TrackerSuite):
    @pytest.fixture
    def tracker(self):
        return SweepLines(4, label)

    @pytest.fixture
    def written(self, capsys):
        return lambda: capsys.readouterr().out

    def test_each_run_is_a_line_with_its_point_and_how_many_are_done(self, tracker, written):
        for run in runs(2):
            tracker.finished(run, record(run.config, 0.9))
        first, second = written().splitlines()
        assert first.startswith("[1/4] validation 90.00 %  lr 0.001, seed 0  test 89.00 %")
        assert second.startswith("[2/4] validation 90.00 %  lr 0.001, seed 1")

    def test_a_try_leads_with_its_one_seed_until_finalists_have_more_and_fresh_seeds_change_nothing(self, written):
        told_of_a_study(SweepLines(13, lambda config: f"lr {config.lr:g}"))
        leads = re.findall(r"leads: (lr \S+), (\S+) % on validation \(n=(\d)", written())
        assert leads[:4] == [("lr 0.1", "99.00", "1")] * 4
        assert leads[7:] == [("lr 0.2", "94.67", "3")] * 6

    def test_runs_that_are_done_already_lead_too(self, written):
        done = [record(config, 0.95) for config in configs(3)]
        tracker = SweepLines(1, lambda config: f"lr {config.lr:g}", done)
        other = configs(1)[0].model_copy(update={"lr": 0.5})
        tracker.finished(TrackedRun("other", other), record(other, 0.99))
        assert f"leads: lr {done[0].point.lr:g}, 95.00 % on validation (n=3)" in written()

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


class TestSweepTable(TrackerSuite):
    @pytest.fixture
    def screen(self):
        return Console(file=io.StringIO(), force_terminal=True, width=80, height=30)

    @pytest.fixture
    def tracker(self, screen):
        with Live(console=screen, auto_refresh=False) as live:
            yield SweepTable(configs(4), lambda config: "lr [bold]0.001[/] \x1b[31m", live, (), {}, jobs=2)

    @pytest.fixture
    def written(self, screen):
        return screen.file.getvalue

    def seen(self, tracker, width=80) -> str:
        plain = Console(file=io.StringIO(), width=width, height=30)
        plain.print(tracker.picture())
        assert all(len(line) <= width for line in plain.file.getvalue().splitlines())
        return plain.file.getvalue()

    def test_it_says_what_each_worker_does_down_to_measuring_test(self, tracker):
        first, second, third = runs(3)
        for run in (first, second, third):
            tracker.started(run)
        tracker.looked(first, progress(10, look=True))
        tracker.looked(second, progress(20, look=True))
        told = self.seen(tracker)
        assert "worker 1  step 10/20" in told
        assert "worker 2  measuring test" in told
        assert "worker 3  starting" in told
        tracker.finished(second, record(second.config, 0.9))
        assert "measuring test" not in self.seen(tracker)

    def test_it_counts_seeds_and_names_the_leader_with_how_many_there_are(self, tracker):
        first, second, third = runs(3)
        assert "leads" not in self.seen(tracker)
        tracker.finished(first, record(first.config, 0.9))
        told = self.seen(tracker, 200)
        assert "1/4" in told
        assert "90.00 % on validation (n=1, too few to tell)" in told
        tracker.finished(second, record(second.config, 0.8))
        tracker.finished(third, record(third.config, 0.7))
        told = self.seen(tracker, 200)
        assert "80.00 % on validation (n=3)" in told
        assert any(block in told for block in BLOCKS)

    def test_the_leader_of_a_study_is_the_best_finalist_whatever_single_tries_and_fresh_seeds_say(self, screen):
        with Live(console=screen, auto_refresh=False) as live:
            tracker = SweepTable([], lambda config: f"lr {config.lr:g}", live)
            told_of_a_study(tracker)
            told = self.seen(tracker, 200)
            assert "leads: lr 0.2, 94.67 % on validation (n=3)" in told
            assert re.search(r"lr 0\.2 .* 8/8 +94\.67 %", told)
            live.console.print(tracker.picture())
        assert re.search(r"\x1b\[1;32mlr 0\.2", screen.file.getvalue())  # the row that stands out

    def test_a_run_that_was_cut_has_no_figure_to_lead_by(self, tracker):
        (run,) = runs(1)
        tracker.finished(run, record(run.config, 0.9, error=Cut(3, 0.9, 0.95)))
        assert "leads" not in self.seen(tracker)

    def test_labels_are_text_whatever_they_hold(self, tracker):
        told = self.seen(tracker)
        assert "lr [bold]0.001[/] \\x1b[31m" in told
        assert "\x1b" not in told

    def test_runs_that_are_done_already_count(self, screen):
        done = [record(config, 0.9) for config in configs(2)]
        with Live(console=screen, auto_refresh=False) as live:
            tracker = SweepTable(configs(4)[2:], label, live, done)
            assert "2/4" in self.seen(tracker)
            assert "2/4" in self.seen(SweepTable(configs(4)[1:], label, live, done))  # one stands for one to come
            assert "(n=2, too few to tell)" in self.seen(tracker)

    def test_the_points_of_a_large_sweep_fit_the_screen_the_leader_among_them(self, screen):
        points = [configs(1)[0].model_copy(update={"lr": 0.001 * (1 + place)}) for place in range(100)]
        with Live(console=screen, auto_refresh=False) as live:
            tracker = SweepTable(points, lambda point: f"lr {point.lr:g}", live)
            leader = TrackedRun("leader", points[73])
            tracker.finished(leader, record(points[73], 0.99))
            told = self.seen(tracker)
        assert len(told.splitlines()) <= 30
        assert "lr 0.074" in told.split("leads")[0]


def test_a_sparkline_is_as_long_as_the_looks_until_it_is_full():
    assert sparkline([], 5) == ""
    assert sparkline([0.1, 0.9], 5) == BLOCKS[0] + BLOCKS[-1]
    assert sparkline([0.5, 0.5], 5) == BLOCKS[-1] * 2
    assert len(sparkline(range(100), 12)) == 12
    assert sparkline(range(100), 12)[-1] == BLOCKS[-1]


def test_time_left_is_known_from_the_first_second_and_learns_from_the_runs():
    short, long = (configs(1)[0].model_copy(update={"lr": lr}) for lr in (0.1, 0.2))
    tracker = SweepLines(2, label, (), {short: 10.0, long: 30.0}, jobs=1)
    assert tracker.seconds_left == pytest.approx(40, abs=1)
    tracker.began -= 20  # the short one took twice as long as thought
    tracker.finished(TrackedRun("short", short), record(short, 0.9))
    assert 30 < tracker.seconds_left < 60
    tracker.finished(TrackedRun("long", long), record(long, 0.9))
    assert tracker.seconds_left == 0


def test_what_is_no_terminal_gets_plain_lines(capsys):
    with one_run() as one, many_runs(configs(3), label) as many:
        assert type(one) is RunLines
        assert type(many) is SweepLines
