"""REPORT.md: what a reader takes in within a minute, then within five. Everything else lies behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from explorer import datasets, models
from explorer.config import fields_for
from explorer.judging.answers import Answer, answers
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.relations import Word
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling import tables, words
from explorer.telling.findings import published_tables, recommendations
from explorer.telling.findings.best import against_one_another
from explorer.telling.names import model_title, name_of
from explorer.telling.report.group import WHOSE_TEST
from explorer.telling.report.shelf import Page, Shelf, bullets
from explorer.telling.report.try_next import suggestions
from explorer.telling.words import plural, short_name

GLOSSARY = (
    ("sure", "a t test shows it, corrected for all the points of its sweep"),
    ("likely", "only a second test shows it, which borrows spreads from the whole study; or the seeds chose, too"),
    ("unknown", "neither shows it, or there are too few runs"),
    ("97.93 ± 0.12 (n=5)", "mean of 5 seeds, in per cent, and half the width of its 95 % interval"),
    ("seed", "sets first weights, order of the data and chance; runs that differ in it alone differ by luck"),
    ("fresh seed", "a seed that had no part in any choice; a star marks figures of such seeds"),
    ("sweep, point", "a question asked with many runs; one of the settings it compares"),
    ("baseline", "the point that the others of a sweep are compared with"),
    ("tied", "as good as the best, as far as these runs can tell"),
    ("points", "differences of accuracies, in percentage points"),
    (
        "equal steps, images",
        "larger batches see more images in equal steps; smaller ones take more steps over equal images",
    ),
    ("validation, test", "10,000 images that choose and judge; 10,000 that are measured once, at the end"),
    ("seconds", "of training alone, on one core that shares its machine: small differences mean nothing"),
)
BEHIND = {
    "questions": "questions to the whole study", "published": "published figures", "statistics": "how it is judged",
}  # fmt: skip
NAMED = ("recommendations", "surprises", "worst", "top-tenth", "returns", "translation")
"""Questions to the whole study that the index names: those that many ask first."""
MOST_NAMED = 3  # values that tie for the best
MOST_IN_A_CELL = 2  # of them, in a table
PICTURES = {
    "importance": "how far each knob moves the accuracy", "pareto": "training time against error",
    "confusion": "what it takes for what",
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A main question, and the subjects whose sweeps and studies answer it."""

    asks: str
    subjects: tuple[str, ...]


QUESTIONS = (
    Question("Which learning rate?", ("lr",)),
    Question("Which batch size, at equal steps?", ("batch_size at equal steps",)),
    Question("Which batch size, at equal images?", ("batch_size at equal images",)),
    Question("Which optimizer?", ("optimizer",)),
    Question("Which activation?", ("activation",)),
    Question("How deep?", ("depth",)),
    Question("How wide?", ("width", "filters")),
    Question("How long?", ("steps",)),
)
MOST_COMPARED = 10  # points of a sweep whose standing to the baseline is told at the front


def write(shelf: Shelf) -> None:
    study = shelf.study
    page = Page(shelf, shelf.report, "What the hyperparameters do")
    if not shelf.runs.kept:
        page.say("The ledger holds no run yet. `python mnist_explorer.py mlp --sweep lr` makes a start.")
        page.save()
        return
    found = answers(study)
    page.say(_preface(page))
    page.section("In one minute", *_best(page), *_main_answers(page, found))
    page.section("Your own sweeps", *_own(page))
    page.section("Which knobs matter", *_knobs(page))
    page.section("Try next", *_next(page))
    page.section("Knob by knob", *_cards(page, found))
    page.section(" or ".join(map(model_title, _models(study))) + "?", *_against(page))
    page.section("Where they err", *_errors(page))
    page.section("Published figures", *_published(page))
    page.section("How to read it", *_reading(page))
    page.section("Index", *_index(page))
    page.save()


def _preface(page: Page) -> str:
    counted = page.shelf.runs.counted
    hours = sum(record.seconds.total for record in counted) / 3600
    return (
        f"{plural(len(counted), 'run')} of {plural(len(page.shelf.runs.configurations), 'configuration')}, {hours:.1f} "
        "hours of computing. Validation chooses and judges; the test set is measured once, at the end. Each answer "
        "says how sure it is: [sure, likely or unknown](#how-to-read-it). `python mnist_explorer.py report` rebuilds "
        "this page and all behind it."
    )


def _best(page: Page) -> list[str]:
    study, rows, commands = page.shelf.study, [], []
    for item in study.best:
        if item.why != "accuracy":
            continue
        run = item.result
        rows.append(
            {
                "data": datasets.title(item.dataset),
                "model": f"[{model_title(item.model)}]({page.link(page.shelf.behind(f'{item.dataset}-{item.model}'))})",
                "best configuration": short_name(run.config),
                "n": len(run.validation),
                "validation %": words.figure(run.validation),
                "test %": tables.marked(run),
                "seconds": words.seconds(run.mean_seconds),
            }
        )
        commands += [f"# {name_of(item.model, item.dataset)}", words.training_command(run.config)]
    if not rows:
        return []
    told = WHOSE_TEST if any(item.result.test_figure.fresh for item in study.best) else _NO_FRESH
    told += " What a configuration does not name is at its default, which `--help` tells."
    shown = ["The commands that train them:", "", "```sh", "\n".join(commands), "```", ""]
    return [tables.text_table(rows), "", told, "", *shown]


_NO_FRESH = (
    "These test figures are of the seeds that chose the configurations. Such seeds were lucky on both splits, so the "
    "figures are a little too good. [Try next](#try-next) has the commands that measure them on fresh seeds."
)


_AT_ONE_SETTING = (
    "Each answer changes one knob and leaves the others as the sweep's baseline has them. The best configurations "
    "above combine several, and train longer: values may differ there."
)
_EACH_TUNED = (
    "*Each tuned*: every value has its own best setting of some other knobs, and fresh seeds alone judge. Otherwise "
    "one knob changes and the others stay as the sweep's baseline has them. The best configurations above combine "
    "several, and train longer: values may differ there."
)


def _main_answers(page: Page, found: Sequence[Answer]) -> list[str]:
    """A bullet a question, under it a line for each model and data set: each value tuned, then at one setting."""
    lines = []
    for question in QUESTIONS:
        mine = [answer for answer in found if answer.subject in question.subjects]
        if not mine:
            continue
        told = []
        for dataset, model in page.shelf.study.pairs:
            here = [answer for answer in mine if answer.pair == (dataset, model)]
            if here:
                each = " ".join(_with_evidence(page, answer, here) for answer in here)
                told.append(f"{name_of(model, dataset)}: {each}")
            elif question.subjects[0].split()[0] in fields_for(model):
                told.append(f"{name_of(model, dataset)}: not run.")
        lines.append(words.nested(f"- **{question.asks}**", told))
    if lines:
        lines[:0] = [
            _EACH_TUNED if any(answer.tuned for answer in found) else _AT_ONE_SETTING,
            "",
        ]
    return [*lines, ""]


def _with_evidence(page: Page, answer: Answer, beside: Sequence[Answer]) -> str:
    """``At one setting: **0.003** is best (sure). [Evidence](...).``; the setting goes without saying where all do."""
    how = "each tuned: " if answer.tuned else "at one setting: " if any(other.tuned for other in beside) else ""
    if answer is not beside[0]:
        how = how[:1].upper() + how[1:]
    return f"{how}{_in_words(answer)} {page.to(answer.judged, 'Evidence')}."


def _in_words(answer: Answer) -> str:
    """``**0.003** is best (sure), by +0.35 ± 0.33 points against 0.001.``"""
    if answer.n < MIN_RUNS:
        return f"unknown: {plural(answer.n, 'seed')} can settle nothing."
    if isinstance(answer.judged, StudyResult) and not answer.judged.complete:
        return "not finished (unknown)."
    first = _value(answer, answer.best[0])
    if answer.matters is Certainty.UNKNOWN:
        return f"no difference shown (unknown); {first} leads."
    told = f"**{_named(answer)}**"
    if answer.certainty is Certainty.UNKNOWN:
        told += f" {'leads' if answer.alone else 'lead'}; whether others are as good is open (unknown)"
    elif answer.alone:
        told += f" is best ({answer.certainty.word})"
    else:
        told += f" tie, the others are worse ({answer.certainty.word})"
    found = answer.estimate
    if found is not None and found.certainty is not Certainty.UNKNOWN:
        told += f". {first} has {words.difference(found)} points against {_value(answer, found.against)}"
    if answer.tuned:
        told += f"; {first} has {words.with_n(answer.judged.validation[answer.best[0]])} on fresh seeds"
    return f"{told}.{_beside_the_baseline(answer)}"


def _beside_the_baseline(answer: Answer) -> str:
    """Of few values that are no numbers: how each stands to the baseline, or to the best where there is none,
    `` Against adam: muon is better. adamw and lamb are not settled.``"""
    judged = answer.judged
    if judged.numeric_knob or not 2 < len(judged.validation) <= MOST_COMPARED:
        return ""
    base = judged.baseline if isinstance(judged, SweepResult) else answer.best[0]
    if base not in judged.validation:
        return ""
    kinds: dict[str, list[str]] = {}
    for label in judged.validation:
        if label != base:
            kinds.setdefault(judged.relations.of(label, base).word, []).append(_value(answer, label))
    told = " ".join(
        f"{words.listed(kinds[word])} {'is' if len(kinds[word]) == 1 else 'are'} {word}."
        for word in get_args(Word)
        if word in kinds
    )
    return f" Against {_value(answer, base)}: {told}" if told else ""


def _named(answer: Answer, most: int = MOST_NAMED) -> str:
    """The best values: ``0.003``, ``gelu and relu``, ``32 to 128`` for neighbours of a grid, ``adam and 6 others``."""
    judged, best = answer.judged, answer.best
    if judged.numeric_knob and len(best) > 1:
        order = list(judged.validation)
        places = sorted(order.index(label) for label in best)
        if places == list(range(places[0], places[-1] + 1)):
            return f"{_value(answer, order[places[0]])} to {_value(answer, order[places[-1]])}"
    if len(best) > most:
        return f"{words.item(_value(answer, best[0]))} and {len(best) - 1} others"
    return words.listed([_value(answer, label) for label in best])


def _value(answer: Answer, label: str) -> str:
    """A point as its knob's value alone, where there is one knob."""
    return words.value_of(label, answer.judged.fields)


def _own(page: Page) -> list[str]:
    shelf = page.shelf
    if not shelf.own:
        return []
    more = f"[Their tables and pictures]({page.link(shelf.behind('own'))})."
    rows = [
        {
            "data": judged.dataset,
            "model": judged.model,
            "sweep": page.to(judged),
            "best on validation": judged.winner.label if judged.winner else "-",
            "validation %": words.figure(judged.validation[judged.winner.label]) if judged.winner else "-",
            "hypothesis": words.hypothesis(judged.hypothesis) if judged.hypothesis else "-",
        }
        for judged in shelf.own.sweeps
    ]
    return [more, "", *([tables.text_table(rows)] if rows else []), ""]


def _knobs(page: Page) -> list[str]:
    lines: list[str] = []
    for dataset, model in page.shelf.study.pairs:
        found = page.shelf.study.knobs(dataset, model)
        if not found.ranked:
            continue
        first = found.ranked[0]
        named = [page.to(judged, judged.sweep.title) for judged in found.ranked[:3]]
        rest = f", then {' and '.join(named[1:])}" if named[1:] else ""
        sure = first.relations.effect.word
        lines.append(
            f"- **{name_of(model, dataset)}**: {named[0]} spreads the accuracy most{rest}. That it matters is {sure}."
        )
        if without := [f"`{name}`" for name in (*(judged.slug for judged in found.too_few), *found.not_run)]:
            lines[-1] += f" Not ranked, for want of runs: {words.listed(without)}."
    pictures = [
        line for dataset, model in page.shelf.study.pairs for line in _drawn(page, dataset, model, "importance")
    ]
    measure = (
        "Spread is the standard deviation of a sweep's means, as in the pictures; a hopeless value is left out of it."
    )
    return [*lines, "", measure, "", *pictures] if lines else []


def _drawn(page: Page, dataset: str, model: str, what: str) -> list[str]:
    """A picture that the page of its model and data set has, too."""
    path = page.shelf.media / dataset / f"{model}_{what}.png"
    return (
        [f"![{name_of(model, dataset)}: {PICTURES[what]}]({page.link(path)})", ""] if path in page.shelf.files else []
    )


def _next(page: Page) -> list[str]:
    return [
        f"- {suggestion.why}{f' About {suggestion.cost}' if suggestion.cost else ''}: `{suggestion.command}`"
        for suggestion in suggestions(page.shelf.study, lambda judged: page.to(judged, judged.sweep.title))
    ]


def _cards(page: Page, found: Sequence[Answer]) -> list[str]:
    """A row a knob: what holds everywhere; then, a table a data set, each model's best value and how sure that is. A
    study of a knob stands in the row of the first sweep about it, before what the sweep says."""
    kinds: dict[tuple[str, str], list[Answer]] = {}  # (subject, the sweep's name)
    for answer in sorted(found, key=lambda answer: answer.tuned):
        alike = [key for key in kinds if key[0] == answer.subject]
        key = alike[0] if answer.tuned and alike else (answer.subject, answer.judged.slug)
        kinds.setdefault(key, []).append(answer)
    if not kinds:
        return []
    rules = []
    for mine in kinds.values():
        mine.sort(key=lambda answer: not answer.tuned)
        rules.append({"knob": _title(mine), "rule of thumb": recommendations.rule(mine)})
    advice = f" In sentences: {_question(page, 'recommendations')}" if "recommendations" in page.shelf.answered else ""
    lines = [
        tables.text_table(rules),
        "",
        "Below are the best values, and how sure it is that no other is best. The figure is how far worst and best lie "
        "apart, in points. It leaves out a hopeless value, one that alone makes over half of the spread. *Tuned*: each "
        f"value at its own best setting.{advice}",
        "",
    ]
    for dataset in page.shelf.study.datasets:
        here = [model for there, model in page.shelf.study.pairs if there == dataset]
        rows = []
        for mine in kinds.values():
            cards = {model: [_card(page, one) for one in mine if one.pair == (dataset, model)] for model in here}
            if any(cards.values()):
                each = {model_title(model): "; at one setting ".join(cards[model]) or "-" for model in here}
                rows.append({datasets.title(dataset): _title(mine), **each})
        lines += [tables.text_table(rows), ""] if rows else []
    return lines


def _title(mine: Sequence[Answer]) -> str:
    """What a row is called: as the first sweep is, where there is one."""
    return next((answer.judged.title for answer in mine if not answer.tuned), mine[0].judged.title)


def _card(page: Page, answer: Answer) -> str:
    """``[relu; gelu](link), sure, 0.31``, after ``tuned`` where each value is."""
    judged, tuned = answer.judged, "tuned " if answer.tuned else ""
    if answer.n < MIN_RUNS:
        return f"{tuned}{page.to(judged, 'too few runs')}"
    if answer.matters is Certainty.UNKNOWN:
        return f"{tuned}{page.to(judged, 'no difference shown')}"
    named = _named(answer, MOST_IN_A_CELL)
    return f"{tuned}{page.to(judged, named)}, {answer.certainty.word}, {100 * answer.range:.2f}"


def _models(study: Study) -> list[str]:
    """The models that are compared with another on some data set, in their order."""
    on = [{model for there, model in study.pairs if there == dataset} for dataset in study.datasets]
    both = {model for models_there in on if len(models_there) > 1 for model in models_there}
    return [model for model in models.names() if model in both]


def _against(page: Page) -> list[str]:
    study = page.shelf.study
    told = [sentence for dataset in study.datasets for sentence in against_one_another(study, dataset)]
    if not told:
        return []
    pictures = [line for dataset, model in study.pairs for line in _drawn(page, dataset, model, "pareto")]
    return [*bullets(told), "", *pictures]


def _errors(page: Page) -> list[str]:
    pictures = [line for dataset, model in page.shelf.study.pairs for line in _drawn(page, dataset, model, "confusion")]
    return [*bullets(page.shelf.errors), "", *pictures] if pictures else []


def _published(page: Page) -> list[str]:
    told = published_tables.verdicts(page.shelf.study)
    if not told:
        return []
    more = f"Row by row: [published figures beside measured ones]({page.link(page.shelf.behind('published'))})."
    return [*bullets(told), "", more]


def _reading(page: Page) -> list[str]:
    rows = [{"word": word, "meaning": meaning} for word, meaning in GLOSSARY]
    machines = sorted({record.environment.cpu for record in page.shelf.runs.counted})
    link = page.link(page.shelf.behind("statistics"))
    return [
        tables.text_table(rows),
        "",
        f"Measured on {words.listed(machines)}. [How it is judged]({link}) has the tests, how often they err, the "
        "machines, and what was left out.",
        "",
    ]


def _question(page: Page, id: str) -> str:
    """A link to the answer of a question to the whole study."""
    return f"[{page.shelf.answered[id]}]({page.link(page.shelf.behind('questions'), id)})"


def _index(page: Page) -> list[str]:
    shelf, lines = page.shelf, []
    for dataset, model in shelf.study.pairs:
        count = plural(len(shelf.study.of(dataset, model)), "sweep")
        lines.append(f"- [{name_of(model, dataset)}]({page.link(shelf.behind(f'{dataset}-{model}'))}): {count}")
    for name, title in BEHIND.items():
        if shelf.behind(name) in shelf.files:
            lines.append(f"- [{title}]({page.link(shelf.behind(name))})")
            if name == "questions":
                asked = [_question(page, id) for id in NAMED if id in shelf.answered]
                lines[-1] += f", such as: {' '.join(asked)}" if asked else ""
    lines.append(f"- [every run, a row each]({page.link(shelf.every_run)})")
    return lines
