import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.rules.schedules import SCHEDULES, Plateau, lr_at


def test_constant_is_the_same_at_every_step():
    assert {lr_at("constant", 0.3, step, 10) for step in range(10)} == {0.3}


def test_plateau_leaves_the_cutting_to_the_trainer():
    assert {lr_at("plateau", 0.3, step, 10) for step in range(10)} == {0.3}


def test_cosine_starts_full_is_half_midway_and_ends_near_zero():
    assert lr_at("cosine", 0.2, 0, 10) == 0.2
    assert lr_at("cosine", 0.2, 5, 10) == pytest.approx(0.1)
    assert lr_at("cosine", 0.2, 9, 10) == pytest.approx(0.1 * (1 + math.cos(0.9 * math.pi)))
    assert lr_at("cosine", 0.2, 10, 10) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warmup_rises_linearly_to_the_full_rate(schedule):
    assert [lr_at(schedule, 1.0, step, 100, warmup_steps=4) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_cosine_falls_over_the_steps_that_warmup_leaves():
    assert lr_at("cosine", 1.0, 7, 12, warmup_steps=2) == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warmup_as_long_as_the_run_ends_at_the_full_rate(schedule):
    assert lr_at(schedule, 1.0, 9, 10, warmup_steps=10) == 1.0


@given(st.sampled_from(list(SCHEDULES)), st.floats(1e-6, 10), st.integers(1, 500), st.integers(0, 500), st.data())
def test_rate_stays_between_zero_and_base(schedule, base_lr, total_steps, warmup_steps, data):
    step = data.draw(st.integers(0, total_steps - 1))
    assert 0 < lr_at(schedule, base_lr, step, total_steps, warmup_steps) <= base_lr


def test_unknown_schedule_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'linear'.*constant, cosine, plateau"):
        lr_at("linear", 0.1, 0, 10)


def observe(plateau, losses):
    return [plateau.observe(loss, step) for step, loss in enumerate(losses, start=1)]


def test_plateau_cuts_after_patience_looks_without_improvement():
    plateau = Plateau(lr_decay=0.5, patience=2)
    assert observe(plateau, [1.0, 0.8, 0.9, 0.85]) == ["improved", "improved", "wait", "restore"]
    assert (plateau.factor, plateau.best_loss, plateau.best_step) == (0.5, 0.8, 2)


def test_plateau_counts_anew_after_a_cut_and_after_an_improvement():
    plateau = Plateau(lr_decay=0.5, patience=2)
    said = observe(plateau, [1.0, 1.1, 1.1, 1.1, 1.1, 1.1, 0.9, 1.0, 0.9])
    assert said == ["improved", "wait", "restore", "wait", "restore", "wait", "improved", "wait", "restore"]
    assert (plateau.factor, plateau.best_loss, plateau.best_step) == (0.125, 0.9, 7)


def test_plateau_does_not_take_an_equal_loss_or_nan_for_an_improvement():
    plateau = Plateau(lr_decay=0.1, patience=1)
    assert observe(plateau, [math.nan, 1.0, 1.0]) == ["restore", "improved", "restore"]
    assert plateau.best_step == 2


@pytest.mark.parametrize(("lr_decay", "patience"), [(0.0, 1), (1.5, 1), (0.5, 0)])
def test_plateau_refuses_settings_that_cannot_work(lr_decay, patience):
    with pytest.raises(ValueError, match="lr_decay must be"):
        Plateau(lr_decay, patience)
