"""A study and a search: TOML files -> what is tuned, and how.

    title = "Activation, each at its own best learning rate"
    question = "..."    # and hypothesis, expect_best, note, dataset, as in a sweep
    [study]
    scientific.activation = ["relu", "silu"]  # asked about: every combination of the lists; or a list of tables, each
                                              # with a label and fields: [[study.scientific]]
    nuisance.lr = { low = 1e-4, high = 3e-2, log = true }  # tuned for each of these values, so that it is fair to all
    nuisance.batch_size = { values = [64, 128, 256] }
    nuisance_of.tanh.lr = { low = 1e-3, high = 0.1, log = true }  # a range of its own for one value, or for one label
    tries = 24          # quasi-random settings, the same places in the ranges for every value, at seed 0
    finalists = 3       # of each value, run on `seeds`
    seeds = 5           # 0 to 4: they choose
    fresh_seeds = 10    # the winner of each value, on seeds that chose nothing: only these judge
    [base]
    steps = 1000        # fixed for all: what is found holds for it

A nuisance that does not apply to a value (the momentum of an optimizer without) is left out there. ``[mlp.study]`` and
``[mlp.base]`` hold keys for one model, which go before the common ones. A search asks about nothing: it looks for one
good configuration, with ``--search random``, ``qmc`` or ``tpe``.

    [search]
    ranges.lr = { low = 1e-4, high = 3e-2, log = true }
    seed = 0            # of its proposals
    tries = 48          # and finalists, seeds, fresh_seeds as above

Hyperparameters are scientific, nuisance or fixed as in Google's Deep Learning Tuning Playbook (Godbole et al. 2023).
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from explorer import models
from explorer.asking import documents
from explorer.asking.documents import check_fields, clash, told_of
from explorer.asking.questions import (
    MOST_POINTS,
    config_of,
    expectation,
    grid_label,
    is_expected,
    sweep_name,
    texts_of,
)
from explorer.asking.ranges import Range, Setting
from explorer.config import Config, field_info, make_config, merge
from explorer.errors import UserError
from explorer.fields import flag_of, nearest, text_of, type_of

Method = Literal["random", "qmc", "tpe"]
"""Where proposals come from: drawn at random, quasi-random, or by a tree-structured Parzen estimator that learns."""
USUAL = {"tries": 24, "finalists": 3, "seeds": 5, "fresh_seeds": 10, "seed": 0}
EVERYTHING = "best"  # the label of a search's one contender
SEARCH_FILE = "search"  # the shipped file that --search takes


@dataclass(frozen=True)
class Contender:
    """One value of what is asked about, with what is tuned for it. A search has one, with nothing of its own."""

    label: str
    """Short, unique in the study."""
    values: dict[str, Any]
    """Every scientific field -> its value here."""
    fields: dict[str, Any]
    """All that is said of its configuration but what is tuned."""
    ranges: tuple[Range, ...]
    """What is tuned, of the nuisances that apply to it."""

    def config(self, setting: Setting) -> Config:
        """The configuration with this setting, at seed 0. What does not apply beside the setting's own words (momentum,
        where it says an optimizer without) is left out."""
        words = {field: value for field, value in setting.items() if isinstance(value, str)}
        chosen = make_config(merge(self.fields, words)) if words else None
        applied = {field: value for field, value in setting.items() if chosen is None or _applies(field, chosen)}
        return make_config(merge(self.fields, models.get(str(self.fields["model"])).spell_out(applied)))


@dataclass(frozen=True)
class StudyQuestion:
    """A study, or a search (which has ``method``), for one model on one data set."""

    name: str
    """The file's name without ``.toml``; of a search with its method: ``search-tpe``."""
    path: str | None
    """Where its file lies, if it is not a shipped one."""
    title: str
    question: str
    hypothesis: str
    note: str
    model: str
    dataset: str
    scientific: tuple[str, ...]
    """The fields that are asked about; none of a search."""
    nuisances: tuple[str, ...]
    """The fields that are tuned."""
    fixed: dict[str, Any]
    """What all runs share, over the model's defaults: what is found holds for it."""
    contenders: tuple[Contender, ...]
    tries: int
    finalists: int
    seeds: int
    fresh_seeds: int
    expect_best: dict[str, list[Any]]
    """What the hypothesis says the best values are, as of a `Sweep`."""
    method: Method | None = None
    seed: int = 0
    """Of its proposals."""

    @property
    def expected(self) -> list[str]:
        """The labels of what is expected to be best; none where nothing is."""
        return [one.label for one in self.contenders if self.expect_best and is_expected(one, self.expect_best)]


def available(model: str | None = None, dataset: str | None = None) -> list[str]:
    """Names of the shipped studies, sorted; of those only the ones with something for ``model`` and ``dataset``."""
    return documents.available(model, dataset, "study")


def is_study(name_or_path: str, model: str) -> bool:
    """Whether a file is a study or a search for this model, and no sweep. UserError as `load`."""
    path, shown = documents.find(name_or_path)
    with told_of(shown):
        return documents.kind_of(documents.read(path), model) != "sweep"


def load(
    name_or_path: str,
    model: str,
    dataset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    named: Mapping[str, str] | None = None,
    *,
    method: Method | None = None,
    tries: int | None = None,
    fresh_seeds: int | None = None,
    yes: bool = False,
) -> StudyQuestion:
    """The study of that name, or in that file; with ``method`` the search. Arguments as of `questions.load`; ``tries``
    and ``fresh_seeds`` go before the file's.

    Raises UserError, one line naming the file, the key and what would be right.
    """
    if model not in models.names():
        raise UserError(f"there is no model {model!r}{nearest(model, models.names())}")
    path, shown = documents.find(name_or_path)
    overrides = dict(overrides or {})
    named = {field: flag_of(field) for field in overrides} | dict(named or {})
    with told_of(shown):
        document = documents.read(path)
    kind = documents.kind_of(document, model)
    if method and kind != "search":
        raise UserError(f"{shown} has no [search] with ranges to search in; --search needs one")
    if kind == "search" and not method:
        raise UserError(f"{shown} is a search; say how with --search random, qmc or tpe")
    fixed_dataset = document.get("dataset")
    if dataset and fixed_dataset and dataset != fixed_dataset:
        raise UserError(f"{path.stem!r} is about {fixed_dataset}, not {dataset}; use --dataset {fixed_dataset}")
    dataset = dataset or fixed_dataset or "mnist"
    if "seed" in overrides:
        raise UserError(f"{named['seed']}: a study runs seeds 0, 1, 2, ... and fresh ones, as its file says")

    own = document.get(model, {})
    said = documents.section_of(document, model, "search" if method else "study")
    counts = {key: said.get(key, usual) for key, usual in USUAL.items()}
    counts |= {key: count for key, count in (("tries", tries), ("fresh_seeds", fresh_seeds)) if count}
    base = merge(document.get("base", {}), own.get("base", {}))
    called = {field: f"base.{field}" for field in base} | named
    common = said.get("ranges" if method else "nuisance", {})
    special = said.get("nuisance_of", {})
    nuisances = tuple(dict.fromkeys((*common, *(field for ranges in special.values() for field in ranges))))
    with told_of(shown, but=tuple(named.values())):
        if not nuisances:
            what = "search.ranges" if method else "study.nuisance"
            raise UserError(f"nothing is tuned; e.g. {what}.lr = {{ low = 1e-4, high = 3e-2, log = true }}")
        rows = [{}] if method else list(_rows(said.get("scientific", []), model))
        scientific = tuple(dict.fromkeys(key for row in rows for key in row if key != "label"))
        _check_varied(scientific, nuisances, base, model)
        for field in overrides:
            if knob := clash(field, (*scientific, *nuisances), model):
                which = "" if knob == field else f" (which {named[field]} would fix)"
                raise UserError(f"{path.stem!r} varies {knob}{which}; leave out {named[field]}")
        if counts["finalists"] > counts["tries"]:
            raise UserError(f"{counts['finalists']} finalists cannot come of {counts['tries']} tries")
        fixed = merge(base, overrides) | {"model": model, "dataset": dataset}
        where = "search.ranges" if method else "study.nuisance"
        labelled = list(_labelled(rows, scientific, fixed, called))
        if unknown := [key for key in special if not any(key in names for _, names, _, _ in labelled)]:
            known = [name for _, names, _, _ in labelled for name in names]
            raise UserError(f"study.nuisance_of.{unknown[0]}: no value is called so{nearest(unknown[0], known)}")
        contenders = tuple(
            _contender(label, values, fields, called, _ranges_of(names, common, special, where))
            for label, names, values, fields in labelled
        )
        _check_contenders(contenders, nuisances, where)
        expect_best = expectation({**document, **own}.get("expect_best", {}), scientific, contenders)
    most = len(contenders) * most_runs(counts["tries"], counts["finalists"], counts["seeds"], counts["fresh_seeds"])
    if most > MOST_POINTS and not yes:
        raise UserError(f"{path.stem!r} would be {most:,} runs; pass --yes to do so many")
    texts = texts_of({**document, **own}, path)
    return StudyQuestion(
        name=sweep_name(path) if method is None else f"{sweep_name(path)[:90]}-{method}",
        path=None if path.resolve().parent == documents.FOLDER.resolve() else str(path.resolve()),
        title=texts["title"],
        question=texts["question"],
        hypothesis=texts["hypothesis"],
        note=texts["note"],
        model=model,
        dataset=dataset,
        scientific=scientific,
        nuisances=nuisances,
        fixed=merge(base, overrides),
        contenders=contenders,
        expect_best=expect_best,
        method=method,
        **counts,
    )


def most_runs(tries: int, finalists: int, seeds: int, fresh_seeds: int) -> int:
    """The runs of one contender: tries at seed 0, finalists at the other seeds, the winner at fresh ones."""
    return tries + finalists * (seeds - 1) + fresh_seeds


_Ranges = dict[str, tuple[str, Mapping[str, Any]]]
"""Field -> what the file calls its range, and what it says of it."""


def _rows(scientific: Any, model: str) -> Iterator[dict[str, Any]]:
    """What is asked about, value by value: field -> value, and the label where the file gives one."""
    if not scientific:
        raise UserError(f'study.scientific has nothing for {model}; e.g. scientific.activation = ["relu", "silu"]')
    if isinstance(scientific, list):
        yield from scientific
        return
    for combination in itertools.product(*scientific.values()):
        yield dict(zip(scientific, combination, strict=True))


def _check_varied(scientific: tuple[str, ...], nuisances: tuple[str, ...], base: Mapping[str, Any], model: str) -> None:
    """Each field is of this model, and asked about, tuned or fixed: one of them."""
    check_fields("study.scientific", model, scientific)
    check_fields("nuisance", model, nuisances)
    check_fields("base", model, base)
    for field in nuisances:
        if knob := clash(field, scientific, model):
            raise UserError(f"{field} is tuned, and {knob} is asked about; they say the same, so keep one of them")
        if knob := clash(field, [other for other in nuisances if other != field], model):
            raise UserError(f"{field} and {knob} are both tuned and say the same; keep one of them")
    for field in base:
        if knob := clash(field, (*scientific, *nuisances), model):
            raise UserError(f"base.{field} has no effect, since {knob} is varied; take it out of base")


def _labelled(
    rows: list[dict[str, Any]], scientific: tuple[str, ...], fixed: Mapping[str, Any], called: Mapping[str, str]
) -> Iterator[tuple[str, list[str], dict[str, Any], dict[str, Any]]]:
    """Of each value: label, names that ``nuisance_of`` may call it by, scientific fields, all fields."""
    for row in rows:
        said = {key: value for key, value in row.items() if key != "label"}
        fields = merge(fixed, models.get(str(fixed["model"])).spell_out(said))
        shown = row.get("label") or ", ".join(map(text_of, said.values()))
        config = config_of(fields, {**called, **{key: f"study.scientific.{key}" for key in said}}, shown)
        values = {field: config.axis(field) for field in scientific}
        label = row.get("label") or (grid_label(scientific, tuple(values.values())) if scientific else EVERYTHING)
        yield label, [label, *(text_of(value) for value in values.values() if value is not None)], values, fields


def _ranges_of(
    names: list[str], common: Mapping[str, Any], special: Mapping[str, Mapping[str, Any]], where: str
) -> _Ranges:
    found = {field: (f"{where}.{field}", said) for field, said in common.items()}
    for name in names:
        for field, said in special.get(name, {}).items():
            found[field] = (f"study.nuisance_of.{name}.{field}", said)
    return found


def _contender(
    label: str, values: dict[str, Any], fields: dict[str, Any], called: Mapping[str, str], ranges: _Ranges
) -> Contender:
    """With the ranges that apply to it, the ends and values of each tried out: UserError for one that cannot be."""
    model = models.get(str(fields["model"]))
    kept = []
    for field, (name, said) in ranges.items():
        one = _range(field, said, str(fields["model"]))
        host = _host(field, fields, ranges)
        if host is None:
            continue
        for value in one.values or (one.low, one.high):
            setting = {field: one.rounded(value) if isinstance(value, float) and one.whole else value}
            there = {key: called_so for key, called_so in called.items() if key != field} | {field: name}
            config_of(merge(host, model.spell_out(setting)), there, f"{label}, {field} {text_of(value)}")
        kept.append(one)
    return Contender(label, values, dict(fields), tuple(kept))


def _host(field: str, fields: Mapping[str, Any], ranges: _Ranges) -> Mapping[str, Any] | None:
    """What to say beside a field for it to apply: nothing more, or a word that is tuned as well; None where it never
    does (momentum, where the optimizer has none)."""
    words = [{other: value} for other, (_, said) in ranges.items() if other != field
             for value in said.get("values", ()) if isinstance(value, str)]  # fmt: skip
    hosts = (merge(fields, more) for more in ({}, *words))
    return next((host for host in hosts if _applies(field, make_config(host))), None)


def _applies(field: str, config: Config) -> bool:
    return field in models.get(config.model).axes or config.axis(field) is not None


def _check_contenders(contenders: tuple[Contender, ...], nuisances: tuple[str, ...], where: str) -> None:
    labels = [contender.label for contender in contenders]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise UserError(f"two values have the label {twice!r}; give each its own")
    for field in nuisances:
        if not any(field == one.field for contender in contenders for one in contender.ranges):
            raise UserError(f"{where}.{field} applies to none of the values; take it out")
    known: dict[Config, str] = {}
    for contender in contenders:
        if not contender.ranges:
            raise UserError(f"nothing that is tuned applies to {contender.label!r}; give it a nuisance")
        middle = contender.config({one.field: one.at(0.5) for one in contender.ranges})
        if middle.train_on == "all":
            raise UserError('train_on = "all" leaves no validation images to choose by; use split')
        if (same := known.setdefault(middle, contender.label)) != contender.label:
            raise UserError(f"{same!r} and {contender.label!r} are the same configuration; leave one out")


def _range(field: str, said: Mapping[str, Any], model: str) -> Range:
    if "values" in said:
        return Range(field, values=tuple(tuple(one) if isinstance(one, list) else one for one in said["values"]))
    whole = field in models.get(model).axes or type_of(field_info(field, model)) is int
    return Range(field, said["low"], said["high"], said.get("log", False), whole)
