"""Tables and colours for a person: as wide as the terminal, plain text elsewhere. Colours fall away in a pipe, and
where NO_COLOR is set (https://no-color.org)."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from explorer.escape import printable

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST, WIDEST, PIPED = 80, 200, 120
GAP = 2  # columns between those of a table


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
    """A column: its head; ``share`` of the room that is left, in which it wraps or is ``cut`` (None: as wide as its
    longest cell, unless it ``wraps`` for want of room)."""

    head: str
    share: int | None = None
    align: Literal["left", "right"] = "left"
    style: str = ""
    cut: bool = False
    wraps: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table. Cells are plain text and made printable here."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, GAP - 1, 0, 0))
    cutting: Literal["ellipsis", "crop"] = "ellipsis" if block() != "#" else "crop"
    for column in columns:
        whole = column.share is None and not column.wraps
        drawn.add_column(
            column.head, justify=column.align, ratio=column.share, no_wrap=column.cut or whole,
            style=column.style, header_style="bold", overflow=cutting if column.cut else "fold",
        )  # fmt: skip
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    drawn.expand = any(column.share for column in columns)
    sys.stdout.flush()  # the table goes past it, to the stream below
    on = console()
    on.print(drawn)
    on.file.flush()


def rows(found: Sequence[Mapping[str, object]], spare: Sequence[str] = ()) -> None:
    """Print rows with equal keys as a table. Where it would be too wide, columns of ``spare`` are left out, the first
    named first, and told below it; then its texts wrap."""
    from rich.cells import cell_len

    from explorer.telling.tables import is_numeric

    if not found:
        return
    cells = [{head: str(value) for head, value in row.items()} for row in found]
    heads = list(cells[0])
    widths = {head: max(cell_len(head), *(cell_len(printable(row[head])) for row in cells)) for head in heads}
    left_out = []
    for head in spare:
        if head in heads and sum(widths[one] + GAP for one in heads) - GAP > width():
            heads.remove(head)
            left_out.append(head)
    columns = [
        Column(head, align="right" if is_numeric(head) else "left", wraps=not is_numeric(head)) for head in heads
    ]
    table(columns, [[row[head] for head in heads] for row in cells])
    if left_out:
        say(f"(no room for {' and '.join(left_out)}: a wider terminal shows all)")


def say(text: str) -> None:
    """Print a sentence: on a terminal broken between words, in a pipe one line."""
    if not sys.stdout.isatty():
        print(text)
        return
    for line in text.split("\n"):
        print(textwrap.fill(line, width(), break_long_words=False, break_on_hyphens=False))
