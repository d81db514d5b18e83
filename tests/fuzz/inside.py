"""Cases that bend what the program reads, in this process."""

import io
import json
import random
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from explorer import datasets
from explorer.asking import documents, questions, studies
from explorer.asking.tuning import StudySearch
from explorer.config import config_as_toml, config_file, fields_for, from_environment, make_config
from explorer.datasets import idx, pictures
from explorer.datasets.entry import Framing
from explorer.errors import UserError
from explorer.fields import environment_names
from explorer.judging.runs import Runs
from explorer.models.model import Images
from explorer.record import stored
from explorer.running import nets, predictions, requests
from explorer.running.store import Store
from tests.fuzz import Kind
from tests.records import LR, record

WORDS = [
    *("", " ", "0", "-1", "1e-50", "1e999", "nan", "None", "true", "../x", "/dev/zero", "a" * 300, "\udc80", "\x1b[2J"),
    *("[/2]", "$a_b_c$", "<script>", "0x10", "1_000", "1,2", "[1]", "{}", "٣", "\0", "ü", "mlp", "relu", "0.1", "10"),
]
VALUES = [None, True, -1, 0, 2.5, 1e300, 10**30, [], [[]], {}, {"a": 1}, *WORDS]


def flags(chance: random.Random, folder: Path) -> None:
    model = chance.choice(["mlp", "cnn"])
    fields = chance.sample(fields_for(model), chance.randint(1, 4))
    make_config({"model": model, **{field: chance.choice(VALUES) for field in fields}})


def variables(chance: random.Random, folder: Path) -> None:
    fields = chance.sample(fields_for(None), chance.randint(1, 5))
    names = [chance.choice(environment_names(field)) for field in fields]
    values, named = from_environment({name: str(chance.choice(VALUES)) for name in names})
    make_config({**values, "model": chance.choice(["mlp", "cnn"])}, named)


def question(chance: random.Random, folder: Path) -> None:
    text = bytearray(
        chance.choice([LR, *(path.read_text() for path in sorted(documents.FOLDER.glob("*.toml")))]), "utf-8"
    )
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        text[at : at + chance.randint(0, 8)] = chance.choice(WORDS).encode("utf-8", "surrogateescape")
    (folder / "bent.toml").write_bytes(text)
    path = str(folder / "bent.toml")
    if studies.is_study(path, "mlp"):
        method = chance.choice([None, "qmc", "random"])
        StudySearch(studies.load(path, "mlp", "digits", method=method, tries=3)).ask()
    else:
        questions.load(path, "mlp", "digits")


def bent(chance: random.Random, line: bytes) -> bytes:
    if chance.random() < 0.5:
        value = json.loads(line)
        value.pop("check", None)
        inner = value[chance.choice([key for key in value if isinstance(value[key], dict)] or [""])] if value else {}
        of = chance.choice([value, inner])
        of[chance.choice([*of, "schema"])] = chance.choice(VALUES)
        return json.dumps(value).encode()
    at = chance.randrange(len(line))
    return line[:at] + chance.randbytes(chance.randint(0, 3)) + line[at + chance.randint(0, 3) :]


def ledger(chance: random.Random, folder: Path) -> None:
    line = stored(record(make_config({"model": "mlp", "dataset": "digits", "lr": 0.1}), 0.9))
    (folder / "runs.jsonl").write_bytes(bent(chance, line) + b"\n" + line + chance.choice([b"", b"\n", b"\n{"]))
    store = Store(folder, lambda said: None, read_only=True)
    runs = Runs(store.records(), store.damaged())
    for run in runs.kept:
        run.to_json()
        tuple(run.history)
    runs.ranked("mlp", "digits")


def plans(chance: random.Random, folder: Path) -> None:
    line = json.dumps({"name": "lr", "model": "mlp", "dataset": "digits", "overrides": {"steps": 3}, "seeds": 2})
    (folder / "sweeps.jsonl").write_bytes(bent(chance, line.encode()) + b"\n" + line.encode())
    for request in requests.read(folder):
        with suppress(UserError):
            questions.load(request.path or request.name, request.model, request.dataset, request.overrides, yes=True)


def kept_predictions(chance: random.Random, folder: Path) -> None:
    predictions.save(folder, "0" * 16, np.zeros((9, 10), np.float32))
    path = predictions.path_of(folder, "0" * 16)
    path.write_bytes(bent_bytes(chance, path.read_bytes()))
    predictions._read(path)


def kept_net(chance: random.Random, folder: Path) -> None:
    weights = {"1.weight": np.ones((2, 3), np.float32), "1.bias": np.zeros(2, np.float32)}
    about = nets.About(28, 28, ["zero", "one"], 1 / 255, 0.0, asked=True)
    config = make_config({"model": "mlp", "dataset": "digits", "lr": 0.1})
    path = nets.save(folder, nets.Net(record(config, 0.9), about, weights))
    assert path is not None
    content = path.read_bytes()
    for _ in range(chance.randint(1, 3)):
        content = bent_bytes(chance, content)
    path.write_bytes(content)
    found = nets.load(path).weights
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in weights.items()
    }


def picture(chance: random.Random, folder: Path) -> None:
    """A person's picture, in any format, whole or bent."""
    mode = chance.choice(["L", "RGB", "RGBA", "P", "1", "I;16", "LA", "CMYK"])
    sides = chance.choice([(28, 28), (1, 1), (3, 200), (64, 5)])
    kind = chance.choice(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO"])
    content = io.BytesIO()
    image = Image.frombytes("L", sides, chance.randbytes(sides[0] * sides[1]))
    with suppress(OSError, ValueError):  # not every format takes every mode
        image.convert(mode).save(content, kind)
    ending = chance.choice([kind.lower(), "png", "gif", "txt"])
    path = folder / f"{chance.choice(FILE_NAMES)}.{ending}"
    written = content.getvalue() or b"nothing"
    path.write_bytes(written if chance.random() < 0.2 else bent_bytes(chance, written))
    framing = chance.choice([None, Framing(20, "mass"), Framing(28, "middle")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, _ = pictures.gather(chance.choice([path, folder]), Images(28, 28, 10), framing)
    assert all(one.image.shape == (28, 28) for one in found)


def settings(chance: random.Random, folder: Path) -> None:
    """A run's configuration in a file."""
    model = chance.choice(["mlp", "cnn"])
    text = config_as_toml(make_config({"model": model, "dataset": "digits", "lr": 0.1})).encode()
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        odd = str(chance.choice(VALUES)).encode("utf-8", "surrogateescape")
        text = text[:at] + odd + text[at + chance.randint(0, 8) :]
    (folder / "run.toml").write_bytes(text)
    said = config_file(folder / "run.toml", model)
    make_config({**said, "model": model}, {field: f"run.toml: {field}" for field in said})


def bent_bytes(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + chance.randbytes(chance.randint(0, 3)) + content[at + chance.randint(0, 3) :]


def data(chance: random.Random, folder: Path) -> None:
    """A person's own images, in an .npz file or four IDX files, one of them bent."""
    images = np.random.RandomState(0).randint(0, 256, (30, 8, 8)).astype(np.uint8)
    labels = np.tile(np.arange(3, dtype=np.uint8), 10)
    if chance.random() < 0.5:
        content = io.BytesIO()
        save = chance.choice([np.savez, np.savez_compressed])
        odd = chance.choice(
            [images, images.astype(np.float64), images[:, :0], images[:1], labels, labels - 3, images > 9]
        )
        save(content, **{"x_train": images, "y_train": labels, "x_test": images, "y_test": labels} | {
            chance.choice(["x_train", "y_train", "x_test", "y_test", "class_names"]): odd
        })  # fmt: skip
        path = folder / f"{chance.choice(FILE_NAMES)}.npz"
        path.write_bytes(bent_bytes(chance, content.getvalue()) if chance.random() < 0.7 else content.getvalue())
    else:
        path = folder / chance.choice(FILE_NAMES)
        path.mkdir()
        for file, values in zip(idx.FILES, (images, labels, images, labels), strict=True):
            (path / file).write_bytes(idx.pack(values))
        bad = path / chance.choice(idx.FILES)
        bad.write_bytes(bent_bytes(chance, bad.read_bytes()[: chance.choice([None, 0, 3, 16, 40])] or b" "))
    datasets.load(path)


FILE_NAMES = ["mine", "m" * 245, "\udcff\udcfe", "a b", "mnist", ".hidden", "ü" * 100, "-x", "[red]", "$a$", "a\x1bb"]
KINDS: list[Kind] = [
    *(flags, variables, settings, question, ledger, plans, kept_predictions, kept_net, data, picture),
]
