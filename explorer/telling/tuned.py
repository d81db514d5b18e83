"""What studies and searches showed, in sentences: each value at its best, how sure that is, what tuning was worth."""

from explorer.fields import text_of
from explorer.judging.studies import StudyResult, expected_best
from explorer.telling.words import (
    difference,
    hypothesis,
    knob_name,
    listed,
    points,
    reason,
    setting,
    standing,
    with_n,
)

ENOUGH = 0.9  # of what tuning gains: as many tries as give this much are enough


def study_sentences(judged: StudyResult) -> list[str]:
    """The winner, who ties with it, edges, how the best setting moves, what tuning is worth, and what was fixed."""
    told = []
    if not judged.complete:
        parts = ", ".join(f"{stage.done} of {stage.planned} {stage.name}" for stage in judged.stages)
        told.append(f"**Unfinished**: {parts}.")
    told += _best(judged)
    if judged.hypothesis:
        told.append(f"**Hypothesis {hypothesis(judged.hypothesis)}**: {reason(judged.hypothesis)}.")
    told += [*_edges(judged), *_moves(judged), *_worth(judged)]
    lost = [f"{one.label}: {one.lost} of {len(one.tries)}" for one in judged.contenders if one.lost]
    told += [f"**Tries that diverged or failed**, counted as the worst: {listed(lost)}."] if lost else []
    fixed = ", ".join(f"{knob_name(field)} {text_of(value)}" for field, value in judged.question.fixed.items())
    fixed = f"{fixed}, and the defaults of all else" if fixed else "the defaults of all else"
    told.append(f"**Fixed for all**: {fixed}. What was found holds for these.")
    return told + ([f"**Note**: {judged.question.note}"] if judged.question.note else [])


def verdict(judged: StudyResult, label: str) -> str:
    """What a value is against the best one, on fresh seeds alone."""
    won = judged.winner
    if won is None or label not in judged.fresh:
        return "no result" if judged.by_label[label].tries and judged.complete else "not known yet"
    if label == won.label:
        return "best" if len(judged.fresh) > 1 else "-"
    return f"{difference(judged.relations.of(label, won.label))}: {won.standing(label)}"


def _best(judged: StudyResult) -> list[str]:
    won = judged.winner
    if won is None:
        return []
    one = judged.by_label[won.label]
    assert one.fresh is not None
    figures = f"{with_n(one.fresh.fresh_validation)} on fresh seeds, test {with_n(one.fresh.test_figure.scores)}"
    if not judged.question.scientific:
        return [f"**Best found**: {setting(one.setting)}; {figures}."]
    told = [f"**Best, each at its own best setting**: {won.label} ({setting(one.setting)}), {figures}."]
    told += [f"**Beside the best**: {standing(won)}."] if len(judged.fresh) > 1 else []
    if judged.pairs > 1:
        told.append(
            f"**Pair by pair** (fresh seeds alone, Holm over all {judged.pairs}): {judged.pairs_shown} differences are "
            "shown."
        )
    return told


def _edges(judged: StudyResult) -> list[str]:
    found = [
        f"{one.label} ({'low' if side == 'low' else 'high'}est {knob_name(field)}, {text_of(one.setting[field])})"
        for one in judged.contenders
        for field, side in one.edges
        if one.setting
    ]
    if not found:
        return []
    return [f"**At the edge of its range**: {listed(found)}; beyond it may be better, so a wider range is worth a try."]


def _moves(judged: StudyResult) -> list[str]:
    """The best setting, nuisance by nuisance, where there are several values to compare."""
    told = []
    for field in judged.question.nuisances if len(judged.contenders) > 1 else ():
        known = [(one.label, one.setting[field]) for one in judged.contenders if one.setting and field in one.setting]
        if len(known) > 1:
            told.append(f"{knob_name(field)} {', '.join(f'{text_of(value)} for {label}' for label, value in known)}")
    return [f"**The best setting**, of a few tries each: {'; '.join(told)}."] if told else []


def _worth(judged: StudyResult) -> list[str]:
    """What the best of all tries gives over one try, and how many of them give most of that."""
    gains, enough = [], []
    for one in judged.contenders:
        if len(one.tries) > 2 and one.lost < len(one.tries):
            curve = expected_best([tried.accuracy for tried in one.tries]).mean
            gains.append(curve[-1] - curve[0])
            enough.append(next(k for k, value in enumerate(curve, 1) if value >= curve[0] + ENOUGH * gains[-1]))
    if not gains:
        return []
    least, most = min(gains), max(gains)
    span = points(most) if len(gains) == 1 else f"{100 * least:.2f} to {points(most)}"
    return [
        f"**What tuning is worth**: the best of {max(len(one.tries) for one in judged.contenders)} tries is {span} "
        f"above one try at random; {max(enough)} tries give nine tenths of that for every value."
    ]


def caption(judged: StudyResult) -> str:
    """What was run, in a line."""
    question, values = judged.question, len(judged.contenders)
    each = f"{question.tries} tries at seed 0, the best {question.finalists} on {question.seeds} seeds, the winner on "
    each += f"{question.fresh_seeds} fresh ones"
    tuned = listed([knob_name(field) for field in question.nuisances])
    return f"Tuned: {tuned}. {f'{values} values, each with ' if values > 1 else ''}{each}."
