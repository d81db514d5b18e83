"""How a model is trained, recorded and judged. See README.md, "Where things are".

As a library: ``from explorer import run, sweep, settle, study, load, best, compare, predict, Config``;
`explorer.library` says what each does.
Importing this brings in nothing but itself: what a name stands for is imported when it is first asked for.
"""

import os as _os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explorer.config import Config
    from explorer.errors import UserError
    from explorer.library import best, compare, load, predict, run, settle, study, sweep
    from explorer.record import Record

# tinygrad takes an empty cache folder for the current one, and unpickles what somebody may have put there. By the XDG
# specification what is no absolute path counts as unset.
if not _os.path.isabs(_os.environ.get("XDG_CACHE_HOME", "/")):
    del _os.environ["XDG_CACHE_HOME"]

__version__ = "0.1.0"
__all__ = ["Config", "Record", "UserError", "best", "compare", "load", "predict", "run", "settle", "study", "sweep"]
_HOMES = {"Config": "explorer.config", "Record": "explorer.record", "UserError": "explorer.errors"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'explorer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "explorer.library")), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
