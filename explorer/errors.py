"""The one exception a person is meant to read."""


class UserError(Exception):
    """A person's mistake or a machine's lack, told in one line: what was wrong and what would be right.

    The command line prints it after ``error:`` and exits with `exit_code`, without a traceback.
    """

    exit_code = 2
