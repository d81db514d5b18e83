"""The command as a person types it: what it prints, records, refuses and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from explorer import datasets
from explorer.config import fields_for, flag_of
from explorer.datasets.idx import FILES
from explorer.running.ledger import Ledger
from tests.conftest import PATIENCE, PROJECT, TALK

# tiny, and one shape for the whole file, so that the compile cache serves all of it
TINY = ["--dataset", "digits", "--units", "24", "--batch-size", "32", "--eval-every", "3"]


def interruptible(words) -> subprocess.Popen:
    """A process that hears SIGINT even where these tests were started in the background, which ignores it."""
    return subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def explorer(*words, environment=None, **options) -> subprocess.CompletedProcess:
    answer = subprocess.run(
        [sys.executable, str(PROJECT / "mnist_explorer.py"), *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=PATIENCE,
        **options,
    )
    answer.stderr = TALK.sub("", answer.stderr)
    return answer


def tiny(tmp_path, *words, **options) -> subprocess.CompletedProcess:
    return explorer("mlp", *TINY, "--results", tmp_path, *words, **options)


def recorded(tmp_path) -> list[dict]:
    return [record.to_json() for record in Ledger(tmp_path, read_only=True).records()]


def refused(answer) -> str:
    """The one line of a refusal, after checking that it is one."""
    assert answer.returncode == 2, answer
    assert answer.stdout == ""
    lines = answer.stderr.splitlines()
    assert len(lines) == 1, answer.stderr
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


def test_a_run_shows_what_it_does_and_records_every_field(tmp_path):
    answer = tiny(tmp_path, "--steps", 6)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"model +MLP 784-24-10, silu; adam, lr 0.001, batch 32, 6 steps, seed 0", answer.stdout)
    assert "1,200 train, 300 validation, 297 test images" in answer.stdout
    assert re.search(rf"machine +{os.environ['DEV']}[ ,].*tinygrad 0\.", answer.stdout)
    assert re.search(r"step 3/6 +training loss \d\.\d+ +validation \d+\.\d+ % +\d+ steps/s", answer.stdout)
    assert re.search(
        r"test +\d+\.\d\d %\nvalidation +\d+\.\d\d %  \(best look \d+\.\d\d % at step [36]\)", answer.stdout
    )
    assert "\x1b" not in answer.stdout + answer.stderr
    (record,) = recorded(tmp_path)
    expected = """id config status train_loss val_loss val_accuracy test_accuracy best_val_accuracy best_step history
        parameters steps seconds step_ms environment data started error diverged_at stopped_at steps_done""".split()
    assert list(record) == expected
    assert record["status"] == "ok"
    assert record["parameters"] == 784 * 24 + 24 + 240 + 10
    assert [look["step"] for look in record["history"]] == [3, 6]
    assert record["seconds"].keys() == {"compile", "train", "eval"}
    assert record["environment"].keys() == {
        "device", "renderer", "kernels", "tinygrad", "python", "cpu", "cores", "threads", "commit", "dirty",
        "node",
    }  # fmt: skip
    assert (record["steps"], record["data"]["training"], record["data"]["test"]) == (6, 1200, 297)
    assert len((tmp_path / "runs.jsonl").read_text()) < 2048


def test_a_recorded_run_is_shown_not_trained_again_unless_forced(tmp_path):
    first = json.loads(tiny(tmp_path, "--steps", 6, "--json").stdout)
    again = json.loads(tiny(tmp_path, "--steps", 6, "--json").stdout)
    assert again == first
    assert "recorded already" in tiny(tmp_path, "--steps", 6).stdout
    assert len(recorded(tmp_path)) == 1
    forced = json.loads(tiny(tmp_path, "--steps", 6, "--json", "--force").stdout)
    assert (forced["id"], forced["history"]) == (first["id"], first["history"])
    assert len(recorded(tmp_path)) == 2


def test_json_prints_the_record_alone_and_quiet_one_line(tmp_path):
    answer = tiny(tmp_path, "--steps", 3, "--json")
    assert json.loads(answer.stdout) == recorded(tmp_path)[0]
    assert answer.stderr == ""
    answer = tiny(tmp_path, "--steps", 3, "--quiet")
    assert re.fullmatch(
        r"mlp digits adam lr 0.001 batch 32 3 steps seed 0  test \d+\.\d\d %  [0-9a-f]{16}\n", answer.stdout
    )


def test_the_environment_sets_fields_and_a_flag_beats_it(tmp_path):
    environment = {"LR": "0.01", "BS": "16", "STEPS": "3", "OPT": "sgd", "SEED": "4"}
    words = ["--dataset", "digits", "--units", "24", "--results", tmp_path, "--json", "--lr", "0.02"]
    config = json.loads(explorer("mlp", *words, environment=environment).stdout)["config"]
    chosen = {name: config[name] for name in ("lr", "batch_size", "steps", "optimizer", "seed")}
    assert chosen == {"lr": 0.02, "batch_size": 16, "steps": 3, "optimizer": "sgd", "seed": 4}


@pytest.mark.parametrize("form", ["--json", "--json-lines", "--quiet", "--force"])
def test_the_exit_code_says_that_a_run_diverged_trained_now_or_recorded(tmp_path, form):
    words = ["--steps", 60, "--lr", "1e6", form]
    assert [tiny(tmp_path, *words).returncode for _ in range(2)] == [3, 3]


def test_json_lines_are_a_line_a_look_and_the_record_last_also_of_a_recorded_run(tmp_path):
    for _ in range(2):
        answer = tiny(tmp_path, "--steps", 6, "--json-lines")
        assert (answer.returncode, answer.stderr) == (0, "")
        *looks, record = [json.loads(line) for line in answer.stdout.splitlines()]
        assert record == recorded(tmp_path)[0]
        assert [(look["run"], look["step"]) for look in looks] == [(record["id"], 3), (record["id"], 6)]
        assert looks[-1]["val_accuracy"] == pytest.approx(record["history"][-1]["val_accuracy"], abs=1e-5)


def test_a_diverging_run_ends_as_diverged_with_its_step(tmp_path):
    record = json.loads(tiny(tmp_path, "--steps", 60, "--lr", "1e6", "--json").stdout)
    assert record["status"] == "diverged"
    assert re.fullmatch(rf"the loss was .+ at step {record['diverged_at']}", record["error"])
    assert record["test_accuracy"] is None


@pytest.mark.parametrize(
    ("words", "environment", "line"),
    [
        (["mlp", "--lr", "0"], {}, "--lr must be a number > 0, got 0"),
        (["mlp", "--lr", "nan"], {}, "--lr must be a number > 0, got nan"),
        (["mlp", "--steps", "0"], {}, "--steps must be a whole number >= 1"),
        (["mlp", "--optimizer", "adma"], {}, "--optimizer 'adma' is unknown; did you mean 'adam'?"),
        (["cnn", "--activation", "rellu"], {}, "--activation 'rellu' is unknown; did you mean 'relu'?"),
        (["mlp", "--dataset", "mnits"], {}, "--dataset 'mnits' is unknown; did you mean 'mnist'?"),
        (["mlp"], {"OPT": "adamm"}, "OPT 'adamm' is unknown; did you mean 'adam'?"),
        (["mlp"], {"LR": "quick"}, "LR must be a number > 0, got quick"),
        (
            ["mlp", "--dataset", "digits"],
            {"KERNEL_THREADS": "many"},
            "KERNEL_THREADS must be a whole number from 1 to 64, got 'many'",
        ),
        (["mlp", "--dataset", "digits"], {"JIT": "yes"}, "JIT must be a whole number from 0 to 9, got 'yes'"),
        (["mlp", "--learning-rate", "1"], {}, "unknown argument '--learning-rate'; did you mean '--lr'?"),
        (["mlp", "--learningrate", "1"], {}, "unknown argument '--learningrate'; did you mean '--lr'?"),
        (["mlp", "--batchsize", "1"], {}, "unknown argument '--batchsize'; did you mean '--batch-size'?"),
        (["mlp", "--bs", "1"], {}, "unknown argument '--bs'; did you mean '--batch-size'?"),
        (["mlp", "--opt", "sgd"], {}, "unknown argument '--opt'; did you mean '--optimizer'?"),
        (["mlp", "--quxx"], {}, "unknown argument '--quxx'; see "),
        (["mlp", "--sweep", "nosuch"], {}, "no sweep 'nosuch'; the command `list` names them"),
        (["mlp", "--units", "16,,16"], {}, "--units must be a list with commas"),
        (["mlp", "--dry-run"], {}, "--dry-run is for sweeps"),
        (["mlp", "--sweep", "lr", "--report", PROJECT], {}, f"{PROJECT}: is a folder; --report names the file"),
        (["mlp", "--json", "--json-lines"], {}, "--json and --json-lines are two ways of printing"),
        (["mlp", "--sweep", ""], {}, "--sweep needs the name of a sweep"),
        (["mlp", "--sweep", "lr", "--json"], {}, "--json is for one run"),
        (
            ["mlp", "--sweep", "lr", "--dataset", "digits", "--seeds", "2000"],
            {},
            "sweep 'lr' would be 14,000 runs; pass --yes to do so many",
        ),
        (["mlp", "--steps", "5", "--epochs", "2"], {}, "--steps and --epochs both say how long to train"),
        (
            ["mlp", "--dataset", "digits", "--batch-size", "5000"],
            {},
            "batch_size 5000 is larger than the 1200 training",
        ),
        (["mlp", "--step", "1"], {}, "unknown argument '--step'; did you mean '--steps'?"),
        (["cnn", "--units", "5"], {}, "--units is not a hyperparameter of cnn"),
        (["mpl"], {}, "unknown command 'mpl'; did you mean 'mlp'?"),
        (["mlp", "--lr"], {}, "argument --lr: expected one argument"),
        (["mlp", "--dataset", "digits", "--device", "CUDAA"], {}, "device CUDAA"),
    ],
)
def test_a_mistake_is_one_clear_line_exit_2_and_nothing_is_recorded(words, environment, line, tmp_path):
    answer = explorer(*words, *(["--results", tmp_path] if words[0] != "mpl" else []), environment=environment)
    assert refused(answer).startswith(line)
    ledger = tmp_path / "runs.jsonl"
    assert not ledger.exists() or ledger.read_text() == ""


def test_altered_data_are_refused_with_the_file_and_both_digests(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    for file in FILES:
        (folder / file).write_bytes(b"\0" * 100)
    line = refused(explorer("mlp", "--data-dir", tmp_path, "--results", tmp_path / "results"))
    assert str(folder) in line
    assert len(re.findall(r"[0-9a-f]{64}", line)) == 2


def test_a_persons_own_images_are_trained_on_by_their_path(tmp_path, digits):
    images = {"x_train": digits.train_images[:300, 4:24, 4:24], "x_test": digits.test_images[:100, 4:24, 4:24]}
    labels = {"y_train": digits.train_labels[:300] % 3, "y_test": digits.test_labels[:100] % 3}
    np.savez(tmp_path / "thirds.npz", **images, **labels)
    words = ["--units", "24", "--batch-size", "32", "--steps", "3", "--results", tmp_path / "results"]
    answer = explorer("mlp", "--dataset", tmp_path / "thirds.npz", *words)
    assert answer.returncode == 0, answer.stderr
    assert "MLP 400-24-3" in answer.stdout
    (record,) = recorded(tmp_path / "results")
    assert (record["config"]["dataset"], record["parameters"]) == ("thirds", 400 * 24 + 24 + 24 * 3 + 3)


def test_an_unwritable_results_folder_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    started = time.perf_counter()
    line = refused(explorer("mlp", *TINY, "--results", tmp_path / "file" / "results"))
    assert str(tmp_path / "file") in line
    assert time.perf_counter() - started < 20


def test_a_torn_last_line_is_set_aside_and_the_run_goes_on(tmp_path):
    tiny(tmp_path, "--steps", 3, "--quiet")
    with open(tmp_path / "runs.jsonl", "ab") as ledger:
        ledger.write(b'{"id": "torn')
    answer = tiny(tmp_path, "--steps", 6, "--quiet")
    assert answer.returncode == 0
    assert len(answer.stderr.splitlines()) == 1
    assert "torn" in answer.stderr
    assert [file.read_bytes() for file in tmp_path.glob("runs.jsonl.torn-*")] == [b'{"id": "torn']
    assert len(recorded(tmp_path)) == 2


def test_a_damaged_line_is_named_kept_and_costs_nothing_else(tmp_path):
    tiny(tmp_path, "--steps", 3, "--quiet")
    content = (tmp_path / "runs.jsonl").read_bytes() + b"hello\n"
    (tmp_path / "runs.jsonl").write_bytes(content)
    answer = tiny(tmp_path, "--steps", 6, "--quiet")
    assert answer.returncode == 0
    (line,) = answer.stderr.splitlines()
    assert "line 2" in line
    assert (tmp_path / "runs.jsonl").read_bytes().startswith(content)
    assert len((tmp_path / "runs.jsonl").read_bytes().splitlines()) == 3


def test_interrupted_it_ends_at_once_says_what_is_kept_and_exits_130(tmp_path):
    tiny(tmp_path, "--steps", 3, "--quiet")
    words = [
        sys.executable,
        str(PROJECT / "mnist_explorer.py"),
        "mlp",
        *TINY,
        "--steps",
        "1000000",
        "--results",
        tmp_path,
    ]
    with interruptible(words) as process:
        while "machine" not in process.stdout.readline():
            pass
        time.sleep(1)
        sent = time.perf_counter()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert time.perf_counter() - sent < 10  # a busy machine; the promise is 2 s
    assert process.returncode == 130
    assert "not recorded; 1 record is kept" in stderr
    assert "Traceback" not in stderr
    assert len(recorded(tmp_path)) == 1


def test_without_mnist_the_default_run_takes_the_digits_and_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    environment = {"MNIST_EXPLORER_DATA": "", "XDG_CACHE_HOME": str(tmp_path / "cache"), "https_proxy": "http://127.0.0.1:9",
                   "http_proxy": "http://127.0.0.1:9"}  # fmt: skip
    words = ["--units", "24", "--batch-size", "32", "--steps", "3", "--results", tmp_path / "results", "--json"]
    answer = explorer("mlp", *words, environment=environment)
    assert json.loads(answer.stdout)["config"]["dataset"] == "digits"
    assert answer.stderr.startswith("WARNING: NOT MNIST!")
    assert recorded(tmp_path / "results")[0]["data"]["name"] == "digits"
    assert "--data-dir" in refused(explorer("mlp", *words, "--strict-data", environment=environment))
    line = refused(explorer("mlp", *words, "--dataset", "mnist", environment=environment))
    assert "--data-dir" in line
    assert datasets.DATA_VARIABLE in line


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_help_documents_every_knob_without_importing_tinygrad(model):
    answer = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom explorer.cli.main import main\ntry: main(sys.argv[1:])\nfinally: "
         "print('tinygrad imported:', 'tinygrad' in sys.modules)", model, "--help"],
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "tinygrad imported: False" in answer.stdout
    for field in fields_for(model):
        assert flag_of(field) in answer.stdout
        assert field.upper() in answer.stdout


def test_version_answers():
    assert re.fullmatch(r"mnist_explorer \d+\.\d+\.\d+\n", explorer("--version").stdout)
