"""Whether the best value of one knob depends on the other."""

from collections.abc import Sequence

from explorer.fields import text_of
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.sweeps import Interaction, SweepResult, interaction_of
from explorer.telling.findings.finding import Sentence
from explorer.telling.tables import link, text_table
from explorer.telling.words import knob_name, points, probability


def interaction_sentences(judged: SweepResult) -> list[Sentence]:
    """Where the best cells lie, and whether the two knobs do more than add up."""
    found = interaction_of(judged)
    tuned, given = knob_name(found.tuned), knob_name(found.given)
    sentence = f"**Interaction**: the {tuned} with the best mean, by {given}: {best_at(found)}."
    if found.accuracy is None or found.odds is None:
        few = f"fewer than {MIN_RUNS} seeds are common to all cells"
        why = few if found.n < MIN_RUNS else "some cells have no result"
        return [f"{sentence} Whether the two do more than add up is not tested: {why}."]
    words = {
        "shown": "The two do not simply add up, in accuracy nor in log-odds",
        "on one scale alone": "Whether the two do more than add up depends on the scale, so nothing is claimed",
    }
    shown = words.get(found.shown, "That the two do more than add up is not shown")
    return [
        f"{sentence} {shown} (n={found.n}, p = {probability(found.accuracy.p)} in accuracy, "
        f"{probability(found.odds.p)} in log-odds): from the sum of row and column effects cells depart by a standard "
        f"deviation of {points(found.accuracy.effect)}, a single run's noise being {points(found.accuracy.noise)}."
    ]


def best_at(found: Interaction) -> str:
    """``0.003 at 16, 0.001 at 32``"""
    return ", ".join(f"{text_of(value)} at {text_of(given)}" for given, value in found.best_at)


def interaction_table(sweeps: Sequence[SweepResult]) -> str:
    """A row for each pair with any result; empty without any."""
    rows = []
    for judged in sweeps:
        if judged.is_pair and judged.validation:
            found = interaction_of(judged)
            accuracy, odds = found.accuracy, found.odds
            rows.append(
                {
                    "data": judged.dataset,
                    "model": judged.model,
                    "sweep": link(judged),
                    "best mean": f"{knob_name(found.tuned)} {best_at(found)}",
                    "interaction": found.shown,
                    "p": probability(accuracy.p) if accuracy else "-",
                    "p, log-odds": probability(odds.p) if odds else "-",
                    "effect (sd), points": f"{100 * accuracy.effect:.2f}" if accuracy else "-",
                    "noise (sd), points": f"{100 * accuracy.noise:.2f}" if accuracy else "-",
                    "n": found.n,
                }
            )
    return text_table(rows) if rows else ""
