"""Odd input by chance: ``python -m tests.fuzz --minutes N``. What is no UserError, one line, is printed with its seed.

Flags, a person's question files, ledgers, lists of sweeps and predictions are bent, in this process: a case takes
milliseconds. A case is its seed alone.
"""

import argparse
import itertools
import json
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from explorer.asking import documents, questions, studies
from explorer.asking.tuning import StudySearch
from explorer.config import fields_for, make_config
from explorer.errors import UserError
from explorer.judging.runs import Runs
from explorer.record import stored
from explorer.running import predictions, requests
from explorer.running.store import Store
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
    import numpy as np

    predictions.save(folder, "0" * 16, np.zeros((9, 10), np.float32))
    path = predictions.path_of(folder, "0" * 16)
    path.write_bytes(bent_bytes(chance, path.read_bytes()))
    predictions._read(path)


def bent_bytes(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + chance.randbytes(chance.randint(0, 3)) + content[at + chance.randint(0, 3) :]


KINDS: list[Callable[[random.Random, Path], None]] = [flags, question, ledger, plans, kept_predictions]


def failures(seeds: Iterator[int] | range, until: float = float("inf")) -> Iterator[tuple[int, str]]:
    """(seed, what went wrong) of each case that ends in anything but a result or a UserError of one line."""
    for seed in seeds:
        if time.monotonic() > until:
            return
        chance = random.Random(seed)
        with tempfile.TemporaryDirectory() as folder:
            kind = chance.choice(KINDS)
            try:
                kind(chance, Path(folder))
            except UserError as error:
                if "\n" in str(error):
                    yield seed, f"{kind.__name__}: more than one line: {error!r}"
            except Exception:
                yield seed, f"{kind.__name__}: {traceback.format_exc(limit=-4)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="the first case")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    found = 0
    seeds = itertools.count(options.seed)
    for seed, what in failures(seeds, until):
        found += 1
        print(f"seed {seed}: {what}", flush=True)
    print(f"{found} failures in {next(seeds) - options.seed - 1} cases")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
