"""Config: every hyperparameter, declared once.

Flags, environment variables, sweep files, record fields and the README's table all derive from the fields below.
A field whose default is ``None`` takes the model's or the optimizer's own value; after validation the Config is
explicit: what applies has its value, what does not apply to this model, optimizer or schedule is ``None``, and saying
it anyway is an error. So no field can be set and then ignored.
"""

import difflib
import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from explorer.errors import UserError

Model = Literal["mlp", "cnn"]
DatasetName = Literal["mnist", "fashion", "digits"]
OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop", "muon", "lamb", "lars"]
Schedule = Literal["constant", "cosine", "plateau"]
Activation = Literal["relu", "silu", "gelu", "tanh", "leaky_relu", "elu", "sigmoid"]
Sampling = Literal["nearest", "bilinear"]
Pivot = Literal["center", "corner"]
Scaling = Literal["unit", "signed", "standard"]
TrainOn = Literal["split", "all"]

MODELS: tuple[str, ...] = get_args(Model)
IMAGE_SIDE = 28

# What a field takes when nobody says otherwise, where that depends on the model or on the optimizer.
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "mlp": {"units": (512, 512), "batchnorm": False},
    "cnn": {"filters": (32, 32, 64, 64), "kernel_size": (5, 3), "batchnorm": True},
}
MODEL_FIELDS = {"mlp": ("units", "width", "depth"), "cnn": ("filters", "kernel_size")}
OPTIMIZER_DEFAULTS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "adam": {"weight_decay": 0.0},
    "adamw": {"weight_decay": 0.01},
    "rmsprop": {"momentum": 0.0, "weight_decay": 0.0},
    "muon": {"momentum": 0.95, "weight_decay": 0.0},
    "lamb": {"weight_decay": 0.0},
    "lars": {"momentum": 0.9, "nesterov": False, "weight_decay": 1e-4},
}
SCHEDULE_DEFAULTS: dict[str, dict[str, Any]] = {
    "constant": {},
    "cosine": {},
    "plateau": {"lr_decay": 0.5, "patience": 3},
}
DEFAULT_STEPS = 1000
LISTS = {
    "units": "1 to 24 numbers, each 1 to 16384",
    "filters": "4 numbers, each 1 to 16384",
    "kernel_size": "2 numbers of at least 1",
}
# Two ways of saying one thing; a flag of one way silences the environment's other way.
EXCLUSIVE = ({"steps"}, {"epochs", "steps_per_epoch"}), ({"units"}, {"width", "depth"})
SHAPE_FIELDS = ("model", "units", "filters", "kernel_size", "activation", "batchnorm", "batch_size", "optimizer")
# Short names tinygrad users type. The full field name in upper case works for every field.
ENVIRONMENT_ALIASES = {"BS": "batch_size", "OPT": "optimizer"}


class Config(BaseModel):
    """One run's hyperparameters: frozen, validated, hashable, JSON both ways.

    Raises pydantic's ValidationError; :func:`make_config` turns that into one readable line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    model: Model = Field(description="what is trained")
    dataset: DatasetName = Field("mnist", description="what it is trained on")
    lr: float = Field(1e-3, gt=0, description="learning rate (peak, after warm-up)")
    batch_size: int = Field(128, ge=1, le=60_000, description="images in one step")
    optimizer: OptimizerName = Field("adam", description="update rule")
    momentum: float | None = Field(None, ge=0, lt=1, description="momentum (sgd, rmsprop, muon, lars)")
    nesterov: bool | None = Field(None, description="Nesterov's look-ahead momentum (sgd, lars)")
    weight_decay: float | None = Field(None, ge=0, le=100, description="pull of the weights towards zero")
    steps: int | None = Field(None, ge=1, le=10_000_000, description="length in optimizer steps")
    epochs: int | None = Field(None, ge=1, le=100_000, description="length in epochs, instead of steps")
    steps_per_epoch: int | None = Field(
        None, ge=0, le=1_000_000, description="steps in one epoch; 0 = one pass over the training set (with epochs)"
    )
    lr_schedule: Schedule = Field("constant", description="how the learning rate moves")
    lr_decay: float | None = Field(None, gt=0, lt=1, description="factor at a plateau (plateau schedule)")
    patience: int | None = Field(None, ge=1, le=10_000, description="looks without gain before it (plateau schedule)")
    warmup_steps: int = Field(0, ge=0, le=1_000_000, description="steps of linear warm-up")
    activation: Activation = Field("silu", description="non-linearity of the hidden layers")
    units: tuple[int, ...] | None = Field(None, description="width of each hidden layer (mlp)")
    width: int | None = Field(None, ge=1, le=16_384, description="shorthand: every hidden layer this wide (mlp)")
    depth: int | None = Field(None, ge=1, le=24, description="shorthand: so many hidden layers (mlp)")
    filters: tuple[int, int, int, int] | None = Field(None, description="filters of the four convolutions (cnn)")
    kernel_size: tuple[int, int] | None = Field(
        None, description="kernel side of the first and of the second pair of convolutions (cnn)"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of hidden activations dropped in training")
    batchnorm: bool | None = Field(None, description="batch normalization")
    angle: float = Field(0.0, ge=0, le=180, description="augmentation: rotation up to ± so many degrees")
    scale: float = Field(0.0, ge=0, lt=1, description="augmentation: zoom up to ± this share")
    shift: float = Field(0.0, ge=0, le=IMAGE_SIDE, description="augmentation: shift up to ± so many pixels")
    sampling: Sampling | None = Field(None, description="augmentation: how a pixel is read")
    pivot: Pivot | None = Field(None, description="augmentation: what angle and scale turn about")
    scaling: Scaling = Field("unit", description="inputs: [0,1], [-1,1], or mean 0 and deviation 1")
    train_on: TrainOn = Field("split", description="split keeps a validation set apart; all trains on it too")
    eval_every: int = Field(0, ge=0, le=10_000_000, description="steps between two looks; 0 = about 20 looks a run")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="initial weights, data order, dropout, augmentation")

    @field_validator("units", "filters", "kernel_size", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, int):
            return (value,)
        return value.split(",") if isinstance(value, str) else value

    @field_validator("units", "filters")
    @classmethod
    def _positive_widths(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (not 1 <= len(value) <= 24 or any(not 1 <= width <= 16_384 for width in value)):
            raise ValueError("give 1 to 24 widths, each 1 to 16384")
        return value

    @field_validator("kernel_size")
    @classmethod
    def _kernels_fit(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError(f"kernel sides must be at least 1, got {value[0]},{value[1]}")
        if value is not None and feature_sides(value)[-1] < 1:
            raise ValueError(f"kernels {value[0]},{value[1]} leave nothing of a {IMAGE_SIDE}x{IMAGE_SIDE} image")
        return value

    @model_validator(mode="after")
    def _settle(self) -> "Config":
        """Fill in what depends on other fields, and refuse what would be ignored."""
        said = {name for name in type(self).model_fields if getattr(self, name) is not None}

        def settle(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)  # frozen for everybody else

        def apply(defaults: Mapping[str, Any], names: Iterable[str], owner: str) -> None:
            """Give each of ``names`` its default, or refuse it where ``defaults`` does not know it."""
            for name in names:
                if name not in defaults and name in said:
                    raise ValueError(f"{name} has no effect {owner}; leave it out")
                if name in defaults and name not in said:
                    settle(name, defaults[name])

        if "units" in said and said & {"width", "depth"}:
            raise ValueError("units and width/depth say the same thing; give one of them")
        if self.model == "mlp" and said & {"width", "depth"}:
            settle("units", (self.width or 512,) * (self.depth or 2))
            settle("width", None)
            settle("depth", None)
            said |= {"units"}
        for model, fields in MODEL_FIELDS.items():
            for name in fields:
                if model != self.model and getattr(self, name) is not None:
                    raise ValueError(f"{name} is a field of {model}; {self.model} has {_fields_of(self.model)}")
        apply(MODEL_DEFAULTS[self.model], [*MODEL_DEFAULTS[self.model]], f"on {self.model}")

        apply(OPTIMIZER_DEFAULTS[self.optimizer], ("momentum", "nesterov", "weight_decay"), f"with {self.optimizer}")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov has no effect without momentum; set momentum, e.g. 0.9")

        if self.steps is not None and self.epochs is not None:
            raise ValueError("steps and epochs both say how long to train; give one of them")
        if self.epochs is None and self.steps_per_epoch is not None:
            raise ValueError("steps_per_epoch has no effect without epochs; give epochs too, or steps alone")
        if self.epochs is None and self.steps is None:
            settle("steps", DEFAULT_STEPS)
        if self.epochs is not None and self.steps_per_epoch is None:
            settle("steps_per_epoch", 0)
        if self.steps is not None and self.warmup_steps > self.steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} is longer than the run of {self.steps} steps")

        apply(SCHEDULE_DEFAULTS[self.lr_schedule], ("lr_decay", "patience"), f"with the {self.lr_schedule} schedule")
        if self.lr_schedule == "plateau" and self.train_on == "all":
            raise ValueError("the plateau schedule needs a validation set; use train_on split")

        apply({"sampling": "nearest"} if self.augments else {}, ["sampling"], "without angle, scale or shift")
        turns = self.angle > 0 or self.scale > 0
        apply({"pivot": "center"} if turns else {}, ["pivot"], "without angle or scale")
        return self

    @property
    def augments(self) -> bool:
        return self.angle > 0 or self.scale > 0 or self.shift > 0

    @property
    def augmentation(self) -> tuple[str, str] | None:
        """(sampling, pivot) where there is augmentation."""
        return (self.sampling or "nearest", self.pivot or "center") if self.augments else None

    @property
    def shape(self) -> tuple[Any, ...]:
        """What a captured step is fixed to: configs of the same shape share it, and differ in numbers alone."""
        fixed = (getattr(self, name) for name in SHAPE_FIELDS)
        return (*fixed, bool(self.nesterov), self.dropout > 0, self.augmentation)

    def total_steps(self, training_images: int) -> int:
        """Length of the run in steps, given how many images it trains on."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * (self.steps_per_epoch or math.ceil(training_images / self.batch_size))

    def to_json(self) -> dict[str, Any]:
        """Every field, in the declared order, as JSON types."""
        return self.model_dump(mode="json")


def feature_sides(kernel_size: tuple[int, int], side: int = IMAGE_SIDE) -> tuple[int, ...]:
    """Side of the square feature map after each of: conv, conv, pool, conv, conv, pool (kernels valid, pool 2x2)."""
    sides = []
    for kernel in kernel_size:
        sides += [side - kernel + 1, side - 2 * kernel + 2]
        side = sides[-1] // 2
        sides.append(side)
    return tuple(sides)


def _fields_of(model: str) -> str:
    return ", ".join(MODEL_FIELDS[model])


def flag_of(field: str) -> str:
    return "--" + field.replace("_", "-")


def environment_names(field: str) -> list[str]:
    """The environment variables that set a field, the canonical one first."""
    return [field.upper(), *(alias for alias, name in ENVIRONMENT_ALIASES.items() if name == field)]


def choices(field: str) -> tuple[str, ...]:
    """The words a field accepts, or () where it takes a number, a list or a switch."""
    for annotation in (Config.model_fields[field].annotation, *get_args(Config.model_fields[field].annotation)):
        options = get_args(annotation)
        if options and all(isinstance(option, str) for option in options):
            return options
    return ()


def bounds(field: str) -> str:
    """The accepted values in words: ``> 0``, ``1 to 60000``, ``on|off``, ``relu|silu|...``."""
    info: FieldInfo = Config.model_fields[field]
    if words := choices(field):
        return "|".join(words)
    if bool in (info.annotation, *get_args(info.annotation)):
        return "on|off"
    if field in LISTS:
        return LISTS[field]
    limit = {type(constraint).__name__: constraint for constraint in info.metadata}
    low = f">= {limit['Ge'].ge}" if "Ge" in limit else f"> {limit['Gt'].gt}" if "Gt" in limit else ""
    high = f"<= {limit['Le'].le}" if "Le" in limit else f"< {limit['Lt'].lt}" if "Lt" in limit else ""
    return " and ".join(part for part in (low, high) if part)


def default_text(field: str, model: str | None = None) -> str:
    """The default in words, for one model or for both."""
    if field == "model":
        return "required"
    if field == "steps":
        return str(DEFAULT_STEPS)
    if field in ("momentum", "nesterov", "weight_decay"):
        return "the optimizer's own"
    if field in ("lr_decay", "patience"):
        return str(SCHEDULE_DEFAULTS["plateau"][field])
    if field in ("sampling", "pivot"):
        return {"sampling": "nearest", "pivot": "center"}[field]
    if field == "steps_per_epoch":
        return "0"
    owners = [name for name in ([model] if model else MODELS) if field in MODEL_DEFAULTS[name]]
    if owners:
        values = {name: _in_words(MODEL_DEFAULTS[name][field]) for name in owners}
        return values[model] if model else ", ".join(f"{name} {value}" for name, value in values.items())
    return _in_words(Config.model_fields[field].default)


def _in_words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return (
        ",".join(map(str, value))
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def fields_for(model: str | None) -> list[str]:
    """The fields a person may set for this model, in the declared order (``model`` itself is the command)."""
    foreign = {name for other, names in MODEL_FIELDS.items() if other != model for name in names} if model else set()
    return [name for name in Config.model_fields if name != "model" and name not in foreign]


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, else the list of all of them."""
    known = list(known)
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; one of: {', '.join(known)}"


def make_config(values: Mapping[str, Any], named: Mapping[str, str] | None = None) -> Config:
    """Config from plain values; ``named`` says how the person called a field (a flag, a variable, a file's key).

    Raises UserError with one line that names the field, the value and what would be right.
    """
    named = named or {}
    for key in values:
        if key not in Config.model_fields:
            raise UserError(f"unknown field {named.get(key, key)!r}{nearest(key, Config.model_fields)}")
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        raise UserError(_explain(first, field, named.get(field, field))) from None


def _explain(problem: Any, field: str, name: str) -> str:
    given = problem.get("input")
    if problem["type"] == "value_error":  # ours: already a sentence
        sentence = str(problem["ctx"]["error"])
        return f"{name}: {sentence}" if field else sentence
    if problem["type"] == "literal_error":
        return f"{name} {given!r} is unknown{nearest(str(given), choices(field))}"
    if problem["type"] == "missing" and len(problem["loc"]) == 1:
        return f"{name} is missing; it must be {bounds(field)}"
    said = (
        ",".join(map(str, given))
        if isinstance(given, list | tuple)
        else given
        if isinstance(given, str)
        else json.dumps(given)
    )
    return f"{name} must be {_kind(field)}{bounds(field)}, got {said or 'nothing'}"


def _kind(field: str) -> str:
    if field in LISTS:
        return "a list with commas, "
    types = (Config.model_fields[field].annotation, *get_args(Config.model_fields[field].annotation))
    return "a number " if float in types else "a whole number " if int in types and bool not in types else ""


def from_environment(environ: Mapping[str, str] = os.environ) -> tuple[dict[str, str], dict[str, str]]:
    """(values, names): fields set by environment variables, and the variable that set each.

    Raises UserError where two variables of one field disagree. Values are checked by make_config.
    """
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    for field in Config.model_fields:
        if field == "model":
            continue
        for name in environment_names(field):
            if not (value := environ.get(name, "").strip()):
                continue
            if field in values and values[field] != value:
                raise UserError(
                    f"{names[field]}={values[field]} and {name}={value} contradict each other; set one of them"
                )
            values[field], names[field] = value, name
    return values, names


def merge(environment: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Flags over environment: a flag also silences the environment's other way of saying the same thing."""
    silenced: set[str] = set()
    for one, other in EXCLUSIVE:
        silenced |= other if one & flags.keys() else set()
        silenced |= one if other & flags.keys() else set()
    return {**{name: value for name, value in environment.items() if name not in silenced}, **flags}


def knob_table() -> str:
    """The README's table of every hyperparameter, in Markdown."""
    lines = ["| flag | environment | values | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for field in fields_for(None):
        values = bounds(field).replace("|", ", ")
        names = ", ".join(f"`{name}`" for name in environment_names(field))
        meaning = Config.model_fields[field].description
        lines.append(f"| `{flag_of(field)}` | {names} | {values} | {default_text(field)} | {meaning} |")
    return "\n".join(lines)
