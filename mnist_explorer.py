#!/usr/bin/env python
"""The door of the command line. `python mnist_explorer.py --help` tells what there is."""

from explorer.cli.main import entry

if __name__ == "__main__":
    entry()
