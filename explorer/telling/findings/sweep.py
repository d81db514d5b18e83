"""What one sweep showed: winner, ties, hypothesis, edge, what n could have shown, and what to beware of."""

from collections.abc import Sequence

from explorer.fields import text_of
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.power import HALF_A_POINT
from explorer.judging.relations import Winner
from explorer.judging.runs import mean
from explorer.judging.sweeps import SweepResult
from explorer.telling.findings.finding import Sentence
from explorer.telling.findings.interactions import interaction_sentences
from explorer.telling.words import (
    estimate,
    hypothesis,
    knob_name,
    listed,
    lost,
    plural,
    points,
    reason,
    standing,
    tested,
    with_n,
)


def sweep_sentences(judged: SweepResult, sharing: Sequence[SweepResult] = ()) -> list[Sentence]:
    """What a sweep showed: winner, ties, hypothesis, edge, what n could have shown, and what to beware of.

    ``sharing`` are the other sweeps with the same baseline."""
    sentences = []
    if not judged.complete:
        sentences.append(f"**Unfinished**: {judged.runs_done} of {judged.runs_planned} runs are recorded.")
    best = judged.winner
    if best:
        sentences += [_winner_sentence(judged, best), *_ties(judged, best)]
    else:
        sentences.append("No point has a validation accuracy: nothing can be chosen.")
    if judged.hypothesis:
        sentences.append(f"**Hypothesis {hypothesis(judged.hypothesis)}**: {reason(judged.hypothesis)}.")
    if best:
        sentences += _edges(judged, best)
    sentences += [*_power_sentences(judged), *_beware(judged)]
    if sharing and judged.baseline in judged.validation:
        count = len(judged.validation[judged.baseline])
        told = f"the {plural(count, 'run')} of {judged.baseline} serve {plural(len(sharing), 'other sweep')}"
        sentences.append(
            f"**Shared baseline**: {told}, too ({listed([other.slug for other in sharing])}): their luck is in all."
        )
    without = [f"{outcome.label}: {told}" for outcome in judged.distinct if (told := lost(outcome.lost))]
    if without:
        told = f"**Runs without a result** (the other points' verdicts stand without them): {listed(without)}."
        sentences.append(told)
    if judged.is_pair and judged.validation:
        sentences += interaction_sentences(judged)
    return sentences


def _winner_sentence(judged: SweepResult, best: Winner) -> Sentence:
    verdict = judged.verdicts.get(best.label)
    beside = (
        f"{estimate(verdict)}, in points, against the baseline {judged.baseline}"
        if verdict
        else "it is the baseline itself"
        if best.label == judged.baseline
        else "the baseline has no result"
    )
    return (
        f"**Best on validation**: {best.label}, {with_n(judged.validation[best.label])}, test "
        f"{tested(judged.by_label[best.label])}; {beside}."
    )


def _ties(judged: SweepResult, best: Winner) -> list[Sentence]:
    if judged.seeds < MIN_RUNS:
        few = plural(judged.seeds, "seed")
        told = (
            f"**{few}**: no verdict on any difference, no interval, and no ties can be named; run it with `--seeds 5`."
        )
        return [told]
    return [f"**Beside the best**: {standing(best)}."] if len(judged.validation) > 1 else []


def _edges(judged: SweepResult, best: Winner) -> list[Sentence]:
    return [
        f"**Edge of the grid**: the winner has the {'lowest' if side == 'low' else 'highest'} {knob_name(knob)} tried "
        f"({text_of(judged.value(best.label, knob))}); the grid should go on beyond it."
        for knob, side in judged.edges
    ]


def _power_sentences(judged: SweepResult) -> list[Sentence]:
    sentences = []
    if power := judged.power:
        means = [mean(scores) for scores in judged.validation.values()]
        found = (
            f"a true difference from the baseline of {points(power.detectable)} is found with 80 % power"
            if power.detectable < 0.5
            else "next to no difference from the baseline is found with 80 % power"
        )
        more = f"; half a point would take {power.needed():,} seeds" if power.detectable > HALF_A_POINT else ""
        sentences.append(
            f"**What it could have shown**: with n = {power.n} and {plural(power.comparisons, 'comparison')}, {found}"
            f"{more}. From worst to best the points lie {points(max(means) - min(means))} apart; the seed alone gives "
            f"a standard deviation of {points(judged.noise)} (median point)."
        )
    return sentences


def _beware(judged: SweepResult) -> list[Sentence]:
    """What else varies with the knob: what the points themselves show, and the file's own note."""
    sentences = [f"**Note**: {judged.sweep.note}"] if judged.sweep.note else []
    configs = [outcome.config for outcome in judged.distinct]
    knobs = judged.sweep.knobs
    if "batch_size" in knobs and "steps" not in knobs and configs[0].steps:
        images = sorted(config.batch_size * (config.steps or 0) for config in configs)
        sentences.append(
            f"**Confounded**: at equal steps the batch size also sets how many images are seen, {images[0]:,} to "
            f"{images[-1]:,}."
        )
    one_rate = len({config.lr for config in configs}) == 1
    for knob in ("optimizer", "batch_size"):
        if knobs == (knob,) and one_rate:
            sentences.append(
                f"**Confounded**: every {knob.replace('_', ' ')} ran at lr {configs[0].lr:g}, which suits one better "
                "than another."
            )
    if len(judged.kernels) > 1:
        told = [f"{plural(count, 'run')} with version {version}" for version, count in sorted(judged.kernels.items())]
        sentences.append(
            f"**Kernels of several versions** (0: none) made these runs: {', '.join(told)}. Their last digits differ."
        )
    if judged.request.overrides:
        fixed = ", ".join(f"{field} {text_of(value)}" for field, value in judged.request.overrides.items())
        sentences.append(f"**Run with {fixed}** for all points, unlike the sweep's own file.")
    return sentences
