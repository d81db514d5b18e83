"""How often verdicts err: what is written down of our ledger's spreads, and the simulation on spreads made for it."""

import math

import numpy as np
import pytest

from benchmarks import judging
from explorer.errors import UserError
from explorer.judging import simulated
from explorer.judging.moderation import Prior
from tests.conftest import PROJECT

SPREADS = ([0.002] * 6, [0.001, 0.002, 0.004, 0.002, 0.02], [0.01, 0.002, 0.002])


def made():
    return [judging.Template(np.array(one), Prior(np.full(len(one), 0.002**2), 4.0), 0) for one in SPREADS]


@pytest.mark.parametrize("kind", judging.KINDS[:4])
@pytest.mark.parametrize("n", [3, 5])
def test_the_main_verdict_errs_in_five_per_cent_of_sweeps_at_most(kind, n):
    row = judging.simulate(kind, n, 1200, made(), seed=n)
    margin = 2 * math.sqrt(0.05 * 0.95 / 1200)  # two standard errors of the simulation
    assert row.sure.false <= 0.05 + margin
    assert row.sure.lost <= 0.05 + margin


def test_welchs_test_finds_more_than_a_paired_one_in_three_runs_and_the_second_opinion_more_again():
    row = judging.simulate("half of the points differ", 3, 1200, made(), seed=1)
    assert row.likely.found > row.sure.found > 1.3 * row.paired.found > 0
    assert row.sure == row.welch
    assert judging.simulate("half of the points differ", 5, 200, made(), seed=1).sure.found > row.sure.found


def test_what_is_written_down_of_the_study_keeps_the_promise():
    found = simulated.read(PROJECT / "results")
    assert found.sweeps >= 8000
    promised = [row for row in found.rows if row.kind in judging.KINDS[:4]]
    assert {row.n for row in promised} == set(judging.SEEDS)
    assert all(row.sure.false <= 0.05 and row.sure.lost <= 0.05 for row in promised)


def test_a_file_that_is_no_simulation_is_one_clear_line(tmp_path):
    assert simulated.read(tmp_path) is None
    (tmp_path / simulated.FILE).write_text("{}")
    with pytest.raises(UserError, match=r"judging\.json cannot be read: .*benchmarks/judging\.py writes it"):
        simulated.read(tmp_path)
