"""A run's record: what it is, declared once; how it reads as JSON; how it is stored, and stored ones are read.

Stored lines say their schema. Schema 1 (a line that names none) has a list of looks, every field of the configuration
whether it applies or not, and the reason a run ended as a sentence. Schema 2 has the looks as columns, the fields that
apply, and the reason as figures: half as long. Its last field, ``check``, is the CRC-32 of all before it: a line that
a disk or a hand has changed is told from one that was written so. Lines without one are older, and are read too.
"""

import functools
import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from explorer.config import Config, make_config
from explorer.errors import UserError
from explorer.files import print_to_stderr, strict_json

SCHEMA = 2
UNKNOWN = "unknown"  # what an old record does not say
Status = Literal["ok", "diverged", "failed", "cut"]
# What a figure can be: a stored one that is not makes its line no record.
Fraction = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]


def run_id(identity: Mapping[str, Any], data_digest: str) -> str:
    """The identity of a run: 16 hex digits of SHA-256 over ``Config.identity()`` and the digest of its data.

    The order of the keys does not matter. ``1`` and ``1.0`` differ, so pass a validated configuration's.
    Raises ValueError for a NaN or an infinity, TypeError for what JSON cannot hold.
    """
    return _hashed(_id_text(identity, data_digest))


_SEED_MARK = "\0seed"  # no text of a configuration is this one


def _id_text(identity: Mapping[str, Any], data_digest: str) -> str:
    content = {"config": dict(identity), "data": data_digest}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Look(Struct, frozen=True, gc=False):
    """What a run saw of itself along the way. The validation figures are of a fixed slice, at most 2,000 images."""

    step: Annotated[int, Meta(ge=0, description="optimizer steps done")]
    train_loss: Annotated[float, Meta(description="mean cross-entropy of the batches since the look before, in nats")]
    train_accuracy: Annotated[float, Meta(ge=0, le=1, description="accuracy on the batches since the look before")]
    val_loss: Annotated[float | None, Meta(description="mean cross-entropy on the validation slice, in nats")] = None
    val_accuracy: Annotated[Fraction | None, Meta(description="accuracy on the validation slice")] = None


class Seconds(Struct, frozen=True, gc=False):
    """Where a run's time went."""

    compile: Annotated[float, Meta(ge=0, description="the first steps, in which tinygrad compiles and captures")] = 0.0
    train: Annotated[float, Meta(ge=0, description="training without compiling and looking")] = 0.0
    eval: Annotated[float, Meta(ge=0, description="looks and the final figures")] = 0.0

    @property
    def total(self) -> float:
        return self.compile + self.train + self.eval


class Environment(Struct, frozen=True):
    """What a run ran on."""

    device: Annotated[str, Meta(description="tinygrad's device")] = UNKNOWN
    renderer: Annotated[str, Meta(description="tinygrad's renderer")] = UNKNOWN
    kernels: Annotated[int, Meta(description="version of this program's own C kernels, 0 where they were off")] = 0
    tinygrad: Annotated[str, Meta(description="its version")] = UNKNOWN
    python: Annotated[str, Meta(description="its version")] = UNKNOWN
    cpu: Annotated[str, Meta(description="the processor's name")] = UNKNOWN
    cores: Annotated[int | None, Meta(description="processors this process could use")] = None
    threads: Annotated[int | None, Meta(description="threads the kernels ran on")] = None
    commit: Annotated[str | None, Meta(description="this program's commit")] = None
    dirty: Annotated[bool | None, Meta(description="whether tracked files differed from it")] = None
    node: Annotated[
        str | None, Meta(description="the cluster's node: a part of its id in Ray, or its host where asked for")
    ] = None


class DataUsed(Struct, frozen=True):
    """The data a run had. Sizes are None in records of schema 1."""

    name: Annotated[str, Meta(description="the data set's name")] = UNKNOWN
    digest: Annotated[str, Meta(description="identifies its content")] = UNKNOWN
    training: Annotated[int | None, Meta(description="images trained on")] = None
    validation: Annotated[int | None, Meta(description="images of the validation set")] = None
    test: Annotated[int | None, Meta(description="images of the test set")] = None


class Diverged(Struct, frozen=True, tag="diverged", tag_field="ended"):
    """A run was lost: its loss passed all bounds, or its outputs did."""

    step: int | None
    """None where a record of schema 1 does not say."""
    loss: float | None = None
    """None where it was no finite number."""
    of: Literal["loss", "outputs"] = "loss"

    def __str__(self) -> str:
        what = f"the {self.of} {'was' if self.of == 'loss' else 'were'}"
        value = "not finite" if self.loss is None else f"{self.loss:.3g}"
        return f"{what} {value}" + ("" if self.step is None else f" at step {self.step}")


class Failed(Struct, frozen=True, tag="failed", tag_field="ended"):
    """A run could not be brought to an end."""

    reason: str

    def __str__(self) -> str:
        return self.reason


class Bar(Struct, frozen=True):
    """At its first look at this ``share`` of its steps or later, a run must have this validation accuracy, or is
    cut."""

    share: float
    accuracy: float


class Cut(Struct, frozen=True, tag="cut", tag_field="ended"):
    """A try was ended before its length, for it was behind: it is no result of its configuration, and its id is that of
    the whole run, which is still to be trained wherever it is asked for."""

    step: int
    accuracy: float
    """On the validation slice, at that look."""
    bar: float
    """What it took to go on."""

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.2f} % at step {self.step}, where it took {100 * self.bar:.2f} %"


Ended = Diverged | Failed | Cut


class Settings:
    """A configuration whatever its seed, shared by the records of all its seeds.

    ``values`` are the flat fields that apply, in the declared order, without the seed.
    """

    __slots__ = ("_around_seed", "_point", "values")

    def __init__(self, values: dict[str, Any], point: Config | None = None):
        self.values, self._point = values, point
        self._around_seed: tuple[str, str, str] | None = None

    @property
    def point(self) -> Config:
        """The configuration at seed 0. Raises UserError where this version of the program does not know it."""
        if self._point is None:
            self._point = make_config({**self.values, "seed": 0})
        return self._point

    def run_id(self, seed: int, data_digest: str) -> str:
        """`run_id` of the run with this seed; quick, for all but the seed is put into JSON once. Raises UserError where
        this version of the program does not know the configuration."""
        if self._around_seed is None or self._around_seed[0] != data_digest:
            text = _id_text({**self.point.identity(), "seed": _SEED_MARK}, data_digest)
            before, after = text.split(json.dumps(_SEED_MARK))
            self._around_seed = data_digest, before, after
        _, before, after = self._around_seed
        return _hashed(f"{before}{seed}{after}")


class ConfigFields(Mapping[str, Any]):
    """The fields of a record's configuration: those of its `Settings` and its seed."""

    __slots__ = ("seed", "settings")

    def __init__(self, settings: Settings, seed: int):
        self.settings, self.seed = settings, seed

    @classmethod
    def of(cls, config: Config) -> "ConfigFields":
        values = {name: value for name, value in config.to_json().items() if value is not None and name != "seed"}
        return cls(Settings(values, config.model_copy(update={"seed": 0})), config.seed)

    def __getitem__(self, name: str) -> Any:
        return self.seed if name == "seed" else self.settings.values[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.settings.values
        yield "seed"

    def __len__(self) -> int:
        return len(self.settings.values) + 1

    def __repr__(self) -> str:
        return repr(dict(self))


class Figures(Struct, frozen=True, kw_only=True):
    """The part of a record that is stored as it stands. Accuracies are fractions; None where there is no figure."""

    id: Annotated[str, Meta(description="16 hex digits: hash of the configuration and the data's digest")]
    train_loss: Annotated[float | None, Meta(description="of the batches since the last look, in nats")] = None
    val_loss: Annotated[float | None, Meta(description="on the whole validation set, at the end, in nats")] = None
    val_accuracy: Annotated[
        Fraction | None, Meta(description="on the whole validation set, at the end: the figure that chooses")
    ] = None
    test_accuracy: Annotated[Fraction | None, Meta(description="on the test set, measured once, at the end")] = None
    best_val_accuracy: Annotated[Fraction | None, Meta(description="of the best look, on the slice that looks see")] = (
        None
    )
    best_step: Annotated[Count | None, Meta(description="the step of that look")] = None
    parameters: Annotated[int, Meta(ge=0, description="trainable numbers of the net")] = 0
    steps: Annotated[
        Count | None, Meta(description="planned length in optimizer steps; null in records of schema 1")
    ] = None
    stopped_at: Annotated[
        Count | None, Meta(description="the step at which early stopping ended it, null where it ran its length")
    ] = None
    seconds: Annotated[Seconds, Meta(description="where the time went")] = Seconds()
    step_ms: Annotated[Positive | None, Meta(description="median milliseconds of a training step")] = None
    started: Annotated[str, Meta(description="when it began, in UTC, ISO 8601")] = ""


class Record(Figures, frozen=True, kw_only=True):
    """A run and what came of it."""

    config: Annotated[Mapping[str, Any], Meta(description="the hyperparameters that apply, by name")]
    history: Annotated[Sequence[Look], Meta(description="looks along the way, at most 25")] = ()
    environment: Annotated[Environment, Meta(description="what it ran on")] = Environment()
    data: Annotated[DataUsed, Meta(description="the data it had")] = DataUsed()
    error: Annotated[Diverged | Failed | Cut | None, Meta(description="why it ended early, null where it did not")] = (
        None
    )

    own: bool = False
    """Whether it is of this clone's own runs, which lie beside the published study; told by where it is stored."""

    @property
    def status(self) -> Status:
        """``ok``, ``diverged``, ``failed`` or ``cut``"""
        match self.error:
            case None:
                return "ok"
            case Diverged():
                return "diverged"
            case Cut():
                return "cut"
            case _:
                return "failed"

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end, good or bad: one that failed or was cut is trained where it is asked for."""
        return self.status in ("ok", "diverged")

    @property
    def diverged_at(self) -> int | None:
        """the step at which it diverged"""
        return self.error.step if isinstance(self.error, Diverged) else None

    @property
    def steps_done(self) -> int | None:
        """optimizer steps done; null in records of schema 1"""
        if isinstance(self.error, Failed):
            return None
        return self.error.step if isinstance(self.error, Diverged | Cut) else self.stopped_at or self.steps

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def settings(self) -> Settings:
        """The configuration whatever its seed; the same object for the seeds of one configuration."""
        assert isinstance(self.config, ConfigFields)
        return self.config.settings

    @property
    def point(self) -> Config:
        """The configuration at seed 0. Raises UserError where this version does not know it."""
        return self.settings.point

    @property
    def configuration(self) -> Config:
        """The configuration. Raises UserError where this version does not know it."""
        return self.point.model_copy(update={"seed": self.seed})

    @property
    def is_altered(self) -> bool:
        """Whether its id is not that of its configuration and data. Raises UserError where this version does not know
        the configuration."""
        return self.settings.run_id(self.seed, self.data.digest) != self.id

    def to_json(self) -> dict[str, Any]:
        """The record as JSON types, for people and programs: what ``--json`` prints."""
        return {name: _plain(getattr(self, name)) for name in OUTWARD}


OUTWARD = (
    *("id", "config", "status", "train_loss", "val_loss", "val_accuracy", "test_accuracy", "best_val_accuracy"),
    *("best_step", "history", "parameters", "steps", "seconds", "step_ms", "environment", "data", "started", "error"),
    "diverged_at", "stopped_at", "steps_done",
)  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Ended):
        return str(value)
    if isinstance(value, Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def record_table() -> str:
    """The README's table of a record's fields, in Markdown."""
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    declared = get_type_hints(Record, include_extras=True)
    for name in OUTWARD:
        if name not in declared:
            kind = get_type_hints(getattr(Record, name).fget)["return"]
            lines.append(_row(name, kind, getattr(Record, name).__doc__))
            continue
        kind, about = _described(declared[name])
        inner = next((part for part in (kind, *get_args(kind)) if part in (Look, Seconds, Environment, DataUsed)), None)
        lines.append(_row(name, str if name == "error" else kind, about, null=name == "error"))
        if inner:
            for part, annotation in get_type_hints(inner, include_extras=True).items():
                dots = f"{name}[].{part}" if inner is Look else f"{name}.{part}"
                lines.append(_row(dots, *_described(annotation)))
    return "\n".join(lines)


def _described(annotation: Any) -> tuple[Any, str]:
    kind, *extra = get_args(annotation)
    return kind, next(str(meta.description) for meta in extra if isinstance(meta, Meta))


def _row(name: str, kind: Any, about: str, null: bool = False) -> str:
    words = {str: "text", int: "whole number", float: "number", bool: "yes or no", Sequence: "list", Literal: "text"}
    null = null or type(None) in get_args(kind)
    of = next(part for part in get_args(kind) if part is not type(None)) if null and get_args(kind) else kind
    of = get_args(of)[0] if get_origin(of) is Annotated else of  # a bounded number
    said = words.get(get_origin(of) or of, "object")
    return f"| `{name}` | {said}{' or null' if null else ''} | {about} |"


# How records are stored


class _Columns(Struct, frozen=True):
    """The looks of schema 2."""

    step: list[int]
    train_loss: list[float]
    train_accuracy: list[float]
    val_loss: list[float | None] | UnsetType = UNSET
    val_accuracy: list[float | None] | UnsetType = UNSET


class _History(Struct, frozen=True):
    history: list[Look] | _Columns = []


class _Line(Figures, frozen=True, kw_only=True):
    """A stored line of either schema, its looks left unread: most readers do not need them, and they are most of it."""

    schema: int = 1
    config: Raw
    status: Status | UnsetType = UNSET  # schema 1; in schema 2 ``error`` says it
    environment: Raw = Raw(b"{}")
    data: Raw = Raw(b"{}")
    error: str | Diverged | Failed | Cut | None = None


class _Environment(Environment, frozen=True):
    kernels: bool | int = 0  # schema 1 knew one version: on or off


_LINE, _HISTORY = msgspec.json.Decoder(_Line), msgspec.json.Decoder(_History)
_ENVIRONMENT, _DATA = msgspec.json.Decoder(_Environment), msgspec.json.Decoder(DataUsed)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_CHECK = re.compile(rb',"check":"([0-9a-f]{8})"}\s*\Z')
_SEED = re.compile(rb'"seed"\s*:\s*(\d+)')
_LOST = re.compile(r"the (loss was|outputs were) (.+) at step (\d+)")


class Place(Struct, frozen=True, gc=False):
    """Where a line lies in a ledger's file, in bytes."""

    path: Path
    offset: int
    length: int


class StoredLooks(Sequence[Look]):
    """A stored record's looks, read from the ledger when they are asked for."""

    __slots__ = ("_id", "_place")

    def __init__(self, id: str, place: Place):
        self._id, self._place = id, place

    def _read(self) -> tuple[Look, ...]:
        return _looks_at(self._id, self._place)

    def __len__(self) -> int:
        return len(self._read())

    def __getitem__(self, index: Any) -> Any:
        return self._read()[index]

    def __iter__(self) -> Iterator[Look]:
        return iter(self._read())

    def __eq__(self, other: object) -> bool:
        return self._read() == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._id)


@functools.lru_cache(maxsize=2048)  # a curve asks several times; all of a large ledger's would not fit
def _looks_at(id: str, place: Place) -> tuple[Look, ...]:
    try:
        with open(place.path, "rb") as file:
            file.seek(place.offset)
            line = file.read(place.length)
        if _LINE.decode(line).id != id:
            raise ValueError("another record is there")
    except (OSError, ValueError) as error:
        raise UserError(f"{place.path}: changed while it was read ({error}); run the same command again") from None
    try:
        return _looks(line)
    except ValueError as error:
        print_to_stderr(f"{place.path}: the looks of the record {id} cannot be read and are left out ({error})")
        return ()


class Reader:
    """Reads stored lines. What records have in common (configuration, machine, data) is kept once for all of them."""

    def __init__(self, own: bool = False) -> None:
        self._own = own
        self._settings: dict[bytes, Settings] = {}
        self._environments: dict[bytes, Environment] = {}
        self._data: dict[bytes, DataUsed] = {}

    def read(self, line: bytes, place: Place | None = None) -> Record:
        """The record of a line, its looks read when asked for where ``place`` says where it lies.

        Raises ValueError for what is no record, UserError for one of a newer schema.
        """
        line = _checked(line)
        stored = _decoded(line)
        if stored.schema == 1 and stored.status is UNSET:
            raise ValueError("no status")
        return Record(
            id=stored.id,
            train_loss=stored.train_loss,
            val_loss=stored.val_loss,
            val_accuracy=stored.val_accuracy,
            test_accuracy=stored.test_accuracy,
            best_val_accuracy=stored.best_val_accuracy,
            best_step=stored.best_step,
            parameters=stored.parameters,
            steps=stored.steps,
            seconds=stored.seconds,
            step_ms=stored.step_ms,
            started=stored.started,
            config=self._config(bytes(stored.config)),
            history=StoredLooks(stored.id, place) if place else _looks(line),
            environment=self._environment(bytes(stored.environment)),
            data=self._data_used(bytes(stored.data)),
            error=_ended(stored),
            own=self._own,
        )

    def _config(self, raw: bytes) -> ConfigFields:
        at = raw.rfind(b'"seed"')  # it stands last; a quote within a text is escaped, so this is no text's content
        found = _SEED.match(raw, at) if at >= 0 else None
        key = raw[:at] + raw[found.end() :] if found else raw
        settings = self._settings.get(key)
        if settings and found:
            return ConfigFields(settings, int(found[1]))
        values = {name: value for name, value in _OBJECT.decode(raw).items() if value is not None}
        seed = values.pop("seed", None)
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ValueError("the seed is no whole number")
        if not isinstance(values.get("model"), str):
            raise ValueError("the configuration names no model")
        return ConfigFields(self._settings.setdefault(key, Settings(values)), seed)

    def _environment(self, raw: bytes) -> Environment:
        if raw not in self._environments:
            read = msgspec.structs.asdict(_ENVIRONMENT.decode(raw))
            self._environments[raw] = Environment(**{**read, "kernels": int(read["kernels"])})
        return self._environments[raw]

    def _data_used(self, raw: bytes) -> DataUsed:
        if raw not in self._data:
            self._data[raw] = _DATA.decode(raw)
        return self._data[raw]


def _checked(line: bytes) -> bytes:
    """The line as it is; ValueError where its checksum says that it was another when it was written."""
    found = _CHECK.search(line, max(0, len(line) - 64))
    if found and zlib.crc32(line[: found.start()]) != int(found[1], 16):
        raise ValueError("its checksum is not that of its content: it was changed after it was written")
    return line


def _decoded(line: bytes) -> _Line:
    try:
        return _read_newest(line)
    except (ValueError, RecursionError):
        pass
    try:  # a newer schema, or a text that UTF-8 cannot hold, which Python's own decoder reads
        value = strict_json(line)
        schema = value.get("schema", 1) if isinstance(value, dict) else 1
    except ValueError:
        raise ValueError("not JSON") from None
    if isinstance(schema, int) and schema > SCHEMA:
        raise UserError(
            f"a record of schema {schema}, made by a newer version of this program (this one reads up to {SCHEMA}); "
            "update the program, or use another results folder"
        )
    return _read_newest(_held(line))


def _read_newest(line: bytes) -> _Line:
    stored = _LINE.decode(line)
    if stored.schema > SCHEMA:
        raise ValueError(f"schema {stored.schema}")
    return stored


def _held(line: bytes) -> bytes:
    """The line with each half of a surrogate pair that stands alone (``\\ud800``) replaced: UTF-8 cannot hold it."""
    text = json.dumps(strict_json(line), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def _ended(stored: _Line) -> Ended | None:
    """Why a run ended early. The one place that reads schema 1's sentence."""
    error = stored.error
    if not isinstance(error, str):
        return (Failed("") if stored.status == "failed" else Diverged(None)) if _lost(stored) else error
    if stored.status == "failed":
        return Failed(error)
    if stored.status != "diverged":
        return None
    found = _LOST.fullmatch(error)
    if not found:
        return Diverged(None)
    try:
        loss = float(found[2])
    except ValueError:
        loss = math.nan
    return Diverged(
        int(found[3]), loss if math.isfinite(loss) else None, "loss" if found[1] == "loss was" else "outputs"
    )


def _lost(stored: _Line) -> bool:
    return stored.error is None and stored.status in ("failed", "diverged")


def _looks(line: bytes) -> tuple[Look, ...]:
    try:
        history = _HISTORY.decode(line).history
    except ValueError:
        history = _HISTORY.decode(_held(line)).history
    if not isinstance(history, _Columns):
        return tuple(history)
    count = len(history.step)
    nothing: list[float | None] = [None] * count
    columns = (
        history.train_loss,
        history.train_accuracy,
        nothing if history.val_loss is UNSET else history.val_loss,
        nothing if history.val_accuracy is UNSET else history.val_accuracy,
    )
    return tuple(Look(*row) for row in zip(history.step, *columns, strict=True))


def stored(record: Record) -> bytes:
    """The line of a record, in schema 2, without its newline.

    Raises ValueError for a NaN or an infinity (store None instead), TypeError for what JSON cannot hold.
    """
    history: dict[str, list[Any]] = {
        name: [getattr(look, name) for look in record.history] for name in Look.__struct_fields__
    }
    for name in ("val_loss", "val_accuracy"):  # without a validation set there are none
        if not any(value is not None for value in history[name]):
            del history[name]
    figures = {name: getattr(record, name) for name in Figures.__struct_fields__}
    line = {
        "id": figures.pop("id"),
        "schema": SCHEMA,
        "config": {name: value for name, value in record.config.items() if value is not None},
        **{name: value for name, value in figures.items() if value is not None},
        "history": history,
        "environment": record.environment,
        "data": record.data,
        "error": record.error,
    }
    # Python's encoder refuses what is no number, and writes a text that UTF-8 cannot hold so that it can be read again.
    text = json.dumps(msgspec.to_builtins(line), separators=(",", ":"), allow_nan=False)[:-1].encode()
    return text + b',"check":"%08x"}' % zlib.crc32(text)
