"""How figures, configurations, commands and verdicts are said, in REPORT.md, in pictures and in the terminal alike."""

import functools
import math
import shlex
from collections.abc import Mapping, Sequence

from explorer.asking.studies import SEARCH_FILE
from explorer.config import Config, fields_for, make_config
from explorer.fields import Value, flag_of, text_of
from explorer.judging import stats
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.hypothesis import HypothesisVerdict, Reason
from explorer.judging.relations import Relation, Winner
from explorer.judging.runs import ConfigResult, LeftOut, Lost
from explorer.judging.study import Unreadable
from explorer.running.requests import Request
from explorer.running.trackers.terminal import duration

LISTED = 6  # of a longer list, so many are named
CALLED = {"batch_size": "batch", "kernel_size": "kernel"}  # fields that a configuration's name says more shortly


def knob_name(field: str) -> str:
    """``batch size``"""
    return field.replace("_", " ")


def figure(scores: Mapping[int, float]) -> str:
    """Accuracies in per cent: ``97.93 ± 0.12``, or ``45.85 (0.00 to 96.10)`` where the interval ends at 0 or 100; the
    runs themselves where they are too few for an interval, ``97.12, 97.40``; a dash for none."""
    return _figure(stats.accuracy_interval(list(scores.values())), scores) if scores else "-"


def amount(values: Mapping[int, float]) -> str:
    """Points of a per cent, such as gaps, said as accuracies are, but below 0 and above 100, too."""
    return _figure(stats.mean_interval(list(values.values())), values) if values else "-"


def _figure(interval: stats.Interval, values: Mapping[int, float]) -> str:
    if interval.n < MIN_RUNS:
        return ", ".join(f"{100 * value:.2f}" for value in values.values())
    mean = f"{100 * interval.mean:.2f}"
    if interval.cut:
        return f"{mean} ({100 * interval.low:.2f} to {100 * interval.high:.2f})"
    return f"{mean} ± {100 * interval.half_width:.2f}" if interval.known else mean


def with_n(scores: Mapping[int, float]) -> str:
    """``97.93 ± 0.12 % (n=5)``."""
    return f"{figure(scores)} % (n={len(scores)})"


def tested(run: ConfigResult) -> str:
    """``97.90 ± 0.10 % (n=10, fresh seeds)``: of a winner, with whose seeds it is."""
    test = run.test_figure
    whose = "fresh seeds" if test.fresh else "the seeds that chose it"
    return f"{figure(test.scores)} % (n={len(test.scores)}, {whose})"


def seconds(value: float) -> str:
    """Seconds with the digits that matter."""
    return "-" if math.isnan(value) else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def in_brackets(cost: float | None) -> str:
    """`` (3 min)``, what something takes; nothing where that is not known."""
    return "" if cost is None else f" ({duration(cost)})"


def times(ratio: float) -> str:
    """How many times as much, with the digits that crowded machines leave: ``1.4``, ``18``."""
    return f"{ratio:.0f}" if ratio >= 3 else f"{ratio:.1f}".removesuffix(".0")


def difference(compared: Relation, digits: int = 2) -> str:
    """A difference of accuracies in points of a per cent: ``+0.21 ± 0.10``, or ``+0.21`` where it has no interval."""
    value = signed(compared.difference, digits)
    if math.isnan(compared.low):
        return value
    if abs((compared.high - compared.difference) - (compared.difference - compared.low)) > 1e-9:
        return f"{value} ({signed(compared.low, digits)} to {signed(compared.high, digits)})"
    return f"{value} ± {100 * compared.half_width:.{digits}f}"


def estimate(compared: Relation) -> str:
    """What a difference is worth, the estimate first: ``+0.21 ± 0.10, better (n=5)``, ``about +5.9 (0.6 to 11.2), not
    settled (n=3)``, ``+0.21, too few runs (n=1)``."""
    return f"{worth(compared)}, {compared.word} (n={compared.n})"


def worth(compared: Relation, digits: int = 2) -> str:
    """A difference in points of a per cent: ``+0.21 ± 0.10``, or, where it is open, ``about +5.9 (0.6 to 11.2)``."""
    if compared.certainty is not Certainty.UNKNOWN or math.isnan(compared.low):
        return difference(compared, digits)
    digits = 1 if compared.high - compared.low >= 0.02 else 2
    low, high = (f"{100 * end:.{digits}f}" for end in (compared.low, compared.high))
    return f"about {signed(compared.difference, digits)} ({low} to {high})"


def signed(fraction: float, digits: int = 2) -> str:
    """``+0.21``, in points of a per cent."""
    value = f"{100 * fraction:+.{digits}f}"
    return value.lstrip("+-") if float(value) == 0 else value


def standing(best: Winner) -> str:
    """How all other points stand to the best one: ``tied: a; not told from it, but no tie: b; worse: c and d``"""
    if not best.ties and not best.unknown and not best.likely_worse:
        return "it beats every other point"
    kinds = (
        ("as good as far as these runs can tell", best.ties),
        ("unknown, too noisy or too far behind to be called as good", best.unknown),
        ("likely worse", best.likely_worse),
        ("worse", best.worse),
    )
    return "; ".join(f"{kind}: {listed(labels)}" for kind, labels in kinds if labels)


def points(value: float) -> str:
    """A difference of fractions in points of a per cent: ``0.21 points``."""
    return f"{100 * value:.2f} points"


def probability(p: float) -> str:
    return "unknown" if math.isnan(p) else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(labels: Sequence[str], last: str = "and", most: int = LISTED) -> str:
    """``a, b and c``, or the first ``most`` and how many more. What has commas of its own is said without (see `item`),
    or, where these are no words, between semicolons: ``8,8,16,16; 16,16,32,32 and 32,32,64,64``."""
    if len(labels) == 1:
        return labels[0]
    items = [item(label) for label in labels]
    between = "; " if any("," in one for one in items) else ", "
    if len(items) > most:
        return f"{between.join(items[:most])} and {len(items) - most} more"
    return f" {last} ".join([between.join(items[:-1]), items[-1]] if items else [])


def item(label: str) -> str:
    """A label as part of a list: ``sgd 0.1 with momentum 0.9`` for ``sgd 0.1, momentum 0.9``."""
    first, *more = label.split(", ")
    return f"{first} with {' and '.join(more)}" if more else first


def nested(head: str, parts: Sequence[str]) -> str:
    """A sentence with a list under it, in Markdown."""
    return "\n  - ".join([head, *parts])


def short_name(config: Config) -> str:
    """A configuration by what sets it apart from its model's defaults: ``lr 0.003, batch 64, 2000 steps``."""
    return ", ".join(said(config).values()) or "defaults"


def said(config: Config) -> dict[str, str]:
    """field -> how its value is said, of each field in which a configuration departs from its model's defaults."""
    words: dict[str, str] = {}
    default = _usual(config.model, config.optimizer)
    for field in fields_for(config.model):
        value = config.get(field)
        if value is None or field in ("dataset", "seed", "eval_every", "steps_per_epoch"):
            continue
        if field == "optimizer":
            words |= {field: str(value)} if value != "adam" else {}
        elif value == default.get(field):
            continue
        elif field in ("steps", "epochs"):
            each = f" of {config.steps_per_epoch} steps" if field == "epochs" and config.steps_per_epoch else ""
            words[field] = f"{value} {field if value != 1 else field[:-1]}{each}"
        elif field in ("activation", "lr_schedule", "scaling"):
            words[field] = str(value) + (" inputs" if field == "scaling" else "")
        elif field == "train_on":
            words[field] = "trained on all"
        elif field in ("sampling", "pivot"):
            words |= {field: f"{value} {field}"} if value not in ("nearest", "center") else {}
        else:
            words[field] = f"{CALLED.get(field, knob_name(field))} {text_of(value)}"
    return words


@functools.lru_cache(maxsize=64)
def _usual(model: str, optimizer: str) -> Config:
    return make_config({"model": model, "optimizer": optimizer})


def value_of(label: str, knobs: Sequence[str]) -> str:
    """A point as its knob's value alone, where its label says which knob: ``0.003`` of ``lr 0.003``."""
    return label.removeprefix(f"{knob_name(knobs[0])} ") if knobs else label


def values_of(values: Mapping[str, Value]) -> str:
    """What a configuration has of one thing: ``0.003``; of several fields those that are above 0, ``angle 10, shift
    1``, or ``none``."""
    if len(values) == 1:
        return text_of(next(iter(values.values())))
    return ", ".join(f"{knob_name(field)} {text_of(value)}" for field, value in values.items() if value) or "none"


def setting(values: Mapping[str, object] | None) -> str:
    """``lr 0.0012, batch size 64``; a dash for none."""
    return ", ".join(f"{knob_name(field)} {text_of(value)}" for field, value in (values or {}).items()) or "-"


def training_command(config: Config) -> str:
    """The shortest command that trains this configuration, seed included where it is not 0."""
    flags: dict[str, object] = {}
    made = make_config({"model": config.model})
    for field in fields_for(config.model):
        value = config.get(field)
        if value is not None and value != made.get(field):
            flags[field] = value
            made = make_config({"model": config.model, **flags})
    return " ".join(["python mnist_explorer.py", config.model, *flag_words(flags)])


def sweep_command(request: Request) -> str:
    """The command that runs a sweep again (finished runs are not repeated)."""
    asked = asking_command(request.model, request.path or request.name, request.data or request.dataset)
    seeds = f"--settle --cap {request.seeds}" if request.settle else f"--seeds {request.seeds}"
    return " ".join([asked, seeds, *flag_words(request.overrides)])


def asking_command(model: str, which: str, dataset: str) -> str:
    """The command that runs a sweep as its file has it; ``which`` is a name or a path."""
    words = ["python mnist_explorer.py", model, f"--sweep {shlex.quote(which)}", *_dataset_words(dataset)]
    return " ".join(words)


def _dataset_words(dataset: str) -> list[str]:
    """The flag that names a data set, where it is not the usual one."""
    usual = Config.model_fields["dataset"].default
    return [f"--dataset {shlex.quote(dataset)}"] if dataset != usual else []


def study_command(request: Request) -> str:
    """The command that runs a study or a search again."""
    words = ["python mnist_explorer.py", request.model]
    words += [f"--search {request.search}"] if request.search else []
    if request.path or request.name != f"{SEARCH_FILE}-{request.search}":
        name = request.name.removesuffix(f"-{request.search}") if request.search else request.name
        words.append(f"--sweep {shlex.quote(request.path or name)}")
    words += _dataset_words(request.data or request.dataset)
    words += [f"--tries {request.tries}"] if request.tries else []
    words += [f"--fresh-seeds {request.fresh_seeds}"] if request.fresh_seeds else []
    return " ".join([*words, *flag_words(request.overrides)])


def flag_words(values: Mapping[str, object]) -> list[str]:
    """Fields as command-line words: ``--lr 0.003 --units 512,128 --batchnorm on``."""
    return [f"{flag_of(field)} {text_of(value)}" for field, value in values.items()]


def lost(ended: Lost) -> str:
    """The runs without a result: ``2 of 5 diverged (step 12, 40)``; empty where there are none."""
    where = f" (step {', '.join(map(str, ended.steps))})" if ended.steps else ""
    diverged = [f"{ended.diverged} of {ended.of} diverged{where}"] if ended.diverged else []
    return "; ".join([*diverged, *([f"{ended.failed} of {ended.of} failed"] if ended.failed else [])])


def left_out(what: LeftOut) -> str:
    """What does not stand with the other records, and why."""
    records = plural(what.count, "record")
    if what.why == "unreadable":
        return f"{records} of another version of this program, whose fields are no longer known."
    if what.why == "damaged":
        return f"{plural(what.count, 'damaged line')}, which are no records ({_first(what)})."
    if what.why == "altered":
        return f"{records} whose id is not that of the settings and data they state ({_first(what)})."
    kept = f"the other {what.kept_count} have {what.kept_value}"
    return f"{records} of {what.dataset} with {what.why} {what.value}: {kept}."


def _first(what: LeftOut) -> str:
    return ", ".join([*what.named, *([f"{what.count - len(what.named)} more"] if what.count > len(what.named) else [])])


def unreadable(what: Unreadable) -> str:
    return f"`{sweep_command(what.request)}` was run, but cannot be read any more: {what.why}"


def hypothesis(verdict: HypothesisVerdict) -> str:
    """``confirmed``, ``likely rejected``, ``undecided``"""
    return f"{'likely ' if verdict.certainty is Certainty.LIKELY else ''}{verdict.verdict}"


def reason(verdict: HypothesisVerdict) -> str:
    """Why a hypothesis ended as it did, in half a sentence."""
    label, others = verdict.label, listed(verdict.others)
    told: dict[Reason, str] = {
        "unfinished": f"{verdict.done} of {verdict.planned} runs are done",
        "no result": "no point has a validation accuracy",
        "no expected result": "no expected point has a result",
        "no other result": "no point outside the expected ones has a result",
        "too few runs": f"fewer than {MIN_RUNS} seeds give no verdict",
        "expected beats others": f"{label} is best and beats every point outside the expected ones",
        "other beats expected": f"{label} was not expected and beats every expected point",
        "expected not run": f"no result for {others}, which was expected best",
        "expected leads": f"{label} is best, but is not shown to beat {others}",
        "other leads": f"{label} is best, was not expected, and is not shown to beat {others}",
    }
    return told[verdict.reason]
