"""A sweep: a TOML file -> the list of Configs.

    title = "Batch size"
    question = "..."                      # text: title, question, hypothesis, note
    hypothesis = "..."
    expect_best.batch_size = [32, 64]     # what the verdict is checked against; `label` names points
    baseline = { batch_size = 128 }       # or a label; else the point with the default values, else the first
    seeds = 10                            # else 5 for mlp, 3 for cnn
    dataset = "mnist"                     # only where the sweep makes sense on one data set alone
    reference_is = "validation"           # what split the points' published accuracies are of; else test
    repeats = true                        # points may be equal (published tables); equal points share their runs
    role = "recipes"                      # what the points are to one another, see Role; else a grid of two axes is a
                                          # pair, a longer one recipes, and all else a knob
    gain_over = { steps = 50 }            # or a label: the report says what the best point gains over this one
    [published]                           # with role = "published": the sweep is a table that somebody published
    table = "MNIST MLP"                   # its name; files that name the same table stand side by side in the report
    as = "run"                            # how its points were made: as "stated" (the default), or as really "run"
    best_look = true                      # each of its figures is the best of many looks
    [[claims]]                            # what was published of the points, for the report to hold against the data
    says = "RMSprop over Adam"
    winner = "optimizer_RMSprop"          # labels of points
    rivals = ["optimizer_Adam"]
    [base]                                # what all points have in common, over the model's defaults
    [grid]                                # the product of the lists; or:
    [[points]]                            # one by one: label, reference (a published accuracy, as a fraction), fields

Sections ``[mlp]`` and ``[cnn]`` hold the same keys for one model: its base is added to the common one, anything else of
it takes the place of the common one. A grid may also vary ``width``, ``depth``, or ``units1`` and ``units2``: the two
hidden layers' widths as axes of their own.
"""

import contextlib
import functools
import itertools
import math
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from explorer import datasets, models
from explorer.config import (
    Config,
    bounds,
    choices,
    exclusive_ways,
    field_info,
    fields_for,
    make_config,
    merge,
    own_fields,
)
from explorer.errors import UserError
from explorer.fields import flag_of, nearest, text_of, type_of

FOLDER = Path(__file__).resolve().parents[1] / "sweeps"
MOST_POINTS = 10_000
LONGEST_LABEL = 60

TEXTS = ("title", "question", "hypothesis", "note")
Role = Literal["knob", "pair", "recipes", "published"]
"""What the points of a sweep are to one another: the values of one thing (a grid's axis, optimizers, ways to augment),
every value of one knob with every one of another, whole recipes that differ in several things at once, or the rows of a
table that somebody published. The report ranks knobs, crosses pairs and checks published figures."""
PublishedAs = Literal["stated", "run"]
KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys((*TEXTS, "dataset", "label", "table", "says", "winner"), (str, "text")),
    "reference_is": (str, "test or validation"),
    "role": (str, f"one of {', '.join(get_args(Role))}"),
    "published": (dict, 'a table, e.g. [published] with table = "MNIST MLP"'),
    "as": (str, f"one of {', '.join(get_args(PublishedAs))}"),
    "best_look": (bool, "true or false"),
    "claims": (list, "a list of tables, [[claims]]"),
    "rivals": (list, "a list of labels"),
    **dict.fromkeys(("expect_best", "base", "grid"), (dict, "a table")),
    "points": (list, "a list of tables, [[points]]"),
    **dict.fromkeys(("baseline", "gain_over"), ((str, dict), "a point's label, or a table like { lr = 0.001 }")),
    "seeds": (int, "a whole number from 1 to 10000"),
    "repeats": (bool, "true or false"),
    "reference": ((int, float), "an accuracy as a fraction, 0 to 1"),
}
SECTION_KEYS = (
    *(*TEXTS, "role", "expect_best", "baseline", "gain_over", "seeds", "repeats", "reference_is"),
    *("published", "claims", "base", "grid", "points"),
)
# Fields of Config that a sweep file does not set, and what does.
ELSEWHERE = {
    "model": "the command names the model; what is for one model goes into [mlp] or [cnn]",
    "dataset": "--dataset sets it for the whole sweep; dataset = ... at the top of the file fixes it",
    "seed": "every point runs with the same seeds; --seeds, or seeds = ... at the top of the file, says how many",
}


def top_keys() -> tuple[str, ...]:
    """The keys a file may have at its top; a model's name is one."""
    return (*SECTION_KEYS, "dataset", *models.names())


def fields() -> tuple[str, ...]:
    """The fields a file may set, of any model."""
    return _settable(fields_for(None))


@functools.cache
def _settable(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in fields if name not in ELSEWHERE)


def axes() -> tuple[str, ...]:
    """What a grid may vary besides fields, of any model."""
    return tuple(dict.fromkeys(axis for name in models.names() for axis in models.get(name).axes))


@dataclass(frozen=True)
class Point:
    """One configuration of a sweep. ``config`` has seed 0; `configs` makes the runs."""

    label: str
    """Short, unique in the sweep: ``lr 0.003``, ``128 / 0.001``, or the file's."""
    values: dict[str, Any]
    """Every knob of the sweep -> its value here; None where it does not apply (an optimizer without momentum)."""
    config: Config
    reference: float | None = None
    """A published accuracy, as a fraction."""
    same_as: str | None = None
    """Label of the first point with this very Config, in a sweep with ``repeats``. It is the same runs: statistics
    should take the points where this is None, tables of published figures all of them."""


@dataclass(frozen=True)
class Claim:
    """A published claim: this point is better than each of those. All are labels."""

    says: str
    winner: str
    rivals: tuple[str, ...]


@dataclass(frozen=True)
class PublishedTable:
    """The published table a sweep is, how its points were made, and whether its figures are the best of many looks."""

    table: str
    made_as: PublishedAs = "stated"
    best_look: bool = False


@dataclass(frozen=True)
class Sweep:
    """A question and the points that answer it, for one model on one data set."""

    name: str
    """The file's name without ``.toml``."""
    path: str | None
    """Where its file lies, if it is not a shipped one."""
    title: str
    question: str
    hypothesis: str
    model: str
    dataset: str
    knobs: tuple[str, ...]
    """The fields that vary, in the file's order; also ``width``, ``depth``, ``units1``, ``units2`` as the file says."""
    points: tuple[Point, ...]
    baseline: str
    """Label of the point the others are compared with."""
    expect_best: dict[str, list[Any]]
    """What the hypothesis says the best values are; ``label`` for labels; empty where it says nothing of the kind."""
    seeds_default: int
    reference_is: Literal["test", "validation"]
    """The split that the points' published accuracies were measured on."""
    note: str
    kind: Literal["grid", "points"]
    role: Role
    gain_over: str | None
    """Label of the point that the best one's gain is counted from, where the report is to say it."""
    claims: tuple[Claim, ...]
    published: PublishedTable | None


def available(model: str | None = None, dataset: str | None = None) -> list[str]:
    """Names of the shipped sweeps, sorted; of those only the ones with something for ``model`` and ``dataset``.

    A file that cannot be read is among them: loading it says what is wrong with it.
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml") if _serves(path, model, dataset))


def about() -> list[str]:
    """The data sets that the shipped sweeps are about: the usual one and those that a file names."""
    usual = Config.model_fields["dataset"].default
    found = {usual}
    for path in FOLDER.glob("*.toml"):
        with contextlib.suppress(UserError):  # loading it says what is wrong with it
            found.add(_read(path).get("dataset", usual))
    return sorted(found, key=datasets.rank)


def names(text: str, model: str | None = None, dataset: str | None = None) -> list[str]:
    """What ``--sweep`` says -> sweep names and paths: ``lr,bs``, ``my.toml``, or ``all`` that serve model and dataset.

    With ``dataset`` None, ``all`` has sweeps of different data sets; each `Sweep` says its own.
    Raises UserError where it names nothing. Whether each exists is for `load` to say.
    """
    if os.path.isfile(text):
        return [text]  # a path may hold a comma
    said = [part.strip() for part in text.split(",") if part.strip()]
    if not said:
        raise UserError(f"--sweep needs the name of a sweep: all, {', '.join(available())}")
    every = available(model, dataset) if "all" in said else []
    return list(dict.fromkeys(name for part in said for name in (every if part == "all" else [part])))


def load(
    name_or_path: str,
    model: str,
    dataset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    yes: bool = False,
    named: Mapping[str, str] | None = None,
) -> Sweep:
    """The sweep of that name, or in that file, for one model on one data set (None: the file's own, else mnist).

    ``overrides``: fields fixed for the whole sweep, values as flags give them; ``named`` is what the person called
    each (default: its flag). Over 10,000 points need ``yes``.

    Raises UserError, one line naming the file, the key and what would be right, before any point is made where the
    file alone shows it.
    """
    if model not in models.names():  # a list of sweeps may name any
        raise UserError(f"there is no model {model!r}{nearest(model, models.names())}")
    path, shown = _find(name_or_path)
    overrides = dict(overrides or {})
    named = {field: flag_of(field) for field in overrides} | dict(named or {})
    with _told_of(shown):
        document = _read(path)
    fixed_dataset = document.get("dataset")
    if dataset and fixed_dataset and dataset != fixed_dataset:
        raise UserError(f"sweep {path.stem!r} is about {fixed_dataset}, not {dataset}; use --dataset {fixed_dataset}")
    dataset = dataset or fixed_dataset or "mnist"
    if not _has_points(document, model):
        what = "has no grid" if document else "is an empty file: it needs a [grid], e.g. lr = [0.001, 0.01],"
        raise UserError(f"sweep {path.stem!r} {what} for {model}")
    if "seed" in overrides:
        raise UserError(f"{named['seed']}: a sweep runs seeds 0, 1, 2, ...; use --seeds to say how many")

    section = document.get(model, {})
    both = {**document, **section}
    if "grid" in section or "points" in section:  # the model's way of listing points, not both ways
        both = {key: value for key, value in both.items() if key not in ("grid", "points") or key in section}
    kind: Literal["grid", "points"] = "grid" if "grid" in both else "points"
    where = f"{model}.{kind}" if kind in section else kind
    rows: list[dict[str, Any]] = [both["grid"]] if kind == "grid" else both["points"]
    knobs = tuple(dict.fromkeys(key for row in rows for key in row if key not in ("label", "reference")))
    base = merge(document.get("base", {}), section.get("base", {}))
    for field in overrides:
        if knob := _clash(field, knobs, model):
            which = "" if knob == field else f" (which {named[field]} would fix)"
            raise UserError(f"sweep {path.stem!r} varies {knob}{which}; leave out {named[field]}")

    with _told_of(shown, but=tuple(named.values())):
        _check_fields(where, model, knobs)
        _check_fields("base", model, base)
        if kind == "grid":
            _check_grid(where, model, both["grid"], base)
        count = math.prod(len(values) for values in both["grid"].values()) if kind == "grid" else len(rows)
        if count > MOST_POINTS and not yes:
            raise UserError(f"{where} would be {count:,} points; pass --yes to run so many")

        fixed = merge(base, overrides) | {"model": model, "dataset": dataset}
        own = section.get("base", {})
        called = {field: f"{model}.base.{field}" if field in own else f"base.{field}" for field in base} | named
        made = _grid_points if kind == "grid" else _listed_points
        points = _settled(made(rows, where, knobs, fixed, called), bool(both.get("repeats")))
        expect_best = _expect_best(both.get("expect_best", {}), knobs, points)
        baseline = _baseline(both.get("baseline"), knobs, points, fixed)
        gain_over = _point_named("gain_over", both["gain_over"], knobs, points) if "gain_over" in both else None
        claims = _claims(both.get("claims", []), points)
        role = _role(both, knobs, points)

    texts = {name: " ".join(both.get(name, "").split()) for name in TEXTS}
    texts["title"] = texts["title"] or path.stem
    return Sweep(
        name=re.sub("[^A-Za-z0-9_.-]+", "-", path.stem).lstrip(".-")[:100] or "sweep",  # files are named after it
        path=None if path.resolve().parent == FOLDER.resolve() else str(path.resolve()),
        **texts,
        model=model,
        dataset=dataset,
        knobs=knobs,
        points=points,
        baseline=baseline,
        expect_best=expect_best,
        seeds_default=both.get("seeds", models.get(model).seeds),
        reference_is=both.get("reference_is", "test"),
        kind=kind,
        role=role,
        gain_over=gain_over,
        claims=claims,
        published=_published(both.get("published")),
    )


def configs(sweep: Sweep, seeds: int, yes: bool = False) -> list[Config]:
    """The runs: every point at seed 0, then every point at seed 1, and so on, so that an interrupted sweep has all its
    points at the first seeds. Equal points are one run. Raises UserError for fewer than one seed, and for over 10,000
    runs without ``yes``.
    """
    if seeds < 1:
        raise UserError(f"--seeds must be a whole number >= 1, got {seeds}")
    distinct = [point.config for point in sweep.points if point.same_as is None]
    if (count := seeds * len(distinct)) > MOST_POINTS and not yes:  # counted, not made
        raise UserError(f"sweep {sweep.name!r} would be {count:,} runs; pass --yes to do so many")
    return [config.model_copy(update={"seed": seed}) for seed in range(seeds) for config in distinct]


def expected_labels(sweep: Sweep) -> set[str]:
    """Labels of the points whose values are all among those of ``expect_best``; empty where it is empty.

    Of equal points (``repeats``) the first one's label, whichever was named.
    """
    expected = [point for point in sweep.points if sweep.expect_best and _is_expected(point, sweep.expect_best)]
    return {point.same_as or point.label for point in expected}


def _find(name_or_path: str) -> tuple[Path, str]:
    """(path, how messages call it). UserError naming the nearest sweeps where there is no such file."""
    shipped = FOLDER / f"{name_or_path}.toml"  # os.path's questions, not Path's, are false for a name that cannot be
    if "/" not in name_or_path and "\\" not in name_or_path and os.path.isfile(shipped):
        return shipped, f"sweeps/{shipped.name}"
    path = Path(name_or_path)
    if os.path.isfile(path):
        return path, name_or_path
    if os.path.isdir(path):
        raise UserError(f"{name_or_path!r} is a folder; a sweep is a TOML file")
    if path.suffix == ".toml" or len(path.parts) > 1:
        raise UserError(f"no file {name_or_path!r}; a sweep is a TOML file or one of: {', '.join(available())}")
    raise UserError(f"no sweep {name_or_path!r}{nearest(name_or_path, ['all', *available()])}")


def _read(path: Path) -> dict[str, Any]:
    """The file's content, parsed and checked: once, as long as neither the file nor the models change."""
    try:
        state = path.stat()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}") from None
    return _read_once(path, (state.st_mtime_ns, state.st_size), models.names())


@functools.lru_cache(maxsize=256)
def _read_once(path: Path, state: tuple[int, int], known: tuple[str, ...]) -> dict[str, Any]:
    document = _parse(path)
    _check_document(document)
    return document


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"line {line} is not UTF-8 text; save the file as UTF-8") from None
    except RecursionError:
        raise UserError("not TOML that can be read: nested too deeply") from None
    except ValueError as error:
        end = f"at line {text.rstrip().count(chr(10)) + 1}, the end of the file"
        raise UserError(f"not valid TOML: {str(error).replace('at end of document', end)}") from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}") from None


@contextlib.contextmanager
def _told_of(shown: str, but: tuple[str, ...] = ()) -> Iterator[None]:
    """Put the file's name before a mistake, unless the mistake is that of a flag and not of the file."""
    try:
        yield
    except UserError as error:
        if str(error).startswith(but):
            raise
        raise UserError(f"{shown}: {error}") from None


def _serves(path: Path, model: str | None, dataset: str | None) -> bool:
    try:
        document = _read(path)
    except UserError:
        return True
    if dataset and document.get("dataset", dataset) != dataset:
        return False
    return model is None or _fits(document, model)


def _has_points(document: Mapping[str, Any], model: str) -> bool:
    return any(key in part for part in (document, document.get(model, {})) for key in ("grid", "points"))


def _fits(document: Mapping[str, Any], model: str) -> bool:
    """Whether the file has points for the model, and none of a field that the model has not."""
    both = {**document, **document.get(model, {})}
    rows = [both["grid"]] if "grid" in both else both.get("points", [])
    known = {*fields_for(model), *models.get(model).axes, "label", "reference"}
    return bool(rows) and all(key in known for row in rows for key in row)


def _check_document(document: Mapping[str, Any]) -> None:
    """Keys and types of the whole file, whichever model it is loaded for; bounds are checked for that model alone."""
    _check_section(document, "", top_keys())
    if "dataset" in document and document["dataset"] not in choices("dataset"):
        raise UserError(f"dataset {document['dataset']!r} is unknown{nearest(document['dataset'], choices('dataset'))}")
    for model in models.names():
        _check_section(document.get(model, {}), f"{model}.", SECTION_KEYS)


def _check_section(section: Mapping[str, Any], where: str, keys: tuple[str, ...]) -> None:
    for key, value in section.items():
        if key not in keys:
            if key in ELSEWHERE or key in fields():
                hint = ELSEWHERE.get(key, "a field goes under [base], [grid] or [[points]]")
                raise UserError(f"unknown key {where + key!r}; {hint}")
            raise UserError(f"unknown key {where + key!r}{nearest(key, keys)}")
        _check_kind(f"{where}{key}", key, value)
    if not 1 <= section.get("seeds", 1) <= 10_000:
        raise UserError(f"{where}seeds must be {KINDS['seeds'][1]}, got {section['seeds']}")
    if section.get("reference_is", "test") not in ("test", "validation"):
        raise UserError(f"{where}reference_is must be {KINDS['reference_is'][1]}, got {section['reference_is']!r}")
    if section.get("role", "knob") not in get_args(Role):
        raise UserError(f"{where}role must be {KINDS['role'][1]}, got {section['role']!r}")
    _check_published(f"{where}published", section.get("published"))
    for number, claim in enumerate(section.get("claims", []), 1):
        _check_claim(f"{where}claims[{number}]", claim)
    if "grid" in section and "points" in section:
        raise UserError(f"both {where}grid and {where}points; keep one of them")
    _check_table(f"{where}base", section.get("base", {}), fields())
    if "grid" in section:
        _check_table(f"{where}grid", section["grid"], (*fields(), *axes()), lists=True)
        if not section["grid"]:
            raise UserError(f"{where}grid is empty; give it at least one list, e.g. lr = [0.001, 0.01]")
    _check_table(f"{where}expect_best", section.get("expect_best", {}), (*fields(), *axes(), "label"), lists=True)
    for key in ("baseline", "gain_over"):
        if isinstance(section.get(key), dict):
            _check_table(f"{where}{key}", section[key], (*fields(), *axes()))
    if "points" in section and not section["points"]:
        raise UserError(f"{where}points is empty; give at least one [[{where}points]]")
    for number, point in enumerate(section.get("points", []), 1):
        if not isinstance(point, dict):
            raise UserError(f"{where}points must be {KINDS['points'][1]}, got {_shown(point)}")
        _check_table(f"{where}points[{number}]", point, (*fields(), "label", "reference"))
        if not 0 <= point.get("reference", 0) <= 1:
            raise UserError(
                f"{where}points[{number}].reference must be {KINDS['reference'][1]}, got {point['reference']}"
            )
        label = point.get("label", "-")
        if not (1 <= len(label) <= LONGEST_LABEL and label.isprintable() and label.strip() == label):
            raise UserError(
                f"{where}points[{number}].label must be 1 to {LONGEST_LABEL} printable characters, got {label!r}"
            )


def _check_published(where: str, said: dict[str, Any] | None) -> None:
    if said is None:
        return
    _check_keys(where, said, ("table", "as", "best_look"), needed=("table",))
    if not said["table"].strip():
        raise UserError(f"{where}.table must name the table")
    if said.get("as", "stated") not in get_args(PublishedAs):
        raise UserError(f"{where}.as must be {KINDS['as'][1]}, got {said['as']!r}")


def _check_claim(where: str, said: Any) -> None:
    if not isinstance(said, dict):
        raise UserError(f"{where} must be a table with says, winner and rivals, got {_shown(said)}")
    _check_keys(where, said, ("says", "winner", "rivals"), needed=("says", "winner", "rivals"))
    if not said["rivals"] or not all(isinstance(rival, str) for rival in said["rivals"]):
        raise UserError(f"{where}.rivals must be {KINDS['rivals'][1]}, at least one, got {_shown(said['rivals'])}")


def _check_keys(where: str, said: Mapping[str, Any], keys: tuple[str, ...], needed: tuple[str, ...]) -> None:
    """The keys of a table that holds no fields, and the types of their values."""
    for key, value in said.items():
        if key not in keys:
            raise UserError(f"unknown key {where + '.' + key!r}{nearest(key, keys)}")
        _check_kind(f"{where}.{key}", key, value)
    for key in needed:
        if key not in said:
            raise UserError(f"{where} needs {key}: {KINDS[key][1]}")


def _check_table(where: str, table: Mapping[str, Any], keys: tuple[str, ...], lists: bool = False) -> None:
    """Keys of a table of fields, and the types of their values; of each of a list of values where ``lists``."""
    for key, value in table.items():
        if key in ELSEWHERE:
            raise UserError(f"{where}.{key}: {ELSEWHERE[key]}")
        name = f"{where}.{key}"
        if key not in keys:
            if key in top_keys():
                raise UserError(f"unknown key {name!r}; {key} goes to the top of the file, above the first [section]")
            raise UserError(f"unknown key {name!r}{nearest(key, keys)}")
        if not lists:
            _check_kind(f"{where}.{key}", key, value)
            continue
        if not isinstance(value, list):
            raise UserError(f"{where}.{key} must be a list of values, [...], got {_shown(value)}")
        if not value:
            raise UserError(f"{where}.{key} is an empty list; give at least one value")
        if is_list(key) and not all(isinstance(item, list) for item in value):
            raise UserError(f"{where}.{key} must be a list of lists, e.g. [[512, 512], [256, 128]]")
        for item in value:
            _check_kind(f"each of {where}.{key}", key, item)


def _check_kind(where: str, key: str, value: Any) -> None:
    """The TOML type of one value. Its bounds are Config's business."""
    wanted, words = KINDS[key] if key in KINDS else (dict, "a table") if key in models.names() else _kind_of_field(key)
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    # TOML's true is Python's True, which passes for a 1
    right = isinstance(value, options) and (bool in options or not isinstance(value, bool))
    if right and is_list(key):
        right = all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    if not right:
        raise UserError(f"{where} must be {words}, got {_shown(value)}")


def _kind_of_field(field: str) -> tuple[tuple[type, ...], str]:
    if field in axes():
        return (int,), "a whole number"
    if is_list(field):
        return (list,), "a list of whole numbers, e.g. [512, 512]"
    if choices(field):
        return (str,), f"text: {bounds(field)}"
    kind = type_of(field_info(field))
    if kind is bool:
        return (bool,), "true or false"
    return ((int, float), "a number") if kind is float else ((int,), "a whole number")


def is_list(field: str) -> bool:
    """Whether a key names a field that holds a list."""
    return field in fields() and type_of(field_info(field)) is tuple


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _check_fields(where: str, model: str, fields: Collection[str]) -> None:
    known = [name for name in fields_for(model) if name not in ELSEWHERE]
    known += models.get(model).axes
    for field in fields:
        if field not in known:
            raise UserError(
                f"{where}.{field}: {model} has no {field}; it has {', '.join(own_fields(models.get(model)))}"
            )


def _check_grid(where: str, model: str, grid: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    known = models.get(model).axes
    if given := [axis for axis in known if axis in grid]:
        if len(given) < len(known):
            other = next(axis for axis in known if axis not in given)
            raise UserError(f"{where}.{given[0]} needs {other} beside it; one layer alone is depth = [1] with width")
        if both := {"units", "width", "depth"} & grid.keys():
            raise UserError(f"{where}.{min(both)} and {where}.units1 say the same thing; keep one of them")
    for field in base:
        if knob := _clash(field, grid, model):
            raise UserError(f"base.{field} has no effect, since {where}.{knob} varies it; take it out of base")


def _clash(field: str, knobs: Collection[str], model: str) -> str | None:
    """The knob that setting ``field`` would fix, or None: the field itself, or another way of saying the same."""
    ways = {knob: models.get(model).axes.get(knob, knob) for knob in knobs}
    for knob, way in ways.items():
        if field in (knob, way):
            return knob
        for one, other in exclusive_ways():
            if (field in one and way in other) or (field in other and way in one):
                return knob
    return None


def _grid_points(
    rows: list[dict[str, Any]], where: str, knobs: tuple[str, ...], fixed: Mapping[str, Any], called: Mapping[str, str]
) -> Iterator[Point]:
    (grid,) = rows
    called = {**called, **{knob: f"{where}.{knob}" for knob in knobs}}
    spelt = models.get(str(fixed["model"])).axes
    called |= {spelt[knob]: f"{where}.{knob}" for knob in reversed(knobs) if knob in spelt}
    for combination in itertools.product(*grid.values()):
        said = models.get(str(fixed["model"])).spell_out(dict(zip(grid, combination, strict=True)))
        config = _config(merge(fixed, said), called, _grid_label(knobs, combination))
        values = {knob: config.axis(knob) for knob in knobs}
        yield Point(_grid_label(knobs, tuple(values.values())), values, config)


def _grid_label(knobs: tuple[str, ...], values: tuple[Any, ...]) -> str:
    if len(knobs) == 1:
        return f"{knobs[0].replace('_', ' ')} {text_of(values[0])}"
    return " / ".join(map(text_of, values))


def _listed_points(
    rows: list[dict[str, Any]], where: str, knobs: tuple[str, ...], fixed: Mapping[str, Any], called: Mapping[str, str]
) -> Iterator[Point]:
    for number, row in enumerate(rows, 1):
        said = {key: value for key, value in row.items() if key not in ("label", "reference")}
        label = row.get("label") or ", ".join(
            f"{key.replace('_', ' ')} {text_of(value)}" for key, value in said.items()
        )
        called_here = {**called, **{field: f"{where}[{number}].{field}" for field in said}}
        config = _config(merge(fixed, said), called_here, label or f"point {number}")
        values = {knob: config.axis(knob) for knob in knobs}
        reference = row.get("reference")
        yield Point(label or "defaults", values, config, None if reference is None else float(reference))


def _config(values: Mapping[str, Any], called: Mapping[str, str], label: str) -> Config:
    try:
        return make_config(values, called)
    except UserError as error:
        if str(error).startswith(tuple(called.values())):
            raise  # it names the key
        raise UserError(f"point {label!r}: {error}") from None


def _settled(points: Iterator[Point], repeats: bool) -> tuple[Point, ...]:
    """The points, with equal ones marked, or refused unless ``repeats``; labels must differ in any case."""
    settled: list[Point] = []
    first_of: dict[Config, str] = {}
    labels: set[str] = set()
    for point in points:
        same = first_of.get(point.config)
        first_of.setdefault(point.config, point.label)
        if same is not None and not repeats:
            if same == point.label:
                raise UserError(f"point {same!r} is there twice; leave one out")
            raise UserError(
                f"points {same!r} and {point.label!r} are the same configuration; leave one out, or say repeats = true"
            )
        if point.label in labels:
            raise UserError(f"two points have the label {point.label!r}; give each its own")
        labels.add(point.label)
        settled.append(replace(point, same_as=same))
    return tuple(settled)


def _expect_best(
    said: Mapping[str, list[Any]], knobs: tuple[str, ...], points: tuple[Point, ...]
) -> dict[str, list[Any]]:
    expected = {key: [_plain(value) for value in values] for key, values in said.items()}
    for key, values in expected.items():
        if key not in (*knobs, "label"):
            raise UserError(f"expect_best.{key}: the sweep does not vary {key}{nearest(key, [*knobs, 'label'])}")
        there = [_named_value(point, key) for point in points]
        for value in values:
            if value not in there:
                offered = ", ".join(dict.fromkeys(map(text_of, there)))
                raise UserError(f"expect_best.{key}: no point has {text_of(value)}; one of: {offered}")
    if expected and not any(_is_expected(point, expected) for point in points):
        raise UserError(f"expect_best: no point has all of {', '.join(expected)} as expected")
    return expected


def _is_expected(point: Point, expected: Mapping[str, list[Any]]) -> bool:
    return all(_named_value(point, key) in values for key, values in expected.items())


def _named_value(point: Point, key: str) -> Any:
    return point.label if key == "label" else point.values[key]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _baseline(said: Any, knobs: tuple[str, ...], points: tuple[Point, ...], fixed: Mapping[str, Any]) -> str:
    if said is not None:
        return _point_named("baseline", said, knobs, points)
    try:
        default = make_config(fixed)
    except UserError:  # what the points have in common need not be a whole Config
        return points[0].label
    return next((point.label for point in points if point.config == default), points[0].label)


def _point_named(key: str, said: str | dict[str, Any], knobs: tuple[str, ...], points: tuple[Point, ...]) -> str:
    """The label of the one point that ``key`` names, by its label or by values."""
    if isinstance(said, str):
        return _label(key, said, points)
    for field in said:
        if field not in knobs:
            raise UserError(f"{key}.{field}: the sweep does not vary {field}{nearest(field, knobs)}")
    same = [point for point in points if all(point.values[field] == _plain(value) for field, value in said.items())]
    if len({point.config for point in same}) != 1:
        known = ", ".join(point.label for point in points[:6]) + (", ..." if len(points) > 6 else "")
        raise UserError(f"{key}: {len(same) or 'no'} points have those values; it must be one of: {known}")
    return same[0].label


def _label(where: str, said: str, points: tuple[Point, ...]) -> str:
    labels = [point.label for point in points]
    if said not in labels:
        raise UserError(f"{where}: no point has the label {said!r}{nearest(said, labels)}")
    return said


def _claims(said: list[dict[str, Any]], points: tuple[Point, ...]) -> tuple[Claim, ...]:
    claims = []
    for number, claim in enumerate(said, 1):
        winner = _label(f"claims[{number}].winner", claim["winner"], points)
        rivals = tuple(_label(f"claims[{number}].rivals", rival, points) for rival in claim["rivals"])
        if winner in rivals:
            raise UserError(f"claims[{number}]: {winner!r} cannot be its own rival")
        claims.append(Claim(claim["says"], winner, rivals))
    return tuple(claims)


def _published(said: dict[str, Any] | None) -> PublishedTable | None:
    if said is None:
        return None
    return PublishedTable(" ".join(said["table"].split()), said.get("as", "stated"), said.get("best_look", False))


def _role(said: Mapping[str, Any], knobs: tuple[str, ...], points: tuple[Point, ...]) -> Role:
    """What the points are to one another: as the file says, else by the form of its grid."""
    varied = [knob for knob in knobs if len({point.values[knob] for point in points}) > 1] if "grid" in said else []
    by_form: Role = "knob" if len(varied) < 2 else "pair" if len(varied) == 2 else "recipes"
    role: Role = said.get("role", by_form)
    if role == "pair" and by_form != "pair":
        raise UserError('role = "pair" needs a grid of two axes, each with two values or more')
    if "published" in said and role != "published":
        raise UserError('[published] needs role = "published" beside it')
    return role
