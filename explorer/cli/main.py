"""From the words typed to an exit code: 2 for a mistake, 130 for Ctrl-C, 141 for no reader, else the command's own."""

import os
import sys
from typing import NoReturn

from explorer.cli.parser import parse, parser
from explorer.cli.registry import commands
from explorer.errors import UserError


def main(arguments: list[str]) -> int:
    try:
        namespace = parse(arguments)
        if namespace.command is None:
            parser()[0].print_help()
            return 2
        return commands()[namespace.command].run(namespace)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"\ninterrupted: {interrupt if interrupt.args else 'nothing was recorded'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has gone, as in `... | head`
        return 141


def entry() -> NoReturn:
    """The command line's end as well as its beginning: the process is over when it returns."""
    leave(main(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """End at once: tearing down the device's threads and buffers one by one takes a second and serves nobody."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    finally:
        os._exit(code)
