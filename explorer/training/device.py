"""Where a run ran: what a figure needs beside it to be believed."""

import functools
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from explorer.errors import UserError


def open_device() -> str:
    """The name of tinygrad's default device, opened.

    Raises UserError in one line where the device that was asked for is not to be had.
    """
    asked = os.environ.get("DEV", "")
    try:
        from tinygrad import Device

        Device[Device.DEFAULT].renderer  # noqa: B018  opening it is the point
        return Device.DEFAULT
    except Exception as error:  # every backend fails in its own way
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(
            f"device {asked or '(default)'} cannot be opened here ({reason[:160]}); try --device CPU"
        ) from None


def describe() -> dict[str, Any]:
    """The record's ``environment``: device, renderer, versions, CPU, and the state of the code."""
    from tinygrad import Device

    from models.kernels.native import enabled

    commit, dirty = git_state()
    return {
        "device": Device.DEFAULT,
        "renderer": type(Device[Device.DEFAULT].renderer).__name__,
        "kernels": enabled(),
        "tinygrad": version("tinygrad"),
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cores": cores(),
        "commit": commit,
        "dirty": dirty,
    }


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
    """(short commit, whether tracked files differ from it) of this program's folder; None where git cannot say."""

    def git(*words: str) -> str:
        folder = Path(__file__).resolve().parents[2]
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()

    try:
        # results are what runs write: a sweep must not call its own code dirty for having recorded something
        changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!media", ":!REPORT.md")
        return git("rev-parse", "--short", "HEAD"), bool(changes)
    except (OSError, subprocess.SubprocessError):
        return None, None
