"""The knobs of PLAY, made from Config's declarations: a new field or model has its knob without a word here."""

import math
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from explorer import models
from explorer.config import DEFAULT_STEPS, Config, bounds, choices, field_info, fields_for, make_config, meaning
from explorer.errors import UserError
from explorer.fields import flag_of, span, text_of, type_of
from explorer.telling.words import knob_name, training_command

REACH = 32  # a slider without an upper bound goes so many times as far as the default
Kind = Literal["choice", "switch", "whole", "number", "list"]
Scale = Literal["linear", "log", "power"]


class Knob(Struct, frozen=True):
    """A control. Of a number ``low`` to ``high`` is the slider's way; the box beside it takes what the field takes.

    ``scale``: how the slider goes; ``power`` begins at 0 and is fine there: value = high * position ** 4.
    """

    name: str
    label: str
    flag: str
    meaning: str
    bounds: str
    kind: Kind
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    scale: Scale = "linear"


def knobs(model: str) -> list[Knob]:
    """The controls of a model, in the declared order."""
    return [_knob(field, model) for field in fields_for(model)]


def every_model() -> dict[str, list[Knob]]:
    """model -> its controls."""
    return {model: knobs(model) for model in models.names()}


def _knob(field: str, model: str) -> Knob:
    info = field_info(field, model)
    kind, low, high, scale = _kind(type_of(info)), 0.0, 1.0, "linear"
    words = choices(field)
    if words:
        kind = "choice"
    elif kind in ("whole", "number"):
        low, high, scale = _way(field, model, kind)
    about = meaning(field, model), bounds(field, model)
    return Knob(field, knob_name(field), flag_of(field), *about, kind, words, low, high, scale)  # type: ignore[arg-type]


def _kind(of: type) -> Kind:
    kinds: dict[type, Kind] = {bool: "switch", int: "whole", float: "number", tuple: "list"}
    return kinds.get(of, "choice")


def _way(field: str, model: str, kind: Kind) -> tuple[float, float, Scale]:
    """Where a slider goes: to the field's bounds where they are near, else around the default."""
    info = field_info(field, model)
    least, most = span(info)
    usual = info.default if isinstance(info.default, int | float) else None
    usual = DEFAULT_STEPS if field == "steps" else usual
    if least is not None and most is not None and (most <= 1 or (kind == "whole" and most <= 64)):
        return least, most, "linear"
    if least == 0 and kind == "number" and not usual and most is not None:
        return 0.0, most, "power"
    reach = REACH * (usual or REACH)
    if least == 0 and not usual:
        return 0.0, min(reach, most or reach), "power"
    if kind == "number":
        return (usual or 1.0) / 1000, min((usual or 1.0) * 1000, math.inf if most is None else most), "log"
    return max(least or 1, 1), min(reach, most or reach), "log"


class Settled(Struct, frozen=True):
    """What a set of knobs comes to. ``values`` are all fields that apply, as labels show them; ``dropped`` are those
    that the last change made meaningless; ``error`` says what is wrong, and there is no command then."""

    command: str = ""
    values: dict[str, str] = {}
    dropped: tuple[str, ...] = ()
    error: str = ""


def settled(said: Mapping[str, str], changed: str = "") -> tuple[Config | None, Settled]:
    """The configuration of ``said``, fields as flags give them. Where ``changed`` contradicts one other field (another
    optimizer has no momentum), that one is left out."""
    try:
        config = make_config(said)
        return config, _told(config, ())
    except UserError as error:
        wrong = str(error)
    for other in [field for field in said if changed in said and field not in (changed, "model")]:
        try:
            config = make_config({field: value for field, value in said.items() if field != other})
            return config, _told(config, (other,))
        except UserError:
            continue
    return None, Settled(error=wrong)


def _told(config: Config, dropped: tuple[str, ...]) -> Settled:
    values = {name: text_of(value) for name in fields_for(config.model) if (value := config.get(name)) is not None}
    return Settled(training_command(config), values, dropped)
