"""What is trained: one file a model. A file dropped in here, or into a folder that the environment variable
MNIST_EXPLORER_MODELS names, is found by itself; README, "Add a model", shows one."""

import functools
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

from explorer.errors import UserError
from explorer.models.model import Model

VARIABLE = "MNIST_EXPLORER_MODELS"
SUPPORT = {"__init__", "model", "layers", "activations"}  # files beside the models that are none


def names() -> tuple[str, ...]:
    """The models there are, in their own order."""
    return tuple(_found(os.environ.get(VARIABLE, "")))


def get(name: str) -> type[Model]:
    """The model of that name. KeyError where there is none: ask `names` first."""
    return _found(os.environ.get(VARIABLE, ""))[name]


@functools.cache
def _found(folders: str) -> dict[str, type[Model]]:
    """name -> model, of this folder and of those in ``folders``, parted as in PATH.

    Raises UserError for a folder that is not there and for a file that declares no model.
    """
    paths = [path for path in Path(__file__).parent.glob("*.py") if path.stem not in SUPPORT]
    for folder in filter(None, folders.split(os.pathsep)):
        if not Path(folder).is_dir():
            raise UserError(f"{VARIABLE}={folder}: there is no such folder; it should hold a file a model")
        paths += sorted(Path(folder).glob("*.py"))
    models: dict[str, type[Model]] = {}
    for path in paths:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", path.stem):
            raise UserError(f"{path}: a model's file is named in small letters, digits and _, as in lenet.py")
        if path.stem in models:
            raise UserError(f"{path}: there is a model {path.stem!r} already; give the file another name")
        model = _declared(path)
        model.name = path.stem
        models[path.stem] = model
    return dict(sorted(models.items(), key=lambda item: (item[1].place, item[0])))


def _declared(path: Path) -> type[Model]:
    """The one model that a file declares."""
    try:
        module = _module(path)
    except Exception as error:  # whatever is wrong with a person's own file
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(f"{path}{line}: cannot be read as a model ({type(error).__name__}: {reason[:160]})") from error
    declared = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Model) and thing.__module__ == module.__name__
    ]
    if len(declared) != 1:
        found = f"{len(declared)} of them" if declared else "none"
        raise UserError(
            f"{path}: a model's file declares one subclass of explorer.models.model.Model, this one has {found}"
        )
    return declared[0]


def _module(path: Path) -> ModuleType:
    name = f"{__name__}.{path.stem}"
    if path.parent == Path(__file__).parent:
        return importlib.import_module(name)
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
