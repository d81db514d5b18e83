"""``page``: the study to look at and play with, in a browser, served from this machine."""

import argparse
import socket
from dataclasses import dataclass
from pathlib import Path

from explorer.cli.command import Command
from explorer.cli.options import Machine, add_data_dir, add_results, data_dir_of, results_of
from explorer.errors import UserError

PORT = 8642
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class PageOptions:
    host: str
    port: int
    results: Path | None
    data_dir: Path | None
    machine: Machine


def port(text: str) -> int:
    """A port, for argparse; 0 is any free one."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 65535, got {text}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("where")
    where.add_argument("--port", type=port, default=PORT, help=f"port of the page; 0 is any free one (default: {PORT})")
    where.add_argument(
        "--host", default=LOOPBACK,
        help=f"address to listen at (default: {LOOPBACK}, which this machine alone can reach; with another one whoever "
        "reaches it can look, and whoever has the link can train)",
    )  # fmt: skip
    add_results(where)
    add_data_dir(where)
    Machine.add_arguments(parser.add_argument_group("what PLAY trains on"))


def run(namespace: argparse.Namespace) -> int:
    results = results_of(namespace)
    machine = Machine.of(namespace)
    return page(PageOptions(namespace.host, namespace.port, results, data_dir_of(namespace), machine))


def page(options: PageOptions) -> int:
    """Serves until Ctrl-C. Raises UserError where it cannot listen, or a package of the server is missing."""
    try:
        import uvicorn

        from explorer.serving.app import Server, ServerOptions
        from explorer.serving.guard import Guard
    except ModuleNotFoundError as error:
        if error.name not in ("uvicorn", "starlette"):
            raise
        raise UserError(
            f"the page needs the package {error.name}; pip install -r requirements-page.txt. "
            "Without it: python mnist_explorer.py report --html study.html"
        ) from None
    listening = _listen(options.host, options.port)
    number = listening.getsockname()[1]
    guard = Guard(options.host, number)
    server = Server(
        ServerOptions(options.results, options.data_dir, options.machine.device, options.machine.kernels), guard
    )
    name = options.host if options.host not in ("0.0.0.0", "::") else socket.gethostname()
    shown = f"[{name}]" if ":" in name else name
    print(f"http://{shown}:{number}/?token={guard.token}", flush=True)
    print("Open this link; whoever has it can train here. Ctrl-C ends the page.", flush=True)
    config = uvicorn.Config(server.app(), log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run([listening])
    return 0


def _listen(host: str, number: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UserError(f"--host {host}: {error.strerror or error}; name an address of this machine") from None
    listening = socket.socket(found[0][0], socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, number))
        listening.listen(128)
    except OSError as error:
        listening.close()
        advice = "--port names another one, 0 any free one"
        raise UserError(f"cannot listen at {host}, port {number} ({error.strerror or error}); {advice}") from None
    return listening


COMMAND = Command("page", "the study in a browser: look, follow sweeps, play, draw", add_arguments, run)
