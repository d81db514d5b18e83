"""Where the program's own files lie: in a checkout of its repository, or installed among other packages."""

from pathlib import Path

_ABOVE = Path(__file__).resolve().parent.parent
CHECKOUT: Path | None = _ABOVE if (_ABOVE / "mnist_explorer.py").is_file() else None
"""The repository's folder; None where the program is installed without it."""


def default(name: str) -> Path:
    """Where ``results``, ``media`` and the like are unless told: in the checkout, else in the current folder."""
    return (CHECKOUT or Path.cwd()) / name
