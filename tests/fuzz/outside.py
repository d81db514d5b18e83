"""Cases that run a whole command line, in a folder of their own, and look at all that came of it.

Every command and flag of the parser is tried. Besides tracebacks and what takes too long it finds: a mistake that is
accepted in silence, a hyperparameter that is not the one asked for, files outside the given folders that were touched,
records that were lost, output lost without a word, control codes on the terminal, temporary files left behind.
"""

import argparse
import functools
import hashlib
import json
import os
import random
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from explorer.cli.parser import parser
from explorer.config import choices, field_info, fields_for, make_config
from explorer.fields import environment_names, flag_of, type_of
from explorer.record import stored
from tests.conftest import PROJECT
from tests.fuzz import Kind, warm
from tests.fuzz.inside import FILE_NAMES, bent, bent_bytes
from tests.records import LR, record

SERVERS = {"page", "menu"}  # commands that run until they are told to end
SECONDS = 300  # nothing here needs 10 s of processor; the machine may be busy
ALONE = 0.15  # of the command lines that a warm process could run, so many have one of their own all the same
CODES = {0, 1, 2, 3, 74, 130, 141}
BAD_NUMBERS = ["nan", "-1", "1e-50", "1e999", "abc", "", "0x10", "1,,2", "\udc80", "\x1b[2J", "-", "1e400", "ü,"]
GOOD = {  # quick ones, by field; other numbers are left at their defaults
    "lr": ["0.001", "0.1", "1e-6"], "batch_size": ["1", "32", "100"], "steps": ["1", "2", "7"], "units": ["8", "8,4"],
    "depth": ["1", "2"], "width": ["8"], "dropout": ["0", "0.5"], "momentum": ["0", "0.9"], "shift": ["0", "2"],
    "weight_decay": ["0", "0.1"], "lr_decay": ["0.5"], "patience": ["1"], "warmup_steps": ["0", "1"],
    "eval_every": ["0", "1", "3"], "angle": ["0", "10"], "scale": ["0", "0.1"], "seed": ["0", "3"],
    "filters": ["2,2,2,2"], "kernel_size": ["3,3"], "steps_per_epoch": ["0", "1"],
}  # fmt: skip
QUESTION = "[grid]\nlr = [0.001, 0.002]\n"
STUDY = """[study]
scientific.activation = ["relu", "tanh"]
nuisance.lr = { low = 1e-4, high = 1e-2, log = true }
tries = 2
finalists = 1
seeds = 1
fresh_seeds = 1
"""
HOW = {  # what else is said with --sweep, and whether it is a mistake
    QUESTION: [
        *[("--seeds 1", False)] * 3, ("--settle --cap 3", False), ("--seeds 1 --fresh-seeds 1", False),
        ("--seeds 1 --budget 90s", False), ("--seeds 1 --run-timeout 90s", False), ("--seeds 1 --keep", False),
        ("--seeds 0", True), ("--cap 3", True), ("--settle --seeds 1", True), ("--tries 2", True),
        ("--settle --keep", True),
        ("--stop half", True), ("--seeds 1 --config run.toml", True), ("--seeds 1 --budget 0s", True),
        ("--seeds 1 --json", True),
    ],
    STUDY: [
        *[("", False)] * 3, ("--stop half", False), ("--stop hyperband --keep", False), ("--fresh-seeds 2", False),
        ("--budget 90s", False), ("--seeds 1", True), ("--settle", True), ("--tries 2", True), ("--stop now", True),
    ],
}  # fmt: skip
HOW[LR] = HOW[QUESTION]
counted: Counter[str] = Counter()


@dataclass
class Case:
    """A command line and what stands around it."""

    words: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)
    """What must not be accepted."""
    asked: dict[str, str] = field(default_factory=dict)
    """Hyperparameter -> the good value it was given as a flag."""
    streams: str = ""
    """How the shell opens them."""

    def __str__(self) -> str:
        changed = {name: value for name, value in self.environment.items() if os.environ.get(name) != value}
        return f"{self.words} {self.streams} {changed}"


def command_line(chance: random.Random, folder: Path) -> str | None:
    case = Case([], folder)
    _surroundings(chance, case)
    _words(chance, case)
    if chance.random() < 0.3:
        _variables(chance, case)
    _streams(chance, case)
    return _run(case, alone=chance.random() < ALONE)


def _surroundings(chance: random.Random, case: Case) -> None:
    """A home, a current folder, somebody's files, results that may be odd."""
    for name in ("home", "work", "outside", "temporary", "results", "data"):
        (case.folder / name).mkdir()
    for name in ("theirs.npz", "runs.jsonl", "0123456789abcdef.npz", "page.md"):
        (case.folder / "outside" / name).write_bytes(b"theirs")
    case.environment = _environment(case.folder)
    line = stored(record(make_config({"model": "mlp", "dataset": "digits", "lr": 0.1}), 0.9))
    request = b'{"name":"lr","model":"mlp","dataset":"digits","overrides":{},"seeds":1,"path":null}'
    for name, good in (("runs.jsonl", line), ("sweeps.jsonl", request), ("claims.lock", b"")):
        if chance.random() < 0.3:
            _odd_file(chance, case.folder / "results" / name, good + b"\n" if good else b"", case.folder / "outside")
    if chance.random() < 0.1:
        (case.folder / "results" / "predictions").symlink_to(case.folder / "outside")
    if chance.random() < 0.1:
        (case.folder / "media").mkdir()
        (case.folder / "media" / "digits").symlink_to(case.folder / "outside")


def _environment(folder: Path) -> dict[str, str]:
    shared = os.environ.get("FUZZ_CACHE") or Path(tempfile.gettempdir(), "mnist-explorer-fuzz")  # to compile once
    return {
        "PATH": os.environ["PATH"], "HOME": str(folder / "home"), "XDG_CACHE_HOME": str(shared), "DEV": "CPU",
        "TMPDIR": str(folder / "temporary"), "LANG": "C.UTF-8", "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9", "MNIST_EXPLORER_DATA": "",
    }  # fmt: skip


def _odd_file(chance: random.Random, path: Path, good: bytes, outside: Path) -> None:
    kind = chance.choice(["good", "good", "bent", "torn", "mark", "fifo", "folder", "link", "device", "noise", "empty"])
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(outside / chance.choice(["runs.jsonl", "new"]))
        case "device":
            path.symlink_to(chance.choice(["/dev/zero", "/dev/full", "/dev/null"]))
        case _:
            content = {
                "good": good, "bent": (_bent(chance, good.strip()) if good else b"") + b"\n" + good,
                "torn": good + good[: len(good) // 2], "mark": b"\xef\xbb\xbf" + good, "noise": chance.randbytes(99),
                "empty": b"",
            }[kind]  # fmt: skip
            path.write_bytes(content)


def _bent(chance: random.Random, line: bytes) -> bytes:
    return bent(chance, line) if line.startswith(b"{") else bent_bytes(chance, line)


def _words(chance: random.Random, case: Case) -> None:
    commands = {name: part for name, part in parser()[1].items() if name not in SERVERS}
    name = chance.choice([*commands, *["mlp", "cnn"] * len(commands)])
    case.words = [name]
    if name in ("mlp", "cnn"):
        _training_words(chance, case, commands[name])
    else:
        _other_words(chance, case, commands[name])
    if "results" in _destinations(commands[name]) and "--results" not in case.words:
        results = str(case.folder / ("results" if chance.random() < 0.8 else chance.choice(FILE_NAMES)))
        case.words += ["--results", results]
    if chance.random() < 0.05:
        case.words.insert(chance.randint(0, 1), chance.choice(["--nosuch", "--no=1", "mpl", "-x", "--"]))
        if case.words[0] != "--" and case.words[1] != "--":
            case.mistakes.append("an unknown word")
    if chance.random() < 0.05:
        flags = [word for word in case.words if word.startswith("--") and len(word) > 2 and "=" not in word]
        if flags:
            flag = chance.choice(flags)
            at = case.words.index(flag)
            takes = at + 1 < len(case.words) and not case.words[at + 1].startswith("--")
            case.words += case.words[at : at + 1 + takes]
            case.mistakes.append(f"{flag} twice")


def _destinations(part: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {action.dest: action for action in part._actions}


def _training_words(chance: random.Random, case: Case, part: argparse.ArgumentParser) -> None:
    model = case.words[0]
    sweeping = chance.random() < 0.35
    case.words += ["--dataset", "digits"]
    chosen = {"steps": "2", **({"units": "8"} if model == "mlp" else {"filters": "2,2,2,2"})}
    for name in chance.sample(fields_for(model), chance.choice([0, 0, 1, 1, 2, 3])):
        if name == "dataset":
            continue
        good = list(choices(name)) or (
            ["on", "off"] if type_of(field_info(name, model)) is bool else GOOD.get(name, [])
        )
        if good and chance.random() < 0.93:
            chosen[name] = chance.choice(good)
        else:
            chosen[name] = chance.choice(BAD_NUMBERS)
            case.mistakes.append(f"{flag_of(name)} {chosen[name]!r}")
    if {"epochs", "steps_per_epoch"} & chosen.keys():
        chosen.pop("steps")
    if {"width", "depth"} & chosen.keys() and chosen["units"] == "8":
        chosen.pop("units")
    for name, value in chosen.items():
        case.words += chance.choice([[flag_of(name), value], [f"{flag_of(name)}={value}"]])
    if not case.mistakes:
        case.asked = chosen
    if sweeping:
        case.asked = {}
        _sweep_words(chance, case)
    else:
        case.words += chance.choice([[], ["--quiet"], ["--json"], ["--json-lines"], ["--force"], ["--json", "--quiet"]])
        if chance.random() < 0.2:
            case.words += ["--keep"]
        if chance.random() < 0.2:
            _config_file(chance, case)
        if chance.random() < 0.07:
            many = ["--seeds 2", "--jobs 2", "--dry-run", "--yes", "--media x", "--run-timeout 9s", "--budget 9s"]
            foreign = chance.choice([*many, "--settle", "--cap 3", "--tries 2", "--stop half", "--fresh-seeds 1"])
            case.words += foreign.split()
            case.mistakes.append(f"{foreign} without --sweep")
    if chance.random() < 0.1:
        case.words += ["--track", chance.choice([word for word in _targets(case) if word.startswith("tensorboard")])]
    if chance.random() < 0.07:
        flag, values = chance.choice(
            [
                ("--device", ["NOSUCH", "", "CUDA,1", "DISK", "\x1b[2J"]),
                ("--kernels", ["maybe", "", "ON"]),
                ("--data-dir", ["~nouser", "nowhere", "", "x" * 300, "/dev/null"]),
                ("--results", ["", "x" * 300]),
            ]
        )
        value = chance.choice(values)
        if (flag, value) == ("--device", ""):
            return
        case.words += [flag, value]
        case.mistakes.append(f"{flag} {value[:20]!r}")


def _config_file(chance: random.Random, case: Case) -> None:
    """What no flag says, from a file; or something that is none."""
    path = case.folder / "data" / f"{chance.choice(FILE_NAMES)}.toml"
    unsaid = {"lr": "0.01", "dropout": "0.1", "activation": '"tanh"', "optimizer": '"sgd"'}
    said = [f"{name} = {value}" for name, value in unsaid.items() if not any(flag_of(name) in w for w in case.words)]
    wrong = ["[lr]", "lr = ", "model = 'none'", "nosuch = 1", "lr = [", "seed = true", "\0"]
    if chance.random() < 0.3:
        said.append(chance.choice(wrong))
        case.mistakes.append(f"--config with {said[-1]!r}")
    path.write_text("\n".join(chance.sample(said, len(said))))
    case.words += ["--config", str(path)]


def _sweep_words(chance: random.Random, case: Case) -> None:
    text = chance.choice([QUESTION, QUESTION, LR, STUDY])
    name, question = f"{chance.choice(FILE_NAMES)}.toml", text
    if is_bent := chance.random() < 0.3:
        text = bytearray(text.encode())
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(text))
            text[at : at + chance.randint(0, 4)] = chance.choice(BAD_NUMBERS).encode("utf-8", "surrogateescape")
        text = bytes(text)
    else:
        text = text.encode()
    path = case.folder / "data" / name
    path.write_bytes(text)
    odd = ["lr", "nosuch", "", ",", str(case.folder), "/dev/zero"]
    which = str(path) if chance.random() < 0.7 else chance.choice(odd)
    case.words += ["--sweep", which]
    if which in ("nosuch", "", ",", "/dev/zero") or which == str(case.folder):
        case.mistakes.append(f"--sweep {which!r}")
    if which == "lr" or chance.random() < 0.4:
        case.words += ["--dry-run"]
    more, mistake = chance.choice(HOW[question if which == str(path) else QUESTION])
    case.words += more.split()
    if mistake and not is_bent:  # else it may be no study any more
        case.mistakes.append(more)
    case.words += ["--jobs", chance.choice(["1", "1", "2"])]
    report = chance.choice(["REPORT.md", "odd.md", *[f"{name}.md" for name in FILE_NAMES]])
    case.words += ["--media", str(case.folder / "media"), "--report", str(case.folder / report)]
    if report == "odd.md":
        _odd_file(chance, case.folder / report, b"# A page\n", case.folder / "outside")
    case.words += chance.choice([[], ["--quiet"], ["--json-lines"]])
    if "--dry-run" in case.words and {"--quiet", "--json-lines"} & set(case.words):
        case.mistakes.append("--dry-run in silence")


def _other_words(chance: random.Random, case: Case, part: argparse.ArgumentParser) -> None:
    """Every other command by its own flags, with values that may be odd."""
    odd = [
        "mlp",
        "cnn",
        "digits",
        "lr 0.1",
        "",
        "x" * 300,
        "\udc80",
        "\x1b]0;x\x07",
        "/dev/zero",
        "1",
        "0",
        "-5",
        "a/b/c/d",
    ]
    for action in part._actions:
        if action.dest in ("help", "results"):
            continue
        if not action.option_strings:
            case.words += [
                chance.choice([*odd, *map(str, action.choices or ())])
                for _ in range(action.nargs != "?" or chance.random() < 0.5)
            ]
        elif action.dest in ("media", "report", "html"):  # never a device: run by root it might be replaced
            case.words += [action.option_strings[-1], str(case.folder / f"{action.dest}{chance.choice(FILE_NAMES)}")]
        elif action.dest == "to":
            case.words += ["--to", chance.choice([*_targets(case), "", "nosuch", "parquet:/dev/null"])]
        elif chance.random() < 0.3:
            case.words += [action.option_strings[-1]]
            if action.nargs != 0:
                case.words += [chance.choice([*odd, *map(str, action.choices or ())])]


def _targets(case: Case) -> list[str]:
    """What runs can be kept in besides the ledger."""
    return ["tensorboard", "parquet", f"tensorboard:{case.folder / 'kept'}", f"parquet:{case.folder / 'kept'}"]


def _variables(chance: random.Random, case: Case) -> None:
    harmless = {
        "PYTHON": "/usr/bin/python3", "PYTHONIOENCODING": "ascii", "MPLBACKEND": "nonsense", "CC": "", "COLUMNS": "1",
        "LANG": "xx_YY", "TERM": "dumb", "NO_COLOR": "1", "XDG_CACHE_HOME": "", "KERNELS": "0", "TZ": "nowhere",
        "PYTHONWARNINGS": "error", "MNIST_EXPLORER_MODELS": "", "KERNEL_THREADS": "1", "JIT": "1", "LC_ALL": "C",
    }  # fmt: skip
    wrong = {
        "DEFAULT_FLOAT": "HALF", "KERNEL_THREADS": "many", "JIT": "yes", "DEBUG": "-1", "BEAM": "x", "KERNELS": "2",
        "DEV": "NOSUCH", "MNIST_EXPLORER_MODELS": "/nowhere", "MNIST_EXPLORER_DATASETS": "/nowhere", "LR": "nan",
        "SEED": "-1", "BS": "0",
    }  # fmt: skip
    for name in chance.sample(sorted(harmless), chance.randint(0, 3)):
        case.environment[name] = harmless[name]
    trains = case.words[0] in ("mlp", "cnn")
    if trains and chance.random() < 0.5:
        name = chance.choice(sorted(wrong))
        flag = {environment_names(known)[0]: flag_of(known) for known in fields_for(None)}
        flag |= {"BS": "--batch-size", "DEV": "--device"}
        if not any(word.split("=")[0] == flag.get(name) for word in case.words):  # a flag beats it
            case.environment[name] = wrong[name]
            case.mistakes.append(f"{name}={wrong[name]}")


def _streams(chance: random.Random, case: Case) -> None:
    case.streams = chance.choice([""] * 8 + ["</dev/zero", "<&-", ">&-", ">/dev/full", "<&- >&- 2>&-"])


def _seen(folder: Path) -> dict[str, object]:
    """What is in a folder, by path: kind, and digest of the content."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(state.st_mode) else b""
        found[os.fspath(path)] = (stat.S_IFMT(state.st_mode), hashlib.sha256(content).hexdigest())
    return found


def _ids(lines: list[bytes]) -> list[str]:
    return [json.loads(line)["id"] for line in lines]


def _lines(path: Path) -> list[bytes]:
    """The whole lines of a regular file."""
    if path.is_symlink() or not path.is_file():
        return []
    return path.read_bytes().split(b"\n")[:-1]


def _run(case: Case, alone: bool = True) -> str | None:
    folder = case.folder
    kept = {place: _seen(folder / place) for place in ("outside", "work", "data")}
    before = _lines(folder / "results" / "runs.jsonl")
    try:
        answer = _alone(case) if alone or not _server().serves(case.environment) else _warm(case)
    except subprocess.TimeoutExpired:
        return f"{case}: not over after {SECONDS} s"
    counted[str(answer.returncode)] += 1
    said = answer.stdout + answer.stderr
    wrong = _judged(case, answer)
    for place, seen in kept.items():
        if (now := _seen(folder / place)) != seen:
            wrong = wrong or f"{place}/ was changed: {sorted(set(now.items()) ^ set(seen.items()))}"
    after = _lines(folder / "results" / "runs.jsonl")
    if after[: len(before)] != before:
        wrong = wrong or "records were lost"
    if len(set(new := _ids(after[len(before) :]))) < len(new):
        wrong = wrong or f"a run was trained twice: {new}"
    if left := list((folder / "temporary").iterdir()):
        wrong = wrong or f"left behind: {left}"
    return f"{case}: {wrong}; exit code {answer.returncode}\n{said.decode(errors='replace')[-2000:]}" if wrong else None


def _alone(case: Case) -> "subprocess.CompletedProcess[bytes]":
    """Run in a process of its own, started by a shell."""
    counted["alone"] += 1
    shell = f'exec "$@" {case.streams}'
    words = [sys.executable, str(PROJECT / "mnist_explorer.py"), *case.words]
    return subprocess.run(
        ["sh", "-c", shell, "sh", *words], cwd=case.folder / "work", env=case.environment, timeout=SECONDS,
        capture_output=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def _warm(case: Case) -> "subprocess.CompletedProcess[bytes]":
    """Run in a fork of a process that has imported everything."""
    counted["warm"] += 1
    out, err = case.folder / "out", case.folder / "err"
    program = str(PROJECT / "mnist_explorer.py")
    order = warm.Order(
        program, case.words, str(case.folder / "work"), case.environment, case.streams, str(out), str(err)
    )
    if (code := _server().run(order, SECONDS)) is None:
        raise subprocess.TimeoutExpired(case.words, SECONDS)
    return subprocess.CompletedProcess(case.words, code, out.read_bytes(), err.read_bytes())


@functools.cache
def _home() -> "tempfile.TemporaryDirectory[str]":
    """Of the server; it goes when this process ends."""
    return tempfile.TemporaryDirectory(prefix="fuzz-server-")


@functools.cache
def _server() -> warm.Server:
    for name in ("home", "temporary"):
        Path(_home().name, name).mkdir()
    return warm.Server(_environment(Path(_home().name)))


def _judged(case: Case, answer: subprocess.CompletedProcess[bytes]) -> str | None:
    out, err = answer.stdout, answer.stderr
    if b"Traceback" in out + err:
        return "a traceback"
    if answer.returncode not in CODES:
        return "an exit code nobody expects"
    if any(byte < 32 and byte not in b"\n\t" for byte in out + err):
        return "control codes"
    if case.mistakes and answer.returncode in (0, 3):
        return f"accepted in silence: {case.mistakes}"
    if answer.returncode == 2 and "2>&-" not in case.streams:
        told = [line for line in err.splitlines() if line.startswith(b"error: ")]
        if len(told) != 1 or any(line.startswith(b" ") for line in err.splitlines()):
            return "not one line"
    if case.streams == ">/dev/full" and answer.returncode == 0 and "--help" not in case.words:
        return "lost output is success"
    if answer.returncode == 0 and case.asked and "--json" in case.words and not case.streams:
        config = json.loads(out)["config"]
        wanted = make_config({**case.asked, "model": case.words[0], "dataset": "digits"}).to_json()
        if differs := [name for name in case.asked if name in wanted and config.get(name) != wanted[name]]:
            return f"asked for {case.asked}, and trained with other {differs}"
    return None


KINDS: list[Kind] = [command_line]
