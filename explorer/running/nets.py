"""Kept nets: ``nets/<id>.safetensors`` beside the ledger, the trained weights of a run and all it takes to ask them.

The format is safetensors (https://huggingface.co/docs/safetensors), written by tinygrad's own nn.state. Its tensors are
float32, called ``<layer's place in the list>.<attribute>``: of the MLP 784-512-512-10 ``1.weight`` (512, 784),
``1.bias`` (512,), ``2.weight``, ``2.bias``, ``3.weight`` (10, 512), ``3.bias``; place 0 is ``flatten``. Linear weights
are (outputs, inputs), those of convolutions (outputs, inputs, side, side); batch normalization has ``weight``,
``bias``, ``running_mean`` and ``running_variance``. `explorer.models.layers` says what each layer does.

Its metadata are two texts: ``record``, the run's record as a line of the ledger, which has the configuration, the
figures and the data's digest; and ``net``, a JSON object with the fields of `About`. A pixel 0..255 becomes the input
``multiplier * pixel + offset``.

Reading takes numpy alone: nothing is unpickled, no device is opened, and what the file says is checked first.
"""

import hashlib
import json
import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from explorer import datasets, models
from explorer.config import Config
from explorer.datasets import reading
from explorer.datasets.entry import Framing
from explorer.errors import UserError
from explorer.files import print_to_stderr, write_atomically
from explorer.models.model import Images
from explorer.record import Reader, Record, stored

FOLDER = "nets"
SCHEMA = 1
MOST_BYTES = 1 << 30  # of a file: 250 million weights
MOST_HEADER = 1 << 20
_OWN_NAME = re.compile(r"[0-9a-f]{16}\.safetensors")
Weights = dict[str, NDArray[np.float32]]


class About(Struct, frozen=True, forbid_unknown_fields=False):
    """What a net takes and says, besides what its record tells."""

    height: int
    """Of an image, in pixels."""
    width: int
    classes: list[str]
    """Their names, in the order of the logits."""
    multiplier: float
    offset: float
    asked: bool
    """Whether a person asked for it to be kept; else it is there as the best of its model and data set so far."""
    digest: str = ""
    """SHA-256 of the tensors' names and bytes, by name, in hex."""
    schema: int = SCHEMA


@dataclass(frozen=True, eq=False)
class Net:
    """A trained net. ``record`` is its run's; ``weights`` as the head of this file says."""

    record: Record
    about: About
    weights: Weights

    @property
    def images(self) -> Images:
        """What images it takes."""
        return Images(self.about.height, self.about.width, len(self.about.classes))


@dataclass(frozen=True)
class Kept:
    """A kept net's file, of which the head alone was read."""

    path: Path
    record: Record
    about: About

    @property
    def config(self) -> Config:
        return self.record.configuration


def framing_of(net: Net) -> Framing | None:
    """How pictures are put into images for this net: as those of its data set were."""
    entry = datasets.find(net.record.configuration.dataset)
    return entry.framing if entry else None


def path_of(results: Path, run: str) -> Path:
    """Where the net of the run with this id is kept."""
    return Path(results) / FOLDER / f"{run}.safetensors"


def kept_of(folders: Iterable[Path], run: str) -> list[Path]:
    """Where a net of this run lies among these results ``folders``."""
    return [path for folder in folders if (path := path_of(folder, run)).exists()]


def save(results: Path, net: Net) -> Path | None:
    """Keep a net, in the place of one kept before of the same run. Where its folder cannot be written, or is a link,
    nothing is kept and a line says so: the run has its record. A net that was asked for stays one."""
    path = path_of(results, net.record.id)
    if not net.about.asked and (before := _quietly(path)) is not None and before.about.asked:
        net = replace(net, about=msgspec.structs.replace(net.about, asked=True))
    try:
        if path.parent.is_symlink():
            raise OSError("its folder is a link, and nothing is written through one")
        size = sum(values.nbytes for values in net.weights.values())
        if size + MOST_HEADER > MOST_BYTES:
            raise OSError(f"it has {size:,} bytes, and a kept net has {MOST_BYTES:,} at most")
        write_atomically(path, _content(net))
    except OSError as error:
        print_to_stderr(f"{path}: the net is not kept ({error.strerror or error})")
        return None
    return path


def _content(net: Net) -> bytes:
    """The bytes of a net's file, by tinygrad's own writer."""
    from tinygrad import Tensor  # late: reading goes without
    from tinygrad.nn.state import safe_save

    about = msgspec.structs.replace(net.about, digest=_digest(net.weights))
    metadata = {"record": stored(net.record).decode(), "net": msgspec.json.encode(about).decode()}
    with tempfile.TemporaryDirectory(prefix="mnist-explorer-") as folder:
        path = Path(folder) / "net"
        tensors = {name: Tensor(np.ascontiguousarray(values), device="CPU") for name, values in net.weights.items()}
        safe_save(tensors, str(path), metadata)
        return path.read_bytes()


def _digest(weights: Mapping[str, NDArray[np.float32]]) -> str:
    sha = hashlib.sha256()
    for name in sorted(weights):
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(weights[name], "<f4").tobytes())
    return sha.hexdigest()


def ask_for(results: Path, run: str) -> bool:
    """Make the kept net of this run one that a person asked for; False where none is kept, or none that can be read."""
    path = path_of(results, run)
    if (kept := _quietly(path)) is None:
        return False
    if not kept.about.asked:
        net = load(path)
        return save(results, replace(net, about=msgspec.structs.replace(net.about, asked=True))) is not None
    return True


def clear(results: Path, best: set[str]) -> None:
    """Remove the nets that are there as the best so far and are not among ``best``: files of our own naming in a folder
    of our own, never through a link. What a person asked for stays."""
    folder = Path(results) / FOLDER
    if folder.is_symlink():
        return
    for path in sorted(folder.glob("*.safetensors")):
        if _OWN_NAME.fullmatch(path.name) and path.stem not in best:
            kept = _quietly(path)
            if kept is not None and not kept.about.asked:
                path.unlink(missing_ok=True)


def all_kept(folders: Iterable[Path], say: bool = True) -> list[Kept]:
    """The nets in these results ``folders``, each run's once: of equals that of the folder named first. By data set,
    model and validation accuracy, the best first. A file that is none is told on stderr and left out."""
    found: dict[str, Kept] = {}
    for folder in folders:
        for path in sorted((Path(folder) / FOLDER).glob("*.safetensors")):
            try:
                kept = head(path)
            except UserError as error:
                if say:
                    print_to_stderr(f"{error}; it is left out")
                continue
            found.setdefault(kept.record.id, kept)
    order = {name: place for place, name in enumerate(models.names())}
    return sorted(
        found.values(),
        key=lambda kept: (datasets.rank(kept.config.dataset), order[kept.config.model], -_accuracy(kept.record)),
    )


def _accuracy(record: Record) -> float:
    return record.val_accuracy if record.val_accuracy is not None else record.test_accuracy or 0.0


def _quietly(path: Path) -> Kept | None:
    try:
        return head(path) if path.exists() else None
    except UserError:
        return None


def find(folders: Iterable[Path], word: str | None = None, dataset: str | None = None) -> Kept:
    """The net a person means: by a record's id (its first letters do), a path, or a model's name, of which the best on
    validation is taken; without a word the best of all, of the data set that stands first in lists.

    Raises UserError where there is none, naming those there are.
    """
    if word is not None and word.endswith(".safetensors"):
        return head(Path(word))
    kept = [one for one in all_kept(folders) if dataset in (None, one.config.dataset)]
    mine = [
        one
        for one in kept
        if word is None or one.config.model == word or (len(word) >= 4 and one.record.id.startswith(word))
    ]
    if mine:
        first = mine[0].config.dataset
        return max((one for one in mine if one.config.dataset == first), key=lambda one: _accuracy(one.record))
    of = "" if dataset is None else f" of {dataset}"
    if not kept:
        raise UserError(f"no net{of} is kept; python mnist_explorer.py mlp --keep trains one and keeps it")
    known = ", ".join(f"{one.record.id} ({one.config.model}, {one.config.dataset})" for one in kept[:6])
    more = ", ..." if len(kept) > 6 else ""
    raise UserError(f"no net{of} called {word!r} is kept; there are {known}{more}")


def head(path: Path) -> Kept:
    """What a net's file says of itself, its weights left unread. UserError, of one line, for what is no kept net."""
    with reading.opened(path, MOST_BYTES) as stream:
        header, _ = _Header.read(path, stream.read(8 + MOST_HEADER))
    return header.kept


def load(path: Path) -> Net:
    """The net in a file. UserError, of one line, for what is no kept net, is damaged, or was changed."""
    content = reading.content(path, MOST_BYTES)
    header, start = _Header.read(path, content[: 8 + MOST_HEADER])
    kept, weights = header.kept, {}
    for name, shape, first, last in header.tensors(len(content) - start):
        values = np.frombuffer(content, "<f4", math.prod(shape), start + first).reshape(shape)
        weights[name] = values.astype(np.float32)
        assert last - first == values.nbytes
    if _digest(weights) != kept.about.digest:
        raise UserError(f"{path} is damaged: its weights are not those that were written; train it again with --keep")
    return Net(kept.record, kept.about, weights)


@dataclass(frozen=True)
class _Header:
    path: Path
    content: dict[str, object]

    @classmethod
    def read(cls, path: Path, beginning: bytes) -> "tuple[_Header, int]":
        """(the header, where the weights begin)"""
        length = int.from_bytes(beginning[:8], "little")
        if not 2 <= length <= min(MOST_HEADER, len(beginning) - 8):
            raise UserError(f"{path} is no safetensors file, or cut short")
        try:
            content = json.loads(beginning[8 : 8 + length])
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise UserError(f"{path} is no safetensors file: its head is not JSON")
        return cls(path, content), 8 + length

    @cached_property
    def kept(self) -> Kept:
        texts = self.content.get("__metadata__")
        if not (isinstance(texts, dict) and {"record", "net"} <= texts.keys()):
            raise UserError(f"{self.path} is not a net of this program: it has no record; --keep writes such files")
        try:
            about = msgspec.json.decode(str(texts["net"]), type=About)
            record = Reader().read(str(texts["record"]).encode())
            if about.schema > SCHEMA:
                raise ValueError(f"it is of schema {about.schema}, made by a newer version of this program")
            if record.is_altered:
                raise ValueError("its id is not that of its configuration and data")
            sides = (about.height, about.width)
            if not (all(1 <= side <= 64 for side in sides) and 2 <= len(about.classes) <= 100):
                raise ValueError(f"images of {about.height}x{about.width} in {len(about.classes)} classes")
            if not (math.isfinite(about.multiplier) and math.isfinite(about.offset)):
                raise ValueError("its inputs have no finite scaling")
        except (ValueError, UserError, RecursionError) as error:  # msgspec's are ValueErrors
            raise UserError(f"{self.path} cannot be read as a kept net: {error}") from None
        return Kept(self.path, record, about)

    def tensors(self, size: int) -> Iterator[tuple[str, tuple[int, ...], int, int]]:
        """(name, shape, where its bytes begin and end among the weights' ``size`` bytes) of each."""
        for name, entry in self.content.items():
            if name == "__metadata__":
                continue
            try:
                found = msgspec.convert(entry, _Entry)
            except msgspec.ValidationError as error:
                raise UserError(f"{self.path}: {name[:40]!r} is no tensor: {error}") from None
            first, last = found.data_offsets
            if found.dtype != "F32" or min(found.shape, default=1) < 1 or 4 * math.prod(found.shape) != last - first:
                raise UserError(f"{self.path}: {name[:40]!r} is not the float32 tensor it says it is")
            if not 0 <= first <= last <= size:
                raise UserError(f"{self.path} is cut short: {name[:40]!r} lies beyond its end")
            yield name, tuple(found.shape), first, last


class _Entry(Struct, frozen=True):
    """A tensor, as a safetensors header has it."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]
