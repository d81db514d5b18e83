"""When a PNG is drawn, and when it is replaced.

Two rules, for pictures are to change only when what they show changes, and drawing is most of what a report costs:

1. A picture is drawn if it is missing, or if its facts or the code that draws it are others than those noted for it:
   the code is its plot's own file and picture.py, byte for byte. Nobody has to remember to raise a version.
2. What was drawn replaces the file only if a pixel differs. A comment, a tidier line, another version of zlib or the
   last digit of a mean cost a drawing, once, and change no file but the note.

The note is DRAWN, a small file beside the pictures. It is kept with them, so that a fresh clone draws nothing. The
version of matplotlib is no part of it: a new one alone changes nothing that a picture says.
"""

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.files import write_atomically
from explorer.telling.plots import picture

if TYPE_CHECKING:
    from explorer.telling.plots import Plot
    from explorer.telling.plots.facts import Facts

DRAWN = "drawn.json"


def write(path: Path, plot: "Plot", facts: "Facts") -> Path:
    """Brings the PNG ``path`` up to date with these facts. It is replaced as a whole, never half written."""
    if path.parent.is_symlink():
        raise OSError(f"the folder {path.parent} is a link, and nothing is written through one")
    note = path.with_name(DRAWN)
    digest, drawn = _digest(plot, facts), _read(note)
    if path.is_file() and drawn.get(path.name) == digest:
        return path
    png = picture.png_of(lambda: plot.draw(facts))
    if not (path.is_file() and _same_pixels(png, path)):
        write_atomically(path, png)
    drawn = {name: known for name, known in _read(note).items() if path.with_name(name).is_file()}
    lines = json.dumps(drawn | {path.name: digest}, indent=0, sort_keys=True) + "\n"
    write_atomically(note, lines.encode())
    return path


def _digest(plot: "Plot", facts: "Facts") -> str:
    digest = hashlib.sha256()
    for file in (plot.file, Path(picture.__file__)):
        digest.update(file.read_text(encoding="utf-8").encode())  # as text: a checkout may have other line ends
    digest.update(json.dumps(asdict(facts), sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _read(note: Path) -> dict[str, str]:
    """name of a picture -> digest it was drawn from; empty where there is no note, or one that cannot be read."""
    try:
        drawn = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}  # to open a pipe waits
    except (OSError, ValueError, RecursionError):
        return {}
    return drawn if isinstance(drawn, dict) else {}


def _same_pixels(png: bytes, path: Path) -> bool:
    from PIL import Image, ImageChops

    new = Image.open(io.BytesIO(png)).convert("RGB")
    try:
        with Image.open(path) as file:
            if file.size != new.size:  # known before anything is unpacked
                return False
            old = file.convert("RGB")
    except Exception:  # PIL raises a dozen kinds at what is damaged, or made to fill memory
        return False
    return ImageChops.difference(old, new).getbbox() is None
