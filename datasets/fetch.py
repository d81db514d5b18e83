"""How a published data set is had: from a folder or a mirror; verified by its digests, and never over its size."""

import hashlib
import io
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

from explorer.datasets import DATA_VARIABLE, idx, known, names, path_of, reading
from explorer.datasets.dataset import Dataset, make
from explorer.datasets.entry import Published, Say, UnavailableError
from explorer.datasets.idx import FILES
from explorer.errors import UserError
from explorer.files import user_cache, write_atomically

ANSWER_SECONDS = 10.0  # all mirrors together; after that the machine counts as offline
STALL_SECONDS = (5.0, 10.0)  # connecting, and waiting for the next bytes of a file


def load(entry: Published, data_dir: str | Path | None, say: Say) -> Dataset:
    """The published data set, from the first place that has it (see ``datasets.load``).

    Raises UserError for a given folder that holds no data set and for a file that is altered or cut short,
    UnavailableError where the data set can be neither found nor fetched.
    """
    given = _given_folder(data_dir)
    if given is not None and _holds_any(given / entry.name):
        return _from_folder(entry, given / entry.name, "replace it by the original")
    cache = _cache_folder(entry.name)
    if _holds_all(cache):
        return _from_folder(entry, cache, "delete it and it will be downloaded again")
    package, folder = entry.debian or ("", None)
    if folder is not None and _holds_all(folder):
        return _from_folder(entry, folder, f"reinstall the package {package}")

    try:
        contents, source = _download(entry, say)
    except ConnectionError as error:
        packaged = f" or install the Debian package {package}," if package else ""
        raise UnavailableError(
            f"{entry.name} is not on this machine and cannot be downloaded ({error}): put its four files "
            f"({FILES[0]}.gz, ...) into a folder {entry.name}/ and name the folder above it with --data-dir or "
            f"{DATA_VARIABLE}, or put them into {cache},{packaged} "
            "or take --dataset digits, which needs no download"
        ) from None
    for file, content in zip(FILES, contents, strict=True):
        _keep(cache / file, content, say)
    return _dataset(entry, contents, source)


def _given_folder(data_dir: str | Path | None) -> Path | None:
    """The folder a person named, by option or environment; None where they named none. UserError if it is no use."""
    text = str(data_dir or os.environ.get(DATA_VARIABLE) or "")
    if not text:
        return None
    said = f"--data-dir {text}" if data_dir else f"{DATA_VARIABLE}={text}"
    published = [name for name in names() if isinstance(known(name), Published)]
    wanted = (
        f"it should be a folder that holds {'/ or '.join(published)}/ with {FILES[0]}.gz (or unpacked) and its three "
        "fellows"
    )
    folder = path_of(text)
    if folder is None or not os.path.isdir(folder):
        raise UserError(f"{said}: there is no such folder; {wanted}")
    if not any(_holds_any(folder / name) for name in published):
        raise UserError(f"{said}: no data set is in there; {wanted}")
    return folder


def _cache_folder(name: str) -> Path:
    return user_cache() / "data" / name


def _holds_any(folder: Path) -> bool:
    return any(idx.find(folder, file) for file in FILES)


def _holds_all(folder: Path) -> bool:
    return all(idx.find(folder, file) for file in FILES)


def _from_folder(entry: Published, folder: Path, remedy: str) -> Dataset:
    contents = []
    for file, expected, size in zip(FILES, entry.digests, entry.sizes, strict=True):
        path = idx.find(folder, file)
        if path is None:
            raise UserError(f"{folder} is incomplete: {file}.gz (or unpacked) is missing")
        raw = reading.content(path, reading.packed_limit(size))
        try:
            content = reading.unpack(raw, size)
        except ValueError as error:
            raise UserError(f"{path} is altered: {error}; {remedy}") from None
        if content is None:
            raise UserError(
                f"{path} is cut short or altered, it does not unpack: SHA-256 should be {expected} unpacked, "
                f"and is {hashlib.sha256(raw).hexdigest()} as it is; {remedy}"
            )
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise UserError(f"{path} is altered: SHA-256 should be {expected}, and is {found}; {remedy}")
        contents.append(content)
    return _dataset(entry, contents, str(folder))


def _dataset(entry: Published, contents: list[bytes], source: str) -> Dataset:
    train_images, train_labels, test_images, test_labels = (idx.parse(content) for content in contents)
    arrays = (train_images, train_labels, test_images, test_labels)
    return make(entry.name, arrays, entry.classes, entry.validation, source, contents)


def _download(entry: Published, say: Say) -> tuple[list[bytes], str]:
    """The four verified contents and the mirror they came from. ConnectionError where no mirror delivers them."""
    mirrors = _answering_mirrors(entry)
    contents = []
    for file, digest, size in zip(FILES, entry.digests, entry.sizes, strict=True):
        while True:
            url = f"{mirrors[0]}{file}.gz"
            say(f"downloading {url}")
            try:
                contents.append(_fetch(url, digest, size, STALL_SECONDS, _progress_bar(file)))
                break
            except (OSError, ValueError) as error:
                say(f"that failed: {error}")
                mirrors.pop(0)
                if not mirrors:
                    raise ConnectionError("every mirror that answered failed to deliver") from None
    return contents, mirrors[0]


def _answering_mirrors(entry: Published) -> list[str]:
    """The mirrors that deliver the smallest file intact, the fastest first. ConnectionError where none does in time.

    All are asked at once, from daemon threads: a look-up of a host's name can hang for far longer than any time-out
    that can be set, and must neither hold up the answer nor the end of the program. Asking for a file rather than
    for a connection sees through proxies and through networks that answer everything with a page of their own.
    """
    answers: queue.Queue[tuple[str, str]] = queue.Queue()

    def ask(mirror: str) -> None:
        try:
            _fetch(f"{mirror}{FILES[3]}.gz", entry.digests[3], entry.sizes[3], (ANSWER_SECONDS, ANSWER_SECONDS))
            answers.put((mirror, ""))
        except Exception as error:  # whatever it is, this mirror is no use
            answers.put((mirror, type(error).__name__))

    for mirror in entry.mirrors:
        threading.Thread(target=ask, args=(mirror,), daemon=True).start()
    good: list[str] = []
    failures: list[str] = []
    deadline = time.monotonic() + ANSWER_SECONDS
    while len(good) + len(failures) < len(entry.mirrors):
        try:
            mirror, failure = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if failure:
            failures.append(failure)
        else:
            good.append(mirror)
            deadline = min(deadline, time.monotonic() + 1.0)  # the slower ones are only a reserve
    if not good:
        reason = ", ".join(sorted(set(failures))) or f"no answer within {ANSWER_SECONDS:g} s"
        raise ConnectionError(f"none of {len(entry.mirrors)} mirrors delivered: {reason}")
    return good


class _Bounded(io.BytesIO):
    """Takes ``most`` bytes. A mirror that sends on and on is cut off there, by a ValueError."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def write(self, part: Any) -> int:
        if self.tell() + len(part) > self.most:
            raise ValueError(f"it sends more than the {self.most:,} bytes the file can have")
        return super().write(part)


def _fetch(url: str, expected: str, size: int, timeout: tuple[float, float], progress_bar: Any = False) -> bytes:
    """The unpacked, verified content behind ``url``, which has ``size`` bytes.

    Raises OSError where it does not come, ValueError where it is altered or does not end.
    """
    from pooch import HTTPDownloader

    buffer = _Bounded(reading.packed_limit(size))
    try:
        HTTPDownloader(progressbar=progress_bar, chunk_size=1 << 16, timeout=timeout)(url, buffer, None)
    finally:
        if progress_bar:
            progress_bar.close()
    content = reading.unpack(buffer.getvalue(), size)
    if content is None:
        raise ValueError("what came does not unpack")
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(f"what came has SHA-256 {found}, and should have {expected}")
    return content


class _ProgressBar:
    """The four members pooch asks of a progress bar, drawn by rich on stderr."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.total = 0  # set by pooch once the length is known
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task(title, total=None)

    def update(self, byte_count: int) -> None:
        self.progress.start()
        self.progress.update(self.task, total=self.total or None, advance=byte_count)

    def reset(self) -> None:
        self.progress.reset(self.task)

    def close(self) -> None:
        self.progress.stop()


def _progress_bar(title: str) -> _ProgressBar | bool:
    return _ProgressBar(title) if sys.stderr.isatty() else False


def _keep(path: Path, content: bytes, say: Say) -> None:
    """Write ``content`` to ``path``: whole or not at all, whoever else writes and whenever this ends."""
    try:
        write_atomically(path, content)
    except OSError as error:
        say(f"note: {path} could not be kept for the next time: {error.strerror}")
