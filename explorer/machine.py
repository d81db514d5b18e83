"""This machine and this program's code: what a figure needs beside it to be believed."""

import functools
import os
import platform
import subprocess
from pathlib import Path

from explorer.places import CHECKOUT


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def cpu_model() -> str:
    """The processor as it calls itself."""
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
        return subprocess.run(
            ["git", "-C", str(CHECKOUT), *words], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()

    if CHECKOUT is None:  # installed: a repository around it is somebody else's
        return None, None
    try:
        # results are what runs write: a sweep must not call its own code dirty for having recorded something
        changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!media", ":!REPORT.md")
        return git("rev-parse", "--short", "HEAD"), bool(changes)
    except (OSError, subprocess.SubprocessError):
        return None, None
