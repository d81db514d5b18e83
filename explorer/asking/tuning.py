"""Studies and searches as searches: every contender is tuned, and the best of each runs on seeds that chose nothing.

A contender's budget goes to its tries (settings at seed 0), to its finalists (the best of them, at more seeds), and to
its winner (the best finalist's mean) on fresh seeds, which alone are judged. All is a pure function of the question and
of what was told: a study that was interrupted comes to where it was when it is told its records again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from explorer import seeds
from explorer.asking.proposals import AtRandom, ParzenTree, Proposals, QuasiRandom, Tried
from explorer.asking.ranges import Setting
from explorer.asking.search import Stage
from explorer.asking.studies import Contender, StudyQuestion
from explorer.config import Config
from explorer.fields import text_of
from explorer.record import Cut, Record

STAGES = ("tries", "finalists", "fresh seeds")
AGAIN = 20  # times as many proposals as tries before a search gives up finding new ones: lists of few values run out


@dataclass(frozen=True)
class Try:
    """A setting of a contender."""

    setting: Setting
    config: Config
    """At seed 0."""


class Tuning:
    """One contender: tries, finalists, winner. ``proposals`` say what is tried."""

    def __init__(self, contender: Contender, proposals: Proposals, question: StudyQuestion):
        self.contender, self.proposals, self.question = contender, proposals, question
        self.tries: list[Try] = []
        self.told: dict[Config, float] = {}
        """Run -> its validation accuracy; 0, the worst there is, where it diverged or failed; of a try that was cut
        that of its last look, which is less than it would have come to."""
        self.cut: set[Config] = set()
        self._proposed: list[Try] = []  # the tries and what was proposed twice
        self.settings: dict[Config, Setting] = {}
        """Of the tries: configuration at seed 0 -> setting."""
        self._exhausted = False

    @property
    def finalists(self) -> list[Try]:
        """The best tries by their one seed, the best first, without those that came to nothing; empty as long as a try
        is not told."""
        if not self._all_tried:
            return []
        able = [one for one in self.tries if self.told[one.config] > 0 and one.config not in self.cut]
        return sorted(able, key=lambda one: -self.told[one.config])[: self.question.finalists]

    @property
    def winner(self) -> Try | None:
        """The finalist with the best mean over the choosing seeds; None as long as one is not told."""
        finalists = self.finalists
        if not finalists or any(run not in self.told for one in finalists for run in self._choosing(one)):
            return None
        return max(finalists, key=lambda one: sum(self.told[run] for run in self._choosing(one)))

    @property
    def runs(self) -> list[Config]:
        """All runs known so far, told or not."""
        return [
            *(one.config for one in self.tries),
            *(run for seed in self._more_seeds for run in self._at(seed, self.finalists)),
            *(self._fresh(self.winner) if self.winner else ()),
        ]

    def ask(self) -> list[Config]:
        if runs := self._untold([one.config for one in self.tries]):
            return runs
        self._propose()
        if runs := self._untold([one.config for one in self.tries]):
            return runs
        if runs := self._untold([run for seed in self._more_seeds for run in self._at(seed, self.finalists)]):
            return runs
        return self._untold(self._fresh(self.winner)) if self.winner else []

    def tell(self, config: Config, accuracy: float, was_cut: bool = False) -> None:
        self.told[config] = accuracy
        if was_cut:
            self.cut.add(config)

    def upcoming(self) -> list[Config]:
        """See `Search`. Tries stand for tries to come and for finalists, finalists for the winner."""
        if not self.tries:
            self._propose()
        stand_ins = [one.config for one in self.tries]
        runs = self._untold(stand_ins)
        runs += [stand_ins[place % len(stand_ins)] for place in range(self._planned_tries - len(stand_ins))]
        if self._all_tried:
            runs += self._untold([run for seed in self._more_seeds for run in self._at(seed, self.finalists)])
            stand_ins = [one.config for one in self.finalists] or stand_ins[:0]
        else:
            wanted = self.question.finalists * (self.question.seeds - 1)
            runs += [stand_ins[place % len(stand_ins)] for place in range(wanted)]
        if self.winner:
            return runs + self._untold(self._fresh(self.winner))
        return runs + [stand_ins[place % len(stand_ins)] for place in range(self.question.fresh_seeds) if stand_ins]

    def stages(self) -> list[Stage]:
        question, finalists, winner = self.question, self.finalists, self.winner
        more = [run for seed in self._more_seeds for run in self._at(seed, finalists)]
        fresh = self._fresh(winner) if winner else []
        planned = (len(finalists) if self._all_tried else question.finalists) * (question.seeds - 1)
        none = self._all_tried and not finalists
        return [
            Stage(STAGES[0], sum(one.config in self.told for one in self.tries), self._planned_tries),
            Stage(STAGES[1], sum(run in self.told for run in more), planned),
            Stage(STAGES[2], sum(run in self.told for run in fresh), 0 if none else question.fresh_seeds),
        ]

    @property
    def _planned_tries(self) -> int:
        return len(self.tries) if self._exhausted else self.question.tries

    @property
    def _all_tried(self) -> bool:
        return len(self.tries) == self._planned_tries and all(one.config in self.told for one in self.tries)

    @property
    def _more_seeds(self) -> range:
        return range(1, self.question.seeds)

    def _choosing(self, one: Try) -> list[Config]:
        return [one.config.model_copy(update={"seed": seed}) for seed in range(self.question.seeds)]

    def _fresh(self, one: Try) -> list[Config]:
        return [one.config.model_copy(update={"seed": seed}) for seed in seeds.fresh(self.question.fresh_seeds)]

    def _at(self, seed: int, tries: Sequence[Try]) -> list[Config]:
        return [one.config.model_copy(update={"seed": seed}) for one in tries]

    def _untold(self, runs: Sequence[Config]) -> list[Config]:
        return [run for run in runs if run not in self.told]

    def _propose(self) -> None:
        """The next tries, where all before them are told; what was proposed before is not tried again."""
        new = 0
        past = [Tried(one.setting, self.told.get(one.config)) for one in self._proposed]
        while not self._exhausted and len(self.tries) < self.question.tries and new < self.proposals.together:
            if len(self._proposed) >= AGAIN * self.question.tries:
                self._exhausted = True
                return
            setting = self.proposals.propose(len(self._proposed), past)
            one = Try(setting, self.contender.config(setting))
            self._proposed.append(one)
            past.append(Tried(setting, self.told.get(one.config)))
            if one.config not in self.settings:
                self.settings[one.config] = setting
                self.tries.append(one)
                new += 1


class StudySearch:
    """A study or a search as a `Search`: all contenders go through their stages side by side."""

    def __init__(self, question: StudyQuestion):
        self.question = question
        self.tunings = [Tuning(one, _proposals(question, one), question) for one in question.contenders]

    def ask(self) -> list[Config]:
        """Setting by setting, every contender's: an interrupted study has tried the same ones of all."""
        return list(dict.fromkeys(_in_turns([tuning.ask() for tuning in self.tunings])))

    def tell(self, config: Config, record: Record) -> None:
        accuracy = record.val_accuracy if record.status == "ok" else None
        if isinstance(record.error, Cut):
            accuracy = record.error.accuracy
        for tuning in self.tunings:
            tuning.tell(config, accuracy or 0.0, isinstance(record.error, Cut))

    def upcoming(self) -> list[Config]:
        return [run for tuning in self.tunings for run in tuning.upcoming()]

    def stages(self) -> list[Stage]:
        every = [tuning.stages() for tuning in self.tunings]
        return [
            Stage(name, sum(stages[place].done for stages in every), sum(stages[place].planned for stages in every))
            for place, name in enumerate(STAGES)
        ]

    @property
    def runs(self) -> list[Config]:
        """All runs known so far, told or not."""
        return list(dict.fromkeys(run for tuning in self.tunings for run in tuning.runs))

    def contender_of(self, run: Config) -> str:
        """The label of the contender that a run is a try of, the first of several; empty for a run it does not know."""
        return next((tuning.contender.label for tuning in self.tunings if run.point in tuning.settings), "")

    def label(self, point: Config) -> str | None:
        """What a run is of: ``tanh: lr 0.0012``; None for a point that it does not know."""
        for tuning in self.tunings:
            if (setting := tuning.settings.get(point)) is not None:
                words = ", ".join(f"{field.replace('_', ' ')} {text_of(value)}" for field, value in setting.items())
                return f"{tuning.contender.label}: {words}" if self.question.scientific else words
        return None


def _proposals(question: StudyQuestion, contender: Contender) -> Proposals:
    if question.method == "tpe":
        return ParzenTree(contender.ranges, question.seed)
    most = AGAIN * question.tries
    if question.method == "random":
        return AtRandom(contender.ranges, question.seed, most)
    return QuasiRandom(contender.ranges, question.nuisances, question.seed, most)


def _in_turns(lists: Sequence[Sequence[Config]]) -> list[Config]:
    """The first of each list, then the second of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [runs[place] for place in range(longest) for runs in lists if place < len(runs)]
