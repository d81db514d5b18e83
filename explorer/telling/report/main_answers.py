"""The main questions at the front of the report, and what the study answers to each: by model and data set, how sure it
is, and what certainty would cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from explorer.config import fields_for
from explorer.fields import text_of
from explorer.judging import settled
from explorer.judging.answers import Answer, about, names_among_the_best, subject_of, used_by, usual_baseline
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.costs import of_a_seed
from explorer.judging.relations import Word
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.running.trackers.terminal import duration
from explorer.telling import words
from explorer.telling.names import model_title, name_of
from explorer.telling.report.shelf import Page
from explorer.telling.words import plural

MOST_NAMED = 3  # values that tie for the best
MOST_COMPARED = 10  # points of a sweep whose standing to the baseline is told at the front


@dataclass(frozen=True)
class Question:
    """A main question, the subjects whose sweeps and studies answer it, and what to beware of in their answers."""

    asks: str
    subjects: tuple[str, ...]
    beware: str = ""


MORE_IMAGES = "In equal steps a batch twice as large sees twice the images: it trains longer."
QUESTIONS = (
    Question("Which learning rate?", ("lr",)),
    Question("Which batch size, at equal steps?", ("batch_size at equal steps",), MORE_IMAGES),
    Question(
        "Which batch size, at equal images?",
        ("batch_size at equal images",),
        "Over equal images a batch half as large takes twice the steps.",
    ),
    Question("Which optimizer?", ("optimizer",)),
    Question("Which activation?", ("activation",)),
    Question("How deep?", ("depth",)),
    Question("How wide?", ("width", "filters")),
    Question("How long?", ("steps",)),
)


def main_answers(page: Page, found: Sequence[Answer]) -> list[str]:
    """A bullet a question, under it a line for each model and data set: each value tuned, then at one setting; what is
    not known says what it would take."""
    lines = []
    left = {pair: page.shelf.study.not_run(*pair) for pair in page.shelf.study.pairs}
    for question in QUESTIONS:
        mine = [answer for answer in found if answer.subject in question.subjects]
        if not mine:
            continue
        told = []
        for dataset, model in page.shelf.study.pairs:
            here = [answer for answer in mine if answer.pair == (dataset, model)]
            each = [_with_evidence(page, answer, here) for answer in here]
            each += _not_asked(page, left[dataset, model], question, bool(here))
            if not each and question.subjects[0].split()[0] in fields_for(model):
                each = ["not run."]
            if each:
                told.append(f"{name_of(model, dataset)}: {' '.join(each)}")
        beware = question.beware or _for_one_optimizer(mine)
        lines.append(words.nested(f"- **{question.asks}**{f' {beware}' if beware else ''}", told))
    if lines:
        lines[:0] = _how_asked(page, found)
    return [*lines, ""]


def _how_asked(page: Page, found: Sequence[Answer]) -> list[str]:
    """What kind of runs the answers come from, and how far these are from the best configurations."""
    told = ["A sweep changes one knob of a baseline."]
    times, baselines = [], []
    for model in dict.fromkeys(model for _, model in page.shelf.study.pairs):
        if (base := usual_baseline(found, model)) is None:
            continue
        seen = (base.steps or 0) * base.batch_size
        baselines.append(
            f"for the {model_title(model)} {base.steps:,} steps of {base.batch_size} images with {base.optimizer} at "
            f"learning rate {base.lr:g}"
        )
        for (_, other), best in page.shelf.study.leaders.items():
            if other == model and best.total_steps:
                times.append(best.total_steps * best.config.batch_size / seen)
    if baselines:
        told.append(f"That is mostly a short run: {words.listed(baselines)}.")
    if times and min(times) > 1:
        low, high = words.times(min(times)), words.times(max(times))
        told.append(
            f"The best configurations above see {low if low == high else f'{low} to {high}'} times as many images and "
            "change several knobs at once. What is best in a short run need not be best in theirs: where they use "
            "another value, the answer says so."
        )
    else:
        told.append(
            "The best configurations above change several at once: where they use another value, the answer says so."
        )
    lines = [" ".join(told), ""]
    if any(answer.tuned for answer in found):
        lines += [
            "*Each tuned*: every value has its own best setting of some other knobs, and fresh seeds alone judge. *At "
            "one setting*: the other knobs stay as the baseline has them.",
            "",
        ]
    return lines


def _for_one_optimizer(mine: Sequence[Answer]) -> str:
    """Of learning rates: whose they are, for those of other optimizers lie elsewhere. Empty where several have them,
    and for other questions."""
    optimizers = {config.optimizer for answer in mine for config in answer.judged.configs.values()}
    if any(about(answer.judged) != ("lr",) for answer in mine) or len(optimizers) != 1:
        return ""
    return f"For {optimizers.pop()}: other optimizers have other good rates."


def _with_evidence(page: Page, answer: Answer, beside: Sequence[Answer]) -> str:
    """``At one setting: **0.003** is best (sure). [Evidence](...).``; the setting goes without saying where all do."""
    how = "each tuned: " if answer.tuned else "at one setting: " if any(other.tuned for other in beside) else ""
    if answer is not beside[0]:
        how = how[:1].upper() + how[1:]
    last = _elsewhere(page.shelf.study, beside) if answer is beside[-1] else ""
    return f"{how}{_in_words(answer)}{_what_it_takes(page, answer)}{last} {page.to(answer.judged, 'Evidence')}."


def _what_it_takes(page: Page, answer: Answer) -> str:
    """Of an answer that is not known: the runs it still takes, or what these seeds could show, and what more would."""
    judged = answer.judged
    if Certainty.UNKNOWN not in (answer.matters, answer.certainty) or answer.n < MIN_RUNS:
        return ""
    if not judged.complete:
        cost = page.shelf.costs.left(judged)
        return "" if cost is None else f" What is left takes about {duration(cost)} on one core."
    if (power := judged.power) is None:
        return ""
    wanted = settled.margins(judged.dataset).delta
    if power.detectable <= wanted:
        return f" A difference of {words.points(wanted)} would mostly have shown."
    seeds = power.needed(wanted)
    more = duration((seeds - power.n) * of_a_seed(judged))
    return (
        f" These {power.n} seeds mostly show a difference of {words.points(power.detectable)}; one of "
        f"{words.points(wanted)} takes {seeds:,} seeds, about {more} more on one core."
    )


def _not_asked(page: Page, left: Sequence[SweepResult | StudyResult], question: Question, answered: bool) -> list[str]:
    """``Each tuned: not run; `--sweep optimizer-tuned` takes about 40 min on one core.``, of the studies that nobody
    asked for, and of the sweeps where there is no answer at all."""
    told: list[str] = []
    for judged in left:
        tuned = judged.fresh_alone
        if subject_of(judged) not in question.subjects or (answered and not tuned):
            continue
        if (cost := page.shelf.costs.left(judged)) is not None:
            how = "each tuned: " if tuned else "at one setting: " if told else ""
            how = how[:1].upper() + how[1:] if answered or told else how
            told.append(f"{how}not run; `--sweep {judged.request.name}` takes about {duration(cost)} on one core.")
    return told


def _elsewhere(study: Study, here: Sequence[Answer]) -> str:
    """`` The best configuration has lr 0.02, with muon.``, where none of a model's answers on a data set names that
    among the best; empty where one does."""
    best, fields = study.leaders.get(here[0].pair), about(here[0].judged)
    values = used_by(best, fields) if best else None
    if best is None or values is None or any(names_among_the_best(answer, values) for answer in here):
        return ""
    optimizers = {config.optimizer for answer in here for config in answer.judged.configs.values()}
    other = "" if best.config.optimizer in optimizers else f", with {best.config.optimizer}"
    (field, value), *more = values.items()
    told = words.values_of(values) if more or isinstance(value, str) else f"{words.knob_name(field)} {text_of(value)}"
    return f" The best configuration has {f'{value:,} steps' if field == 'steps' else told}{other}."


def _in_words(answer: Answer) -> str:
    """``**0.003** is best (sure). It has 0.35 ± 0.33 points more than 0.001.``"""
    if answer.n < MIN_RUNS:
        return f"unknown: {plural(answer.n, 'seed')} can settle nothing."
    if isinstance(answer.judged, StudyResult) and not answer.judged.complete:
        return "not finished (unknown)."
    first = value_in(answer, answer.best[0])
    if answer.matters is Certainty.UNKNOWN:
        return f"no difference shown (unknown); {first} has the best mean."
    told = f"**{values_named(answer)}**"
    if answer.certainty is Certainty.UNKNOWN:
        told += f" {'is' if answer.alone else 'are'} ahead, but not all others are shown to be worse (unknown)."
    elif answer.alone:
        told += f" is best ({answer.certainty.word})."
    else:
        told += f" are tied for best; all others are worse ({answer.certainty.word})."
    found = answer.estimate
    if found is not None and found.is_better:
        more = words.difference(found).removeprefix("+")
        told += f" {first} has {more} points more than {value_in(answer, found.against)}."
    if not math.isnan(price := answer.price(answer.best[0])) and answer.beside is not None:
        told += f" {first} trains {words.times(price)} times as long as {value_in(answer, answer.beside)}."
    if answer.tuned:
        told += f" On fresh seeds {first} has {words.with_n(answer.judged.validation[answer.best[0]])}."
    return f"{told}{_beside_the_baseline(answer)}"


def _beside_the_baseline(answer: Answer) -> str:
    """Of few values that are words: how each stands to the baseline, or to the best where there is none, `` Against
    adam, muon is better; for adamw and lamb no difference is shown.``"""
    judged = answer.judged
    knob = judged.fields[0]
    of_words = all(isinstance(config.axis(knob), str) for config in judged.configs.values())
    if not of_words or not 2 < len(judged.validation) <= MOST_COMPARED:
        return ""
    base = judged.baseline if isinstance(judged, SweepResult) else answer.best[0]
    if base not in judged.validation:
        return ""
    kinds: dict[Word, list[str]] = {}
    for label in judged.validation:
        if label != base:
            kinds.setdefault(judged.relations.of(label, base).word, []).append(value_in(answer, label))
    told = "; ".join(_standing(word, kinds[word]) for word in get_args(Word) if word in kinds)
    return f" Against {value_in(answer, base)}, {told}." if told else ""


def _standing(word: Word, values: Sequence[str]) -> str:
    """``muon is better``, ``for adamw and lamb no difference is shown``"""
    if word == "not settled":
        return f"for {words.listed(values)} no difference is shown"
    if word == "too few runs":
        return f"{words.listed(values)} {'has' if len(values) == 1 else 'have'} too few runs"
    return f"{words.listed(values)} {'is' if len(values) == 1 else 'are'} {word}"


def values_named(answer: Answer, most: int = MOST_NAMED) -> str:
    """The best values: ``0.003``, ``gelu and relu``, ``32 to 128`` for neighbours of a grid, ``adam and 6 others``."""
    judged, best = answer.judged, answer.best
    if judged.numeric_knob and len(best) > 1:
        order = list(judged.validation)
        places = sorted(order.index(label) for label in best)
        if places == list(range(places[0], places[-1] + 1)):
            return f"{value_in(answer, order[places[0]])} to {value_in(answer, order[places[-1]])}"
    if len(best) > most:
        return f"{words.item(value_in(answer, best[0]))} and {len(best) - 1} others"
    return words.listed([value_in(answer, label) for label in best])


def value_in(answer: Answer, label: str) -> str:
    """A point as its knob's value alone, where there is one knob."""
    return words.value_of(label, answer.judged.fields)
