"""Ray clusters for tests: real ones, in a network of this process's own, in which there is loopback alone.

Ray's processes listen on all interfaces unless told; here there is none that anybody else could reach.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from tests.conftest import PROJECT

NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
PORT = 6390
TRIES = 5
RAY = Path(sys.executable).with_name("ray")


def missing() -> str:
    """Why no cluster can be had here; empty where one can."""
    if find_spec("ray") is None or not RAY.exists():
        return "needs Ray: pip install -r requirements-ray.txt"
    if not (sys.platform == "linux" and all(map(shutil.which, ("unshare", "ip")))):
        return "needs Linux with unshare and ip, for a network with nobody in it"
    if subprocess.run(["unshare", "-n", "-m", "-u", "true"], capture_output=True).returncode:
        return "needs the right to make a network of its own (root, or CAP_SYS_ADMIN)"
    return ""


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and every process it starts, in a network of loopback alone; afterwards in the one before."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        libc.setns(before, NEW_NETWORK)
        os.close(before)


def wait_until(true: Callable[[], object], what: str, seconds: float = 600) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited {seconds:g} s until {what}"
        time.sleep(0.02)


def children(process: int) -> list[int]:
    """All processes below this one."""
    with suppress(OSError):
        found = [
            int(word)
            for thread in Path(f"/proc/{process}/task").iterdir()
            for word in (thread / "children").read_text().split()
        ]
        return [*found, *(below for child in found for below in children(child))]
    return []


def called(process: int) -> str:
    """A process's command line, or what it calls itself."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


class Node:
    """A node of a cluster, started by ``ray start``: a head where ``address`` is not given.

    ``lies`` are pairs of files or folders: on this node the first lies where the second does. ``host`` is what the node
    takes its machine's name to be.
    """

    def __init__(
        self,
        folder: Path,
        cpus: int,
        address: str = "",
        host: str = "",
        lies: Sequence[tuple[Path, Path]] = (),
        environment: dict[str, str] | None = None,
        port: int = PORT,
    ):
        words = ["--address", address] if address else ["--head", "--port", str(port), "--temp-dir", str(folder)]
        words += ["--include-dashboard=false", "--no-monitor"] if not address else []
        command = [
            *(str(RAY), "start", *words, "--node-ip-address=127.0.0.1", "--num-cpus", str(cpus), "--num-gpus=0"),
            *("--object-store-memory=80000000", "--include-log-monitor=false", "--disable-usage-stats", "--block"),
            *("--min-worker-port=0", "--max-worker-port=0"),  # nodes of one machine would take the same ones
        ]  # fmt: skip
        if host or lies:
            script = "".join(f'mount --bind "{ours}" "{theirs}"; ' for ours, theirs in lies)
            script = f'set -e; {f"hostname {host}; " if host else ""}{script}exec "$@"'
            command = ["unshare", "--mount", "--uts", "sh", "-c", script, "sh", *command]
        self.address = address or f"127.0.0.1:{port}"
        self.log, self.command = folder / f"node-{time.monotonic_ns()}.log", command
        self.environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(PROJECT)}
        self.environment |= environment or {}
        self._start()

    def _start(self) -> None:
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=PROJECT, stdout=log, stderr=log, start_new_session=True, env=self.environment
            )

    def wait(self) -> "Node":
        """Until it is up. Ray gives its own processes 30 seconds, which a crowded machine may not have."""
        for _ in range(TRIES):
            wait_until(
                lambda: self.process.poll() is not None or b"Ray runtime started" in self.log.read_bytes(), "Ray is up"
            )
            if self.process.poll() is None:
                return self
            self._start()
        raise AssertionError(self.log.read_text())

    def raylet(self) -> int:
        (found,) = [one for one in children(self.process.pid) if "raylet/raylet" in called(one).split(" ")[0]]
        return found

    def workers(self) -> list[int]:
        """The actors that train here."""
        return [one for one in children(self.process.pid) if called(one).startswith("ray::Actor")]

    def ready(self) -> bool:
        """Whether a worker here waits for runs: it calls itself by the method that it is in."""
        return any(called(one).rstrip() == "ray::Actor" for one in self.workers())

    def stop(self) -> None:
        for one in [*children(self.process.pid), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.process.wait()


@contextmanager
def cluster(cpus: int, port: int = PORT, environment: dict[str, str] | None = None) -> Iterator[Node]:
    """A head with so many processors."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # a socket's path has 107 bytes at most
    head = Node(folder, cpus, port=port, environment=environment)
    try:
        yield head.wait()
    finally:
        head.stop()
        shutil.rmtree(folder, ignore_errors=True)
