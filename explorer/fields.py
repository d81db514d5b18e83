"""The vocabulary of hyperparameters: which values a field takes, how that is put in words, how each field is called.

Fields are declared where they belong: those of every run in `explorer.config`, those of one model in the model's own
file. Flags, environment variables, sweep files and the README's table are made from the declarations.
"""

import difflib
import struct
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Value = bool | int | float | str | tuple[int, ...]
"""What a field can hold."""

# Short names tinygrad users type. The full field name in upper case works for every field.
ENVIRONMENT_ALIASES = {"BS": "batch_size", "OPT": "optimizer"}


@dataclass(frozen=True)
class Words:
    """Metadata of a field that takes one of some words, which a registry holds."""

    known: Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Live:
    """Metadata of a model's number that a captured step reads from memory: runs that differ in it alone share a step,
    unless it is 0 in one of them."""


def one_of(known: Callable[[], Iterable[str]]) -> tuple[Words, AfterValidator]:
    """Metadata for ``Annotated[str, *one_of(names)]``: a word that the registry knows when the value is checked."""

    def check(word: str) -> str:
        if word not in known():
            raise PydanticCustomError("unknown_word", "unknown word")
        return word

    return Words(known), AfterValidator(check)


def _split_commas(value: object) -> object:
    if isinstance(value, int):
        return (value,)
    return value.split(",") if isinstance(value, str) else value


COMMAS = BeforeValidator(_split_commas)
"""Metadata of a list that a flag gives with commas."""

SMALLEST_SINGLE = 2.0**-126  # of what has all its digits in single precision; processors may take less for 0

Count = Annotated[int, Field(ge=1, le=16_384)]
"""So many units or filters."""


def fits_single_precision(kind: type[BaseModel], value: object, info: ValidationInfo) -> object:
    """A field's validator: nets are trained in single precision, where a tiny number is 0, and the last below 1 is 1.

    Raises ValueError for a number that would be another one there: it would be recorded, but not trained with.
    """
    if not isinstance(value, float) or not value:
        return value
    bound = _limit(kind.model_fields[str(info.field_name)], "lt")
    if abs(value) < SMALLEST_SINGLE:
        raise ValueError(f"{value:g} is 0 in single precision; the least above 0 is {SMALLEST_SINGLE:.2g}")
    try:
        (single,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        raise ValueError(f"{value:g} is infinite in single precision") from None
    if bound is not None and single >= bound:
        raise ValueError(f"{value!r} is {bound:g} in single precision")
    return value


def flag_of(field: str) -> str:
    return "--" + field.replace("_", "-")


def environment_names(field: str) -> list[str]:
    """The environment variables that set a field, the canonical one first."""
    return [field.upper(), *(alias for alias, name in ENVIRONMENT_ALIASES.items() if name == field)]


NEAR = 0.65  # of difflib's ratio, 1 for equal words: what is farther away is no slip of the hand


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that this one begins or is a slip of; None where there is none, or where it begins several."""
    word, known = word.lower(), list(known)
    begun = [one for one in known if len(word) > 1 and one.startswith(word)]
    close = begun if len(begun) == 1 else difflib.get_close_matches(word, known, n=1, cutoff=NEAR)
    return close[0] if close else None


def nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """``; did you mean 'x'?`` for a known word that is near; else ``otherwise``, or the list of all of them."""
    known = list(known)
    close = near(word, known)
    return f"; did you mean {close!r}?" if close else f"; {otherwise or 'one of: ' + ', '.join(known)}"


def type_of(info: FieldInfo) -> type:
    """bool, int, float, str, or tuple for a list; the type of an optional field where it is said."""
    kinds = [part for part in _union(info.annotation) if part is not type(None)]
    kind = get_origin(kinds[0]) or kinds[0]
    return kind if isinstance(kind, type) else str  # a Literal's words


def choices(info: FieldInfo) -> tuple[str, ...]:
    """The words a field accepts, or () where it takes a number, a list or a switch."""
    for part in _union(info.annotation):
        options = get_args(part)
        if options and all(isinstance(option, str) for option in options):
            return tuple(map(str, options))
    return next((tuple(item.known()) for item in info.metadata if isinstance(item, Words)), ())


def limits(info: FieldInfo) -> tuple[float | None, float | None]:
    """The least and the greatest value a number's field takes itself (dropout can be 0, but not 1); None: no such."""
    return _limit(info, "ge"), _limit(info, "le")


def span(info: FieldInfo) -> tuple[float | None, float | None]:
    """The bounds of a number's field, whether it takes them itself or only what lies between; None: no such."""
    low, high = limits(info)
    return _limit(info, "gt") if low is None else low, _limit(info, "lt") if high is None else high


def bounds(info: FieldInfo) -> str:
    """The accepted values in words: ``> 0``, ``>= 1 and <= 24``, ``on|off``, ``relu|silu|...``."""
    if words := choices(info):
        return "|".join(words)
    kind = type_of(info)
    if kind is bool:
        return "on|off"
    if kind is tuple:
        return _list_bounds(info)
    if kind is str:
        return "a name"
    low = next(
        (
            f"{sign} {limit:g}"
            for sign, name in ((">=", "ge"), (">", "gt"))
            if (limit := _limit(info, name)) is not None
        ),
        "",
    )
    high = next(
        (
            f"{sign} {_plain(limit)}"
            for sign, name in (("<=", "le"), ("<", "lt"))
            if (limit := _limit(info, name)) is not None
        ),
        "",
    )
    return " and ".join(part for part in (low, high) if part)


def kind_in_words(info: FieldInfo) -> str:
    """What a mistake's message puts before the bounds."""
    return {tuple: "a list with commas, ", float: "a number ", int: "a whole number "}.get(type_of(info), "")


def text_of(value: object) -> str:
    """A field's value as labels and flags show it: ``0.001``, ``512,512``, ``on``, ``-``. No two look alike."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def _union(annotation: object) -> tuple[object, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _limit(info: FieldInfo, name: str) -> float | None:
    return next((getattr(item, name) for item in info.metadata if getattr(item, name, None) is not None), None)


def _plain(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _list_bounds(info: FieldInfo) -> str:
    items = get_args(next(part for part in _union(info.annotation) if get_origin(part) is tuple))
    count = str(len(items))
    if items[-1] is ...:
        count = f"{_limit(info, 'min_length')} to {_limit(info, 'max_length')}"
    each = [item.metadata for item in get_args(items[0])[1:] if isinstance(item, FieldInfo)]
    found = {
        name: getattr(part, name)
        for metadata in each
        for part in metadata
        for name in ("ge", "le")
        if getattr(part, name, None) is not None
    }
    return (
        f"{count} numbers, each {found['ge']} to {found['le']}"
        if "le" in found
        else f"{count} numbers of at least {found['ge']}"
    )
