"""REPORT.md: what a reader takes in within a minute, then within five. Everything else lies behind it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from explorer import datasets, models
from explorer.config import fields_for
from explorer.fields import text_of
from explorer.judging.answers import Answer, about, answers, names_among_the_best, used_by, usual_baseline
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
from explorer.telling.report.try_next import fresh_seeds, suggestions
from explorer.telling.words import plural, short_name

GLOSSARY = (
    ("sure", "shown by a t test, the usual test of two means, corrected for all the points of its sweep"),
    (
        "likely",
        "shown only by a second, bolder test, which knows how runs of the whole study spread; or by the very seeds "
        "that chose the configuration",
    ),
    ("unknown, no difference shown", "neither test shows it, or there are too few runs; it may still be so"),
    ("97.93 ± 0.12 (n=5)", "mean of 5 seeds, in per cent, and half the width of its 95 % interval"),
    ("seed", "sets first weights, order of the data and chance; runs that differ in it alone differ by luck"),
    ("fresh seed", "a seed that had no part in any choice"),
    ("knob, sweep, point", "a hyperparameter; a question about it, asked with many runs; a setting that it compares"),
    ("baseline", "the point that the others of a sweep are compared with"),
    ("tied", "as good as the best, as far as these runs can tell"),
    ("points", "differences of accuracies, in percentage points"),
    ("spread", "the standard deviation over a knob's values of the mean accuracy, the part of the seeds taken out"),
    ("hopeless", "a worst value that alone makes over half of the spread"),
    (
        "equal steps, images",
        "larger batches see more images in equal steps; smaller ones take more steps over equal images",
    ),
    ("validation, test", "10,000 images that choose and judge; 10,000 that are measured once, at the end"),
    ("seconds", "of training alone, on one core that shares its machine: small differences mean nothing"),
    (
        "sgd, adam, adamw, rmsprop, muon, lamb, lars",
        "optimizers: rules by which a gradient moves the weights; a good learning rate for one is none for another",
    ),
    ("relu, gelu, silu, tanh and others", "activations: what a hidden layer makes of its sums"),
    (
        "cosine, plateau, warm-up",
        "learning rates that fall along half a cosine, or when the loss stands still; that rise in the first steps",
    ),
    (
        "angle, scale, shift",
        "augmentation: training images are turned by up to so many degrees, zoomed by up to this share, moved by up to "
        "so many pixels; bilinear sampling blends neighbouring pixels",
    ),
)
STARRED = ("*", "behind a test figure: it is of fresh seeds")
BEHIND = {
    "questions": "questions to the whole study", "published": "published figures", "statistics": "how it is judged",
}  # fmt: skip
NAMED = ("recommendations", "surprises", "worst", "top-tenth", "returns", "translation")
"""Questions to the whole study that the index names: those that many ask first."""
MOST_NAMED = 3  # values that tie for the best
MOST_IN_A_CELL = 2  # of them, in a table
FEW = 50
"""Where no more configurations could win, the best is the best of few."""
PICTURES = {
    "importance": "how far each knob moves the accuracy", "pareto": "what more training time brings",
    "confusion": "what it takes for what",
}  # fmt: skip


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
MOST_RANKED = 3  # knobs of a model
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
    runs, counted = page.shelf.runs, page.shelf.runs.counted
    hours = sum(record.seconds.total for record in counted) / 3600
    able = sum(_candidates(page, dataset, model) for dataset, model in page.shelf.study.pairs)
    return (
        f"{plural(len(counted), 'run')} of {plural(len(runs.configurations), 'configuration')}, {hours:.1f} hours of "
        f"computing. {able:,} of the configurations have enough seeds to be ranked. Validation chooses and judges; the "
        "test set is measured once, at the end. Each answer says how sure it is: "
        "[sure, likely or unknown](#how-to-read-it). `python mnist_explorer.py report` rebuilds this page and all "
        "behind it."
    )


def _candidates(page: Page, dataset: str, model: str) -> int:
    """Of how many configurations the best was chosen."""
    return len(page.shelf.runs.ranked(model, dataset))


def _best(page: Page) -> list[str]:
    study, rows, commands = page.shelf.study, [], []
    for (dataset, model), run in study.leaders.items():
        rows.append(
            {
                "data": datasets.title(dataset),
                "model": f"[{model_title(model)}]({page.link(page.shelf.behind(f'{dataset}-{model}'))})",
                "best configuration": short_name(run.config),
                "best of": f"{_candidates(page, dataset, model):,}",
                "seeds": len(run.validation),
                "validation %": words.figure(run.validation),
                "test %": tables.marked(run),
                "seconds": words.seconds(run.mean_seconds),
            }
        )
        commands += [f"# {name_of(model, dataset)}", words.training_command(run.config)]
    if not rows:
        return []
    shown = ["The commands that train them:", "", "```sh", "\n".join(commands), "```", ""]
    return [tables.text_table(rows), "", " ".join(_about_the_best(page)), "", *shown]


def _about_the_best(page: Page) -> list[str]:
    """What to beware of in the table of the best."""
    study = page.shelf.study
    told = ["*Best of* counts the configurations that it was chosen from."]
    if few := [name_of(model, dataset) for dataset, model in study.leaders if _candidates(page, dataset, model) < FEW]:
        told.append(f"For {words.listed(few)} these are few: a better one may well be found.")
    if any(run.test_figure.fresh for run in study.leaders.values()):
        told.append(WHOSE_TEST)
    else:
        told.append(
            "The seeds of these test figures also chose the configurations. A choice favours lucky seeds, so the "
            "figures are a little too good."
        )
    stale = [pair for pair, run in study.leaders.items() if not run.test_figure.fresh]
    offered = [pair for pair in stale if any(one.pair == pair for one in fresh_seeds(study))]
    if offered:
        which = "" if offered == stale else f" of {words.listed([name_of(model, data) for data, model in offered])}"
        told.append(f"[Try next](#try-next) has the commands that measure them{which} on fresh seeds.")
    return [*told, "What a configuration does not name is at its default, which `--help` tells."]


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
        beware = question.beware or _for_one_optimizer(mine)
        lines.append(words.nested(f"- **{question.asks}**{f' {beware}' if beware else ''}", told))
    if lines:
        lines[:0] = _how_asked(page, found)
    return [*lines, ""]


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
    return f"{how}{_in_words(answer)}{last} {page.to(answer.judged, 'Evidence')}."


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
    first = _value(answer, answer.best[0])
    if answer.matters is Certainty.UNKNOWN:
        return f"no difference shown (unknown); {first} has the best mean."
    told = f"**{_named(answer)}**"
    if answer.certainty is Certainty.UNKNOWN:
        told += f" {'is' if answer.alone else 'are'} ahead, but not all others are shown to be worse (unknown)."
    elif answer.alone:
        told += f" is best ({answer.certainty.word})."
    else:
        told += f" are tied for best; all others are worse ({answer.certainty.word})."
    found = answer.estimate
    if found is not None and found.is_better:
        more = words.difference(found).removeprefix("+")
        told += f" {first} has {more} points more than {_value(answer, found.against)}."
    if not math.isnan(price := answer.price(answer.best[0])) and answer.beside is not None:
        told += f" {first} trains {words.times(price)} times as long as {_value(answer, answer.beside)}."
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
            kinds.setdefault(judged.relations.of(label, base).word, []).append(_value(answer, label))
    told = "; ".join(_standing(word, kinds[word]) for word in get_args(Word) if word in kinds)
    return f" Against {_value(answer, base)}, {told}." if told else ""


def _standing(word: Word, values: Sequence[str]) -> str:
    """``muon is better``, ``for adamw and lamb no difference is shown``"""
    if word == "not settled":
        return f"for {words.listed(values)} no difference is shown"
    if word == "too few runs":
        return f"{words.listed(values)} {'has' if len(values) == 1 else 'have'} too few runs"
    return f"{words.listed(values)} {'is' if len(values) == 1 else 'are'} {word}"


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
    first: list[SweepResult] = []
    for dataset, model in page.shelf.study.pairs:
        found = page.shelf.study.knobs(dataset, model)
        if not found.ranked:
            continue
        first += found.ranked[:MOST_RANKED]
        named = [
            f"{page.to(judged, judged.sweep.title)} ({judged.relations.effect.word})"
            for judged in found.ranked[:MOST_RANKED]
        ]
        lines.append(f"- **{name_of(model, dataset)}**: {', then '.join(named)}.")
        if found.not_ranked:
            without = words.listed([sweep.title for sweep in found.not_ranked])
            lines[-1] += f" Not ranked, for want of runs: {without}."
    if not lines:
        return []
    told = (
        "The knobs that spread the accuracy most, in this order. The word says how sure it is that a knob matters at "
        "all, not which of its values is best; the order itself is not tested. A hopeless value is left out."
    )
    if any(judged.equal == "steps" or set(judged.fields) & {"steps", "epochs"} for judged in first):
        told += " More steps, and larger batches in equal steps, are longer training."
    pictures = [
        line for dataset, model in page.shelf.study.pairs for line in _drawn(page, dataset, model, "importance")
    ]
    return [told, "", *lines, "", *pictures]


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
    used = f"in the {plural(len(page.shelf.study.leaders), 'best configuration')}"
    for mine in kinds.values():
        mine.sort(key=lambda answer: not answer.tuned)
        rules.append(
            {
                "knob": _title(mine),
                "in its sweeps": recommendations.rule(mine),
                used: recommendations.used_by_the_best(page.shelf.study, mine) or "-",
            }
        )
    advice = f" In sentences: {_question(page, 'recommendations')}" if "recommendations" in page.shelf.answered else ""
    lines = [
        tables.text_table(rules),
        "",
        "Below stand the best values: several where these runs cannot tell them apart. In brackets stands how sure it "
        "is that all others are worse. Then comes how far worst and best lie apart, in percentage points, with a "
        f"hopeless value and without it. *Tuned*: each value at its own best setting.{advice}",
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
    """``[512](link) (sure), 5.20``, after ``tuned`` where each value is."""
    judged, tuned = answer.judged, "tuned " if answer.tuned else ""
    if answer.n < MIN_RUNS:
        return f"{tuned}{page.to(judged, 'too few runs')}"
    if answer.matters is Certainty.UNKNOWN:
        return f"{tuned}{page.to(judged, 'no difference shown')}"
    named = _named(answer, MOST_IN_A_CELL)
    told = f"{tuned}{page.to(judged, named)} ({answer.certainty.word}), {100 * answer.range:.2f}"
    if worst := answer.hopeless:
        told += f"; {100 * worst.rest.spread.range:.2f} without {words.item(_value(answer, worst.label))}"
    return told


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
    lead = "Of each, one net of the best configuration, its seed 0, on the test images. The first table has means."
    return [lead, "", *bullets(page.shelf.errors), "", *pictures] if pictures else []


def _published(page: Page) -> list[str]:
    told = published_tables.verdicts(page.shelf.study)
    if not told:
        return []
    more = f"Row by row: [published figures beside measured ones]({page.link(page.shelf.behind('published'))})."
    lead = (
        "Earlier studies, done by hand, published tables of single runs. Here each of their configurations is run with "
        "several seeds. A figure *comes out again* where it lies inside the 95 % interval of one more such run."
    )
    return [lead, "", *bullets(told), "", more]


def _reading(page: Page) -> list[str]:
    starred = any(run.test_figure.fresh for run in page.shelf.study.leaders.values())
    rows = [{"word": word, "meaning": meaning} for word, meaning in (*GLOSSARY, *([STARRED] if starred else []))]
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
