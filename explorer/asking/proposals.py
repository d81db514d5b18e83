"""Where the settings that a search tries come from.

A proposal is a pure function of the search's seed, of its own number, and of what came of those before it: a search
that resumes proposes what it would have proposed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from explorer.asking.ranges import Range, Setting, quasi_random, setting_at
from explorer.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

NEEDED = "--search tpe needs Optuna; pip install -r requirements-search.txt"


@dataclass(frozen=True)
class Tried:
    """A proposal before this one."""

    setting: Setting
    accuracy: float | None
    """On validation, 0 where it diverged or failed; None where it is not known yet."""


class Proposals(Protocol):
    """Proposes settings, one after the other."""

    together: int
    """How many it proposes before it wants to know what came of them."""

    def propose(self, number: int, tried: Sequence[Tried]) -> Setting:
        """The ``number``-th setting, from 0; ``tried`` are all before it, in their order."""
        ...


class QuasiRandom:
    """Settings spread evenly over the ranges, whatever comes of them.

    ``fields`` are all that any contender tunes: contenders of one study have the same places in their ranges.
    """

    def __init__(self, ranges: Sequence[Range], fields: Sequence[str], seed: int, most: int):
        self.ranges, self.together = ranges, most
        self.places = quasi_random(fields, most, seed)

    def propose(self, number: int, tried: Sequence[Tried]) -> Setting:
        return setting_at(self.ranges, self.places[number])


class AtRandom:
    """Every setting drawn evenly from the ranges."""

    def __init__(self, ranges: Sequence[Range], seed: int, most: int):
        self.ranges, self.seed, self.together = ranges, seed, most

    def propose(self, number: int, tried: Sequence[Tried]) -> Setting:
        import numpy as np

        drawn = np.random.default_rng((self.seed, number)).random(len(self.ranges))
        return setting_at(self.ranges, {one.field: float(place) for one, place in zip(self.ranges, drawn, strict=True)})


class ParzenTree:
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023, arXiv:2304.11127), which learns
    from what came of the settings before, the fields together.

    A sampler that resumes does not go on where it was, so each proposal has a fresh one, seeded by the search's seed
    and its own number, that is told all before it. Four are proposed at a time, so that as many processes have work;
    those not told yet count as poor, which keeps the next ones away from them. Raises UserError without Optuna.
    """

    together = 4
    AT_RANDOM = 10  # proposals before it models anything

    def __init__(self, ranges: Sequence[Range], seed: int):
        try:
            import optuna
        except ImportError:
            raise UserError(NEEDED) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.ranges, self.seed = ranges, seed
        self.distributions = {one.field: _distribution(one) for one in ranges}
        self._forget()

    def propose(self, number: int, tried: Sequence[Tried]) -> Setting:
        import warnings

        import numpy as np
        import optuna

        self._tell(tried)
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=self.AT_RANDOM, multivariate=True, constant_liar=True
            )
        asked = self.study.ask(self.distributions)
        # What is tried may be rounded, so it is added when it comes back; failed trials teach Optuna nothing.
        self.study.tell(asked, state=optuna.trial.TrialState.FAIL)
        self.trials += 1
        return {one.field: self._said(one, asked.params[one.field]) for one in self.ranges}

    def _tell(self, tried: Sequence[Tried]) -> None:
        """Bring Optuna's study up to what was tried: to add it all for each proposal takes longer than to propose."""
        import optuna

        if [one.setting for one in self.known] != [one.setting for one in tried[: len(self.known)]]:
            self._forget()
        for place, one in enumerate(tried):
            if place < len(self.known):
                if self.known[place].accuracy is None and one.accuracy is not None:
                    self.study.tell(self.numbers[place], one.accuracy)
                    self.known[place] = one
                continue
            params = {field: self._told(field, value) for field, value in one.setting.items()}
            state = optuna.trial.TrialState.RUNNING if one.accuracy is None else optuna.trial.TrialState.COMPLETE
            self.study.add_trial(
                optuna.trial.create_trial(
                    state=state, params=params, distributions=self.distributions, value=one.accuracy
                )
            )
            self.known.append(one)
            self.numbers.append(self.trials)
            self.trials += 1

    def _forget(self) -> None:
        import optuna

        self.study = optuna.create_study(direction="maximize")
        self.known: list[Tried] = []
        self.numbers: list[int] = []  # Optuna's, of those known
        self.trials = 0  # in Optuna's study

    def _told(self, field: str, value: object) -> object:
        """A value as Optuna has it: one of ``values`` by its place, since a list is no category there."""
        one = next(one for one in self.ranges if one.field == field)
        return one.values.index(value) if one.values else value

    def _said(self, one: Range, found: float) -> "int | float | str | bool | tuple[int, ...]":
        return one.values[int(found)] if one.values else one.rounded(found)


def _distribution(one: Range) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.values:
        return CategoricalDistribution(list(range(len(one.values))))
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(float(one.low), float(one.high), log=one.log)
