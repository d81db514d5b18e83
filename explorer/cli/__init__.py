"""The command line: one module a command, each an entry of `registry.commands`."""
