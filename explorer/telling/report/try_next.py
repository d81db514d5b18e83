"""What to run next, computed: winners without fresh seeds, grids to go on with, open verdicts, sweeps not run."""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from explorer.config import Config, make_config
from explorer.errors import UserError
from explorer.judging.certainty import Certainty
from explorer.judging.costs import Costs, of_a_run, of_a_seed
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.running.trackers.terminal import duration
from explorer.telling import words
from explorer.telling.names import name_of
from explorer.telling.words import knob_name, plural

EACH = 2  # suggestions of one kind: the cheapest
FRESH_SEEDS = 5
MOST_SEEDS = 20  # an open verdict that would take more is not worth them
BEYOND = 2.0  # how far beyond the edge of a grid the next value lies


@dataclass(frozen=True)
class Suggestion:
    """A command, why it is worth its time, and what that time is about, in words; empty where nothing tells."""

    command: str
    why: str
    seconds: float | None
    pair: tuple[str, str]
    """Data set and model."""

    @property
    def cost(self) -> str:
        return "" if self.seconds is None else f"{duration(self.seconds)} on one core"


Link = Callable[[SweepResult], str]


def suggestions(study: Study, costs: Costs, link: Link) -> list[Suggestion]:
    """Fresh seeds for every winner without them, then a few of each kind, the cheapest first within it. ``link`` makes
    a sweep's link."""
    kinds = (_edges(study, link), _open(study, link), _not_run(study, costs))
    few = [one for kind in kinds for one in sorted(kind, key=_cost)[:EACH]]
    return [*fresh_seeds(study), *few]


def _cost(suggestion: Suggestion) -> float:
    return float("inf") if suggestion.seconds is None else suggestion.seconds


def fresh_seeds(study: Study) -> list[Suggestion]:
    """Sweeps whose winner is the best of its model and data set and has no fresh seeds."""
    found = []
    for (dataset, model), best in study.leaders.items():
        if best.test_figure.fresh:
            continue
        for judged in study.of(dataset, model):
            if judged.winner and judged.by_label[judged.winner.label].config == best.config:
                command = f"{words.sweep_command(judged.request)} --fresh-seeds {FRESH_SEEDS}"
                why = f"A fair test figure for the best {name_of(model, dataset)}: fresh seeds."
                found.append(Suggestion(command, why, FRESH_SEEDS * of_a_run(best), (dataset, model)))
                break
    return found


def _edges(study: Study, link: Link) -> list[Suggestion]:
    """Sweeps of one knob whose winner lies at the end of the grid: the next value beyond it."""
    found = []
    for judged in study.where(lambda judged: judged.role == "knob" and judged.numeric_knob and judged.edges):
        ((knob, side), *_), won = judged.edges, judged.winner
        if won is None or judged.relations.effect is Certainty.UNKNOWN:
            continue
        winner = judged.by_label[won.label]
        value = judged.number(won.label, knob) * (BEYOND if side == "high" else 1 / BEYOND)
        beyond = int(value) if isinstance(judged.value(won.label, knob), int) else float(f"{value:.2g}")
        config = _with(winner.config, knob, beyond)
        if config is None:
            continue
        where = name_of(judged.model, judged.dataset)
        longer = " It sees more images, too." if judged.equal == "steps" else ""
        why = f"{link(judged)}, {where}: the {side}est {knob_name(knob)} tried is among the best; go on.{longer}"
        cost = of_a_run(winner) * (BEYOND if knob in ("steps", "epochs") and side == "high" else 1.0)
        found.append(Suggestion(words.training_command(config), why, cost, (judged.dataset, judged.model)))
    return found


def _with(config: Config, knob: str, value: object) -> Config | None:
    """The configuration with another value of a knob; None where it takes no such value."""
    fields = {field: given for field, given in config.to_json().items() if given is not None}
    try:
        return make_config(fields | {knob: value})
    except UserError:
        return None


def _open(study: Study, link: Link) -> list[Suggestion]:
    """Sweeps whose best is tied, and that a few more seeds could settle."""
    found = []
    for judged in study.sweeps:
        power, won = judged.power, judged.winner
        if judged.role != "knob" or power is None or won is None or not won.ties or not judged.complete:
            continue
        if not judged.request.seeds < (needed := power.needed()) <= MOST_SEEDS:
            continue
        more = needed - judged.request.seeds
        cost = more * of_a_seed(judged)
        command = words.sweep_command(replace(judged.request, seeds=needed))
        tied = f"{plural(len(won.ties), 'value')} {'tie' if len(won.ties) > 1 else 'ties'} with the best"
        where = name_of(judged.model, judged.dataset)
        why = f"{link(judged)}, {where}: {tied}. With {plural(more, 'more seed')} half a point between them would show."
        found.append(Suggestion(command, why, cost, (judged.dataset, judged.model)))
    return found


def _not_run(study: Study, costs: Costs) -> list[Suggestion]:
    """Shipped sweeps about a knob that a model was never asked."""
    found = []
    for dataset, model in study.pairs:
        wanted = {sweep.name for sweep in study.knobs(dataset, model).not_run}
        for judged in study.not_run(dataset, model):
            if isinstance(judged, SweepResult) and judged.sweep.name in wanted:
                command = words.asking_command(model, judged.request.name, dataset)
                why = f"{judged.title}, {name_of(model, dataset)}: not run yet."
                found.append(Suggestion(command, why, costs.left(judged), (dataset, model)))
    return found
