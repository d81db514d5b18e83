"""Data sets: locate, download, verify, unpack, and the constants that scale their pixels."""

import gzip
import hashlib
import importlib.util
import io
import os
import queue
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explorer.errors import UserError
from models.model import Images

CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    "digits": tuple("0123456789"),
}
SCALINGS = ("unit", "signed", "standard")

# The order counts: Dataset.digest is taken over the files in this order.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# SHA-256 of each file UNPACKED, in the order of FILES: mirrors compress differently, the content is one.
DIGESTS: dict[str, tuple[str, ...]] = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
MIRRORS: dict[str, tuple[str, ...]] = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://sagemaker-sample-files.s3.amazonaws.com/datasets/image/MNIST/",
    ),
    "fashion": (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
}
DEBIAN_FOLDERS = {"fashion": Path("/usr/share/datasets/fashion-mnist")}

VARIABLE = "MNIST_EXPLORER_DATA"
VALIDATION_COUNTS = {"mnist": 10_000, "fashion": 10_000, "digits": 300}
LOOK_IMAGES = 2000  # how many validation images a look along the way takes; the final figure takes all of them
ANSWER_SECONDS = 10.0  # all mirrors together; after that the machine counts as offline
STALL_SECONDS = (5.0, 10.0)  # connecting, and waiting for the next bytes of a file


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled grey-scale images. The last ``validation_count`` training images are the validation split.

    Images are (N, 28, 28) uint8, labels (N,) uint8 from 0 to 9; the arrays are read-only. ``name`` is what the data
    are, which after a fall-back is not what was asked for. ``digest`` (16 hex digits) stands for the content of all
    four arrays, ``source`` says where they came from.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    validation_count: int
    digest: str
    source: str

    @property
    def of(self) -> Images:
        """What a net for these images is built for."""
        _, height, width = self.train_images.shape
        return Images(height, width, len(CLASS_NAMES[self.name]))

    def split(self, train_on: str) -> tuple[int, int]:
        """(training images, validation images): ``split`` keeps the last ones for validation, ``all`` keeps none."""
        validation = self.validation_count if train_on == "split" else 0
        return len(self.train_images) - validation, validation


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def load(
    name: str, data_dir: Path | None = None, fall_back: bool = False, say: Callable[[str], None] = _say
) -> Dataset:
    """Find the data set ``name`` (``mnist``, ``fashion`` or ``digits``), or download it; verify and unpack it.

    Searched in turn: ``data_dir``, or else the folder the environment variable MNIST_EXPLORER_DATA names (either holds
    ``mnist/`` and ``fashion/``); the user's cache; Debian's package (Fashion only); the public mirrors, whose files
    are then kept in the cache. With ``fall_back``, MNIST that is nowhere to be had is replaced by ``digits``, and one
    line to ``say`` tells so.

    Raises UserError for a folder that holds no data set, for a file that is altered or cut short, and where the data
    set can be neither found nor fetched.
    """
    if name not in CLASS_NAMES:
        raise UserError(f"there is no data set {name!r}: choose from {', '.join(CLASS_NAMES)}")
    if name == "digits":
        return _digits()

    given = _given_folder(data_dir)
    if given is not None and (given / name).is_dir() and _holds_any(given / name):
        return _from_folder(name, given / name, "replace it by the original")
    cache = _cache_folder(name)
    if _holds_all(cache):
        return _from_folder(name, cache, "delete it and it will be downloaded again")
    debian = DEBIAN_FOLDERS.get(name)
    if debian is not None and _holds_all(debian):
        return _from_folder(name, debian, "reinstall the package dataset-fashion-mnist")

    try:
        contents, source = _download(name, say)
    except ConnectionError as error:
        if fall_back and name == "mnist":
            say(
                "WARNING: NOT MNIST! It is not on this machine and cannot be downloaded, so scikit-learn's 1,797 small "
                f"digits stand in for it: no figure of this run is an MNIST figure. --data-dir or {VARIABLE} "
                "names a folder that has the real one."
            )
            return _digits()
        package = " or install Debian's package dataset-fashion-mnist," if name == "fashion" else ""
        raise UserError(
            f"{name} is not on this machine and cannot be downloaded ({error}): put its four files "
            f"({FILES[0]}.gz, ...) into a folder {name}/ and name the folder above it with --data-dir or {VARIABLE}, "
            f"or put them into {cache},{package} or take --dataset digits, which needs no download"
        ) from None
    for file, content in zip(FILES, contents, strict=True):
        _keep(cache / file, content, say)
    return _dataset(name, contents, source)


def _given_folder(data_dir: Path | None) -> Path | None:
    """The folder a person named, by option or environment; None where they named none. UserError if it is no use."""
    if data_dir is not None:
        folder, said = Path(data_dir).expanduser(), f"--data-dir {data_dir}"
    elif os.environ.get(VARIABLE):
        folder, said = Path(os.environ[VARIABLE]).expanduser(), f"{VARIABLE}={os.environ[VARIABLE]}"
    else:
        return None
    wanted = (
        f"it should be a folder that holds mnist/ or fashion/ with {FILES[0]}.gz (or unpacked) and its three fellows"
    )
    if not folder.is_dir():
        raise UserError(f"{said}: there is no such folder; {wanted}")
    if not any(_holds_any(folder / name) for name in DIGESTS):
        raise UserError(f"{said}: no data set is in there; {wanted}")
    return folder


def _cache_folder(name: str) -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("mnist-explorer") / "data" / name


def _find(folder: Path, file: str) -> Path | None:
    """The path of ``file`` in ``folder`` under any of the names it goes by; unpacked comes first, being faster."""
    dotted = file.replace("-idx", ".idx")
    candidates = (folder / spelling for spelling in (file, dotted, f"{file}.gz", f"{dotted}.gz"))
    return next((path for path in candidates if path.is_file()), None)


def _holds_any(folder: Path) -> bool:
    return any(_find(folder, file) for file in FILES)


def _holds_all(folder: Path) -> bool:
    return all(_find(folder, file) for file in FILES)


def _from_folder(name: str, folder: Path, remedy: str) -> Dataset:
    contents = []
    for file, expected in zip(FILES, DIGESTS[name], strict=True):
        path = _find(folder, file)
        if path is None:
            raise UserError(f"{folder} is incomplete: {file}.gz (or unpacked) is missing")
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        content = _unpack(raw)
        if content is None:
            raise UserError(
                f"{path} is cut short or altered, it does not unpack: SHA-256 should be {expected} unpacked, "
                f"and is {hashlib.sha256(raw).hexdigest()} as it is; {remedy}"
            )
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise UserError(f"{path} is altered: SHA-256 should be {expected}, and is {found}; {remedy}")
        contents.append(content)
    return _dataset(name, contents, str(folder))


def _unpack(raw: bytes) -> bytes | None:
    """What ``raw`` holds: itself, or what its gzip layer wraps; None for a gzip that is damaged or cut short."""
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        return None


def parse_idx(content: bytes) -> np.ndarray:
    """An unpacked IDX file of unsigned bytes as a read-only uint8 array of the shape its header tells.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
    32-bit integer, then the values, last dimension fastest. Raises ValueError where ``content`` is anything else.
    Source: Y. LeCun, "The MNIST database", section "File formats".
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError("not an IDX file of unsigned bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError("an IDX file cut short within its header")
    shape = tuple(int(length) for length in np.frombuffer(content[4:start], ">u4"))
    values = np.frombuffer(content, np.uint8, offset=start)
    if values.size != int(np.prod(shape)):
        raise ValueError(f"an IDX file of shape {shape} with {values.size} values")
    return values.reshape(shape)


def _dataset(name: str, contents: list[bytes], source: str) -> Dataset:
    train_images, train_labels, test_images, test_labels = (parse_idx(content) for content in contents)
    digest = _digest_of_all(contents)
    return Dataset(name, train_images, train_labels, test_images, test_labels, VALIDATION_COUNTS[name], digest, source)


def _digest_of_all(contents: list[bytes]) -> str:
    joined = b"".join(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(joined).hexdigest()[:16]


def _download(name: str, say: Callable[[str], None]) -> tuple[list[bytes], str]:
    """The four verified contents and the mirror they came from. ConnectionError where no mirror delivers them."""
    mirrors = _answering_mirrors(name)
    contents = []
    for index, file in enumerate(FILES):
        while True:
            url = f"{mirrors[0]}{file}.gz"
            say(f"downloading {url}")
            try:
                contents.append(_fetch(url, DIGESTS[name][index], STALL_SECONDS, _progress_bar(file)))
                break
            except (OSError, ValueError) as error:
                say(f"that failed: {error}")
                mirrors.pop(0)
                if not mirrors:
                    raise ConnectionError("every mirror that answered failed to deliver") from None
    return contents, mirrors[0]


def _answering_mirrors(name: str) -> list[str]:
    """The mirrors that deliver the smallest file intact, the fastest first. ConnectionError where none does in time.

    All are asked at once, from daemon threads: a look-up of a host's name can hang for far longer than any time-out
    that can be set, and must neither hold up the answer nor the end of the program. Asking for a file rather than
    for a connection sees through proxies and through networks that answer everything with a page of their own.
    """
    answers: queue.Queue[tuple[str, str]] = queue.Queue()

    def ask(mirror: str) -> None:
        try:
            _fetch(f"{mirror}{FILES[3]}.gz", DIGESTS[name][3], (ANSWER_SECONDS, ANSWER_SECONDS))
            answers.put((mirror, ""))
        except Exception as error:  # whatever it is, this mirror is no use
            answers.put((mirror, type(error).__name__))

    for mirror in MIRRORS[name]:
        threading.Thread(target=ask, args=(mirror,), daemon=True).start()
    good: list[str] = []
    failures: list[str] = []
    deadline = time.monotonic() + ANSWER_SECONDS
    while len(good) + len(failures) < len(MIRRORS[name]):
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
        raise ConnectionError(f"none of {len(MIRRORS[name])} mirrors delivered: {reason}")
    return good


def _fetch(url: str, expected: str, timeout: tuple[float, float], progress_bar: Any = False) -> bytes:
    """The unpacked, verified content behind ``url``. OSError where it does not come, ValueError where it is altered."""
    from pooch import HTTPDownloader

    buffer = io.BytesIO()
    try:
        HTTPDownloader(progressbar=progress_bar, chunk_size=1 << 16, timeout=timeout)(url, buffer, None)
    finally:
        if progress_bar:
            progress_bar.close()
    content = _unpack(buffer.getvalue())
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


def _keep(path: Path, content: bytes, say: Callable[[str], None]) -> None:
    """Write ``content`` to ``path``: whole or not at all, whoever else writes and whenever this ends."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        with open(handle, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        say(f"note: {path} could not be kept for the next time: {error.strerror}")
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _digits() -> Dataset:
    """scikit-learn's 1,797 handwritten digits, enlarged: 1,200 training + 300 validation + 297 test images.

    They are shuffled by a fixed seed, for the original order has whole stretches by one writer.
    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
    """
    # The file alone: importing scikit-learn takes two seconds.
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the digits come with scikit-learn, which is not installed: pip install -r requirements.txt")
    file = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(file, delimiter=",", dtype=np.int64)  # 64 pixels from 0 to 16, then the label
    pixels, target = table[:, :64].reshape(-1, 8, 8), table[:, 64]
    # RandomState, unlike Generator, promises the same stream in every release of numpy.
    order = np.random.RandomState(0).permutation(len(target))
    images = enlarge(pixels[order])
    labels = target[order].astype(np.uint8)
    arrays = (images[:1500], labels[:1500], images[1500:], labels[1500:])
    for array in arrays:
        array.flags.writeable = False
    digest = _digest_of_all([array.tobytes() for array in arrays])
    return Dataset("digits", *arrays, VALIDATION_COUNTS["digits"], digest, "scikit-learn")


def enlarge(images: np.ndarray) -> np.ndarray:
    """Bilinear enlargement of (N, 8, 8) integers from 0 to 16 to (N, 28, 28) uint8 from 0 to 255.

    Pixels are areas: target pixel i has its centre at (i + 1/2) 8/28 - 1/2 = (4 i - 5)/14 of the source, and what lies
    beyond the border repeats it. In whole fourteenths all arithmetic is exact, so that every machine gets the same
    bytes and thereby the same digest.
    """
    fourteenths = np.clip(4 * np.arange(28) - 5, 0, 7 * 14)
    lower, fraction = np.divmod(fourteenths, 14)
    weights = np.zeros((28, 8), np.int64)
    weights[np.arange(28), lower] = 14 - fraction
    weights[np.arange(28), np.minimum(lower + 1, 7)] += fraction
    sums = weights @ images @ weights.T  # in units of 1/196 of a source value
    full = 14 * 14 * 16
    return ((sums * 255 + full // 2) // full).astype(np.uint8)


def affine(scaling: str, images: np.ndarray) -> tuple[float, float]:
    """The pair (multiplier, offset) that makes of a pixel 0..255 the input multiplier * pixel + offset.

    ``unit`` gives [0, 1], ``signed`` [-1, 1], ``standard`` mean 0 and standard deviation 1 over all pixels of
    ``images``: uint8 of any shape, for an honest measurement the training part alone, without validation and test.
    Raises ValueError for another scaling, and for ``standard`` over images of one single value.
    """
    if scaling == "unit":
        return 1 / 255, 0.0
    if scaling == "signed":
        return 2 / 255, -1.0
    if scaling != "standard":
        raise ValueError(f"no scaling {scaling!r}: one of {', '.join(SCALINGS)}")
    # By counting values: exact, and without a floating-point copy of all pixels.
    counts = np.zeros(256, np.int64)
    for image in np.array_split(images.reshape(-1), max(1, images.size // 1_000_000)):
        counts += np.bincount(image, minlength=256)
    values = np.arange(256)
    mean = float(counts @ values / counts.sum())
    deviation = float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))
    if deviation == 0:
        raise ValueError("images of one single value have no standard scaling")
    return 1 / deviation, -mean / deviation
