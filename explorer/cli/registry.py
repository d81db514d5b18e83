"""Every command there is: the models' own, then those around them."""

from explorer.cli import best, compare, export, listing, page, predict, report, runs, shift, show, train
from explorer.cli.command import Command


def commands() -> dict[str, Command]:
    """name -> command, in the order of the overview."""
    every = (
        *train.commands(),
        listing.COMMAND,
        report.COMMAND,
        best.COMMAND,
        compare.COMMAND,
        runs.COMMAND,
        show.COMMAND,
        predict.COMMAND,
        shift.COMMAND,
        export.COMMAND,
        page.COMMAND,
    )
    return {command.name: command for command in every}
