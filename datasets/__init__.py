"""What it is trained on: one file a data set, or a folder or .npz file of the user's own.

A file in this folder that has a line ``DATASET = ...`` declares a data set; so does one in the folders that the
environment variable MNIST_EXPLORER_DATASETS names (several are joined as in PATH). ``mnist.py`` shows how. A person's
own data need no file: ``load`` takes the path of a folder or of an .npz file (see datasets/own.py).

The registry is light: it imports no numpy.
"""

import difflib
import functools
import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from explorer.datasets.entry import Entry, Own, Published, Say, UnavailableError
from explorer.errors import UserError

if TYPE_CHECKING:
    from explorer.datasets.dataset import Dataset

HERE = Path(__file__).resolve().parent
DATA_VARIABLE = "MNIST_EXPLORER_DATA"  # the folder that holds mnist/, fashion/ and the user's own
FILES_VARIABLE = "MNIST_EXPLORER_DATASETS"  # folders of more files that declare a data set
LONGEST_NAME = 40
_own: dict[str, Own] = {}  # people's own data that this process has loaded by their path


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def names() -> tuple[str, ...]:
    """The names of all declared data sets, in the order in which lists show them."""
    return tuple(_registry(os.environ.get(FILES_VARIABLE, "")))


def known(name: str) -> Entry:
    """What is known of a declared data set without loading it. UserError with the nearest name if there is none."""
    try:
        return _registry(os.environ.get(FILES_VARIABLE, ""))[name]
    except KeyError:
        raise UserError(_unknown(name)) from None


def find(name: str) -> Entry | None:
    """What is known of a data set that is declared, or is a person's own and loaded by this process; else None."""
    return known(name) if name in names() else _own.get(name)


def title(name: str) -> str:
    """The data set as a sentence calls it: ``Fashion-MNIST``. A person's own is called by its name."""
    return known(name).title if name in names() else name


def rank(name: str) -> tuple[int, str]:
    """What sorts data sets for lists: the declared ones in the order of ``names``, then people's own by name."""
    declared = names()
    return (declared.index(name) if name in declared else len(declared), name)


def valid_name(name: str) -> bool:
    """Whether a data set, declared or a person's own, may be called so: a-z, 0-9, ``_``, ``.``, ``-``; at most 40."""
    return len(name) <= LONGEST_NAME and re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", name) is not None


def locate(word: str | Path, data_dir: str | Path | None = None, called: str = "data set") -> tuple[str, Path | None]:
    """(name, path) of the data set a person means; the path is None for a declared one. Reads no image.

    ``word`` is a declared name; or the path of a folder or .npz file; or the name of one that this process has loaded;
    or the name of one within the data folder (``data_dir``, or else what MNIST_EXPLORER_DATA names). A path's name is
    its last part without .npz, in lower case, with ``-`` for what a name may not have, cut at 40 characters; a declared
    name gets ``own-`` before it.

    Raises UserError, which calls the word as ``called`` says and gives the nearest declared name, where ``word`` means
    none of them.
    """
    text = str(word)
    if text in names():
        return text, None
    path = path_of(text)
    if path is not None and os.path.lexists(path):
        return name_of(path), path
    if text in _own:
        return text, _own[text].path
    within = data_dir or os.environ.get(DATA_VARIABLE)
    folder = path_of(str(within)) if within else None
    if folder is not None and valid_name(text):
        for inside in (folder / text, folder / f"{text}.npz"):
            if os.path.lexists(inside):
                return name_of(inside), inside
    if "\0" not in text and (os.sep in text or text.endswith(".npz")):
        raise UserError(f"{called} {_short(text)}: there is no such folder or file")
    raise UserError(_unknown(text, called))


def load(
    word: str | Path,
    data_dir: str | Path | None = None,
    fall_back: bool = False,
    say: Say = to_stderr,
) -> "Dataset":
    """The data set that ``word`` means (see ``locate``), read, verified and unpacked.

    A declared one is searched in turn: in ``data_dir``, or else in the folder that MNIST_EXPLORER_DATA names; in the
    user's cache; where a Debian package puts it; on the public mirrors, whose files are then kept in the cache. With
    ``fall_back``, one that is nowhere to be had is replaced by its stand-in, and one line to ``say`` tells so.

    Raises UserError for a folder that holds no data set, for a file that is altered, cut short or no data set, and
    where the data set can be neither found nor fetched.
    """
    name, path = locate(word, data_dir)
    if path is not None:
        from explorer.datasets import own

        found = own.read(path, name)
        _own[name] = own.entry_of(found, Path(os.path.abspath(path)))
        return found
    entry = known(name)
    try:
        return read(entry, data_dir, say)
    except UnavailableError:
        if not (fall_back and entry.stand_in):
            raise
    stand_in = known(entry.stand_in)
    say(
        f"WARNING: NOT {entry.title}! It is not on this machine and cannot be downloaded, so {stand_in.name} "
        f"({sum(stand_in.split('all')) + stand_in.test:,} images) stands in for it: no figure of this run is one of "
        f"{entry.title}. --data-dir or {DATA_VARIABLE} names a folder that has the real one."
    )
    return read(stand_in, data_dir, say)


def read(entry: Entry, data_dir: str | Path | None, say: Say) -> "Dataset":
    """The data set of an entry. UserError, or UnavailableError, where it cannot be had."""
    if isinstance(entry, Published):
        from explorer.datasets import fetch

        return fetch.load(entry, data_dir, say)
    if isinstance(entry, Own):
        from explorer.datasets import own

        return own.read(entry.path, entry.name)
    return entry.load(data_dir, say)


def name_of(path: Path) -> str:
    """The name of a person's own data at this path, as ``locate`` states it."""
    last = os.path.basename(os.path.abspath(path))
    stem = last[: -len(".npz")] if last.lower().endswith(".npz") else last
    name = re.sub(r"[^a-z0-9_.-]+", "-", stem.lower()).strip("-.")[:LONGEST_NAME].rstrip("-.") or "own"
    return f"own-{name}"[:LONGEST_NAME].rstrip("-.") if name in names() else name


def path_of(text: str) -> Path | None:
    """``text`` as a path, ``~`` resolved; None where it can name nothing, as with a NUL in it."""
    try:
        return Path(os.path.expanduser(text)) if text and "\0" not in text else None
    except (ValueError, RuntimeError):
        return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:99]}…")


def _unknown(word: str, called: str = "data set") -> str:
    close = difflib.get_close_matches(word.lower(), names(), n=1, cutoff=0.5)
    choice = f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(names())}, or the path of your own"
    return f"{called} {_short(word)} is unknown; {choice}"


@functools.cache
def _registry(folders: str) -> dict[str, Entry]:
    """name -> entry of every file that declares a data set, in this folder and in ``folders``.

    UserError where a folder or a file of ``folders`` is no use.
    """
    files = _declaring(HERE)
    for folder in filter(None, folders.split(os.pathsep)):
        if not os.path.isdir(folder):
            raise UserError(f"{FILES_VARIABLE}={folders}: there is no folder {folder!r}")
        files += _declaring(Path(folder))
    entries: dict[str, Entry] = {}
    for file in files:
        entry = getattr(_module(file), "DATASET", None)
        if not isinstance(entry, Entry):
            raise UserError(f"{file}: DATASET must be an Entry of datasets/entry.py, and is {type(entry).__name__}")
        if entry.name != file.stem or not valid_name(entry.name):
            raise UserError(
                f"{file}: a data set is called like its file, in a-z, 0-9, '_', '.', '-'; not {entry.name!r}"
            )
        if entry.name in entries:
            raise UserError(f"{file}: there is a data set {entry.name!r} already; give the file another name")
        entries[entry.name] = entry
    return {entry.name: entry for entry in sorted(entries.values(), key=lambda entry: (entry.place, entry.name))}


def _declaring(folder: Path) -> list[Path]:
    """The Python files in ``folder`` that declare a data set. Only these are imported: others may import numpy."""
    files = sorted(path for path in folder.glob("*.py") if path.is_file())
    return [path for path in files if re.search(rb"^DATASET\b", path.read_bytes(), re.MULTILINE)]


def _module(file: Path) -> ModuleType:
    """The module in ``file``. UserError where it is somebody's own and cannot be imported."""
    if file.parent == HERE:
        return importlib.import_module(f"{__name__}.{file.stem}")
    spec = importlib.util.spec_from_file_location(f"datasets_own_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever is wrong in it, its writer wants to know where
        raise UserError(f"{file} cannot be imported: {type(error).__name__}: {error}") from None
    return module
