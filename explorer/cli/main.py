"""From the words typed to an exit code: 2 for a mistake, 74 for output that was lost (a full disk), 130 for Ctrl-C and
143 for SIGTERM, 141 for no reader, else the command's own."""

import errno
import io
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from explorer.cli.menu import menu
from explorer.cli.parser import parse, parser
from explorer.cli.registry import commands
from explorer.errors import UserError
from explorer.escape import printable
from explorer.files import remove_temporary_folders

LOST_OUTPUT = 74  # EX_IOERR of sysexits.h


class Terminal(io.TextIOWrapper):
    """A stream whose text is made printable: what a file says must not steer the terminal. What its encoding does not
    have is spelled out. ``unescaped`` takes control codes of our own, as a live bar's."""

    def __init__(self, stream: io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
        self.unescaped = stream
        super().__init__(stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering)

    def write(self, text: str) -> int:
        return super().write(printable(text))


def main(arguments: list[str]) -> int:
    try:
        _check_folder()
        namespace = parse(arguments)
        if namespace.command is None and sys.stdin.isatty() and sys.stdout.isatty():
            if not (words := menu(list(commands()))):
                return 0
            namespace = parse(words)
        if namespace.command is None:
            parser()[0].print_help()
            return 2
        return commands()[namespace.command].run(namespace)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        print(f"error: the package {error.name} is missing; pip install -r requirements.txt", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"\ninterrupted: {interrupt if interrupt.args else 'nothing was recorded'}", file=sys.stderr)
        return 143 if _terminated else 130
    except BrokenPipeError:  # the reader has gone, as in `... | head`
        return 141
    except OSError as error:  # files are told of where they are written: this is a stream
        if error.filename is not None:  # of a file that nobody foresaw: a name too long, say
            print(f"error: {str(error.filename)[:200]}: {error.strerror}", file=sys.stderr)
            return 2
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EBADF):
            raise
        print(f"error: the output is lost ({error.strerror})", file=sys.stderr)
        return LOST_OUTPUT


def _check_folder() -> None:
    try:
        os.getcwd()
    except OSError:
        raise UserError("the current folder does not exist any more; go to another one") from None


_terminated: list[int] = []


def _terminate(number: int, frame: object) -> NoReturn:
    _terminated.append(number)
    raise KeyboardInterrupt


def entry() -> NoReturn:
    """The command line's end as well as its beginning: the process is over when it returns."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:  # closed by whoever started us: what is written is for nobody
            if (found := os.open(os.devnull, os.O_RDWR)) != number:
                os.dup2(found, number)
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))
    for name in ("stdout", "stderr"):
        setattr(sys, name, Terminal(getattr(sys, name)))
    signal.signal(signal.SIGTERM, _terminate)
    os.environ["MPLBACKEND"] = "agg"  # pictures are files here, and matplotlib dies of a name it does not know
    try:
        code = main(sys.argv[1:])
    except SystemExit as end:  # argparse's, after --help
        code = int(end.code or 0)
    except KeyboardInterrupt:  # a second one, while the first was told of
        code = 143 if _terminated else 130
    leave(code)


def leave(code: int) -> NoReturn:
    """End at once: tearing down the device's threads and buffers one by one takes a second and serves nobody."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            pass
        except OSError as error:
            code = LOST_OUTPUT
            with suppress(OSError):
                os.write(2, f"error: the output is lost ({error.strerror})\n".encode())
    remove_temporary_folders()
    os._exit(code)
