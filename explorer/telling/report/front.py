"""REPORT.md: what a reader takes in within a minute, then within five. Everything else lies behind it."""

from collections.abc import Sequence

from explorer import datasets, models
from explorer.judging.answers import Answer, answers
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling import tables, words
from explorer.telling.findings import published_tables, recommendations
from explorer.telling.findings.best import against_one_another, aim_on
from explorer.telling.findings.knobs import FEW_KNOBS
from explorer.telling.names import model_title, name_of
from explorer.telling.report.main_answers import main_answers, value_in, values_named
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
MOST_IN_A_CELL = 2  # of them, in a table
FEW = 50
"""Where no more configurations could win, the best is the best of few."""
PICTURES = {
    "importance": "how far each knob moves the accuracy", "pareto": "what more training time brings",
    "confusion": "what it takes for what",
}  # fmt: skip


MOST_RANKED = 3  # knobs of a model


def write(shelf: Shelf) -> None:
    study = shelf.study
    page = Page(shelf, shelf.report, "What the hyperparameters do")
    if not shelf.runs.kept:
        page.say("The ledger holds no run yet. `python mnist_explorer.py mlp --sweep lr` makes a start.")
        page.save()
        return
    found = answers(study)
    page.say(_preface(page))
    page.section("In one minute", *_best(page), *main_answers(page, found))
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
                "aim %": f"{100 * aim.target:.1f}: {aim.word}" if (aim := aim_on(run)) else "-",
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
    stale = [pair for pair, run in study.leaders.items() if not run.test_figure.fresh]
    if len(stale) < len(study.leaders):
        told.append("Test figures with a star are of fresh seeds, which chose nothing.")
    if stale:
        whose = words.listed([name_of(model, dataset) for dataset, model in stale])
        told.append(
            f"The test figure of {whose} is of the seeds that chose the configuration. A choice favours lucky seeds, "
            "so it is a little too good."
        )
    offered = [pair for pair in stale if any(one.pair == pair for one in fresh_seeds(study))]
    if offered:
        which = "" if offered == stale else f" of {words.listed([name_of(model, data) for data, model in offered])}"
        told.append(f"[Try next](#try-next) has the commands that measure them{which} on fresh seeds.")
    return [*told, "What a configuration does not name is at its default, which `--help` tells."]


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
        few = len(found.ranked) <= FEW_KNOBS
        named = [
            f"{page.to(judged, judged.sweep.title)} ({judged.relations.effect.word})"
            for judged in found.ranked[: len(found.ranked) if few else MOST_RANKED]
        ]
        lines.append(f"- **{name_of(model, dataset)}**: {words.listed(named) if few else ', then '.join(named)}.")
        without = [sweep.title for sweep in found.not_ranked]
        if few and without:
            lines[-1] += f" These are {len(found.ranked)} of {len(found.ranked) + len(without)} knobs: no ranking."
        if without:
            lines[-1] += f" Not run often enough to say: {words.listed(without, most=len(without))}."
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
        for suggestion in suggestions(
            page.shelf.study, page.shelf.costs, lambda judged: page.to(judged, judged.sweep.title)
        )
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
    named = values_named(answer, MOST_IN_A_CELL)
    told = f"{tuned}{page.to(judged, named)} ({answer.certainty.word}), {100 * answer.range:.2f}"
    if worst := answer.hopeless:
        told += f"; {100 * worst.rest.spread.range:.2f} without {words.item(value_in(answer, worst.label))}"
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
