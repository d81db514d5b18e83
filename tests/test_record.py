"""The record: one type, two schemas, an identity that outlives new fields."""

import json
import math
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import Field

from explorer.config import Config, make_config
from explorer.errors import UserError
from explorer.files import strict_json
from explorer.record import SCHEMA, Cut, DataUsed, Diverged, Failed, Look, Reader, Record, record_table, run_id, stored
from explorer.running.ledger import Ledger
from tests.conftest import PROJECT
from tests.records import record

SHIPPED = PROJECT / "results"
MLP = make_config({"model": "mlp"})


@pytest.fixture(scope="module")
def shipped() -> list[Record]:
    return Ledger(SHIPPED, read_only=True).records()


def old_line(**changes: Any) -> bytes:
    """A line as the first version wrote it, from the shipped ledger, with these changes."""
    with open(SHIPPED / "runs.jsonl", "rb") as file:
        fields = {**json.loads(file.readline()), **changes}
    assert "schema" not in fields
    return json.dumps(fields).encode()


class Tomorrow(Config):
    """Config as a later version may have it, with a field more."""

    smoothing: float = Field(0.0, ge=0, lt=1, description="how much of a label is shared among all classes")


def test_a_field_added_later_leaves_every_shipped_run_where_it_is(shipped):
    ids = set()
    for each in shipped:
        config = each.configuration
        tomorrow = Tomorrow.model_validate({name: getattr(config, name) for name in Config.model_fields})
        assert tomorrow.smoothing == 0
        ids.add(run_id(tomorrow.identity(), each.data.digest))
        assert run_id(config.identity(), each.data.digest) == each.id
    assert ids == {each.id for each in shipped}
    assert len(shipped) >= 3643
    used = tomorrow.model_copy(update={"smoothing": 0.1})
    assert run_id(used.identity(), each.data.digest) != each.id


def test_shipped_lines_are_read_to_the_last_figure(shipped):
    lines = (SHIPPED / "runs.jsonl").read_bytes().splitlines()
    for line, read in list(zip(lines, shipped, strict=True))[::50]:
        written, outward = strict_json(line), read.to_json()
        if "schema" in written:
            continue
        outward["environment"]["kernels"] = bool(outward["environment"]["kernels"])
        written["config"] = {name: value for name, value in written["config"].items() if value is not None}
        for name in ("environment", "data"):
            assert outward.pop(name).items() >= written.pop(name).items()
        assert outward.items() >= written.items()


def test_what_is_stored_is_read_back_whole_and_takes_half_the_room(shipped):
    old, new = (SHIPPED / "runs.jsonl").read_bytes().splitlines(), []
    of_schema_1 = []
    for line, each in list(zip(old, shipped, strict=True))[::50]:
        now = stored(each)
        assert Reader().read(now).to_json() == each.to_json()
        if b'"schema"' not in line:
            of_schema_1.append(line)
            new.append(now)
    assert of_schema_1
    assert sum(map(len, new)) < 0.6 * sum(map(len, of_schema_1))


@pytest.mark.parametrize(
    "error",
    [
        None,
        Cut(500, 0.91, 0.93),
        Diverged(12, 5.73e6),
        Diverged(12),
        Diverged(500, of="outputs"),
        Failed("MemoryError: Größe 結 at step 3"),
    ],
)
def test_why_a_run_ended_is_kept_as_it_is(error):
    assert Reader().read(stored(record(MLP, 0.9, error=error))).error == error


@pytest.mark.parametrize(
    ("status", "sentence", "error"),
    [
        ("ok", None, None),
        ("diverged", "the loss was 5.73e+06 at step 12", Diverged(12, 5.73e6)),
        ("diverged", "the loss was nan at step 7", Diverged(7)),
        ("diverged", "the loss was inf at step 7", Diverged(7)),
        ("diverged", "the outputs were not finite at step 500", Diverged(500, of="outputs")),
        ("diverged", "nobody knows", Diverged(None)),
        ("failed", "the worker process ended at step 3", Failed("the worker process ended at step 3")),
    ],
)
def test_an_old_records_sentence_becomes_its_reason(status, sentence, error):
    read = Reader().read(old_line(status=status, error=sentence))
    assert (read.status, read.error) == (status, error)
    assert read.diverged_at == (error.step if isinstance(error, Diverged) else None)


def test_programs_read_the_reason_as_a_sentence_and_as_figures():
    told = record(MLP, None, error=Diverged(12, 5.73e6)).to_json()
    assert (told["status"], told["error"], told["diverged_at"]) == ("diverged", "the loss was 5.73e+06 at step 12", 12)
    assert json.loads(json.dumps(told)) == told


def test_an_old_records_kernels_are_version_one_or_off():
    environment = json.loads(old_line())["environment"]
    for said, version in ((True, 1), (False, 0)):
        read = Reader().read(old_line(environment={**environment, "kernels": said}))
        assert read.environment.kernels is version


def test_a_newer_schema_is_refused_in_one_line_that_says_so(tmp_path):
    line = json.dumps({"id": "a", "schema": SCHEMA + 1, "config": {"units": "in another way"}, "history": 7}).encode()
    (tmp_path / "runs.jsonl").write_bytes(stored(record(MLP, 0.9)) + b"\n" + line + b"\n")
    with pytest.raises(UserError, match=rf"line 2: a record of schema {SCHEMA + 1}.*update the program") as caught:
        Ledger(tmp_path).records()
    assert "\n" not in str(caught.value)


def test_records_of_one_configuration_share_it_and_know_their_seed():
    reader = Reader()
    lines = [stored(record(MLP.model_copy(update={"seed": seed}), 0.9)) for seed in (0, 7)]
    first, second = (reader.read(line) for line in lines)
    assert first.settings is second.settings
    assert (first.seed, second.seed) == (0, 7)
    assert second.configuration == MLP.model_copy(update={"seed": 7})
    assert second.point == MLP
    assert dict(second.config) == second.configuration.to_json()


def test_looks_of_a_stored_record_are_read_when_asked_for_and_a_changed_file_is_told(tmp_path):
    ledger = Ledger(tmp_path)
    for seed in (0, 1):
        ledger.append(record(MLP.model_copy(update={"seed": seed}), 0.9))
    _, second = ledger.records()
    assert [look.step for look in second.history] == [10, 20, 30]
    assert (len(second.history), second.history[-1].step) == (3, 30)
    first, again = Ledger(tmp_path).records()
    (tmp_path / "runs.jsonl").write_bytes(b"")
    with pytest.raises(UserError, match="changed while it was read"):
        list(first.history)
    assert again.val_accuracy == 0.9


def test_a_training_set_without_validation_keeps_its_looks():
    looks = (Look(1, 0.5, 0.25), Look(2, 0.25, 0.5))
    assert tuple(Reader().read(stored(record(MLP, 0.9, history=looks))).history) == looks


@pytest.mark.parametrize(
    "changes", [{"val_loss": math.nan}, {"step_ms": math.inf}, {"history": (Look(1, math.nan, 0.5),)}]
)
def test_what_is_no_number_is_not_stored(changes):
    with pytest.raises(ValueError, match="JSON compliant"):
        stored(record(MLP, 0.9, **changes))


def test_a_text_that_utf_8_cannot_hold_costs_no_record():
    line = stored(record(MLP, None, error=Failed("no file 'gr\udcfcn'")))
    read = Reader().read(line)
    assert str(read.error).startswith("no file 'gr")
    assert read.status == "failed"


def test_sizes_and_planned_steps_are_part_of_a_record():
    made = replace(record(MLP, 0.9), steps=1000, data=DataUsed("mnist", "d", 50_000, 10_000, 10_000))
    read = Reader().read(stored(made))
    assert (read.steps, read.data.training) == (1000, 50_000)
    assert Reader().read(old_line()).steps is None


def test_the_readme_shows_every_field_of_a_record():
    table = record_table()
    for name in record(MLP, 0.9).to_json():
        assert f"| `{name}` |" in table
    assert table in (PROJECT / "README.md").read_text(), "paste what explorer.record.record_table() returns"
