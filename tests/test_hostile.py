"""A stranger's files: nothing outside their folder is written or deleted, and nothing they hold is taken for ours."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from functools import partial
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from msgspec.structs import replace

from explorer import escape
from explorer.cli.main import main
from explorer.config import make_config
from explorer.errors import UserError
from explorer.files import write_atomically
from explorer.judging.runs import Runs
from explorer.record import ConfigFields, Seconds, Settings, stored
from explorer.running import predictions, requests
from explorer.running.engines import choice
from explorer.running.engines.local import LocalProcesses
from explorer.running.estimates import patience
from explorer.running.ledger import Ledger
from explorer.running.recorder import Recorder
from explorer.running.requests import Request
from explorer.running.runner import Trained
from explorer.running.store import Store
from explorer.seeds import is_fresh
from explorer.telling import report, words
from tests.conftest import PATIENCE, TALK
from tests.records import LR, notebook, record, runs

CONFIG = make_config({"model": "mlp", "dataset": "digits", "lr": 0.1})
ID = "0123456789abcdef"
PROJECT = Path(__file__).resolve().parent.parent


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
    folders = (results, media, tmp_path / "report")
    assert all(file == page or any(file.is_relative_to(folder) for folder in folders) for file in files)
    told = (tmp_path / "report" / "statistics.md").read_text()
    assert "2 damaged lines, which are no records (sweeps.jsonl line 2, sweeps.jsonl line 4)" in told


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


@pytest.mark.parametrize("flag", ["--config", "--sweep"])
def test_a_pipe_a_device_or_a_long_file_is_no_file_of_toml(flag, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.toml")
    with open(tmp_path / "long.toml", "wb") as file:
        file.truncate(1 << 40)
    for path in (tmp_path / "pipe.toml", tmp_path / "long.toml", Path("/dev/zero")):
        assert main(["mlp", "--dataset", "digits", flag, str(path), "--results", str(tmp_path / "results")]) == 2
        assert str(path) in capsys.readouterr().err


def test_nothing_takes_the_place_of_a_pipe_or_a_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="no regular file"):
            write_atomically(tmp_path / name, b"page")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


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


# What is shown


def test_our_own_page_is_harmless_as_it_is():
    for page in (PROJECT / "REPORT.md", *(PROJECT / "report").iterdir()):
        text = page.read_text()
        targets = set(re.findall(r"\]\(((?:\.\./)?[\w./-]+\.(?:png|csv|md)(?:#[\w.-]+)?)\)", text))
        assert targets
        assert escape.page(text, targets) == text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a <script>alert(1)</script>", "a &lt;script>alert(1)&lt;/script>"),
        ("<!-- a", "&lt;!-- a"),
        ('<a id="x" onclick="y"></a>', '&lt;a id="x" onclick="y">&lt;/a>'),
        ("p < 0.05", "p < 0.05"),
        ("[a](#b-1) [c](mine.png)", "[a](#b-1) [c](mine.png)"),
        ("![a](http://x/y.png)", "![a\\](http://x/y.png)"),
        ("[a](javascript:b)", "[a\\](javascript:b)"),
        ("[a]: http://x", "[a\\]: http://x"),
        ("[a][b]", "[a\\][b]"),
        ("[a](#b (c))", "[a\\](#b (c))"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    ],
)
def test_what_others_wrote_is_no_html_and_no_link_on_a_page(given, shown):
    assert escape.page(given, {"mine.png"}) == shown


def test_a_terminal_is_not_steered_by_a_records_words(tmp_path, digits):
    evil = "\x1b]0;owned\x07\x9b2J\u202e"
    made = record(make_config({"model": "mlp", "dataset": "digits", "steps": 30}), 0.9)
    environment = replace(made.environment, cpu=evil + "[/2]")
    made = record(made.configuration, 0.9, environment=environment, data={"digest": digits.digest})
    (tmp_path / "runs.jsonl").write_bytes(stored(made) + b"\n")
    words = ["mlp", "--dataset", "digits", "--steps", "30", "--results", str(tmp_path)]
    answer = command(words)
    assert answer.returncode == 0
    assert "recorded already" in answer.stdout
    assert "\\x1b]0;owned" in answer.stdout
    assert not set(evil) - set("]0;owned2J") & set(answer.stdout)
    assert command(words, PYTHONIOENCODING="ascii").returncode == 0


def test_a_live_table_takes_a_label_for_text():
    from rich.console import Console
    from rich.live import Live

    from explorer.running.trackers import TrackedRun
    from explorer.running.trackers.live import SweepTable

    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    with Live(console=console, auto_refresh=False) as live:
        tracker = SweepTable([CONFIG], lambda config: "half [/2]\x1b]0;x\x07", live)
        tracker.tried_again(TrackedRun(ID, CONFIG), "stuck [/3]")
        tracker.finished(TrackedRun(ID, CONFIG), record(CONFIG, 0.9))
    assert "half [/2]\\x1b]0;x" in console.file.getvalue()
    assert "stuck [/3]" in console.file.getvalue()


# The machine's oddities


def command(words: list[str], stdout=subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess:
    answer = subprocess.run(
        [sys.executable, str(PROJECT / "mnist_explorer.py"), *words],
        env={**os.environ, **environment}, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
    )  # fmt: skip
    answer.stderr = TALK.sub("", answer.stderr)
    return answer


def test_output_that_is_lost_to_a_full_device_is_no_success():
    with open("/dev/full", "w") as full:
        answer = command(["--help"], stdout=full)
    assert answer.returncode == 74
    assert len(answer.stderr.splitlines()) == 1
    assert "lost" in answer.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(closed):
    line = f"{sys.executable} {PROJECT}/mnist_explorer.py --version {closed}"
    answer = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0
    assert answer.stderr == ""


def test_a_folder_that_is_gone_is_told_in_a_line(tmp_path):
    line = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} {PROJECT}/mnist_explorer.py list"
    answer = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    assert "current folder" in answer.stderr


def test_an_empty_cache_folder_is_none(tmp_path):
    (tmp_path / "tinygrad").mkdir()
    code = "import explorer; from tinygrad.helpers import CACHEDB; print(CACHEDB)"
    environment = {**os.environ, "XDG_CACHE_HOME": "", "PYTHONPATH": str(PROJECT)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert not answer.stdout.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("odd", "line"),
    [
        ("sys.version_info = (3, 9, 1, 'final', 0)", "error: this needs Python 3.11 or newer"),
        ("sys.modules['pydantic'] = None", "error: the package pydantic is missing; pip install -r requirements.txt"),
        ("sys.modules['sklearn'] = None", "error: the digits come with scikit-learn, which is not installed"),
        ("sys.modules['tinygrad'] = None", "error: the package tinygrad is missing; pip install -r requirements.txt"),
    ],
)
def test_an_old_python_and_a_missing_package_are_told_in_a_line(odd, line, tmp_path):
    words = ["mlp", "--dataset", "digits", "--steps", "2", "--results", str(tmp_path)]
    code = f"import runpy, sys; {odd}; sys.argv[1:] = {words}; sys.path.insert(0, '.'); "
    code += "runpy.run_path('mnist_explorer.py', run_name='__main__')"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith(line), answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_variables_that_others_set_change_nothing(tmp_path):
    """make exports PYTHON, which tinygrad takes for a switch of its device of that name."""
    odd = {"PYTHON": "/usr/bin/python3", "MPLBACKEND": "nonsense", "PYTHONIOENCODING": "ascii", "CC": "", "LANG": "xx"}
    words = ["mlp", "--dataset", "digits", "--steps", "2", "--units", "8", "--results", str(tmp_path), "--json"]
    answer = command(words, **odd)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout)["environment"]["device"] == os.environ["DEV"]


def test_folders_and_files_may_have_any_name(tmp_path, undrawn):
    """Names that are not UTF-8, as long as names can be, and with spaces; links of the report are quoted."""
    notebook(tmp_path, LR, runs({"lr": 0.001}, [0.9, 0.91]) + runs({"lr": 0.003}, [0.95, 0.96]))
    question, results = tmp_path / f"{'q' * 250}.toml", tmp_path / os.fsdecode(b"\xff \xfe")
    (tmp_path / "results").rename(results)
    question.write_text(LR)
    (results / requests.FILE).unlink()
    requests.append(results, Request("q" * 100, "mlp", "digits", seeds=2, path=str(question)))
    media, page = tmp_path / ("m (a) " + "ü" * 120), tmp_path / f"{'ü' * 120} [x].md"
    files = report.rebuild(Runs(Store(results).records()), results, media, page)
    assert all(file.is_file() for file in files)
    linked = [
        file.parent / os.fsdecode(unquote_to_bytes(target))
        for file in files if file.suffix == ".md"
        for target in re.findall(r"!\[[^\]]*\]\(([^)\s]*)\)", file.read_text())
    ]  # fmt: skip
    assert linked
    assert all(picture.is_file() for picture in linked)


def test_a_question_file_that_could_not_be_noted_down_is_refused_before_anything_is_trained(tmp_path, capsys):
    question = tmp_path / os.fsdecode(b"\xff.toml")
    question.write_text(LR)
    words = ["mlp", "--dataset", "digits", "--sweep", str(question), "--results", str(tmp_path / "results")]
    assert main(words) == 2
    assert "cannot be noted down" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_pictures_are_not_written_through_a_link(tmp_path, outside):
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "digits").symlink_to(outside)
    notebook(tmp_path, LR, runs({"lr": 0.001}, [0.9, 0.91]) + runs({"lr": 0.003}, [0.9, 0.91]))
    store = Store(tmp_path / "results")
    with pytest.raises(UserError, match="link"):
        report.rebuild(Runs(store.records()), tmp_path / "results", tmp_path / "media", tmp_path / "REPORT.md")
    assert untouched(outside)


@pytest.mark.parametrize("odd", ["fifo", "bomb"])
def test_pictures_and_their_note_are_read_only_where_they_are_ours(tmp_path, odd):
    from matplotlib.figure import Figure

    from explorer.telling.plots import picture, png

    note, path = tmp_path / png.DRAWN, tmp_path / "a.png"
    if odd == "fifo":
        os.mkfifo(note)
        assert png._read(note) == {}
    else:
        head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
        path.write_bytes(head + zlib.crc32(head[12:]).to_bytes(4, "big"))
        assert not png._same_pixels(picture.png_of(Figure), path)


def test_a_ledger_that_an_editor_put_a_mark_before_is_read(tmp_path):
    first, second = stored(record(CONFIG, 0.9)), stored(record(CONFIG.model_copy(update={"seed": 1}), 0.8))
    mark = b"\xef\xbb\xbf"
    for content in (mark + first, mark + first + b"\n", mark + first + b"\n" + second + b"\n"):
        (tmp_path / "runs.jsonl").write_bytes(content)
        ledger = Ledger(tmp_path)
        assert ledger.find(json.loads(first)["id"]).val_accuracy == 0.9
        kept = ledger.records()
        assert [one.val_accuracy for one in kept] == [0.9, 0.8][: len(kept)]
        assert len(kept) == max(1, content.count(b"\n"))
        assert len(kept[0].history) == 3
        assert not ledger.damaged
    (tmp_path / "sweeps.jsonl").write_bytes(mark + b'{"name":"lr","model":"mlp","dataset":"mnist"}\n')
    assert [request.name for request in requests.read(tmp_path)] == ["lr"]
    assert not requests.damaged(tmp_path)


STUCK = """
import os
import signal

from explorer.models.mlp import MLP


class Stuck(MLP):
    \"\"\"A net whose worker is stopped.\"\"\"

    def build(self, images):
        os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_run_without_a_sign_of_life_is_tried_once_more_named_and_recorded_as_failed(tmp_path):
    (tmp_path / "stuck.py").write_text(STUCK)
    (tmp_path / "two.toml").write_text("[grid]\nlr = [0.1, 0.2]\n[base]\nsteps = 2\n")
    files = {"--results": "results", "--media": "media", "--report": "page.md"}
    places = [word for flag, name in files.items() for word in (flag, str(tmp_path / name))]
    words = ["stuck", "--sweep", str(tmp_path / "two.toml"), "--dataset", "digits", "--seeds", "1", "--jobs", "1"]
    answer = command([*words, *places, "--run-timeout", "1s"], MNIST_EXPLORER_MODELS=str(tmp_path))
    assert answer.returncode == 1, answer.stderr
    assert "2 of 2 runs failed" in answer.stderr
    for label in ("lr 0.1", "lr 0.2"):
        told = f"{label}, seed 0: its worker process gave no sign of life for 1 s and was killed; it is tried once more"
        assert told in answer.stdout
    records = Store(tmp_path / "results", read_only=True).records()
    assert ["no sign of life for 1 s" in item.error.reason for item in records] == [True] * 2


@pytest.mark.parametrize("how", [["--seeds", "1"], ["--settle", "--cap", "3"]], ids=["sweep", "settle"])
@pytest.mark.parametrize("limit", [[], ["--run-timeout", "7s"]], ids=["usual", "named"])
def test_one_run_at_a_time_is_watched_as_well(tmp_path, monkeypatch, capsys, how, limit):
    def engine(runner, setup, jobs, run_timeout, usual):
        raise UserError(f"{jobs} job, {run_timeout or usual(CONFIG):g} s")

    monkeypatch.setattr(choice, "local_engine", engine)
    files = {"--results": "results", "--media": "media", "--report": "page.md"}
    places = [word for flag, name in files.items() for word in (flag, str(tmp_path / name))]
    words = ["mlp", "--sweep", "lr", "--dataset", "digits", "--jobs", "1", "--device", "CPU", "--quiet"]
    assert main([*words, *how, *limit, *places]) == 2
    assert capsys.readouterr().err == f"error: 1 job, {'7' if limit else '300'} s\n"


def test_patience_is_ten_times_the_longest_run_of_the_kind_and_at_least_five_minutes():
    long = record(CONFIG, 0.9, seconds=Seconds(compile=1.0, train=60.0, eval=2.0))
    assert patience([record(CONFIG, 0.9)])(CONFIG) == 300
    assert patience([long, record(CONFIG, 0.9)])(CONFIG) == 630
    assert patience([long])(make_config({"model": "mlp"})) == 300


BROKEN = """
from explorer.models.mlp import MLP


class Broken(MLP):
    \"\"\"A net that cannot be built.\"\"\"

    def build(self, images):
        raise RuntimeError("no such layer")
"""


def test_failed_runs_on_fresh_seeds_are_no_success_either(tmp_path, undrawn, capsys, monkeypatch):
    whole = LocalProcesses.run

    def run(self, *words):
        for trained in whole(self, *words):
            config = trained.record.configuration
            yield Trained(self.runner.failed(config, "no memory")) if is_fresh(config.seed) else trained

    monkeypatch.setattr(LocalProcesses, "run", run)
    (tmp_path / "two.toml").write_text("[grid]\nlr = [0.1, 0.2]\n[base]\nsteps = 2\n")
    files = {"--results": "results", "--media": "media", "--report": "page.md"}
    places = [word for flag, name in files.items() for word in (flag, str(tmp_path / name))]
    words = ["mlp", "--sweep", str(tmp_path / "two.toml"), "--dataset", "digits", "--seeds", "1", "--fresh-seeds", "2"]
    assert main([*words, *places, "--jobs", "1", "--quiet"]) == 1
    assert "2 of 4 runs failed" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_sweep_in_which_a_run_failed_is_no_success_and_says_how_many(tmp_path, jobs):
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "two.toml").write_text("[grid]\nlr = [0.1, 0.2]\n[base]\nsteps = 2\n")
    files = {"--results": "results", "--media": "media", "--report": "page.md"}
    places = [word for flag, name in files.items() for word in (flag, str(tmp_path / name))]
    words = ["broken", "--sweep", str(tmp_path / "two.toml"), "--dataset", "digits", "--seeds", "1", "--jobs", jobs]
    answer = command([*words, *places, "--quiet"], MNIST_EXPLORER_MODELS=str(tmp_path))
    assert answer.returncode == 1, answer.stderr
    assert "2 of 2 runs failed" in answer.stderr
    records = Store(tmp_path / "results", read_only=True).records()
    assert [item.status for item in records] == ["failed"] * 2
