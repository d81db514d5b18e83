"""Seeds where the question is open: few false words, no seed where all is settled, and the same again after a stop."""

import json

import numpy as np
import pytest

from explorer import seeds
from explorer.asking import questions
from explorer.asking.racing import (
    BETTER,
    EQUIVALENT,
    GIVEN_UP,
    LOOKS,
    SHARES,
    WORSE,
    Margins,
    Races,
    compare,
    holm,
    settle,
)
from explorer.asking.settle import Settle
from explorer.config import make_config
from explorer.errors import UserError
from explorer.judging import pairs
from explorer.judging.runs import Runs
from explorer.judging.settled import SettledSweep, search, settled
from explorer.running.requests import Request
from explorer.running.store import Store
from explorer.telling import report
from explorer.telling import settled as telling
from tests.records import LR, notebook, record
from tests.search_suite import SearchSuite

MARGINS = Margins(epsilon=0.001, delta=0.002)
RATES = [
    make_config({"model": "mlp", "dataset": "digits", "steps": 30, "lr": lr}) for lr in (0.0003, 0.001, 0.003, 0.01)
]
LEVELS = {0.0003: 0.90, 0.001: 0.95, 0.003: 0.9500, 0.01: 0.93}  # and +- 0.0004 by seed


def score(config, spread=0.0004) -> float:
    """A made-up accuracy: the rate's level, and luck that seed and rate decide."""
    luck = np.random.default_rng([config.seed, round(1e6 * config.lr), 1]).standard_normal()
    return LEVELS.get(config.lr, 0.9) + spread * float(luck)


def run_to_the_end(asking, told=None, spread=0.0004):
    """Every run the search asks for, told; ``told`` collects them."""
    told = {} if told is None else told
    while asked := asking.ask():
        for config in asked:
            told[config] = record(config, score(config, spread))
            asking.tell(config, told[config])
    return told


def a_settled_sweep(dataset: str = "digits") -> SettledSweep:
    """The shipped sweep of learning rates, settled in the made-up world."""
    sweep = questions.load("lr", "mlp", dataset)
    told = run_to_the_end(search(sweep, 20), spread=0.0008)
    return settled(Request("lr", "mlp", dataset, seeds=20, settle=True), sweep, Runs(told.values()))


class TestSettleIsASearch(SearchSuite):
    @pytest.fixture
    def make(self):
        return lambda: Settle(RATES, 1, MARGINS)


def test_the_shares_of_the_looks_are_all_of_alpha():
    assert sum(SHARES) == pytest.approx(1)
    assert len(SHARES) == len(LOOKS)


@pytest.mark.parametrize("paired", [False, True])
def test_a_comparison_of_arrays_is_scipys_of_each_pair(paired):
    from scipy.stats import ttest_ind, ttest_rel

    a, b = np.random.default_rng(0).normal(0.9, 0.01, (2, 3, 6))
    found = compare(a, b, paired)
    for index in range(3):
        expected = ttest_rel(b[index], a[index]) if paired else ttest_ind(b[index], a[index], equal_var=False)
        assert found.p[index] == pytest.approx(expected.pvalue)
        assert found.difference[index] / found.error[index] == pytest.approx(expected.statistic)
        assert found.freedom[index] == pytest.approx(expected.df)


def test_a_missing_result_is_left_out_and_no_spread_is_no_evidence():
    from scipy.stats import ttest_rel

    a = np.array([[0.5, 0.6, 0.7, np.nan], [0.5, 0.6, 0.7, 0.9], [0.5, 0.6, 0.7, 0.9], [0.5, np.nan, np.nan, np.nan]])
    b = np.array([[0.6, 0.6, 0.9, 0.9], [0.5, 0.6, 0.7, 0.9], [0.6, 0.7, 0.8, 1.0], [0.6, 0.6, 0.6, 0.6]])
    found = compare(a, b, paired=True)
    assert found.p[0] == pytest.approx(ttest_rel(a[0, :3], b[0, :3]).pvalue)
    assert (found.p[1], found.error[1]) == (1, 0)  # the same experiment twice
    assert found.p[2] == 2 * 0.5**4  # the sign test's
    assert np.isnan(found.error[2:]).all()
    assert np.isnan(found.p[3])


def test_holm_of_arrays_is_holm_of_each_row():
    p = np.random.default_rng(1).uniform(0, 0.1, (20, 5))
    np.testing.assert_allclose(holm(p, np.full((20, 1), 5)), pairs.holm(p))


@pytest.mark.parametrize("effect", [0.0, 0.002, 0.02], ids=["none", "half a little", "half much"])
def test_false_words_stay_below_five_per_cent_of_sweeps(effect):
    """Spreads that differ tenfold; every other point is ``effect`` worse than the baseline."""
    sweeps, points = 4000, 8
    random = np.random.default_rng(7)
    means = 0.95 - effect * (np.arange(points) % 2)
    deviations = 0.001 * 10 ** (np.arange(points) / (points - 1))
    scores = means[:, None] + deviations[:, None] * random.standard_normal((sweeps, points, LOOKS[-1]))
    races, spent = settle(scores, 0, MARGINS)
    differences = means - means[0]
    wrong = ((races.word == BETTER) & (differences <= 0)) | ((races.word == WORSE) & (differences >= 0))
    wrong |= (races.word == EQUIVALENT) & (np.abs(differences) >= MARGINS.delta)
    beaten = means.max() - means[races.leader] > MARGINS.epsilon
    assert wrong.any(1).mean() <= 0.05
    assert (races.over & beaten).mean() <= 0.05
    assert set(np.unique(spent)) <= {*LOOKS}


def test_what_is_clear_takes_few_seeds_and_what_is_hopeless_is_given_up():
    random = np.random.default_rng(3)
    means, deviations = np.array([0.95, 0.90, 0.9505, 0.95]), np.array([0.001, 0.001, 0.02, 0.0002])
    scores = means[:, None] + deviations[:, None] * random.standard_normal((500, 4, LOOKS[-1]))
    races, spent = settle(scores, 0, MARGINS)
    assert (races.word[:, 1] == WORSE).mean() > 0.99
    assert spent[:, 1].mean() < 4
    assert (races.word[:, 2] == GIVEN_UP).mean() > 0.9
    assert (races.needs[:, 2] > 2 * LOOKS[-1]).mean() > 0.9
    assert spent[:, 2].mean() < 8
    assert (races.word[:, 3] == EQUIVALENT).mean() > 0.5


def test_points_without_results_are_out_and_say_so():
    scores = np.full((1, 3, 3), np.nan)
    scores[0, 0], scores[0, 1] = (0.9, 0.91, 0.92), (0.95, np.nan, np.nan)
    races = Races(1, 3, 0, MARGINS)
    races.look(scores)
    assert [int(word) for word in races.word[0]] == [6, 5, 5]
    assert races.over[0]
    assert not races.wanted.any()


def test_seeds_go_where_the_question_is_open():
    asking = Settle(RATES, 1, MARGINS)
    told = run_to_the_end(asking, spread=0.0008)
    found = asking.settlement
    assert [point.word for point in found.against] == ["worse", "baseline", "equivalent", "worse"]
    assert found.seeds[0] == found.seeds[3] == 3
    assert min(found.seeds[1:3]) > 3
    assert (found.ended, found.best.ended) == ("settled", "settled")
    assert {config.seed for config in told} <= {*seeds.settling(LOOKS[-1])}
    assert not any(seeds.is_fresh(config.seed) for config in told)
    assert len(told) == sum(found.seeds)


def test_an_interrupted_search_goes_on_where_it_stopped():
    told = run_to_the_end(Settle(RATES, 1, MARGINS))
    again, asked_anew = Settle(RATES, 1, MARGINS), []
    known = dict(list(told.items())[:17])
    while asked := again.ask():
        for config in asked:
            if config not in known:
                asked_anew.append(config)
            again.tell(config, told[config])
    assert asked_anew == list(told)[17:]


def test_what_would_take_too_many_seeds_is_undecided_and_says_how_many():
    asking = Settle(RATES, 1, MARGINS)
    run_to_the_end(asking, spread=0.05)
    found = asking.settlement
    assert found.ended == "undecided"
    undecided = [point for point in found.against if point.word == "given up"]
    assert undecided
    assert all(point.needs > 2 * LOOKS[-1] for point in undecided)


@pytest.mark.parametrize(
    ("points", "cap", "line"),
    [
        (RATES, 2, "--cap must be from 3 to 20 seeds, got 2"),
        (RATES, 21, "--cap must be from 3 to 20 seeds, got 21"),
        (RATES[:1], 20, "--settle compares the points of a sweep"),
        ([make_config({**point.to_json(), "train_on": "all"}) for point in RATES], 20, "--settle compares validation"),
    ],
)
def test_what_cannot_be_settled_is_refused_in_one_line(points, cap, line):
    with pytest.raises(UserError, match=line):
        Settle(points, 0, MARGINS, cap)


def test_the_report_finds_in_the_ledger_what_the_search_found(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(LR)
    sweep = questions.load(str(path), "mlp", "digits")
    asking = search(sweep, 20)
    told = run_to_the_end(asking)
    request = Request("mine", "mlp", "digits", seeds=20, path=str(path), settle=True)
    found = settled(request, sweep, Runs(told.values()))
    assert repr(found.settlement) == repr(asking.settlement)  # nan is not equal to itself
    assert found.leader in ("lr 0.001", "lr 0.003")
    table = telling.table(found)
    assert "equivalent (within ±" in table
    half = settled(request, sweep, Runs(list(told.values())[:6]))  # stopped in the first look
    assert half.settlement.ended == "running"
    assert half.settlement.looks == 0


def test_a_settled_sweep_stands_in_the_report_with_where_its_seeds_went(tmp_path, undrawn):
    path = tmp_path / "mine.toml"
    path.write_text(LR)
    told = run_to_the_end(search(questions.load(str(path), "mlp", "digits"), 20))
    notebook(tmp_path, LR, list(told.values()), seeds=20, settle=True)
    runs = Runs(Store(tmp_path / "results").records())
    files = report.rebuild(runs, tmp_path / "results", tmp_path / "media", tmp_path / "REPORT.md")
    assert tmp_path / "media" / "digits" / "mlp_mine_spent.png" in files
    page = (tmp_path / "report" / "digits-mlp.md").read_text()
    assert "(../media/digits/mlp_mine_spent.png)" in page.split("## Settled sweeps")[1]


def test_a_settled_sweep_is_another_request_than_the_same_with_fixed_seeds():
    fixed, asked = Request("lr", "mlp", "mnist", seeds=20), Request("lr", "mlp", "mnist", seeds=20, settle=True)
    assert fixed.key != asked.key
    assert json.loads(fixed.key)[-1] is None  # as it was before there were such


def test_how_long_it_may_take_is_told_before_it_begins(tmp_path):
    from explorer.cli.settle import Asked, announcement

    path = tmp_path / "mine.toml"
    path.write_text(LR)
    sweep = questions.load(str(path), "mlp", "digits")
    asked = Asked(sweep, Request("mine", "mlp", "digits", {}, 5, str(path), settle=True), search(sweep, 5))
    told = announcement(asked, 5, lambda config: 2.0)
    assert told.endswith("4 points, looks at 3 and 5 seeds: 12 to 20 runs, about 24 s to 40 s on one process")
    assert announcement(asked, 5, lambda config: None).endswith("no run like these has been timed yet")
