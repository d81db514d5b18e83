#!/usr/bin/env python
"""The door of the command line. `python mnist_explorer.py --help` tells what there is."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 an older Python would stumble over what is below
    sys.stderr.write("error: this needs Python 3.11 or newer, not " + sys.version.split()[0] + "\n")
    sys.exit(2)

try:
    from explorer.cli.main import entry
except ModuleNotFoundError as missing:
    sys.stderr.write("error: the package " + str(missing.name) + " is missing; pip install -r requirements.txt\n")
    sys.exit(2)

if __name__ == "__main__":
    entry()
