"""How a model is trained, recorded and judged. See README.md, "Where things are".

As a library: ``from explorer import run, sweep, load, best, compare, Config``; `explorer.library` says what each does.
Importing this brings in nothing but itself: what a name stands for is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explorer.config import Config
    from explorer.errors import UserError
    from explorer.library import best, compare, load, run, sweep
    from explorer.record import Record

__version__ = "0.1.0"
__all__ = ["Config", "Record", "UserError", "best", "compare", "load", "run", "sweep"]
_HOMES = {"Config": "explorer.config", "Record": "explorer.record", "UserError": "explorer.errors"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'explorer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "explorer.library")), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
