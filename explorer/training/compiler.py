"""A C compiler for tinygrad's CPU device: the one at hand, or else the clang inside the ziglang package."""

import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from explorer.errors import UserError
from explorer.files import temporary_folder, user_cache, write_atomically

# Vector types are what tinygrad's kernels need and gcc, which knows neither these nor --target, has not.
SAMPLE = b"typedef float four __attribute__((ext_vector_type(4))); void f(four *x) { *x = *x + 1.0f; }\n"


def ensure_compiler() -> str:
    """Make sure tinygrad's CPU device has a compiler, and return the executable's name or path.

    What the environment variable CC names is taken, else the clang on PATH, else the clang of this Python's ziglang
    package, by way of a small launcher in the user's cache that CC is then set to. Each has to prove itself on a
    sample once; that it did is noted in the cache. Where tinygrad could not write its own cache, CACHEDB is set to a
    temporary file: so call this before tinygrad is first imported.

    Raises UserError where CC names no compiler that serves, and where there is none at all.
    """
    _ensure_tinygrad_cache()
    named = os.environ.get("CC")
    if named:
        path = shutil.which(named)
        if path is None:
            raise UserError(
                f"CC={named} is not an executable: unset CC, or set it to a clang (one program, no options)"
            )
        if not _serves(path):
            raise UserError(
                f"CC={named} cannot compile what tinygrad writes, which takes clang: unset CC or set CC=clang"
            )
        return named
    os.environ.pop("CC", None)  # an empty CC would be run as it is

    path = shutil.which("clang")
    if path is not None and _serves(path):
        return "clang"

    zig = _zig()
    if zig is None:
        raise UserError(
            "no C compiler for tinygrad's CPU device: install clang, or the ziglang package, which contains one "
            "(python -m pip install -r requirements.txt)"
        )
    # The cache may be unwritable, or its disk mounted so that nothing in it can be run.
    for folder in (_cache_folder, temporary_folder):
        try:
            launcher = str(_write_launcher(zig, folder()))
        except OSError:
            continue
        if _serves(launcher):
            os.environ["CC"] = launcher
            return launcher
    raise UserError(f"the clang inside {zig} does not run on this machine: install clang, or set CC to one")


def _arguments() -> list[str]:
    """What tinygrad 0.14 passes to its compiler on this machine (tinygrad/runtime/support/compiler_cpu.py)."""
    machine = platform.machine().lower()
    architecture = {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine)
    processor = {"x86_64": ["-march=native"], "arm64": ["-ffixed-x18", "-mcpu=native"], "riscv64": ["-march=rv64g"]}
    common = ["-c", "-x", "c", "-O2", "-fPIC", "-ffreestanding", "-fno-math-errno", "-nostdlib", "-fno-ident"]
    target = f"--target={architecture}-none-unknown-elf"
    return [*common, target, *processor.get(architecture, []), "-", "-o", "-"]


def _serves(path: str) -> bool:
    """Whether the executable compiles the sample as tinygrad would have it; a yes is remembered until it changes."""
    facts = os.stat(path)
    known = _key(f"{os.path.abspath(path)}|{facts.st_mtime_ns}|{facts.st_size}|{_arguments()}")
    with suppress(OSError):
        if (_cache_folder() / f"{known}.ok").exists():
            return True
    try:
        done = subprocess.run([path, *_arguments()], input=SAMPLE, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode != 0 or not done.stdout.startswith(b"\x7fELF"):
        return False
    with suppress(OSError):
        (_cache_folder() / f"{known}.ok").touch()
    return True


def _key(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def _cache_folder() -> Path:
    """The program's own folder for executables, made if need be. OSError where nothing can be written there."""
    folder = user_cache() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} is not writable")
    return folder


def _zig() -> Path | None:
    """The zig of this Python's ziglang package; None where the package is missing."""
    specification = find_spec("ziglang")
    if specification is None or specification.origin is None:
        return None
    zig = Path(specification.origin).parent / ("zig.exe" if sys.platform == "win32" else "zig")
    return zig if zig.is_file() else None


def _write_launcher(zig: Path, folder: Path) -> Path:
    """A script in ``folder`` that runs zig as clang: tinygrad's CC is one executable, and cannot carry ``clang`` along.

    (``zig cc`` is no way round: it rewrites its arguments, and refuses tinygrad's target.) The name is a hash of
    zig's path, so that two environments never change each other's launcher. OSError where it cannot be written.
    """
    if sys.platform == "win32":
        name, text = f"clang-{_key(str(zig))}.cmd", '@"{}" clang %*\r\n'.format(str(zig).replace("%", "%%"))
    else:
        name, text = f"clang-{_key(str(zig))}", f'#!/bin/sh\nexec {shlex.quote(str(zig))} clang "$@"\n'
    launcher, content = folder / name, os.fsencode(text)
    if launcher.is_file() and launcher.read_bytes() == content and os.access(launcher, os.X_OK):
        return launcher
    write_atomically(launcher, content, stat.S_IRWXU)
    return launcher


def _ensure_tinygrad_cache() -> None:
    """Point tinygrad's cache of compiled kernels elsewhere if its file cannot be written: it would crash on that."""
    if os.environ.get("CACHEDB"):
        return
    caches = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    folder = Path(os.environ.get("XDG_CACHE_HOME", os.path.expanduser(caches))) / "tinygrad"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [file for file in folder.glob("cache.db*") if not os.access(file, os.W_OK)]
        if os.access(folder, os.W_OK) and not files:
            return
    except OSError:
        pass
    os.environ["CACHEDB"] = str(temporary_folder() / "cache.db")
