"""Cutting tries early: only what is far behind at half-way, or with hyperband the worse half at each rung."""

import itertools
import math

import pytest

from explorer.asking import studies
from explorer.asking.search import Listed
from explorer.asking.stopping import accuracy_at, just_behind, policy
from explorer.asking.tuning import StudySearch
from explorer.config import make_config
from explorer.judging.runs import Runs
from explorer.record import Bar, Cut, Look
from explorer.running.engines.here import InProcess
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent
from tests.engine_suite import configs
from tests.records import record


def tried(lr: float, *accuracies: float, activation: str = "relu"):
    """(config, record) of a try of 80 steps with looks at every eighth of it: these accuracies, the last one
    repeated."""
    config = make_config({"model": "mlp", "dataset": "digits", "steps": 80, "lr": lr, "activation": activation})
    told = [*accuracies, *[accuracies[-1]] * (8 - len(accuracies))]
    looks = tuple(Look(10 * place, 0.1, 0.9, 0.2, accuracy) for place, accuracy in enumerate(told, 1))
    return config, record(config, told[-1], history=looks, steps=80)


def test_the_look_at_a_share_of_a_run_is_the_first_at_it_or_later():
    _, told = tried(0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    assert [accuracy_at(told, share) for share in (0.125, 0.25, 0.5, 0.55, 1.0)] == [0.1, 0.2, 0.4, 0.5, 0.8]
    assert accuracy_at(record(told.configuration, 0.9, history=told.history[:3], steps=80), 0.5) is None


def test_nothing_is_cut_before_anything_is_known_and_never_where_it_is_off():
    config, told = tried(0.1, 0.9)
    for rule in ("half", "hyperband", "off"):
        assert policy(rule).bars(config) == ()
    never = policy("off")
    never.tell(config, told)
    assert never.bars(config) == ()


def test_half_way_cuts_what_is_half_a_point_and_three_standard_errors_behind_the_best_there():
    stopping = policy("half")
    for lr, at_half in ((0.1, 0.90), (0.2, 0.97), (0.3, 0.95)):
        stopping.tell(*tried(lr, 0.5, 0.6, 0.7, at_half, 0.99))
    (bar,) = stopping.bars(tried(0.4, 0.5)[0])
    assert bar.share == 0.5
    error = math.sqrt((0.97 * 0.03 + bar.accuracy * (1 - bar.accuracy)) / 2000)
    assert 0.97 - bar.accuracy == pytest.approx(3 * error, abs=1e-6)
    assert 0.97 - bar.accuracy > 0.005
    assert just_behind(0.9999, 10**9) == pytest.approx(0.9949, abs=1e-6)  # where looks are sharp, half a point decides


def test_runs_compete_within_their_group():
    stopping = policy("half", group=lambda config: config.get("activation"))
    stopping.tell(*tried(0.1, 0.97, activation="relu"))
    assert stopping.bars(tried(0.2, 0.5, activation="relu")[0])
    assert stopping.bars(tried(0.2, 0.5, activation="tanh")[0]) == ()


def test_hyperband_keeps_the_better_half_of_those_seen_at_each_rung():
    stopping = policy("hyperband")
    for number in range(5):
        stopping.tell(*tried(0.1 + number / 10, *(0.5 + number / 10 + place / 100 for place in range(8))))
    assert stopping.bars(tried(0.9, 0.5)[0]) == (Bar(0.125, 0.7), Bar(0.25, 0.71), Bar(0.5, 0.73))


def test_seeds_of_what_was_chosen_already_are_never_cut():
    for rule in ("half", "hyperband"):
        stopping = policy(rule)
        for number in range(5):
            stopping.tell(*tried(0.1 + number / 10, 0.9))
        config = tried(0.9, 0.5)[0]
        assert stopping.bars(config)
        assert stopping.bars(config.model_copy(update={"seed": 1})) == ()


class Strict:
    """Cuts every run."""

    def __init__(self):
        self.told = []

    def tell(self, config, record):
        self.told.append(record.status)

    def bars(self, config):
        return (Bar(0.5, 1.01),)


def test_a_run_that_was_cut_is_known_to_who_cuts_and_trained_whole_by_anybody_else(digits, tmp_path):
    recorder, engine = Recorder(Store(tmp_path), digits.digest), InProcess(Runner(digits))
    first, again = Strict(), Strict()
    (cut,) = answer(Listed(configs(1)), engine, recorder, Silent(), stopping=first)
    assert cut.status == "cut"
    assert list(answer(Listed(configs(1)), engine, recorder, Silent(), stopping=again)) == []
    assert first.told == again.told == ["cut"]
    assert recorder.recorded(configs(1)[0]) is None
    (whole,) = answer(Listed(configs(1)), engine, recorder, Silent())
    assert (whole.status, whole.id) == ("ok", cut.id)
    runs = Runs(recorder.store.records())
    assert runs.of(configs(1)[0]) == {0: whole}
    assert runs.cut == {configs(1)[0]: {0: cut}}


STUDY = """
title = "Activation"
[study]
scientific.activation = ["relu", "tanh"]
nuisance.lr = { low = 1e-4, high = 3e-2, log = true }
tries = 4
finalists = 2
seeds = 2
fresh_seeds = 3
[base]
steps = 80
"""


def test_a_try_that_was_cut_is_no_finalist_however_good_it_was_then(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(STUDY)
    search = StudySearch(studies.load(str(path), "mlp", "digits"))
    cut, asked_later = set(), set()
    for round_number in itertools.count():
        asked = search.ask()
        if not asked:
            break
        for place, config in enumerate(asked):
            made = record(config, 0.9 + config.lr)
            if round_number == 0 and place < 2:  # the first try of both
                made = record(config, None, error=Cut(40, 0.99, 0.995))
                cut.add(config.point)
            search.tell(config, made)
        asked_later |= {config.point for config in asked} if round_number else set()
    assert len(cut) == 2
    assert asked_later
    assert not cut & asked_later
    assert {search.contender_of(config) for config in cut} == {"activation relu", "activation tanh"}
