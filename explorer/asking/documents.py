"""A question's file: which ones there are, where they lie, and whether keys and types are right.

What a sweep's file may say is at the head of questions.py, a study's of studies.py, a search's of searches.py. Values
within their type's bounds are `Config`'s business, and are checked for the model that is asked about.
"""

import contextlib
import functools
import math
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from explorer import datasets, models, toml
from explorer.config import (
    Config,
    bounds,
    choices,
    exclusive_ways,
    field_info,
    fields_for,
    own_fields,
)
from explorer.errors import UserError
from explorer.fields import nearest, type_of
from explorer.seeds import FIRST_FRESH_SEED

FOLDER = Path(__file__).resolve().parents[1] / "sweeps"
MOST_POINTS = 10_000
LONGEST_LABEL = 60
LISTED = "the command `list` names them"

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
    **dict.fromkeys(("rivals", "suffices"), (list, "a list of labels")),
    "pairs": (list, 'a list of two labels each, the better one first, e.g. [["adam", "sgd"]]'),
    **dict.fromkeys(("expect_best", "base", "grid"), (dict, "a table")),
    "points": (list, "a list of tables, [[points]]"),
    **dict.fromkeys(("baseline", "gain_over"), ((str, dict), "a point's label, or a table like { lr = 0.001 }")),
    "seeds": (int, "a whole number from 1 to 10000"),
    "repeats": (bool, "true or false"),
    "reference": ((int, float), "an accuracy as a fraction, 0 to 1"),
    "study": (dict, 'a table, e.g. [study] with scientific.activation = ["relu", "silu"]'),
    "search": (dict, "a table, e.g. [search] with ranges.lr = { low = 1e-4, high = 3e-2, log = true }"),
    "scientific": (
        (dict, list),
        'a table of lists, e.g. scientific.activation = ["relu", "silu"], or a list of tables',
    ),
    **dict.fromkeys(("nuisance", "nuisance_of", "ranges"), (dict, "a table of ranges")),
}
RANGE = "a range, { low = 1e-4, high = 3e-2, log = true }, or { values = [64, 128] }"
# The whole numbers of a study and of a search: least, greatest. Fewer than three fresh seeds judge nothing.
COUNTS = {
    "tries": (1, 10_000),
    "finalists": (1, 1000),
    "seeds": (1, FIRST_FRESH_SEED),
    "fresh_seeds": (3, 10_000),
    "seed": (0, 2**31 - 1),
}
TUNED = ("tries", "finalists", "seeds", "fresh_seeds")
STUDY_KEYS = ("scientific", "nuisance", "nuisance_of", *TUNED)
SEARCH_KEYS = ("ranges", "seed", *TUNED)
Kind = Literal["sweep", "study", "search"]
"""What a file asks: a sweep runs the points it lists, a study tunes each value of a knob, a search looks for one good
configuration."""
SECTION_KEYS = (
    *(*TEXTS, "role", "expect_best", "baseline", "gain_over", "seeds", "repeats", "reference_is"),
    *("published", "claims", "base", "grid", "points", "study", "search"),
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


def available(model: str | None = None, dataset: str | None = None, kind: Kind = "sweep") -> list[str]:
    """Names of the shipped files of a kind, sorted; of those only the ones with something for ``model`` and
    ``dataset``.

    A file that cannot be read is among the sweeps: loading it says what is wrong with it.
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml") if _serves(path, model, dataset, kind))


def all_names() -> list[str]:
    """Everything shipped that ``--sweep`` may name."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def about() -> list[str]:
    """The data sets that the shipped sweeps are about: the usual one and those that a file names."""
    usual = Config.model_fields["dataset"].default
    found = {usual}
    for path in FOLDER.glob("*.toml"):
        with contextlib.suppress(UserError):  # loading it says what is wrong with it
            found.add(read(path).get("dataset", usual))
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
        raise UserError(f"--sweep needs the name of a sweep, or all; {LISTED}")
    every = available(model, dataset) if "all" in said else []
    return list(dict.fromkeys(name for part in said for name in (every if part == "all" else [part])))


def find(name_or_path: str) -> tuple[Path, str]:
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
        raise UserError(f"no file {name_or_path!r}; a sweep is a TOML file or a shipped one: {LISTED}")
    raise UserError(f"no sweep {name_or_path!r}{nearest(name_or_path, ['all', *all_names()], LISTED)}")


def read(path: Path) -> dict[str, Any]:
    """The file's content, parsed and checked: once, as long as neither the file nor the models change."""
    try:
        state = path.stat()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}") from None
    return _read_once(path, (state.st_mtime_ns, state.st_size), models.names())


@functools.lru_cache(maxsize=256)
def _read_once(path: Path, state: tuple[int, int], known: tuple[str, ...]) -> dict[str, Any]:
    document = toml.read(path)
    _check_document(document)
    return document


@contextlib.contextmanager
def told_of(shown: str, but: tuple[str, ...] = ()) -> Iterator[None]:
    """Put the file's name before a mistake, unless the mistake is that of a flag and not of the file."""
    try:
        yield
    except UserError as error:
        if str(error).startswith(but):
            raise
        raise UserError(f"{shown}: {error}") from None


def kind_of(document: Mapping[str, Any], model: str | None = None) -> Kind:
    """What a file asks of a model, or of any."""
    parts = [document, *(document.get(name, {}) for name in ([model] if model else models.names()))]
    return "study" if any("study" in part for part in parts) else "search" if "search" in document else "sweep"


def _serves(path: Path, model: str | None, dataset: str | None, kind: Kind) -> bool:
    try:
        document = read(path)
    except UserError:
        return kind == "sweep"
    if kind_of(document) != kind or (dataset and document.get("dataset", dataset) != dataset):
        return False
    return model is None or _fits(document, model, kind)


def has_points(document: Mapping[str, Any], model: str) -> bool:
    return any(key in part for part in (document, document.get(model, {})) for key in ("grid", "points"))


def section_of(document: Mapping[str, Any], model: str, key: str) -> dict[str, Any]:
    """A table that a model's section may add to, key by key: ``[study]`` and ``[mlp.study]``."""
    return {**document.get(key, {}), **document.get(model, {}).get(key, {})}


def _fits(document: Mapping[str, Any], model: str, kind: Kind) -> bool:
    """Whether the file has something to run for the model, and nothing of a field that the model has not."""
    known = {*fields_for(model), *models.get(model).axes, "label", "reference"}
    if kind == "search":
        return all(key in known for key in section_of(document, model, "search").get("ranges", {}))
    if kind == "study":
        said = section_of(document, model, "study").get("scientific", {})
    else:
        both = {**document, **document.get(model, {})}
        said = both.get("grid") or both.get("points", [])
    rows = said if isinstance(said, list) else [said]
    return any(rows) and all(key in known for row in rows for key in row)


def _check_document(document: Mapping[str, Any]) -> None:
    """Keys and types of the whole file, whichever model it is loaded for; bounds are checked for that model alone."""
    _check_section(document, "", top_keys())
    if "dataset" in document and document["dataset"] not in choices("dataset"):
        raise UserError(f"dataset {document['dataset']!r} is unknown{nearest(document['dataset'], choices('dataset'))}")
    for model in models.names():
        _check_section(document.get(model, {}), f"{model}.", SECTION_KEYS)
    asked = {key for part in (document, *(document.get(model, {}) for model in models.names())) for key in part}
    ways = [f"[{key}]" for key in ("study", "search") if key in asked] + ["[grid]"] * bool(asked & {"grid", "points"})
    if len(ways) > 1:
        raise UserError(f"{' and '.join(ways)} in one file; a file asks one thing, so keep one of them")
    if (
        foreign := asked - {*TEXTS, *models.names(), "dataset", "base", "study", "search", "expect_best"}
        if kind_of(document) != "sweep"
        else ()
    ):
        raise UserError(f"unknown key {min(foreign)!r} in a {kind_of(document)}; it has {', '.join(STUDY_KEYS)}")


def _check_section(section: Mapping[str, Any], where: str, keys: tuple[str, ...]) -> None:
    for key, value in section.items():
        if key not in keys:
            if key in ELSEWHERE or key in fields():
                hint = ELSEWHERE.get(key, "a field goes under [base], [grid] or [[points]]")
                raise UserError(f"unknown key {where + key!r}; {hint}")
            raise UserError(f"unknown key {where + key!r}{nearest(key, keys)}")
        check_kind(f"{where}{key}", key, value)
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
    _check_study(f"{where}study", section.get("study", {}))
    _check_search(f"{where}search", section.get("search", {}))
    check_table(f"{where}base", section.get("base", {}), fields())
    if "grid" in section:
        check_table(f"{where}grid", section["grid"], (*fields(), *axes()), lists=True)
        if not section["grid"]:
            raise UserError(f"{where}grid is empty; give it at least one list, e.g. lr = [0.001, 0.01]")
    check_table(f"{where}expect_best", section.get("expect_best", {}), (*fields(), *axes(), "label"), lists=True)
    for key in ("baseline", "gain_over"):
        if isinstance(section.get(key), dict):
            check_table(f"{where}{key}", section[key], (*fields(), *axes()))
    _check_points(f"{where}points", section.get("points"))


def _check_points(where: str, rows: list[Any] | None) -> None:
    """Listed points, or the listed values of a study."""
    if rows is None:
        return
    if not rows:
        raise UserError(f"{where} is empty; give at least one [[{where}]]")
    for number, point in enumerate(rows, 1):
        if not isinstance(point, dict):
            raise UserError(f"{where} must be a list of tables, [[{where}]], got {_shown(point)}")
        check_table(f"{where}[{number}]", point, (*fields(), "label", "reference"))
        if not 0 <= point.get("reference", 0) <= 1:
            raise UserError(f"{where}[{number}].reference must be {KINDS['reference'][1]}, got {point['reference']}")
        label = point.get("label", "-")
        if not (1 <= len(label) <= LONGEST_LABEL and label.isprintable() and label.strip() == label):
            raise UserError(f"{where}[{number}].label must be 1 to {LONGEST_LABEL} printable characters, got {label!r}")


def _check_study(where: str, said: dict[str, Any]) -> None:
    _check_counts(where, said, STUDY_KEYS)
    scientific = said.get("scientific")
    if isinstance(scientific, list):
        _check_points(f"{where}.scientific", scientific)
    elif scientific is not None:
        check_table(f"{where}.scientific", scientific, (*fields(), *axes()), lists=True)
    for field, one in said.get("nuisance", {}).items():
        _check_range(f"{where}.nuisance.{field}", field, one)
    for label, ranges in said.get("nuisance_of", {}).items():
        if not isinstance(ranges, dict):
            raise UserError(f"{where}.nuisance_of.{label} must be {KINDS['ranges'][1]}, got {_shown(ranges)}")
        for field, one in ranges.items():
            _check_range(f"{where}.nuisance_of.{label}.{field}", field, one)


def _check_search(where: str, said: dict[str, Any]) -> None:
    _check_counts(where, said, SEARCH_KEYS)
    for field, one in said.get("ranges", {}).items():
        _check_range(f"{where}.ranges.{field}", field, one)


def _check_counts(where: str, said: dict[str, Any], keys: tuple[str, ...]) -> None:
    """The keys of a study or of a search, and its whole numbers."""
    for key, value in said.items():
        if key not in keys:
            hint = f"; a range goes under {where}.{keys[0] if keys is SEARCH_KEYS else 'nuisance'}"
            raise UserError(f"unknown key {where + '.' + key!r}{hint if key in fields() else nearest(key, keys)}")
        if key not in COUNTS:
            check_kind(f"{where}.{key}", key, value)
            continue
        low, high = COUNTS[key]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UserError(f"{where}.{key} must be a whole number from {low} to {high}, got {_shown(value)}")


def _check_range(where: str, field: str, said: Any) -> None:
    """A range: its field, its form, and that its ends or values make sense; their bounds are Config's business."""
    if field in ELSEWHERE:
        raise UserError(f"{where}: {ELSEWHERE[field]}")
    if field not in (*fields(), *axes()):
        raise UserError(f"unknown key {where!r}{nearest(field, (*fields(), *axes()))}")
    if not isinstance(said, dict) or not ({*said} <= {"low", "high", "log"} or {*said} == {"values"}):
        raise UserError(f"{where} must be {RANGE}, got {_shown(said)}")
    if "values" in said:
        values = said["values"]
        check_table(where.rpartition(".")[0], {field: values}, (field,), lists=True)
        if any(value in values[:place] for place, value in enumerate(values)):
            raise UserError(f"{where}.values has a value twice; leave one out")
        return
    if (kind := _kind_of_field(field)[0]) not in ((int, float), (int,)):
        raise UserError(f"{where}: {field} is no number; give {{ values = [...] }}")
    for end in ("low", "high"):
        if end not in said:
            raise UserError(f"{where} needs {end}; it must be {RANGE}")
        value = said[end]
        if not isinstance(value, kind) or isinstance(value, bool) or not math.isfinite(value):
            raise UserError(f"{where}.{end} must be {_kind_of_field(field)[1]}, got {_shown(value)}")
    if not isinstance(said.get("log", False), bool):
        raise UserError(f"{where}.log must be true or false, got {_shown(said['log'])}")
    if said["low"] >= said["high"]:
        raise UserError(f"{where}: low {said['low']:g} is not below high {said['high']:g}")
    if said.get("log") and said["low"] <= 0:
        raise UserError(f"{where}: log = true needs a low above 0, got {said['low']:g}")


def _check_published(where: str, said: dict[str, Any] | None) -> None:
    if said is None:
        return
    check_keys(where, said, ("table", "as", "best_look"), needed=("table",))
    if not said["table"].strip():
        raise UserError(f"{where}.table must name the table")
    if said.get("as", "stated") not in get_args(PublishedAs):
        raise UserError(f"{where}.as must be {KINDS['as'][1]}, got {said['as']!r}")


CLAIMS = ("winner", "rivals", "suffices", "pairs")


def _check_claim(where: str, said: Any) -> None:
    if not isinstance(said, dict):
        raise UserError(f"{where} must be a table with says, winner and rivals, got {_shown(said)}")
    check_keys(where, said, ("says", *CLAIMS), needed=("says",))
    ways = [way for way in ("winner", "suffices", "pairs") if way in said]
    if len(ways) != 1:
        raise UserError(f"{where} must say one of winner (with rivals), suffices (with rivals) and pairs")
    if ("rivals" in said) == ("pairs" in said):
        raise UserError(f"{where} needs rivals: {KINDS['rivals'][1]}, with winner or suffices, and none with pairs")
    for key in ("rivals", "suffices"):
        if key in said and (not said[key] or not all(isinstance(label, str) for label in said[key])):
            raise UserError(f"{where}.{key} must be {KINDS[key][1]}, at least one, got {_shown(said[key])}")
    for pair in said.get("pairs", []):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(label, str) for label in pair)):
            raise UserError(f"{where}.pairs must be {KINDS['pairs'][1]}, got {_shown(pair)}")


def check_keys(where: str, said: Mapping[str, Any], keys: tuple[str, ...], needed: tuple[str, ...]) -> None:
    """The keys of a table that holds no fields, and the types of their values."""
    for key, value in said.items():
        if key not in keys:
            raise UserError(f"unknown key {where + '.' + key!r}{nearest(key, keys)}")
        check_kind(f"{where}.{key}", key, value)
    for key in needed:
        if key not in said:
            raise UserError(f"{where} needs {key}: {KINDS[key][1]}")


def check_table(where: str, table: Mapping[str, Any], keys: tuple[str, ...], lists: bool = False) -> None:
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
            check_kind(f"{where}.{key}", key, value)
            continue
        if not isinstance(value, list):
            raise UserError(f"{where}.{key} must be a list of values, [...], got {_shown(value)}")
        if not value:
            raise UserError(f"{where}.{key} is an empty list; give at least one value")
        if is_list(key) and not all(isinstance(item, list) for item in value):
            raise UserError(f"{where}.{key} must be a list of lists, e.g. [[512, 512], [256, 128]]")
        for item in value:
            check_kind(f"each of {where}.{key}", key, item)


def check_kind(where: str, key: str, value: Any) -> None:
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


def check_fields(where: str, model: str, fields: Collection[str]) -> None:
    known = [name for name in fields_for(model) if name not in ELSEWHERE]
    known += models.get(model).axes
    for field in fields:
        if field not in known:
            raise UserError(
                f"{where}.{field}: {model} has no {field}; it has {', '.join(own_fields(models.get(model)))}"
            )


def clash(field: str, knobs: Collection[str], model: str) -> str | None:
    """The knob that setting ``field`` would fix, or None: the field itself, or another way of saying the same."""
    ways = {knob: models.get(model).axes.get(knob, knob) for knob in knobs}
    for knob, way in ways.items():
        if field in (knob, way):
            return knob
        for one, other in exclusive_ways():
            if (field in one and way in other) or (field in other and way in one):
                return knob
    return None
