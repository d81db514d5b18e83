"""Tables and colours for a person: as wide as the terminal, plain text elsewhere. Colours fall away in a pipe, and
where NO_COLOR is set (https://no-color.org)."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from explorer.escape import printable

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST, WIDEST, PIPED = 80, 200, 120


def width() -> int:
    """Columns to write in: the terminal's or COLUMNS, within 80 to 200; in a pipe 120 unless COLUMNS says."""
    columns = shutil.get_terminal_size((PIPED, 24)).columns if sys.stdout.isatty() else _columns()
    return min(max(columns, NARROWEST), WIDEST)


def _columns() -> int:
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isdigit() else PIPED


def block() -> str:
    """What bars are drawn of: a full block, where the output's encoding has it."""
    try:
        "█".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"


def console() -> "Console":
    """The terminal. It draws with control codes of its own, so what it is told must be made printable before."""
    from rich.console import Console

    file = getattr(sys.stdout, "unescaped", sys.stdout)
    return Console(file=file, width=width(), highlight=False, markup=False, emoji=False, soft_wrap=False)


@dataclass(frozen=True)
class Column:
    """A column: its head; ``share`` of the room that is left, in which it wraps (None: as wide as its longest cell)."""

    head: str
    share: int | None = None
    align: Literal["left", "right"] = "left"
    style: str = ""


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table. Cells are plain text and made printable here."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        drawn.add_column(
            column.head, justify=column.align, ratio=column.share, no_wrap=column.share is None, style=column.style,
            header_style="bold", overflow="fold",
        )  # fmt: skip
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    drawn.expand = any(column.share for column in columns)
    console().print(drawn)
