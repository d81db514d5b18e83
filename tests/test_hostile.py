"""A stranger's files: nothing outside their folder is written or deleted, and nothing they hold is taken for ours."""

import io
import json
import os
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from explorer.config import make_config
from explorer.errors import UserError
from explorer.judging.runs import Runs
from explorer.record import ConfigFields, Settings, stored
from explorer.running import predictions, requests
from explorer.running.ledger import Ledger
from explorer.running.recorder import Recorder
from explorer.running.requests import Request
from explorer.running.store import Store
from explorer.telling import report, words
from tests.records import LR, notebook, record, runs

CONFIG = make_config({"model": "mlp", "dataset": "digits", "lr": 0.1})
ID = "0123456789abcdef"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that holds somebody's files."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in (f"{ID}.npz", "theirs.npz", "runs.jsonl", "sweeps.jsonl"):
        (folder / name).write_bytes(b"theirs")
    return folder


def untouched(folder: Path) -> bool:
    files = list(folder.iterdir())
    return len(files) == 4 and all(file.read_bytes() == b"theirs" for file in files)


# What writes and deletes


def test_predictions_behind_a_link_are_neither_removed_nor_written(tmp_path, outside, capsys):
    (tmp_path / "predictions").symlink_to(outside)
    predictions.clear(tmp_path, set())
    predictions.save(tmp_path, ID, np.zeros((3, 10), np.float32))
    assert untouched(outside)
    assert "not kept" in capsys.readouterr().err


def test_only_predictions_named_as_ours_are_removed(tmp_path):
    predictions.save(tmp_path, ID, np.zeros((3, 10), np.float32))
    (tmp_path / "predictions" / "theirs.npz").touch()
    predictions.clear(tmp_path, set())
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["theirs.npz"]


@pytest.mark.parametrize("ending", ["", ".lock"])
def test_nothing_is_written_through_a_link_in_the_place_of_a_log(tmp_path, outside, ending):
    for name in ("runs.jsonl", "sweeps.jsonl"):
        (tmp_path / f"{name}{ending}").symlink_to(outside / name)
    with pytest.raises(UserError, match="is a link"):
        Ledger(tmp_path)
    with pytest.raises(UserError, match="is a link"):
        requests.append(tmp_path, Request("lr", "mlp", "mnist"))
    assert untouched(outside)


def test_the_report_of_a_strangers_folder_writes_within_it_alone(tmp_path, outside, undrawn):
    notebook(tmp_path, LR, runs({"lr": 0.1}, [0.9, 0.91]))
    results = tmp_path / "results"
    with open(results / requests.FILE, "a") as file:
        for change in ({"name": "/../../outside/theirs"}, {"model": "x"}, {"model": "../x"}, {"path": "/nowhere.toml"}):
            file.write(json.dumps({"name": "lr", "model": "mlp", "dataset": "digits", "seeds": 1} | change) + "\n")
    store = Store(results)
    media, page = tmp_path / "media", tmp_path / "REPORT.md"
    files = report.rebuild(Runs(store.records(), store.damaged()), results, media, page)
    assert untouched(outside)
    assert all(file == page or file.is_relative_to(results) or file.is_relative_to(media) for file in files)
    assert "2 damaged lines, which are no records (sweeps.jsonl line 2, sweeps.jsonl line 4)" in page.read_text()


# Only regular files are read


@pytest.mark.parametrize("name", ["runs.jsonl", "sweeps.jsonl"])
def test_a_pipe_or_a_device_in_the_place_of_a_log_is_refused(tmp_path, name):
    read = {
        "runs.jsonl": lambda: Store(tmp_path, read_only=True).records(),
        "sweeps.jsonl": partial(requests.read, tmp_path),
    }
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="no regular file"):
        read[name]()
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(UserError, match="no regular file"):
        read[name]()


def damaged_predictions(digits) -> dict[str, bytes]:
    whole = io.BytesIO()
    np.savez_compressed(whole, logits=np.zeros((len(digits.test_labels), 10), np.float16))
    narrow, pickled, bomb, text = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez_compressed(narrow, logits=np.zeros((len(digits.test_labels), 3), np.float16))
    np.savez(pickled, logits=np.array([{}], dtype=object))
    np.savez(text, logits=np.array(["a"]))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("logits.npy", "w") as member:
        for _ in range(2):
            member.write(bytes(1 << 20))
    middle = len(whole.getvalue()) // 2
    flipped = whole.getvalue()[:middle] + b"\xff\x00\xff" + whole.getvalue()[middle + 3 :]
    return {
        "empty": b"",
        "cut": whole.getvalue()[:middle],
        "flipped": flipped,
        "narrow": narrow.getvalue(),
        "pickled": pickled.getvalue(),
        "text": text.getvalue(),
        "bomb": bomb.getvalue(),
    }


def test_damaged_predictions_are_none(tmp_path, digits, monkeypatch):
    monkeypatch.setattr(predictions, "MOST_BYTES", 1 << 20)
    folder = tmp_path / "predictions"
    folder.mkdir()
    path = predictions.path_of(tmp_path, record(CONFIG, 0.9, data={"digest": digits.digest}).id)
    predict = predictions.reader([tmp_path])
    for content in damaged_predictions(digits).values():
        path.write_bytes(content)
        assert predict(CONFIG) is None
    path.unlink()
    os.mkfifo(path)
    assert predict(CONFIG) is None
    path.unlink()
    predictions.save(tmp_path, path.stem, np.zeros((len(digits.test_labels), 10), np.float32))
    assert predict(CONFIG) is not None


# A record's id is that of its content


def altered(accuracy: float):
    """The record of a run at rate 0.1 that somebody made one of rate 0.3."""
    made = record(CONFIG, accuracy)
    fields = {name: value for name, value in made.config.items() if name != "seed"}
    return replace(made, config=ConfigFields(Settings({**fields, "lr": 0.3}), 0))


def test_a_record_whose_id_is_not_that_of_its_content_is_left_out_and_named():
    kept = Runs([record(CONFIG, 0.9), altered(0.99)])
    assert [item.val_accuracy for item in kept.kept] == [0.9]
    (left,) = kept.left_out
    assert (left.why, left.count, left.named) == ("altered", 1, (record(CONFIG, 0.9).id,))
    assert record(CONFIG, 0.9).id in words.left_out(left)


def test_a_run_whose_record_was_altered_is_not_taken_as_done(tmp_path):
    store = Store(tmp_path)
    store.append(altered(0.99))
    assert Recorder(store, "d").recorded(CONFIG) is None
    store.append(record(CONFIG, 0.9))
    assert Recorder(store, "d").recorded(CONFIG).val_accuracy == 0.9


def test_the_shipped_records_state_what_their_ids_say():
    shipped = Runs(Store(read_only=True).records(published_only=True))
    assert not shipped.left_out
    assert shipped.kept


# Looks, which are read when they are asked for


@pytest.mark.parametrize("history", [["a"], {"step": [1], "train_loss": [], "train_accuracy": [0.5]}, "x", [{}]])
def test_looks_that_cannot_be_read_are_none_and_told(tmp_path, history, capsys):
    line = json.loads(stored(record(CONFIG, 0.9)))
    del line["check"]
    (tmp_path / "runs.jsonl").write_text(json.dumps({**line, "history": history}) + "\n")
    (read,) = Ledger(tmp_path, read_only=True).records()
    assert tuple(read.history) == ()
    assert "looks" in capsys.readouterr().err
