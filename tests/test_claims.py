"""Two processes at one ledger train no run twice; a claim ends with whoever has it."""

import signal
import subprocess
import sys

import pytest

from explorer.asking.search import Listed
from explorer.record import run_id
from explorer.running.claims import Claims
from explorer.running.engines.here import InProcess
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner
from explorer.running.store import Store
from tests.conftest import PATIENCE, PROJECT, TALK
from tests.engine_suite import Notes, configs

HOLDER = """
import sys, time
from pathlib import Path
from explorer.running.claims import Claims
claims = Claims(Path(sys.argv[1]))
assert all(claims.take(run) for run in sys.argv[2:])
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def held(tmp_path):
    """held(*ids) -> another process that has claimed these runs in tmp_path."""
    started = []

    def hold(*ids: str) -> subprocess.Popen:
        words = [sys.executable, "-c", HOLDER, str(tmp_path), *ids]
        process = subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def ids(digits, runs) -> list[str]:
    return [run_id(config.identity(), digits.digest) for config in runs]


def test_a_claim_is_one_processs_and_ends_with_it(tmp_path, held):
    first, second, last = "0" * 16, "0" * 15 + "4", "f" * 16
    owner = held(first, last)
    ours = Claims(tmp_path)
    assert [ours.take(run) for run in (first, second, last)] == [False, True, False]
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert [ours.take(run) for run in (first, last)] == [True, True]
    assert (tmp_path / "claims.lock").read_bytes() == b""


def test_a_claim_that_was_released_is_anybodys(tmp_path, held):
    ours = Claims(tmp_path)
    assert ours.take("a" * 16)
    assert ours.take("b" * 16)
    ours.release("a" * 16)
    held("a" * 16)
    ours.close()
    held("b" * 16)


def test_a_claim_is_not_kept_behind_a_link(tmp_path):
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "claims.lock").symlink_to(tmp_path / "theirs")
    assert Claims(tmp_path).take("a" * 16)
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


class Killing(Notes):
    """Ends the other process once its runs are waited for."""

    def __init__(self, process: subprocess.Popen):
        super().__init__()
        self.process = process

    def awaited(self, runs) -> None:
        super().awaited(runs)
        self.process.kill()
        self.process.wait()


def test_what_another_process_trains_is_left_to_it_and_taken_over_where_it_dies(tmp_path, digits, held):
    runs = configs(3)
    theirs = ids(digits, runs)[0]
    notes = Killing(held(theirs))
    runner = Runner(digits)
    store = Store(tmp_path)
    made = list(answer(Listed(runs), InProcess(runner), Recorder(store, digits.digest), notes))
    assert [record.seed for record in made] == [1, 2, 0]
    ((_, run, _),) = [heard for heard in notes.heard if heard[0] == "awaited"]
    assert run.id == theirs
    assert len(store.records()) == 3


def test_what_another_process_has_recorded_meanwhile_is_told_not_trained(tmp_path, digits, held):
    runs = configs(2)
    theirs = ids(digits, runs)[0]
    runner = Runner(digits)
    record = runner.run(runs[0]).record

    class Recording(Killing):
        def awaited(self, waited) -> None:
            Store(tmp_path).append(record)
            super().awaited(waited)

    notes = Recording(held(theirs))
    store = Store(tmp_path)
    made = list(answer(Listed(runs), InProcess(runner), Recorder(store, digits.digest), notes))
    assert [one.seed for one in made] == [1]
    assert notes.of(theirs) == ["awaited", "finished"]
    assert len(store.records()) == 2


def test_forced_it_trains_what_another_process_trains(tmp_path, digits, held):
    runs = configs(1)
    held(*ids(digits, runs))
    recorder = Recorder(Store(tmp_path), digits.digest)
    assert len(list(answer(Listed(runs), InProcess(Runner(digits)), recorder, Notes(), force=True))) == 1


SWEEPING = """
import sys
import explorer.training.trainer
from explorer import sweep

if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    sweep(sys.argv[1], "mlp", dataset="digits", seeds=2, results=sys.argv[2])
"""


def test_two_sweeps_at_once_record_each_run_once(tmp_path):
    (tmp_path / "many.toml").write_text("[grid]\nlr = [0.001, 0.002, 0.003]\n[base]\nsteps = 400\nunits = [24]\n")
    words = [sys.executable, "-c", SWEEPING, str(tmp_path / "many.toml"), str(tmp_path / "results")]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sweeps = [subprocess.Popen(words, cwd=PROJECT, text=True, **pipes) for _ in range(2)]
    for one in sweeps:
        assert one.stdout.readline() == "ready\n"
    for one in sweeps:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in sweeps:
        _, said = one.communicate(timeout=PATIENCE)
        assert (one.returncode, TALK.sub("", said)) == (0, "")
    records = Store(tmp_path / "results", read_only=True).records()
    assert len(records) == len({record.id for record in records}) == 6


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_ended_by_a_signal_a_sweep_loses_nothing_and_its_workers_end_quietly(tmp_path, number, code):
    words = [sys.executable, str(PROJECT / "mnist_explorer.py"), "mlp", "--sweep", str(tmp_path / "many.toml")]
    words += ["--dataset", "digits", "--jobs", "2", "--json-lines", "--results", str(tmp_path / "results")]
    (tmp_path / "many.toml").write_text("[grid]\nlr = [0.001, 0.002]\nsteps = [3, 1000000]\n[base]\nunits = [24]\n")
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, text=True)
    kept = 0
    while kept < 2:  # both short runs; the long ones go on in both workers
        line = process.stdout.readline()
        assert line, (tmp_path / "said").read_text()
        kept += '"status"' in line
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)  # the workers have the pipe as well: it ends with the last of them
    assert process.returncode == code
    assert len(Store(tmp_path / "results", read_only=True).records()) == 2
    told = (tmp_path / "said").read_text().split("\n", 1)
    assert told == [""] if code < 0 else "2 records are kept" in told[1] and "Traceback" not in told[1]
