"""A clone's own runs and the published study: both are read, one is written, and neither is taken for the other."""

import os

import pytest
from msgspec.structs import replace

from explorer.config import make_config
from explorer.errors import UserError
from explorer.running import requests
from explorer.running.ledger import Ledger
from explorer.running.requests import Request
from explorer.running.store import Store
from tests.records import record

ONE, TWO = (record(make_config({"model": "mlp", "lr": lr}), 0.9) for lr in (0.1, 0.2))
LR = Request("lr", "mlp", "mnist", {}, 5)


@pytest.fixture
def published(tmp_path):
    """A published study of one run and one sweep."""
    Ledger(tmp_path / "results").append(ONE)
    requests.append(tmp_path / "results", LR)
    return tmp_path / "results"


def contents(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_own_runs_lie_beside_the_published_ones_and_change_none_of_their_bytes(published):
    before = contents(published)
    store = Store(published=published)
    store.append(TWO)
    store.note(Request("bs", "mlp", "mnist", {}, 3))
    assert contents(published) == before
    assert store.path == published / "own" / "runs.jsonl"
    assert [(item.id, item.own) for item in store.records()] == [(ONE.id, False), (TWO.id, True)]
    assert [item.id for item in store.records(published_only=True)] == [ONE.id]
    assert [(item.name, item.own) for item in store.requests()] == [("lr", False), ("bs", True)]
    assert [item.name for item in store.requests(published_only=True)] == ["lr"]


def test_a_single_run_is_looked_for_among_ones_own_a_sweeps_run_in_both(published):
    store = Store(published=published)
    assert store.find(ONE.id, own_only=True) is None
    assert store.find(ONE.id).id == ONE.id
    store.append(replace(ONE, val_accuracy=0.5))
    assert store.find(ONE.id, own_only=True).val_accuracy == 0.5
    assert store.find(ONE.id).own


def test_a_published_sweep_asked_for_again_is_ones_own_only_if_it_trained_anything(published):
    store = Store(published=published)
    assert not store.note(replace(LR, seeds=3), trained=False)
    assert not (store.folder / requests.FILE).exists()
    assert store.note(replace(LR, seeds=10), trained=False)
    assert [(item.seeds, item.own) for item in store.requests()] == [(5, False), (10, True)]
    assert Store(published=published).note(Request("lr", "mlp", "mnist", {"steps": 30}, 1), trained=False)


def test_a_folder_that_is_named_stands_alone(published, tmp_path):
    store = Store(published, published=tmp_path / "elsewhere")
    assert store.find(ONE.id, own_only=True).id == ONE.id
    store.append(TWO)
    assert [(item.id, item.own) for item in Ledger(published).records()] == [(ONE.id, False), (TWO.id, False)]
    assert [item.own for item in store.records() + store.requests()] == [False] * 3
    assert store.folders == [published]


def test_reading_creates_nothing(published):
    before = set(published.iterdir())
    store = Store(published=published, read_only=True)
    assert [item.id for item in store.records()] == [ONE.id]
    assert store.find(TWO.id) is None
    assert len(store.requests()) == 1
    assert set(published.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_published_study_that_cannot_be_written_is_read_all_the_same(published, tmp_path):
    published.chmod(0o555)
    try:
        assert len(Store(published=published, read_only=True).records()) == 1
        with pytest.raises(UserError, match="cannot keep a ledger here"):
            Store(published=published)
    finally:
        published.chmod(0o755)


def test_without_a_published_study_ones_own_runs_lie_with_the_users_data(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path / "data" / name)
    store = Store(published=tmp_path / "none")
    store.append(TWO)
    assert store.path == tmp_path / "data" / "mnist-explorer" / "results" / "runs.jsonl"
    assert [item.own for item in store.records()] == [True]
