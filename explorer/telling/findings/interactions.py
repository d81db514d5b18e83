"""Whether the best value of one knob depends on the other."""

from collections.abc import Sequence

from explorer.fields import text_of
from explorer.judging.sweeps import Interaction, SweepResult, interaction_of
from explorer.telling.findings.finding import Sentence
from explorer.telling.tables import link, text_table
from explorer.telling.words import knob_name, points, probability


def interaction_sentences(judged: SweepResult) -> list[Sentence]:
    """Where the best cells lie, and whether the two knobs do more than add up."""
    found = interaction_of(judged)
    tuned, given = knob_name(found.tuned), knob_name(found.given)
    sentence = f"**Interaction**: the {tuned} with the best mean, by {given}: {best_at(found)}."
    if found.shown == "not tested":
        why = "fewer than two seeds are common to all cells" if found.n < 2 else "some cells have no result"
        return [f"{sentence} Whether the two do more than add up is not tested: {why}."]
    shown = "do not simply add up" if found.shown == "shown" else "were not shown to do more than add up"
    return [
        f"{sentence} The two {shown} (n={found.n}, p = {probability(found.p)}): from the sum of row and column effects "
        f"cells depart by a standard deviation of {points(found.effect)}, a single run's noise being "
        f"{points(found.noise)}."
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
            tested = found.shown != "not tested"
            rows.append(
                {
                    "data": judged.dataset,
                    "model": judged.model,
                    "sweep": link(judged),
                    "best mean": f"{knob_name(found.tuned)} {best_at(found)}",
                    "interaction": found.shown,
                    "p": probability(found.p) if tested else "-",
                    "effect (sd), points": f"{100 * found.effect:.2f}" if tested else "-",
                    "noise (sd), points": f"{100 * found.noise:.2f}" if tested else "-",
                    "n": found.n,
                }
            )
    return text_table(rows) if rows else ""
