"""How long a run should take, by the recorded runs most like it."""

import pytest

from explorer.config import make_config
from explorer.record import Environment, Seconds
from explorer.running.estimates import START_SECONDS, Estimator, Site, estimate, together
from tests.records import record

HERE = Site("CPU", True, "a processor", 1)
OURS = Environment(device="CPU", kernels=2, cpu="a processor", threads=1)


def config(**fields):
    return make_config({"model": "mlp", "dataset": "digits", "steps": 100, **fields})


def timed(train, compiling=0.0, looking=0.0, environment=OURS, **fields):
    made = config(**fields)
    seconds = Seconds(compile=compiling, train=train, eval=looking)
    return record(made, 0.9, seconds=seconds, step_ms=1.0, steps=made.steps, environment=environment)


def test_compiling_and_looking_count_and_steps_are_scaled():
    records = [timed(2.0, compiling=3.0, looking=0.5), timed(2.0, looking=0.5), timed(2.0, looking=0.5)]
    assert estimate(config(), records, 1200) == pytest.approx(1.0 + 2.0 + 0.5)  # one of three compiled
    assert estimate(config(steps=200), records, 1200) == pytest.approx(1.0 + 4.0 + 0.5)
    assert estimate(config(batch_size=64), records, 1200) is None


def test_runs_of_this_machine_and_these_kernels_are_gone_by_where_there_are_any():
    elsewhere = Environment(device="CPU", kernels=2, cpu="another", threads=1)
    whole = Environment(device="CPU", kernels=2, cpu="a processor", threads=2)
    before = Environment(device="CPU", kernels=1, cpu="a processor", threads=1)
    records = [timed(1.0, environment=elsewhere), timed(4.0, environment=whole), timed(9.0, environment=before)]
    assert estimate(config(), records, 1200, HERE) == pytest.approx(4.0)
    assert estimate(config(), [*records, timed(7.0)], 1200, HERE) == pytest.approx(7.0)
    off = Site("CPU", False, "a processor", 1)
    none = Environment(device="CPU", kernels=0, cpu="a processor")
    assert estimate(config(), [*records, timed(50.0, environment=none)], 1200, off) == pytest.approx(50.0)


def test_a_net_of_the_same_size_counts_more_than_the_same_machine():
    elsewhere = Environment(device="CPU", kernels=2, cpu="another", threads=1)
    records = [timed(1.0), timed(30.0, environment=elsewhere, units=[2048])]
    assert estimate(config(units=[2048]), records, 1200, HERE) == pytest.approx(30.0)


def test_an_estimate_takes_in_what_is_learnt_on_the_way():
    expected = Estimator([timed(1.0, environment=Environment(cpu="another"))], lambda run: 1200, HERE)
    assert expected(config()) == pytest.approx(1.0)
    expected.add(timed(5.0))
    assert expected(config()) == pytest.approx(5.0)


def test_runs_together_take_their_share_the_longest_at_least_and_a_start():
    assert together([4.0, 4.0, 4.0, 4.0], 2) == pytest.approx(START_SECONDS + 8.0)
    assert together([10.0, 1.0], 2) == pytest.approx(START_SECONDS + 10.0)
    assert together([], 2) == 0.0


def test_the_optimizer_tells_more_of_a_runs_time_than_the_data_set():
    records = [timed(1.0), timed(20.0, dataset="mnist", optimizer="muon")]
    assert estimate(config(optimizer="muon"), records, 1200) == pytest.approx(20.0)


def test_runs_that_only_shift_or_zoom_are_timed_by_augmented_ones():
    records = [timed(1.0), timed(5.0, angle=10)]
    assert estimate(config(shift=1), records, 1200) == pytest.approx(5.0)
    assert estimate(config(), records, 1200) == pytest.approx(1.0)
    expected = Estimator(records, lambda run: 1200)
    assert (expected(config()), expected(config(scale=0.1))) == (pytest.approx(1.0), pytest.approx(5.0))
