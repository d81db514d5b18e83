"""What every search must do. A test module makes a subclass with a ``search`` fixture; pytest runs these there."""

import itertools

from explorer.asking.search import Search
from tests.records import record

ENOUGH = 1000  # rounds after which a search that still asks is taken to ask for ever


def answered(search: Search) -> list[list]:
    """Every round of configs that the search asks for, each config told a made-up record before the next round."""
    rounds = []
    for _ in range(ENOUGH):
        asked = list(search.ask())
        if not asked:
            return rounds
        rounds.append(asked)
        for config in reversed(asked):  # in any order
            search.tell(config, record(config, 0.5 + 1 / (2 + config.seed)))
    raise AssertionError(f"still asking after {ENOUGH} rounds")


class SearchSuite:
    """Needs fixtures: ``make``, a function that makes the search afresh, with something to ask."""

    def test_it_asks_and_comes_to_an_end(self, make):
        search = make()
        assert answered(search)
        assert not search.ask()  # and stays there

    def test_it_asks_for_no_run_twice(self, make):
        runs = list(itertools.chain(*answered(make())))
        assert len(runs) == len(set(runs))

    def test_told_the_same_it_asks_the_same(self, make):
        assert answered(make()) == answered(make())

    def test_what_is_upcoming_comes_down_to_nothing(self, make):
        search = make()
        left = [len(search.upcoming())]
        while asked := list(search.ask()):
            for config in asked:
                search.tell(config, record(config, 0.5))
                left.append(len(search.upcoming()))
        assert left == sorted(left, reverse=True) and left[-1] == 0
        assert all(stage.done == stage.planned for stage in search.stages())

    def test_runs_that_failed_and_diverged_can_be_told(self, make):
        search = make()
        for config, status in zip(search.ask(), itertools.cycle(("failed", "diverged"))):
            search.tell(config, record(config, None, status=status))
        search.ask()
