"""Command lines in processes that have imported everything beforehand: one process does, and each case is a fork of it.

To start Python and to import takes longer than most command lines. What a process reads as it starts is the server's
own, so a case in which that is odd needs a process of its own; and so do some of the others, for the real thing.
"""

import importlib
import json
import os
import pkgutil
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import NoReturn

READ_AT_START = re.compile(r"PYTHON\w+|LANG|LC_ALL|XDG_CACHE_HOME|DEV|JIT|BEAM|DEBUG|DEFAULT_FLOAT|MPLBACKEND")
"""Variables that Python, tinygrad and matplotlib read when they start or are imported."""


@dataclass(frozen=True)
class Order:
    """A program to run: its words, where, with which environment, and files for what it says."""

    program: str
    words: list[str]
    folder: str
    environment: dict[str, str]
    streams: str
    """As a shell has it: ``>&- </dev/zero``."""
    out: str
    err: str


class Server:
    """Runs orders one by one. ``environment`` is what its process starts with."""

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        ours, theirs = Pipe()
        words = [sys.executable, "-c", f"from tests.fuzz import warm; warm.serve({theirs.fileno()})"]
        self.process = subprocess.Popen(
            words, env=environment, pass_fds=[theirs.fileno()], cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL
        )
        theirs.close()
        self.connection = ours

    def serves(self, environment: dict[str, str]) -> bool:
        """Whether a program finds this environment as if its process had started with it."""
        changed = [name for name in environment.keys() | self.environment.keys()
                   if environment.get(name) != self.environment.get(name)]  # fmt: skip
        return not any(READ_AT_START.fullmatch(name) for name in changed)

    def run(self, order: Order, seconds: float) -> int | None:
        """The program's exit code, as subprocess has it; None where it was not over in time and was killed."""
        self.connection.send_bytes(json.dumps(vars(order)).encode())
        process = int(self.connection.recv_bytes())
        over = self.connection.poll(seconds)
        if not over:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        code = int(self.connection.recv_bytes())
        return code if over else None

    def close(self) -> None:
        self.connection.close()
        self.process.wait()


def serve(number: int) -> None:
    """The server's life: until the connection ends that is open under this number."""
    import explorer

    for module in pkgutil.walk_packages(explorer.__path__, "explorer."):
        with suppress(ModuleNotFoundError):  # a part whose package is not installed
            importlib.import_module(module.name)
    importlib.import_module("matplotlib.pyplot")
    connection: Connection = Connection(number)
    with suppress(EOFError):
        while True:
            order = Order(**json.loads(connection.recv_bytes()))
            process = os.fork()
            if not process:
                os.close(number)
                _become(order)
            connection.send_bytes(str(process).encode())
            connection.send_bytes(str(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])).encode())


def _become(order: Order) -> NoReturn:
    """The program, in this process, to its end."""
    code = 1
    try:
        os.chdir(order.folder)
        os.environ.clear()
        os.environ.update(order.environment)
        _open("0<", os.devnull)
        _open("1>", order.out)
        _open("2>", order.err)
        for stream, target in re.findall(r"(\d?[<>])(\S+)", order.streams):
            _open(stream, target)
        tempfile.tempdir = None  # it is remembered, and TMPDIR is another one here
        sys.argv = [order.program, *order.words]
        sys.path[0] = os.path.dirname(order.program)
        runpy.run_path(order.program, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        code = 120  # as of any Python program whose output is lost
    os._exit(code)


def _open(stream: str, target: str) -> None:
    """As a shell does before it starts a program, and Python where it finds a closed one: ``1>`` and a path, or ``&-``
    to close it. Without a number it is the usual one."""
    number = int(stream[:-1] or "<>".index(stream))
    if target == "&-":
        os.close(number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)
    else:
        opened = os.open(target, os.O_RDONLY if stream[-1] == "<" else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
