"""Config: every hyperparameter of a run, declared once.

Those of every run are the fields below; those of one model are in the model's file, and in ``net`` here. Flags,
environment variables, sweep files, record fields and the README's table derive from the declarations. A field whose
default is ``None`` takes the optimizer's or the schedule's own value; after validation the Config is explicit: what
applies has its value, what does not apply to this model, optimizer or schedule is ``None``, and saying it anyway is an
error. So no field can be set and then ignored.
"""

import functools
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from explorer import datasets, fields, models, toml
from explorer.errors import UserError
from explorer.fields import Value, environment_names, flag_of, nearest, one_of
from explorer.models.model import Model
from explorer.rules.optimizers import OPTIMIZERS
from explorer.rules.schedules import SCHEDULES

AUGMENTATIONS = ("angle", "scale", "shift")
"""The fields that each move the training images, where they are over 0."""
Json = dict[str, object]
"""A JSON object."""

DEFAULT_STEPS = 1000
EXCLUSIVE = (({"steps"}, {"epochs", "steps_per_epoch"}),)
"""Two ways of saying one thing; a flag of one way silences the environment's other way. Models add theirs."""

# The fields there were when the first runs were recorded. Their identity spells all of them out, null for what does not
# apply; a field that is not among them counts only where it is not at its default. So a field added later leaves the
# identity of every run that does not use it as it was.
FIRST_FIELDS = (
    "model", "dataset", "lr", "batch_size", "optimizer", "momentum", "nesterov", "weight_decay", "steps", "epochs",
    "steps_per_epoch", "lr_schedule", "lr_decay", "patience", "warmup_steps", "activation", "units", "width", "depth",
    "filters", "kernel_size", "dropout", "batchnorm", "angle", "scale", "shift", "sampling", "pivot", "scaling",
    "train_on", "eval_every", "seed",
)  # fmt: skip


class MisfitError(ValueError):
    """Fields that do not go together; the sentence has ``{}`` in place of each of their names."""

    def __init__(self, sentence: str, *fields: str):
        super().__init__(sentence.format(*fields))
        self.sentence, self.fields = sentence, fields

    def said(self, named: Mapping[str, str]) -> str:
        """The sentence with what a person called the fields."""
        return self.sentence.format(*(named.get(field, field) for field in self.fields))


class Config(BaseModel):
    """One run's hyperparameters: frozen, validated, hashable, JSON both ways.

    Made by :func:`make_config`, from one flat mapping.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    model: str = Field(description="what is trained")
    dataset: str = Field("mnist", description="what it is trained on")
    lr: float = Field(1e-3, gt=0, description="learning rate (peak, after warm-up)")
    batch_size: int = Field(128, ge=1, le=1_000_000, description="images in one step")
    optimizer: Annotated[str, *one_of(lambda: OPTIMIZERS)] = Field("adam", description="update rule")
    momentum: float | None = Field(None, ge=0, lt=1, description="momentum")
    nesterov: bool | None = Field(None, description="Nesterov's look-ahead momentum")
    weight_decay: float | None = Field(None, ge=0, le=100, description="pull of the weights towards zero")
    steps: int | None = Field(None, ge=1, le=10_000_000, description="length in optimizer steps")
    epochs: int | None = Field(None, ge=1, le=100_000, description="length in epochs, instead of steps")
    steps_per_epoch: int | None = Field(
        None, ge=0, le=1_000_000, description="steps in one epoch; 0 = one pass over the training set (with epochs)"
    )
    lr_schedule: Annotated[str, *one_of(lambda: SCHEDULES)] = Field(
        "constant", description="how the learning rate moves"
    )
    lr_decay: float | None = Field(None, gt=0, lt=1, description="what a plateau multiplies the learning rate by")
    patience: int | None = Field(None, ge=1, le=10_000, description="looks without gain that make a plateau")
    warmup_steps: int = Field(0, ge=0, le=1_000_000, description="steps of linear warm-up")
    net: SerializeAsAny[Model] = Field(description="the model's own hyperparameters")
    angle: float = Field(0.0, ge=0, le=180, description="augmentation: rotation up to ± so many degrees")
    scale: float = Field(0.0, ge=0, lt=1, description="augmentation: zoom up to ± this share")
    shift: float = Field(0.0, ge=0, le=64, description="augmentation: shift up to ± so many pixels")
    sampling: Literal["nearest", "bilinear"] | None = Field(None, description="augmentation: how a pixel is read")
    pivot: Literal["center", "corner"] | None = Field(None, description="augmentation: what angle and scale turn about")
    scaling: Literal["unit", "signed", "standard"] = Field(
        "unit", description="inputs: [0,1], [-1,1], or mean 0 and deviation 1"
    )
    train_on: Literal["split", "all"] = Field(
        "split", description="split keeps a validation set apart; all trains on it too"
    )
    eval_every: int = Field(
        0, ge=0, le=10_000_000, description="steps between two looks; 0 = 20 looks, fewer in short runs"
    )
    stop_patience: int = Field(
        0, ge=0, le=10_000, description="early stopping: looks without a better validation accuracy before it; 0 = off"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="initial weights, data order, dropout, augmentation")

    @field_validator("dataset")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not datasets.valid_name(value):
            raise ValueError(f"{value!r} is no name of a data set{nearest(value, datasets.names())}")
        return value

    _fits_single_precision = field_validator("*")(classmethod(fields.fits_single_precision))

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, said: object) -> object:
        """The model's own fields may be said beside the others: ``Config(model="mlp", units=[64])``."""
        if not isinstance(said, Mapping) or "net" in said or said.get("model") not in models.names():
            return said
        kind = models.get(said["model"])
        own = {name: value for name, value in said.items() if name in kind.model_fields}
        return {**{name: said[name] for name in said if name not in own}, "net": kind.model_validate(own)}

    @model_validator(mode="after")
    def _settle(self) -> Self:
        """Fill in what depends on other fields, and refuse what would be ignored."""
        said = {name for name, value in self if value is not None}

        def settle(name: str, value: Value) -> None:
            object.__setattr__(self, name, value)  # frozen for everybody else

        def apply(defaults: Mapping[str, Value], names: Iterable[str], owner: str) -> None:
            """Give each of ``names`` its default, or refuse it where ``defaults`` does not know it."""
            for name in names:
                if name not in defaults and name in said:
                    raise MisfitError(f"{{}} has no effect {owner}; leave it out", name)
                if name in defaults and name not in said:
                    settle(name, defaults[name])

        apply(OPTIMIZERS[self.optimizer].defaults, ("momentum", "nesterov", "weight_decay"), f"with {self.optimizer}")
        if self.nesterov and not self.momentum:
            raise MisfitError("{} has no effect without momentum; set momentum, e.g. 0.9", "nesterov")

        if self.steps is not None and self.epochs is not None:
            raise MisfitError("{} and {} both say how long to train; give one of them", "steps", "epochs")
        if self.epochs is None and self.steps_per_epoch is not None:
            raise MisfitError("{} has no effect without epochs; give epochs too, or steps alone", "steps_per_epoch")
        if self.epochs is None and self.steps is None:
            settle("steps", DEFAULT_STEPS)
        if self.epochs is not None and self.steps_per_epoch is None:
            settle("steps_per_epoch", 0)
        if self.steps is not None and self.warmup_steps > self.steps:
            raise MisfitError(f"{{}} {self.warmup_steps} is longer than the run of {self.steps} steps", "warmup_steps")

        schedule = SCHEDULES[self.lr_schedule]
        apply(schedule.defaults, ("lr_decay", "patience"), f"with the {self.lr_schedule} schedule")
        if schedule.watches_validation and self.train_on == "all":
            raise ValueError(f"the {self.lr_schedule} schedule needs a validation set; use train_on split")
        if self.stop_patience and self.train_on == "all":
            raise ValueError("stop_patience needs a validation set; use train_on split")

        apply({"sampling": "nearest"} if self.augments else {}, ["sampling"], "without angle, scale or shift")
        turns = self.angle > 0 or self.scale > 0
        apply({"pivot": "center"} if turns else {}, ["pivot"], "without angle or scale")
        return self

    def get(self, field: str) -> Value | None:
        """The value of any field, of this run or of its model; None where it does not apply."""
        value: Value | None = getattr(self if field in type(self).model_fields else self.net, field, None)
        return value

    def axis(self, name: str) -> Value | None:
        """The value of a field or of what a sweep may vary besides: ``width`` and ``depth`` of the units, say."""
        return self.get(name) if name in type(self).model_fields else self.net.axis(name)

    @property
    def augments(self) -> bool:
        return any(getattr(self, field) > 0 for field in AUGMENTATIONS)

    @property
    def augmentation(self) -> tuple[str, str] | None:
        """(sampling, pivot) where there is augmentation."""
        return (self.sampling or "nearest", self.pivot or "center") if self.augments else None

    @property
    def shape(self) -> tuple[object, ...]:
        """What a captured step is fixed to: configs of the same shape share it, and differ in numbers alone."""
        return (self.model, self.net.shape, self.batch_size, self.optimizer, bool(self.nesterov), self.augmentation)

    @property
    def point(self) -> "Config":
        """This configuration at seed 0: what runs that differ in the seed alone have in common."""
        return self if self.seed == 0 else self.model_copy(update={"seed": 0})

    def total_steps(self, training_images: int) -> int:
        """Length of the run in steps, given how many images it trains on."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * (self.steps_per_epoch or math.ceil(training_images / self.batch_size))

    def to_json(self) -> Json:
        """The fields that apply, in the declared order, as JSON types; the model's own stand where ``net`` does."""
        flat: Json = {}
        for name, value in self.model_dump(mode="json", exclude_none=True).items():
            flat.update(value if name == "net" else {name: value})
        return flat

    def identity(self) -> Json:
        """What tells this run's configuration from every other, as JSON: see FIRST_FIELDS."""
        flat = self.to_json()
        first: Json = {name: flat.get(name) for name in FIRST_FIELDS}
        return first | {
            name: value for name, value in flat.items() if name not in first and value != self._default(name)
        }

    def _default(self, field: str) -> object:
        info = {**type(self).model_fields, **type(self.net).model_fields}[field]
        return list(info.default) if isinstance(info.default, tuple) else info.default


def unsaid(field: str) -> Value | None:
    """What a run has whose record does not name the field: records made before it was there do not. None for a field
    that there always was, and for a model's own: they are named wherever they apply."""
    if field in FIRST_FIELDS or field not in Config.model_fields:
        return None
    value: Value | None = Config.model_fields[field].default
    return value


def own_fields(model: type[Model]) -> list[str]:
    """The model's fields that not every model has: what sets it apart."""
    others = [models.get(name).model_fields for name in models.names() if name != model.name]
    return [name for name in model.model_fields if not all(name in other for other in others) or not others]


def _somewhere(field: str) -> FieldInfo | None:
    return next(
        (models.get(name).model_fields[field] for name in models.names() if field in models.get(name).model_fields),
        None,
    )


def _owners(field: str) -> str:
    return ", ".join(name for name in models.names() if field in models.get(name).model_fields)


def field_info(field: str, model: str | None = None) -> FieldInfo:
    """The declaration of a field, of one model's where it is the model's own. KeyError for a name that is none."""
    if field in Config.model_fields and field != "net":
        return Config.model_fields[field]
    own = models.get(model).model_fields.get(field) if model else _somewhere(field)
    if own is None:
        raise KeyError(field)
    return own


def fields_for(model: str | None) -> tuple[str, ...]:
    """The fields a person may set for this model (None: for any), in the declared order; ``model`` is the command."""
    return _fields_of((model,) if model else models.names())


@functools.cache
def _fields_of(these: tuple[str, ...]) -> tuple[str, ...]:
    own = tuple(dict.fromkeys(field for name in these for field in models.get(name).model_fields))
    names = tuple(name for name in Config.model_fields if name != "model")
    place = names.index("net")
    return (*names[:place], *own, *names[place + 1 :])


def choices(field: str) -> tuple[str, ...]:
    """The words a field accepts, or () where it takes a number, a list or a switch."""
    return datasets.names() if field == "dataset" else fields.choices(field_info(field))


def bounds(field: str, model: str | None = None) -> str:
    """The accepted values in words: ``> 0``, ``on|off``, ``relu|silu|...``; without ``model``, of every model's own."""
    if field == "dataset":
        return "|".join((*datasets.names(), "a folder or .npz file of your own"))
    if model or field in Config.model_fields:
        return fields.bounds(field_info(field, model))
    owners = [name for name in models.names() if field in models.get(name).model_fields]
    texts = {name: fields.bounds(field_info(field, name)) for name in owners}
    if len(set(texts.values())) == 1:
        return texts[owners[0]]
    return "; ".join(f"{name} {text}" for name, text in texts.items())


def meaning(field: str, model: str | None = None) -> str:
    """What a field means, with what it belongs to where that is not every run."""
    text = str(field_info(field, model).description)
    owners = [name for name, rule in OPTIMIZERS.items() if field in rule.defaults]
    if owners and len(owners) < len(OPTIMIZERS):
        return f"{text} ({', '.join(owners)})"
    schedules = [name for name, rule in SCHEDULES.items() if field in rule.defaults]
    if schedules:
        return f"{text} ({', '.join(schedules)} schedule)"
    if model is None and field not in Config.model_fields and len(_owners(field).split(", ")) < len(models.names()):
        return f"{text} ({_owners(field)})"
    return text


def default_text(field: str, model: str | None = None) -> str:
    """The default in words, for one model or for all."""
    if field == "model":
        return "required"
    if field == "steps":
        return str(DEFAULT_STEPS)
    if any(field in rule.defaults for rule in OPTIMIZERS.values()):
        return "the optimizer's own"
    for schedule in SCHEDULES.values():
        if field in schedule.defaults:
            return str(schedule.defaults[field])
    if field in ("sampling", "pivot"):
        return {"sampling": "nearest", "pivot": "center"}[field]
    if field == "steps_per_epoch":
        return "0"
    if field in Config.model_fields:
        return _in_words(Config.model_fields[field].default)
    owners = [model] if model else [name for name in models.names() if field in models.get(name).model_fields]
    texts = {name: _in_words(models.get(name).model_fields[field].default) for name in owners}
    if len(set(texts.values())) == 1:
        return texts[owners[0]]
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def _in_words(value: object) -> str:
    return "" if value is None else fields.text_of(value)


def make_config(values: Mapping[str, object], named: Mapping[str, str] | None = None) -> Config:
    """Config from plain values; ``named`` says how the person called a field (a flag, a variable, a file's key).

    Raises UserError with one line that names the field, the value and what would be right.
    """
    named = named or {}
    said = {name: value for name, value in values.items() if value is not None}
    model = said.get("model")
    if model is None:
        raise UserError(f"{named.get('model', 'model')} is missing; it must be {'|'.join(models.names())}")
    if model not in models.names():
        raise UserError(f"{named.get('model', 'model')} {model!r} is unknown{nearest(str(model), models.names())}")
    kind = models.get(str(model))
    its_fields, common = kind.model_fields, Config.model_fields
    own = {name: said.pop(name) for name in list(said) if name in its_fields}
    for name in said:
        if name in common:
            continue
        if _somewhere(name) is None:
            raise UserError(f"unknown field {named.get(name, name)!r}{nearest(name, ['model', *fields_for(None)])}")
        has = f"{model} has {', '.join(own_fields(kind))}"
        raise UserError(f"{named.get(name, name)} is a field of {_owners(name)}; {has}")
    try:
        return Config.model_validate({**said, "net": kind.model_validate(own)})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        misfit = first.get("ctx", {}).get("error")
        if isinstance(misfit, MisfitError):
            raise UserError(misfit.said(named)) from None
        raise UserError(_explain(first, field, named.get(field, field), values)) from None


def _explain(problem: ErrorDetails, field: str, name: str, values: Mapping[str, object]) -> str:
    if problem["type"] == "value_error":  # ours: already a sentence
        sentence = str(problem["ctx"]["error"])
        return f"{name}: {sentence}" if field else sentence
    model = str(values.get("model", ""))
    info = field_info(field, model if model in models.names() and field not in Config.model_fields else None)
    given = values.get(field)
    if problem["type"] in ("literal_error", "unknown_word"):
        return f"{name} {given!r} is unknown{nearest(str(given), choices(field))}"
    if isinstance(given, list | tuple):
        said = ",".join(map(str, given))
    else:
        said = given if isinstance(given, str) else json.dumps(given, default=str)
    return f"{name} must be {fields.kind_in_words(info)}{fields.bounds(info)}, got {said or 'nothing'}"


def config_as_toml(config: Config) -> str:
    """The file that ``--config`` takes to train this very run: every field that applies, so that no later default moves
    it. A person's own data stand there by name."""
    return f"# mnist_explorer.py {config.model} --config THIS-FILE\n{toml.written(config.to_json())}"


def config_file(path: Path, model: str) -> Json:
    """The fields that a file of `config_as_toml`'s form sets, for ``make_config``; not all need be there.

    Raises UserError, naming the file, for what is no such file or another model's. Values are checked by make_config.
    """
    try:
        said: Json = toml.read(path)
        for field, value in said.items():
            if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value)):
                raise UserError(
                    f"has a table, {field}; a configuration is a field a line: lr = 0.003 (--sweep takes sweeps)"
                )
            if isinstance(value, bool) and (
                field not in fields_for(None) or fields.type_of(field_info(field)) is not bool
            ):
                raise UserError(f"{field} is no switch, got {str(value).lower()}")
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if (of := said.pop("model", model)) != model:
        raise UserError(f"{path}: is a configuration of {of}; the command is {of} --config {path}")
    return said


def from_environment(environ: Mapping[str, str] = os.environ) -> tuple[dict[str, str], dict[str, str]]:
    """(values, names): fields set by environment variables, and the variable that set each.

    Raises UserError where two variables of one field disagree. Values are checked by make_config.
    """
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    for field in fields_for(None):
        for name in environment_names(field):
            if not (value := environ.get(name, "").strip()):
                continue
            if field in values and values[field] != value:
                raise UserError(
                    f"{names[field]}={values[field]} and {name}={value} contradict each other; set one of them"
                )
            values[field], names[field] = value, name
    return values, names


def exclusive_ways() -> list[tuple[set[str], set[str]]]:
    """Every pair of ways to say one thing, of all runs and of the models."""
    ways = [*EXCLUSIVE]
    for name in models.names():
        ways += [pair for pair in models.get(name).exclusive if pair not in ways]
    return ways


def merge(environment: Mapping[str, object], flags: Mapping[str, object]) -> Json:
    """Flags over environment: a flag also silences the environment's other way of saying the same thing."""
    silenced: set[str] = set()
    for one, other in exclusive_ways():
        silenced |= other if one & flags.keys() else set()
        silenced |= one if other & flags.keys() else set()
    return {**{name: value for name, value in environment.items() if name not in silenced}, **flags}


def knob_table() -> str:
    """The README's table of every hyperparameter, in Markdown."""
    lines = ["| flag | environment | values | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for field in fields_for(None):
        values = bounds(field).replace("|", ", ")
        names = ", ".join(f"`{name}`" for name in environment_names(field))
        lines.append(f"| `{flag_of(field)}` | {names} | {values} | {default_text(field)} | {meaning(field)} |")
    return "\n".join(lines)
