"""A list of runs is a search; what a search asks for is trained once, or told from the ledger."""

import pytest

from explorer.asking import questions
from explorer.asking.search import Listed, Stage
from explorer.config import make_config
from explorer.record import Failed
from explorer.running.engines.here import InProcess
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent
from tests.engine_suite import Notes, configs
from tests.search_suite import SearchSuite


class TestListed(SearchSuite):
    @pytest.fixture
    def make(self):
        return lambda: Listed(configs(3))

    def test_a_grid_has_every_point_at_seed_0_then_at_seed_1(self):
        sweep = questions.load("lr", "mlp", "digits")
        asked = Listed(questions.configs(sweep, 3)).ask()
        points = [point.config for point in sweep.points]
        assert [config.seed for config in asked] == [0] * len(points) + [1] * len(points) + [2] * len(points)
        assert [config.point for config in asked] == points * 3

    def test_a_run_listed_twice_is_asked_for_once(self):
        assert len(Listed([*configs(2), *configs(3)]).ask()) == 3


class Rounds:
    """A search that asks for one run at a time and writes down what it is told."""

    def __init__(self, runs):
        self.runs, self.told = list(runs), []

    def ask(self):
        return self.runs[len(self.told) : len(self.told) + 1]

    def tell(self, config, record):
        self.told.append((config, record))

    def upcoming(self):
        return self.runs[len(self.told) :]

    def stages(self):
        return [Stage("runs", len(self.told), len(self.runs))]


@pytest.fixture(scope="module")
def runner(digits) -> Runner:
    return Runner(digits)


def test_each_answer_is_kept_and_told_before_the_next_question(runner, tmp_path):
    store = Store(tmp_path)
    search, notes = Rounds(configs(3)), Notes()
    for done, record in enumerate(answer(search, InProcess(runner), Recorder(store, runner.data.digest), notes), 1):
        assert store.find(record.id) == record
        assert len(search.told) == done
    assert [config for config, _ in search.told] == configs(3)
    assert [run.config for event, run, _ in notes.heard if event == "finished"] == configs(3)


def test_what_is_recorded_is_told_and_not_trained_unless_forced(runner, tmp_path):
    recorder = Recorder(Store(tmp_path), runner.data.digest)
    assert len(list(answer(Listed(configs(2)), InProcess(runner), recorder, Silent()))) == 2
    search = Rounds(configs(3))
    assert [one.seed for one in answer(search, InProcess(runner), recorder, Silent())] == [2]
    assert [config.seed for config, _ in search.told] == [0, 1, 2]
    assert len(list(answer(Listed(configs(3)), InProcess(runner), recorder, Silent(), force=True))) == 3


def test_the_run_that_leads_leaves_its_predictions_behind(runner, tmp_path):
    from explorer.running import predictions

    poor, good = configs(1, lr=1e-6) + configs(1, lr=0.01)
    worse = make_config({**good.to_json(), "lr": 1e-5})
    recorder = Recorder(Store(tmp_path), runner.data.digest)
    list(answer(Listed([poor, good, worse]), InProcess(runner), recorder, Silent()))  # leads, leads, does not
    kept = {path.stem for path in (tmp_path / "predictions").glob("*.npz")}
    assert kept == {runner.id_of(poor), runner.id_of(good)}
    logits, labels, _ = predictions.reader([tmp_path])(good)
    assert (logits.argmax(1) == labels).mean() == pytest.approx(recorder.recorded(good).test_accuracy, rel=1e-5)
    predictions.clear(tmp_path, {runner.id_of(good)})
    assert [path.stem for path in (tmp_path / "predictions").iterdir()] == [runner.id_of(good)]


def test_a_failed_run_is_recorded_but_tried_again_by_the_same_question(digits, tmp_path):
    class Unlucky(Runner):
        def run(self, config, listen=None, bars=()):
            raise MemoryError("too much")

    recorder = Recorder(Store(tmp_path), digits.digest)
    (failed,) = answer(Listed(configs(1)), InProcess(Unlucky(digits)), recorder, Silent())
    assert (failed.status, failed.error) == ("failed", Failed("MemoryError: too much"))
    assert recorder.recorded(configs(1)[0]) is None
    (done,) = answer(Listed(configs(1)), InProcess(Runner(digits)), recorder, Silent())
    assert done.status == "ok"


def test_what_another_sweep_has_recorded_meanwhile_is_not_trained_again(runner, tmp_path):
    ours, theirs = (Recorder(Store(tmp_path), runner.data.digest) for _ in range(2))
    answers = answer(Listed(configs(3)), InProcess(runner), ours, Silent())
    assert next(answers).seed == 0
    assert len(list(answer(Listed(configs(2)), InProcess(runner), theirs, Silent()))) == 1
    assert [record.seed for record in answers] == [2]
    assert len(Store(tmp_path).records()) == 3
