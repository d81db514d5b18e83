"""What a model's file declares: its own hyperparameters, how often it is usually repeated, and how it is built.

Light to import: a file in models/ brings in tinygrad (`models.layers`) only inside ``build``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from explorer.fields import COMMAS, Count, Live, Value, fits_single_precision, one_of
from explorer.models.activations import ACTIVATIONS

if TYPE_CHECKING:
    from tinygrad import Tensor

Layer = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Images:
    """What a net is built for: images of (height, width) pixels, and how many classes they fall into."""

    height: int
    width: int
    classes: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


class Model(BaseModel):
    """A model's own hyperparameters, as annotated attributes with defaults; subclass it once in a file of models/.

    The file's name is the model's name, the first line of the class's docstring its title. Frozen and hashable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    _fits_single_precision = field_validator("*")(classmethod(fits_single_precision))

    name: ClassVar[str]
    """The file's name without ``.py``; set when the file is found."""
    place: ClassVar[int] = 99
    """Where it stands in lists; models of one place stand in the order of their names."""
    seeds: ClassVar[int] = 5
    """How many seeds a sweep runs unless its file or ``--seeds`` says."""
    aims: ClassVar[Mapping[str, float]] = {}
    """Data set -> the test accuracy that the model is meant to reach, as a fraction."""
    exclusive: ClassVar[Sequence[tuple[set[str], set[str]]]] = ()
    """Pairs of ways to say one thing: a flag of one way silences the environment's other way."""
    axes: ClassVar[Mapping[str, str]] = {}
    """What a sweep may vary besides the fields -> the field that it spells out to."""

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or cls.name).strip().splitlines()[0].rstrip(".")

    @classmethod
    def spell_out(cls, said: Mapping[str, object]) -> dict[str, object]:
        """``said`` with the axes that are no fields replaced by the field they spell out to."""
        return dict(said)

    def axis(self, name: str) -> Value | None:
        """The value of a field, or of an axis that the fields imply; None where it has none."""
        value: Value | None = getattr(self, name, None)
        return value

    @property
    def shape(self) -> tuple[object, ...]:
        """What a captured step is fixed to: all fields, but of a live one only whether it is above 0."""
        return tuple(
            bool(getattr(self, field))
            if any(isinstance(part, Live) for part in info.metadata)
            else getattr(self, field)
            for field, info in type(self).model_fields.items()
        )

    def headline(self, images: Images) -> str:
        """The net in a few words, for the line a run begins with."""
        raise NotImplementedError

    def check(self, images: Images) -> None:
        """Raises ValueError where no such net can be built for these images."""

    def build(self, images: Images) -> "list[Layer]":
        """The net as a list of layers, called one after the other: (B, 1, height, width) -> (B, classes) logits."""
        raise NotImplementedError


# Fields that several models have, each declared once.
Activation = Annotated[str, *one_of(lambda: ACTIVATIONS), Field(description="non-linearity of the hidden layers")]
Dropout = Annotated[float, Field(ge=0, lt=1, description="share of hidden activations dropped in training"), Live()]
BatchNorm = Annotated[bool, Field(description="batch normalization")]
Units = Annotated[
    tuple[Count, ...], COMMAS, Field(min_length=1, max_length=24, description="width of each hidden layer")
]


class HiddenLayers(Model):
    """A model with a list of hidden layers, ``units``, which ``width`` and ``depth`` say in short."""

    exclusive = (({"units"}, {"width", "depth"}),)
    axes = {"units1": "units", "units2": "units"}

    units: Units = (512, 512)
    width: int | None = Field(None, ge=1, le=16_384, description="shorthand: every hidden layer this wide")
    depth: int | None = Field(None, ge=1, le=24, description="shorthand: so many hidden layers")

    @model_validator(mode="after")
    def _spell_out_shorthand(self) -> Self:
        if self.width is None and self.depth is None:
            return self
        if "units" in self.model_fields_set:
            raise ValueError("units and width/depth say the same thing; give one of them")
        usual = type(self).model_fields["units"].default
        units = (self.width or usual[0],) * (self.depth or len(usual))
        for name, value in (("units", units), ("width", None), ("depth", None)):
            object.__setattr__(self, name, value)  # frozen for everybody else
        return self

    @classmethod
    def spell_out(cls, said: Mapping[str, object]) -> dict[str, object]:
        if not any(axis in said for axis in cls.axes):
            return dict(said)
        rest = {name: value for name, value in said.items() if name not in cls.axes}
        return {**rest, "units": [said[axis] for axis in cls.axes if axis in said]}

    def axis(self, name: str) -> Value | None:
        if name == "depth":
            return len(self.units)
        if name == "width":
            return self.units[0] if len(set(self.units)) == 1 else None
        if name in self.axes:
            place = list(self.axes).index(name)
            return self.units[place] if place < len(self.units) else None
        return super().axis(name)
