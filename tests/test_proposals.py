"""Where a search's settings come from: each proposal depends on the seed, its number and what was told, and no more."""

import itertools

import pytest

from explorer.asking import studies
from explorer.asking.proposals import AtRandom, ParzenTree, QuasiRandom, Tried
from explorer.asking.ranges import Range
from explorer.asking.tuning import StudySearch
from explorer.config import make_config
from explorer.errors import UserError
from tests.records import record
from tests.search_suite import SearchSuite
from tests.test_studies import accuracy_of, run_in_the_made_up_world, written  # noqa: F401 a fixture

RANGES = (
    Range("lr", 1e-4, 0.1, log=True),
    Range("width", 8, 64, log=True, whole=True),
    Range("activation", values=("relu", "tanh")),
)
SEARCH = """
[search]
tries = 14
finalists = 2
seeds = 2
fresh_seeds = 3
ranges.lr = { low = 1e-4, high = 0.1, log = true }
ranges.optimizer = { values = ["adam", "sgd"] }
ranges.momentum = { low = 0.1, high = 0.9 }
[base]
steps = 20
"""
METHODS = ("random", "qmc", "tpe")


@pytest.mark.parametrize("method", METHODS)
class TestASearch(SearchSuite):
    @pytest.fixture
    def make(self, written, method):  # noqa: F811
        question = written(SEARCH, method=method)
        return lambda: StudySearch(question)


@pytest.fixture(params=METHODS)
def proposals(request):
    return {
        "random": lambda: AtRandom(RANGES, 3, 50),
        "qmc": lambda: QuasiRandom(RANGES, [one.field for one in RANGES], 3, 50),
        "tpe": lambda: ParzenTree(RANGES, 3),
    }[request.param]


def proposed(make, count: int, past: list[Tried]) -> list[dict]:
    """The next ``count`` settings after ``past``, each told what the made-up world gives."""
    source, past = make(), list(past)
    for _ in range(count):
        setting = source.propose(len(past), past)
        config = make_config({"model": "mlp", **setting})
        past.append(Tried(setting, accuracy_of(config)))
    return past


def test_a_proposal_is_the_same_whoever_was_asked_before_it(proposals):
    whole = proposed(proposals, 20, [])
    for stop in (1, 7, 13):
        assert proposed(proposals, 20 - stop, whole[:stop]) == whole


def test_a_proposal_lies_in_its_ranges_and_is_a_configuration(proposals):
    for one in proposed(proposals, 20, []):
        assert 1e-4 <= one.setting["lr"] <= 0.1 and 8 <= one.setting["width"] <= 64
        assert one.setting["activation"] in ("relu", "tanh") and isinstance(one.setting["width"], int)
        assert float(f"{one.setting['lr']:.3g}") == one.setting["lr"]


def test_the_parzen_tree_learns_where_it_is_good_and_avoids_what_was_lost():
    past = proposed(lambda: ParzenTree(RANGES[:1], 0), 40, [])
    near = [one for one in past[20:] if 0.001 < one.setting["lr"] < 0.01]  # relu's best is 0.003
    assert len(near) > 12
    lost = [Tried(one.setting, 0.0 if one.setting["lr"] > 0.001 else one.accuracy) for one in past]
    after = ParzenTree(RANGES[:1], 0)
    settings = [after.propose(len(lost) + number, lost)["lr"] for number in range(10)]
    assert sum(rate <= 0.001 for rate in settings) >= 8


def test_proposals_of_one_round_are_different_though_nothing_is_told_yet():
    source, past = ParzenTree(RANGES, 0), proposed(lambda: ParzenTree(RANGES, 0), 12, [])
    pending = list(past)
    for _ in range(4):
        pending.append(Tried(source.propose(len(pending), pending), None))
    rates = [one.setting["lr"] for one in pending[12:]]
    assert len(set(rates)) == 4


@pytest.mark.parametrize("method", METHODS)
def test_a_search_resumes_with_the_same_proposals_and_trains_nothing_twice(written, method):  # noqa: F811
    question = written(SEARCH, method=method)
    whole = run_in_the_made_up_world(StudySearch(question))
    for stop in (3, 9, 15):
        known = {one.id: one for one in run_in_the_made_up_world(StudySearch(question), at_most=stop)}
        again = StudySearch(question)
        while asked := again.ask():
            for config in asked:
                made = record(config, accuracy_of(config))
                known.setdefault(made.id, made)
                again.tell(config, made)
        assert known.keys() == {one.id for one in whole}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_proposed_twice_is_tried_once_and_all_there_is_ends_the_search(written, method):  # noqa: F811
    text = SEARCH.replace("ranges.momentum = { low = 0.1, high = 0.9 }\n", "")
    text = text.replace("{ low = 1e-4, high = 0.1, log = true }", "{ values = [0.001, 0.01] }")
    search = StudySearch(written(text, method=method))
    records = run_in_the_made_up_world(search)
    assert len(records) == len({one.id for one in records})
    assert len(search.tunings[0].tries) == 4  # two rates, two optimizers
    assert not search.upcoming()


def test_what_does_not_apply_beside_the_settings_own_words_is_left_out(written):  # noqa: F811
    search = StudySearch(written(SEARCH, method="qmc"))
    tries = search.ask()
    assert {config.optimizer for config in tries} == {"adam", "sgd"}
    assert all((config.momentum is None) == (config.optimizer == "adam") for config in tries)


def test_a_diverged_run_is_told_as_the_worst(written):  # noqa: F811
    search = StudySearch(written(SEARCH, method="tpe"))
    first = search.ask()
    for config in first:
        search.tell(config, record(config, None, status="diverged"))
    assert set(search.tunings[0].told.values()) == {0.0}
    assert len(search.ask()) == 4


def test_without_optuna_one_line_says_what_to_install(written, monkeypatch):  # noqa: F811
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(UserError, match=r"^--search tpe needs Optuna; pip install -r requirements-search.txt$"):
        StudySearch(written(SEARCH, method="tpe"))
    assert StudySearch(written(SEARCH, method="qmc")).ask()


def test_the_shipped_search_serves_every_model():
    for model, method in itertools.product(("mlp", "cnn"), ("random", "qmc")):
        question = studies.load(studies.SEARCH_FILE, model, method=method)
        assert len(StudySearch(question).ask()) == question.tries
