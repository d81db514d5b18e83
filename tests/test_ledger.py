"""The ledger's promises, tested on real files with real processes."""

import errno
import fcntl
import hashlib
import itertools
import json
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from explorer import files
from explorer.errors import UserError
from explorer.record import ConfigFields, Failed, Look, Record, Settings, run_id, stored
from explorer.running.ledger import Ledger

REPOSITORY = Path(__file__).resolve().parents[1]

# The processes are forked from a small program that imports nothing but the ledger: quick, and no threads to fork.
MANY_WRITERS = """
import os, sys
from pathlib import Path
from explorer.running.ledger import Ledger
from tests.test_ledger import filled

folder, writers, each = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
gate_out, gate_in = os.pipe()
children = []
for writer in range(writers):
    child = os.fork()
    if child == 0:
        try:
            os.close(gate_in)
            ledger = Ledger(folder)
            os.read(gate_out, 1)  # returns when the parent closes the gate: all start together
            for number in range(each):
                length = (writer * 31 + number * 17) % 4096
                ledger.append(filled(f"{writer}-{number}", "x" * length))
            os._exit(0)
        except BaseException as error:
            print("writer failed:", repr(error), flush=True)
            os._exit(1)
    children.append(child)
os.close(gate_out)
readers = [Ledger(folder), Ledger(folder, read_only=True, say=lambda line: None)]
os.close(gate_in)
counts = [[], []]
while len(counts[0]) < 100000 and len(readers[0].records()) < writers * each:
    for reader, count in zip(readers, counts):
        count.append(len(reader.records()))
    if all(os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) for child in children):
        break
assert [os.waitpid(child, 0)[1] for child in children] == [0] * writers
for count in counts:
    assert count == sorted(count)
print(len(set(counts[0])))
"""

# Killed writers. Before and after each append a writer sends a byte through a pipe: we know what was promised and
# whether the kill fell inside an append. Half of the writers die at a random time, some while they open and repair. The
# other half die between two pieces of a line, which they write piece by piece as a nearly full disk would make them.
KILLED_WRITERS = """
import hashlib, json, os, random, signal, sys, time
from pathlib import Path
from explorer.running.ledger import Ledger
from tests.test_ledger import filled

folder, kills = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(20240229)
ledger = Ledger(folder, say=lambda line: None)
promised, inside, torn, real_write = [], 0, set(), os.write

for kill in range(kills):
    before = ledger.path.read_bytes()
    before = before[: before.rfind(b"\\n") + 1]
    news_out, news_in = os.pipe()
    finished, pieces = chance.randrange(4), chance.randrange(32)  # records, then 1 KiB pieces, before the kill
    pause = chance.uniform(0.0, 0.003)
    by_time = kill % 2 == 0
    child = os.fork()
    if child == 0:
        written = []

        def write_in_pieces(file, data):
            if len(written) == pieces:
                real_write(news_in, b"!")
                time.sleep(60)
            written.append(1)
            return real_write(file, data[:1024])

        try:
            own = Ledger(folder, say=lambda line: None)
            for number in range(100):
                fill = hashlib.sha256(f"{kill}-{number}".encode()).hexdigest() * 512  # 32 KiB
                record = filled(f"{kill}-{number}", fill)
                real_write(news_in, b"(")
                if number == finished and not by_time:
                    os.write = write_in_pieces
                own.append(record)
                real_write(news_in, b")")
            os._exit(0)
        except BaseException as error:
            print("writer failed:", repr(error), flush=True)
            os._exit(1)
    os.close(news_in)
    news = b""
    if not by_time:
        while not news.endswith(b"!"):
            news += os.read(news_out, 1) or sys.exit("a writer ended early")
    else:
        while kill % 4 and news.count(b")") < finished:
            news += os.read(news_out, 1) or sys.exit("a writer ended early")
        time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert not os.WIFEXITED(status), "a writer ended before it was killed"
    with open(news_out, "rb") as pipe:
        news += pipe.read()
    news = news.rstrip(b"!")
    promised += [f"{kill}-{number}" for number in range(news.count(b")"))]
    inside += news.endswith(b"(")
    after = ledger.path.read_bytes()
    assert after.startswith(before), "bytes of an earlier record changed"
    tail = after[after.rfind(b"\\n") + 1 :]
    if tail and not tail.endswith(b"}"):
        torn.add(tail)

ledger.append(filled("last", ""))
print(json.dumps({"promised": promised, "inside": inside, "torn": len(torn)}))
"""


def run_script(script: str, *arguments: object) -> str:
    """Runs a program in a fresh interpreter and returns what it printed; its failure is the test's."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def a_record(id: str, **more: Any) -> Record:
    fields = ConfigFields(Settings({"model": "mlp", "lr": 0.001}), 0)
    return Record(**{"id": id, "config": fields, "val_accuracy": 0.9454, **more})


def filled(id: str, text: str) -> Record:
    """A record whose line is longer by the text's length."""
    return a_record(id, error=Failed(text))


def line_of(record: Record) -> bytes:
    return stored(record) + b"\n"


def torn_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("runs.jsonl.torn-*"))


def ids_in_order(ledger: Ledger) -> list[str]:
    return [record.id for record in ledger.records()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet, with a name that trips careless code."""
    return tmp_path / "Ergebnisse — 結果 & more" / "results"


# Appending and reading


def test_records_come_back_as_given_and_in_order(folder: Path) -> None:
    ledger = Ledger(folder)
    given = [
        a_record("a", error=None),
        a_record("b", error=Failed("Größe \n \u2028 \x00")),
        a_record("c", history=(Look(1, 0.5, 0.25), Look(2, 0.25, 0.5, 0.125, 0.75))),
    ]
    for record in given:
        ledger.append(record)
    assert ledger.path == folder / "runs.jsonl"
    for reopened in (ledger, Ledger(folder)):
        assert [record.to_json() for record in reopened.records()] == [record.to_json() for record in given]
    assert ledger.path.read_bytes().count(b"\n") == 3
    assert b": " not in ledger.path.read_bytes().splitlines()[0]


def test_find_gives_the_last_record_with_an_id(folder: Path) -> None:
    ledger = Ledger(folder)
    for record in (a_record("a", val_loss=1.0), a_record("b"), a_record("a", val_loss=2.0)):
        ledger.append(record)
    found = ledger.find("a")
    assert found is not None
    assert found.val_loss == 2.0
    assert ledger.find("absent") is None
    assert {record.id for record in ledger.records()} == {"a", "b"}
    assert ids_in_order(ledger) == ["a", "b", "a"]


@pytest.mark.parametrize("block", [1, 7, 64, 400, 10_000])
def test_find_reads_from_the_end_in_blocks_of_any_size(
    folder: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOCK", block)
    ledger = Ledger(folder)
    for number in range(6):  # each names another in another field, which must not be taken for it
        ledger.append(a_record(f"id{number % 5}", started=f"id{(number + 2) % 5}", error=Failed("x" * 90 * number)))
    reason = {number: Ledger(folder).find(f"id{number}") for number in range(5)}
    assert [len(str(found.error)) for found in reason.values() if found] == [450, 90, 180, 270, 360]
    assert Ledger(folder).find("id") is None
    assert Ledger(folder).find("id5") is None
    assert ids_in_order(Ledger(folder)) == ["id0", "id1", "id2", "id3", "id4", "id0"]


def test_the_first_find_and_later_ones_agree_and_see_what_others_append(folder: Path) -> None:
    ledger, other = Ledger(folder), Ledger(folder)
    assert ledger.find("a") is None
    other.append(a_record("a", val_loss=1.0))
    for loss in (1.0, 2.0, 3.0):
        found = ledger.find("a")
        assert found is not None
        assert found.val_loss == loss
        other.append(a_record("a", val_loss=loss + 1))


def test_records_of_another_writer_are_seen_without_rereading_the_rest(folder: Path) -> None:
    ledger, other = Ledger(folder), Ledger(folder)
    ledger.append(a_record("a"))
    first = ledger.records()[0]
    other.append(a_record("b"))
    assert ids_in_order(ledger) == ["a", "b"]
    assert ledger.records()[0] is first


def test_a_replaced_or_cut_file_is_read_afresh(folder: Path) -> None:
    ledger = Ledger(folder)
    for id in "abc":
        ledger.append(a_record(id))
    assert ids_in_order(ledger) == ["a", "b", "c"]
    ledger.path.write_bytes(line_of(a_record("a")))
    assert ids_in_order(ledger) == ["a"]
    ledger.path.write_bytes(b"".join(line_of(a_record(id, started="longer than before")) for id in "xyz"))
    assert ids_in_order(ledger) == ["x", "y", "z"]
    assert {record.id for record in ledger.records()} == {"x", "y", "z"}
    ledger.path.unlink()
    assert ledger.records() == []
    ledger.append(a_record("new"))
    assert ids_in_order(ledger) == ["new"]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (a_record("a", val_loss=math.nan), ValueError),
        (a_record("a", history=(Look(1, math.inf, 0.5),)), ValueError),
        (a_record("a", config=ConfigFields(Settings({"lr": object()}), 0)), TypeError),
    ],
)
def test_what_could_not_be_read_back_is_refused_unwritten(folder: Path, record: Record, error: type[Exception]) -> None:
    ledger = Ledger(folder)
    ledger.append(a_record("first"))
    before = ledger.path.read_bytes()
    with pytest.raises(error):
        ledger.append(record)
    assert ledger.path.read_bytes() == before


def test_run_id_depends_on_content_alone() -> None:
    # The reference is the definition, written out by hand.
    text = '{"config":{"lr":0.1,"units":[512,512]},"data":"d1"}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert run_id({"units": [512, 512], "lr": 0.1}, "d1") == expected
    assert run_id({"lr": 0.1, "units": [512, 512]}, "d1") == expected
    others = [run_id({"lr": 0.1, "units": [512, 512]}, "d2"), run_id({"lr": 0.2, "units": [512, 512]}, "d1")]
    assert len({expected, *others}) == 3
    with pytest.raises(ValueError, match="JSON compliant"):
        run_id({"lr": math.nan}, "d1")


def test_the_ledger_imports_nothing_heavy() -> None:
    heavy = "import sys, explorer.running.ledger; print({'numpy', 'pandas', 'tinygrad'} & set(sys.modules))"
    assert run_script(heavy).strip() == "set()"


# Torn, foreign and blank lines


@pytest.mark.parametrize("tail", [b'{"id":"torn","conf', b"\x00" * 5000, '{"id":"ü'.encode()[:-1], b"{" * 200_000])
def test_a_torn_last_line_is_set_aside_and_said(folder: Path, tail: bytes) -> None:
    Ledger(folder).append(a_record("a"))
    path = folder / "runs.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    said: list[str] = []
    ledger = Ledger(folder, said.append)
    assert path.read_bytes() == whole
    (aside,) = torn_files(folder)
    assert aside.read_bytes() == tail
    (line,) = said
    assert "\n" not in line
    assert aside.name in line
    assert f"{len(tail)} bytes" in line
    ledger.append(a_record("b"))
    assert ids_in_order(ledger) == ["a", "b"]


def test_a_line_torn_by_another_writer_meanwhile_is_set_aside_before_appending(folder: Path) -> None:
    said: list[str] = []
    ledger = Ledger(folder, said.append)
    ledger.append(a_record("a"))
    for id in "bc":  # twice within a second: the two files beside the ledger need different names
        with open(ledger.path, "ab") as file:
            file.write(b'{"torn before ' + id.encode())
        assert ids_in_order(ledger)[-1] != id
        ledger.append(a_record(id))
    assert ids_in_order(ledger) == ["a", "b", "c"]
    assert sorted(path.read_bytes() for path in torn_files(folder)) == [b'{"torn before b', b'{"torn before c']
    assert len(said) == 2


def test_a_whole_last_line_without_newline_is_kept(folder: Path) -> None:
    ledger = Ledger(folder)
    ledger.append(a_record("a"))
    with open(ledger.path, "ab") as file:
        file.write(line_of(a_record("b")).rstrip(b"\n"))
    assert ids_in_order(ledger) == ["a", "b"]
    said: list[str] = []
    reopened = Ledger(folder, said.append)
    assert reopened.path.read_bytes().endswith(b"}\n")
    ledger.append(a_record("c"))
    assert ids_in_order(ledger) == ids_in_order(reopened) == ids_in_order(Ledger(folder)) == ["a", "b", "c"]
    assert said == torn_files(folder) == []


@pytest.mark.parametrize(
    "foreign",
    [
        b"hello",
        b"[1, 2]",
        b'{"id": "a", "config": {}}',
        b'{"id": "a", "schema": 2, "val_loss": 0.5}',
        b'{"id": "a", "config": [], "status": "ok"}',
        b'{"id": 3, "config": {}, "status": "ok"}',
        b'{"id": "a", "config": {}, "status": "ok", "val_loss": NaN}',
        b'{"id": "\xff", "config": {}, "status": "ok"}',
        b"\xef\xbb\xbf" + line_of(a_record("byte order mark")).rstrip(),
        b"\x00" * 20,
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("after", [b"", b'{"id":"torn'])
def test_a_damaged_line_is_left_out_named_and_kept(folder: Path, foreign: bytes, read_only: bool, after: bytes) -> None:
    folder.mkdir(parents=True)
    path = folder / "runs.jsonl"
    content = line_of(a_record("a")) + b"\n" + foreign + b"\n" + line_of(a_record("b"))
    path.write_bytes(content + after)
    said: list[str] = []
    ledger = Ledger(folder, said.append, read_only=read_only)
    assert ids_in_order(ledger) == ["a", "b"]
    (damaged,) = ledger.damaged
    assert (damaged.path, damaged.line) == (path, 3)
    assert [line for line in said if "line 3: left out" in line and "\n" not in line] == said[bool(after) :]
    ledger.records()
    assert len(said) == 1 + bool(after)  # told once
    assert path.read_bytes() == content + (after if read_only else b"")


@pytest.mark.parametrize("after", [b"", b'{"id":"torn'])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(folder: Path, after: bytes) -> None:
    folder.mkdir(parents=True)
    path = folder / "runs.jsonl"
    path.write_bytes(content := b'{"name": "somebody else\'s"}\n' + after)
    for read_only in (False, True):
        with pytest.raises(UserError, match=r"runs\.jsonl, line 1: not a record.*move the file"):
            Ledger(folder, lambda line: None, read_only=read_only).records()
    assert path.read_bytes() == content
    assert torn_files(folder) == []


def test_a_damaged_line_that_appears_later_is_told_by_its_number(folder: Path) -> None:
    said: list[str] = []
    ledger = Ledger(folder, said.append)
    for id in "abc":
        ledger.append(a_record(id))
        assert ids_in_order(ledger)[-1] == id
    with open(ledger.path, "ab") as file:
        file.write(b"hello\n")
    assert ids_in_order(ledger) == list("abc")
    assert len(said) == 1
    assert "line 4: " in said[0]


def test_a_changed_byte_of_a_line_leaves_its_record_out(folder: Path) -> None:
    Ledger(folder).append(a_record("a"))
    path = folder / "runs.jsonl"
    whole = path.read_bytes()
    end = whole.rindex(b',"check"')  # a change within the checksum's own field costs no content
    for place in range(end):
        for bit in (1, 4):
            flipped = bytearray(whole)
            flipped[place] ^= bit
            path.write_bytes(line_of(a_record("b")) + bytes(flipped))
            assert ids_in_order(Ledger(folder, lambda line: None, read_only=True)) == ["b"]


def test_a_line_without_a_checksum_is_read(folder: Path) -> None:
    folder.mkdir(parents=True)
    line = line_of(a_record("a"))
    (folder / "runs.jsonl").write_bytes(line[: line.rindex(b',"check"')] + b"}\n")
    assert ids_in_order(Ledger(folder)) == ["a"]


@pytest.mark.parametrize(
    "shape",
    [
        {"val_accuracy": 2.5},
        {"val_accuracy": "0.9"},
        {"test_accuracy": -0.1},
        {"seconds": {"train": "long"}},
        {"seconds": []},
        {"config": {"model": "mlp", "lr": 0.001}},
        {"config": {"model": "mlp", "seed": "0"}},
        {"config": {"model": ["mlp"], "seed": 0}},
        {"config": {"seed": 0}},
        {"parameters": 1e300},
        {"environment": {"cores": "two"}},
        {"schema": "2"},
    ],
)
def test_a_record_of_a_wrong_shape_is_left_out(folder: Path, shape: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    record = json.loads(line_of(a_record("a")))
    del record["check"]
    lines = [json.dumps({**record, **shape}).encode(), line_of(a_record("b"))]
    (folder / "runs.jsonl").write_bytes(b"\n".join(lines))
    said: list[str] = []
    assert ids_in_order(Ledger(folder, said.append, read_only=True)) == ["b"]
    assert len(said) == 1


def test_blank_lines_are_ignored(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "runs.jsonl").write_bytes(b"\n" + line_of(a_record("a")) + b" \r\n\n" + line_of(a_record("b")))
    assert ids_in_order(Ledger(folder)) == ["a", "b"]


def test_cut_at_any_byte_of_its_last_two_lines_it_opens_and_takes_new_records(folder: Path) -> None:
    lines = [
        line_of(a_record(id, error=error)) for id, error in (("a", None), ("b", Failed("Größe 結")), ("c", Failed("é")))
    ]
    whole = b"".join(lines)
    ends = {len(lines[0]): ["a"], len(lines[0] + lines[1]): ["a", "b"], len(whole): ["a", "b", "c"]}
    folder.mkdir(parents=True)
    path = folder / "runs.jsonl"
    torn_cuts = 0
    for cut in range(len(lines[0]), len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = [ids for end, ids in ends.items() if cut >= end - 1][-1]  # a line that lacks its newline only is whole
        torn = whole[max(end for end in ends if end <= cut) : cut] if cut + 1 not in ends else b""
        said: list[str] = []
        assert ids_in_order(Ledger(folder, said.append, read_only=True)) == kept
        assert path.read_bytes() == whole[:cut]
        ledger = Ledger(folder, said.append)
        assert ids_in_order(ledger) == kept
        ledger.append(a_record("new"))
        assert ids_in_order(ledger) == ids_in_order(Ledger(folder)) == [*kept, "new"]
        assert path.read_bytes().startswith(b"".join(lines[: len(kept)]))
        assert [aside.read_bytes() for aside in torn_files(folder)] == ([torn] if torn else [])
        assert len(said) == (2 if torn else 0)  # once by each way of opening
        torn_cuts += bool(torn)
        for aside in torn_files(folder):
            aside.unlink()
    assert torn_cuts == len(lines[1]) + len(lines[2]) - 4


# Many processes, killed processes


def test_eight_processes_appending_at_once_lose_nothing(folder: Path) -> None:
    different_counts_seen = int(run_script(MANY_WRITERS, folder, 8, 200))
    assert different_counts_seen > 10  # the readers really read while the others wrote
    ledger = Ledger(folder)
    ids = ids_in_order(ledger)
    assert len(ids) == 8 * 200
    for writer in range(8):
        assert [id for id in ids if id.startswith(f"{writer}-")] == [f"{writer}-{number}" for number in range(200)]
    for record in ledger.records():
        writer, number = map(int, record.id.split("-"))
        assert record.error.reason == "x" * ((writer * 31 + number * 17) % 4096)
    switches = sum(one[0] != next_one[0] for one, next_one in itertools.pairwise(ids))
    assert switches > 8  # they took turns, rather than run one after the other
    assert torn_files(folder) == []


def test_kill_9_two_hundred_times_never_damages_an_earlier_record(tmp_path: Path) -> None:
    promised = inside = torn = 0
    for part in range(4):  # four ledgers, so that each stays quick to open
        folder = tmp_path / f"part {part}"
        told = json.loads(run_script(KILLED_WRITERS, folder, 50))
        said: list[str] = []
        ledger = Ledger(folder, said.append)
        ids = ids_in_order(ledger)
        assert said == []  # the last append had repaired everything
        assert len(ids) == len(set(ids))
        assert set(told["promised"]) <= set(ids)
        assert ids[-1] == "last"
        for record in ledger.records()[:-1]:
            assert record.error.reason == hashlib.sha256(record.id.encode()).hexdigest() * 512
        assert len(torn_files(folder)) >= told["torn"]
        promised += len(told["promised"])
        inside += told["inside"]
        torn += told["torn"]
    print(f"{promised} records promised, {inside} kills inside an append, {torn} torn lines")
    assert promised > 100
    assert inside >= 100
    assert torn > 80


def test_a_lock_that_is_never_released_ends_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(folder)
    monkeypatch.setattr(files, "LOCK_TIMEOUT_SECONDS", 0.05)
    with open(folder / "runs.jsonl.lock", "w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        for attempt in (lambda: ledger.append(a_record("a")), ledger.records, lambda: Ledger(folder)):
            started = time.monotonic()
            with pytest.raises(UserError, match=r"runs\.jsonl\.lock: another process has held this lock"):
                attempt()
            assert time.monotonic() - started < 5
    ledger.append(a_record("a"))
    assert {record.id for record in ledger.records()} == {"a"}


# Disks and folders that do not play along


def test_a_disk_that_fills_up_within_a_record_leaves_the_ledger_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(folder)
    ledger.append(a_record("a"))
    before = ledger.path.read_bytes()
    real_write, calls = os.write, []

    def write_ten_bytes_then_fail(file: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(file, data[:10])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_ten_bytes_then_fail)
        with pytest.raises(UserError, match=r"record not written, the ledger is intact \(No space left on device\)"):
            ledger.append(a_record("b"))
    assert len(calls) == 2
    assert ledger.path.read_bytes() == before
    ledger.append(a_record("c"))
    assert ids_in_order(ledger) == ["a", "c"]
    assert torn_files(folder) == []


def test_a_full_disk_does_not_cost_the_torn_line_either(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(folder)
    ledger.append(a_record("a"))
    with open(ledger.path, "ab") as file:
        file.write(b'{"torn')
    before = ledger.path.read_bytes()

    def fail(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fail)
        with pytest.raises(UserError, match="No space left"):
            ledger.append(a_record("b"))
        with pytest.raises(UserError, match="No space left"):
            Ledger(folder)
    assert ledger.path.read_bytes() == before
    assert torn_files(folder) == []


def test_a_file_size_limit_leaves_the_ledger_readable(folder: Path) -> None:
    ledger = Ledger(folder)
    ledger.append(filled("a", "x" * 3000))
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old_limit[1]))  # Python ignores the signal: the write fails
    try:
        with pytest.raises(UserError, match="File too large"):
            ledger.append(filled("b", "y" * 3000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
    assert ids_in_order(Ledger(folder)) == ["a"]
    ledger.append(a_record("c"))
    assert ids_in_order(ledger) == ["a", "c"]
    assert torn_files(folder) == []


@pytest.mark.parametrize("place", ["a file/results", "a file", "/proc/results", "/sys/results"])
def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("")
    folder = tmp_path / place
    if place.startswith("/") and not folder.parent.is_dir():
        pytest.skip(f"no {folder.parent} on this system")
    with pytest.raises(UserError, match="cannot keep a ledger here") as caught:
        Ledger(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_the_ledger_or_its_lock_is_refused(tmp_path: Path) -> None:
    for name in ("runs.jsonl", "runs.jsonl.lock"):
        folder = tmp_path / f"with {name}"
        (folder / name).mkdir(parents=True)
        with pytest.raises(UserError, match="cannot keep a ledger here"):
            Ledger(folder)


def test_read_only_writes_nothing(folder: Path) -> None:
    absent = Ledger(folder, read_only=True)
    assert absent.records() == []
    assert not folder.exists()
    folder.mkdir(parents=True)
    content = line_of(a_record("a")) + line_of(a_record("b"))[:-20]
    (folder / "runs.jsonl").write_bytes(content)
    said: list[str] = []
    ledger = Ledger(folder, said.append, read_only=True)
    assert ids_in_order(ledger) == ids_in_order(absent) == ["a"]
    with pytest.raises(ValueError, match="read-only"):
        ledger.append(a_record("c"))
    assert len(said) == 1
    assert "unfinished" in said[0]
    assert [path.name for path in folder.iterdir()] == ["runs.jsonl"]
    assert (folder / "runs.jsonl").read_bytes() == content
    Ledger(folder, said.append).append(a_record("c"))
    assert ids_in_order(ledger) == ["a", "c"]
