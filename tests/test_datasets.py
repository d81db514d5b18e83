"""datasets: declared ones are found, fetched and verified, and nothing altered passes."""

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import datasets
from explorer.datasets import DATA_VARIABLE, fetch, idx
from explorer.datasets.digits import enlarge
from explorer.datasets.entry import Entry, Published
from explorer.datasets.idx import FILES
from explorer.datasets.scaling import affine
from explorer.errors import UserError

PROJECT = Path(__file__).resolve().parent.parent
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@functools.cache
def miniature(name: str) -> tuple[bytes, ...]:
    """Four tiny files in the order of idx.FILES; each name has other ones."""
    random = np.random.RandomState(len(name))
    shapes = ((20, 28, 28), (20,), (5, 28, 28), (5,))
    return tuple(idx.pack(random.randint(0, 10, shape).astype(np.uint8)) for shape in shapes)


def write(folder: Path, contents: tuple[bytes, ...], suffix: str = ".gz") -> None:
    folder.mkdir(parents=True)
    for file, content in zip(FILES, contents, strict=True):
        (folder / f"{file}{suffix}").write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def alter(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    """The data set ``name`` is declared otherwise from here on."""
    registry = dict(datasets._registry(""))
    registry[name] = dataclasses.replace(registry[name], **changes)
    monkeypatch.setattr(datasets, "_registry", lambda folders: registry)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; no folder named, no Debian package, no network."""
    for variable in (DATA_VARIABLE, *PROXIES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache")
    dead = f"http://127.0.0.1:{closed_port()}/"
    alter(monkeypatch, "mnist", mirrors=(dead, dead))
    alter(monkeypatch, "fashion", mirrors=(dead, dead), debian=("dataset-fashion-mnist", tmp_path / "debian"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The miniatures pass for the real data sets."""
    for name in ("mnist", "fashion"):
        digests = tuple(hashlib.sha256(part).hexdigest() for part in miniature(name))
        alter(monkeypatch, name, digests=digests, training=15, validation=5, test=5)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """A function that serves a folder over HTTP and returns its address."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    def start(folder: Path) -> str:
        handler = functools.partial(Quiet, directory=str(folder))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def real_folder() -> Path | None:
    """Where the real data are, if they are at hand; read before the fixtures clear the environment."""
    candidates = [os.environ.get(DATA_VARIABLE, ""), str(PROJECT.parent / "shared" / "data")]
    return next((Path(folder) for folder in candidates if folder and (Path(folder) / "mnist").is_dir()), None)


REAL = real_folder()
needs_real_data = pytest.mark.skipif(REAL is None, reason=f"no real data: {DATA_VARIABLE} names no folder with mnist/")


@needs_real_data
@pytest.mark.parametrize(
    ("name", "first_labels", "mean", "deviation"),
    [
        ("mnist", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], 0.1307, 0.3081),
        ("fashion", [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], 0.2860, 0.3530),
    ],
)
def test_the_real_data_sets_load_whole(name: str, first_labels: list[int], mean: float, deviation: float) -> None:
    found = datasets.load(name, REAL)
    assert (found.name, found.validation_count) == (name, 10_000)
    assert found.train_images.shape == (60_000, 28, 28)
    assert found.test_images.shape == (10_000, 28, 28)
    assert found.train_labels.shape == (60_000,)
    assert found.test_labels.shape == (10_000,)
    assert {array.dtype for array in (found.train_images, found.train_labels)} == {np.dtype(np.uint8)}
    assert found.train_labels[:10].tolist() == first_labels
    assert np.bincount(found.test_labels).size == len(found.classes) == 10
    assert not found.train_images.flags.writeable
    # The well-known constants, which are those of all 60,000 training images.
    multiplier, offset = affine("standard", found.train_images)
    assert 1 / multiplier / 255 == pytest.approx(deviation, abs=5e-5)
    assert -offset / multiplier / 255 == pytest.approx(mean, abs=5e-5)


@needs_real_data
def test_the_two_real_data_sets_have_different_digests() -> None:
    digests = {datasets.load(name, REAL).digest for name in ("mnist", "fashion")}
    assert len(digests) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_files_are_found_packed_and_unpacked_under_both_spellings(tmp_path: Path, suffix: str, dotted: bool) -> None:
    write(tmp_path / "mnist", miniature("mnist"), suffix)
    if dotted:
        for path in list((tmp_path / "mnist").iterdir()):
            path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    found = datasets.load("mnist", tmp_path)
    assert [idx.pack(part) for part in (found.train_images, found.train_labels)] == list(miniature("mnist")[:2])
    assert [idx.pack(part) for part in (found.test_images, found.test_labels)] == list(miniature("mnist")[2:])


@pytest.mark.usefixtures("tiny")
def test_the_argument_beats_the_environment_and_both_beat_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (cache, tmp_path / "named", tmp_path / "environment"):
        write(folder / "mnist", miniature("mnist"))
    assert datasets.load("mnist").source == str(cache / "mnist")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "environment"))
    assert datasets.load("mnist").source == str(tmp_path / "environment" / "mnist")
    assert datasets.load("mnist", tmp_path / "named").source == str(tmp_path / "named" / "mnist")


@pytest.mark.usefixtures("tiny")
def test_a_given_folder_with_another_data_set_only_is_passed_over(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "given" / "mnist", miniature("mnist"))
    write(tmp_path / "debian", miniature("fashion"))
    assert datasets.load("fashion", tmp_path / "given").source == str(tmp_path / "debian")


@pytest.mark.parametrize("by_environment", [False, True])
@pytest.mark.parametrize("exists", [False, True])
def test_a_given_folder_that_is_missing_or_empty_is_told_with_what_it_should_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool, exists: bool
) -> None:
    folder = tmp_path / "given"
    if exists:
        (folder / "mnist").mkdir(parents=True)
    if by_environment:
        monkeypatch.setenv(DATA_VARIABLE, str(folder))
    with pytest.raises(UserError, match=r"holds mnist/ or fashion/ with train-images-idx3-ubyte.gz") as caught:
        datasets.load("mnist", None if by_environment else folder, fall_back=True)
    assert str(caught.value).startswith(f"{DATA_VARIABLE}={folder}" if by_environment else f"--data-dir {folder}")
    assert ("no such folder" in str(caught.value)) is not exists


@pytest.mark.usefixtures("tiny")
def test_a_missing_file_in_a_given_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path / "mnist", miniature("mnist"))
    (tmp_path / "mnist" / f"{FILES[2]}.gz").unlink()
    with pytest.raises(UserError, match=f"incomplete: {FILES[2]}.gz"):
        datasets.load("mnist", tmp_path)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("in_cache", [False, True])
def test_an_altered_file_is_told_with_both_digests(tmp_path: Path, cache: Path, in_cache: bool) -> None:
    folder = cache if in_cache else tmp_path / "given"
    write(folder / "mnist", miniature("mnist"))
    altered = bytearray(miniature("mnist")[0])
    altered[-1] ^= 1
    path = folder / "mnist" / f"{FILES[0]}.gz"
    path.write_bytes(gzip.compress(bytes(altered)))
    with pytest.raises(UserError) as caught:
        datasets.load("mnist", None if in_cache else folder, fall_back=True)
    for part in (str(path), hashlib.sha256(miniature("mnist")[0]).hexdigest(), hashlib.sha256(altered).hexdigest()):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("damage", ["cut short", "altered within", "no header"])
def test_a_gzip_that_does_not_unpack_is_told_with_both_digests(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "mnist", miniature("mnist"))
    path = tmp_path / "mnist" / f"{FILES[0]}.gz"
    raw = bytearray(path.read_bytes())
    if damage == "cut short":
        raw = raw[: len(raw) // 2]
    elif damage == "altered within":
        raw[len(raw) // 2] ^= 255
    else:
        raw = raw[:5]
    path.write_bytes(raw)
    with pytest.raises(UserError, match="does not unpack") as caught:
        datasets.load("mnist", tmp_path)
    for part in (str(path), hashlib.sha256(miniature("mnist")[0]).hexdigest(), hashlib.sha256(raw).hexdigest()):
        assert part in str(caught.value)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_a_download_is_verified_kept_and_not_repeated(
    name: str, tmp_path: Path, cache: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "web", miniature(name))
    mirror = serve(tmp_path / "web")
    alter(monkeypatch, name, mirrors=(datasets.known(name).mirrors[0], mirror))
    lines: list[str] = []
    first = datasets.load(name, say=lines.append)
    assert first.source == mirror
    assert lines == [f"downloading {mirror}{file}.gz" for file in FILES]
    assert sorted(path.name for path in (cache / name).iterdir()) == sorted(FILES)
    alter(monkeypatch, name, mirrors=())
    second = datasets.load(name, say=lines.append)
    assert second.source == str(cache / name)
    assert second.digest == first.digest
    assert len(lines) == 4


@pytest.mark.usefixtures("tiny")
def test_a_mirror_that_delivers_altered_data_is_left_for_the_next_one(
    tmp_path: Path, cache: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "good", miniature("mnist"))
    write(tmp_path / "bad", miniature("mnist"))
    (tmp_path / "bad" / f"{FILES[0]}.gz").write_bytes(b"<html>Please sign in</html>")
    good, bad = serve(tmp_path / "good"), serve(tmp_path / "bad")
    monkeypatch.setattr(fetch, "_answering_mirrors", lambda entry: [bad, good])
    lines: list[str] = []
    assert datasets.load("mnist", say=lines.append).source == good
    assert "that failed: what came has SHA-256" in lines[1]


@pytest.mark.usefixtures("tiny")
def test_a_mirror_that_never_stops_is_cut_off_at_the_size_the_file_can_have(
    serve: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def send_for_ever(handler: http.server.SimpleHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):  # the other side has hung up
            while len(sent) < 10_000:
                sent.append(handler.wfile.write(bytes(1 << 16)))

    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "do_GET", send_for_ever)
    alter(monkeypatch, "mnist", mirrors=(serve(tmp_path),))
    with pytest.raises(UserError, match="none of 1 mirrors delivered: ValueError"):
        datasets.load("mnist")
    assert sum(sent) < 20 << 20  # what the buffers on the way hold, not the 655 MB there were to be had


@pytest.mark.usefixtures("tiny")
def test_a_gzip_that_unpacks_to_far_more_than_the_data_set_is_not_unpacked(tmp_path: Path) -> None:
    write(tmp_path / "mnist", miniature("mnist"))
    with gzip.open(tmp_path / "mnist" / f"{FILES[1]}.gz", "wb") as stream:
        stream.write(bytes(40 << 20))
    tracemalloc.start()
    with pytest.raises(UserError, match="holds more than the 28 bytes"):
        datasets.load("mnist", tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "circle", "too long"])
def test_what_is_not_a_regular_file_of_that_size_is_not_read(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "mnist", miniature("mnist"), "")
    path = tmp_path / "mnist" / FILES[0]
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(path)
    else:
        path.write_bytes(bytes(1 << 20))
    with pytest.raises(UserError) as caught:
        datasets.load("mnist", tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("tiny")
def test_a_failed_download_leaves_nothing_in_the_cache(
    tmp_path: Path, cache: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "web", miniature("mnist"))
    (tmp_path / "web" / f"{FILES[2]}.gz").unlink()
    alter(monkeypatch, "mnist", mirrors=(serve(tmp_path / "web"),))
    with pytest.raises(UserError, match="every mirror that answered failed to deliver"):
        datasets.load("mnist", say=lambda line: None)
    assert not cache.exists()


@pytest.mark.usefixtures("tiny")
def test_a_cache_that_cannot_be_written_costs_a_note_and_not_the_run(
    tmp_path: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "web", miniature("mnist"))
    (tmp_path / "cache").write_text("a file where the folder would have to be")
    alter(monkeypatch, "mnist", mirrors=(serve(tmp_path / "web"),))
    lines: list[str] = []
    assert datasets.load("mnist", say=lines.append).train_images.shape == (20, 28, 28)
    assert sum("could not be kept" in line for line in lines) == 4


def test_being_offline_names_the_remedies_in_one_line() -> None:
    with pytest.raises(UserError, match="none of 2 mirrors delivered: ConnectionError") as caught:
        datasets.load("fashion", fall_back=True)
    for remedy in ("--data-dir", DATA_VARIABLE, "fashion/", "dataset-fashion-mnist", "--dataset digits"):
        assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mirrors_that_never_answer_are_given_up_together_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch.ANSWER_SECONDS < 15
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        alter(monkeypatch, "mnist", mirrors=(mirror,) * 4)
        started = time.monotonic()
        with pytest.raises(UserError, match="cannot be downloaded"):
            datasets.load("mnist")
        assert time.monotonic() - started < 0.5 * 3  # far less than the four would take in turn, file by file


def test_names_that_are_looked_up_for_ever_are_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 0.3)
    release = threading.Event()
    monkeypatch.setattr(fetch, "_fetch", lambda *_: release.wait(30))
    started = time.monotonic()
    try:
        with pytest.raises(UserError, match=r"no answer within 0.3 s"):
            datasets.load("mnist")
        assert time.monotonic() - started < 3
    finally:
        release.set()


def test_a_proxy_is_asked_instead_of_the_mirrors(
    tmp_path: Path, tiny: None, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "web", miniature("mnist"))
    # The proxy gets whole addresses as paths; this one looks them up in its own folder, host and all.
    monkeypatch.setenv("http_proxy", serve(tmp_path / "web"))
    monkeypatch.setenv("no_proxy", "")
    alter(monkeypatch, "mnist", mirrors=("http://mirror.invalid/",))
    handler = http.server.SimpleHTTPRequestHandler
    original = handler.translate_path
    monkeypatch.setattr(handler, "translate_path", lambda self, path: original(self, "/" + path.rsplit("/", 1)[1]))
    assert datasets.load("mnist", say=lambda line: None).source == "http://mirror.invalid/"


def test_mnist_that_cannot_be_had_falls_back_to_digits_with_one_line() -> None:
    lines: list[str] = []
    found = datasets.load("mnist", fall_back=True, say=lines.append)
    assert found.name == "digits"
    assert len(lines) == 1
    assert lines[0].startswith("WARNING: NOT MNIST!")
    assert "\n" not in lines[0]


@pytest.mark.parametrize("folder", ["~nobody-of-that-name", "~\0", "a\0b", "x" * 300, "no/such"])
def test_a_data_folder_that_can_be_no_folder_is_told_in_one_line(folder: str) -> None:
    with pytest.raises(UserError, match="no such folder") as caught:
        datasets.load("mnist", folder)
    assert "\n" not in str(caught.value)


def test_an_unknown_data_set_is_told_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="'emnist' is unknown; did you mean 'mnist'"):
        datasets.load("emnist")


def test_digits_are_split_shuffled_and_the_same_everywhere() -> None:
    found = datasets.load("digits")
    assert found.train_images.shape == (1_500, 28, 28)
    assert found.test_images.shape == (297, 28, 28)
    assert (found.train_images.dtype, found.train_labels.dtype) == (np.uint8, np.uint8)
    assert (found.validation_count, found.source, found.digest) == (300, "scikit-learn", "32d93b9e0279a5cd")
    assert (found.train_images.min(), found.train_images.max()) == (0, 255)
    for labels in (found.train_labels[:1_200], found.train_labels[1_200:], found.test_labels):
        assert np.bincount(labels).min() >= 0.05 * len(labels)  # no class has less than half its even share


def test_digits_parts_hold_each_original_image_once() -> None:
    from sklearn.datasets import load_digits

    found = datasets.load("digits")
    together = np.concatenate([found.train_images, found.test_images])
    expected = enlarge(load_digits().images.astype(np.int64))
    assert sorted(image.tobytes() for image in together) == sorted(image.tobytes() for image in expected)


def test_enlarging_agrees_with_bilinear_interpolation_elsewhere() -> None:
    from scipy.ndimage import map_coordinates

    image = np.random.RandomState(0).randint(0, 17, (8, 8))
    centres = (np.arange(28) + 0.5) * 8 / 28 - 0.5
    expected = map_coordinates(
        image.astype(float), np.meshgrid(centres, centres, indexing="ij"), order=1, mode="nearest"
    )
    assert np.abs(enlarge(image[None])[0] - expected * 255 / 16).max() <= 0.5 + 1e-9


def test_unit_and_signed_scaling_map_the_ends_of_the_range() -> None:
    for scaling, low, high in (("unit", 0, 1), ("signed", -1, 1)):
        multiplier, offset = affine(scaling, np.zeros((0, 28, 28), np.uint8))
        assert offset == low
        assert 255 * multiplier + offset == pytest.approx(high)


def test_standard_scaling_gives_mean_zero_and_deviation_one_over_just_these_images() -> None:
    images = np.random.RandomState(1).randint(0, 200, (3_000, 28, 28)).astype(np.uint8)
    multiplier, offset = affine("standard", images)
    scaled = images * multiplier + offset
    assert scaled.mean() == pytest.approx(0, abs=1e-9)
    assert scaled.std() == pytest.approx(1, abs=1e-9)


def test_scalings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="one of unit, signed, standard"):
        affine("log", np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="one single value"):
        affine("standard", np.zeros(4, np.uint8))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x0d\x01" + bytes(8), "not an IDX file"),
        (b"\x00\x00\x08\x03" + bytes(4), "within its header"),
        (idx.pack(np.zeros((3, 2), np.uint8))[:-1], r"shape \(3, 2\) with fewer values"),
        (idx.pack(np.zeros((3, 2), np.uint8)) + b"\x00", r"shape \(3, 2\) with more values"),
    ],
)
def test_what_is_not_an_idx_file_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        idx.parse(content)


@pytest.mark.parametrize("shape", [(3,), (2, 5, 7), (0, 4, 4)])
def test_a_packed_idx_file_parses_to_the_same_array(shape: tuple[int, ...]) -> None:
    values = np.random.RandomState(2).randint(0, 256, shape).astype(np.uint8)
    assert np.array_equal(idx.parse(idx.pack(values)), values)


def test_every_declared_data_set_is_what_its_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    if REAL is not None:
        monkeypatch.setenv(DATA_VARIABLE, str(REAL))
    for name in datasets.names():
        entry = datasets.known(name)
        assert (entry.name, len(set(entry.classes))) == (name, len(entry.classes))
        assert datasets.valid_name(name)
        assert datasets.title(name) == entry.title
        if isinstance(entry, Published) and REAL is None:
            continue
        found = datasets.load(name)
        assert (found.name, found.classes, found.height, found.width) == (
            name,
            entry.classes,
            entry.height,
            entry.width,
        )
        assert len(found.test_images) == len(found.test_labels) == entry.test
        assert found.validation_count == entry.validation
        for train_on in ("split", "all"):
            assert found.split(train_on) == entry.split(train_on)
        if isinstance(entry, Published):
            arrays = (found.train_images, found.train_labels, found.test_images, found.test_labels)
            assert tuple(len(idx.pack(array)) for array in arrays) == entry.sizes


def test_the_registry_and_the_entries_import_no_numpy() -> None:
    script = "import sys, datasets; [datasets.known(name) for name in datasets.names()]; print('numpy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


STRIPES = """
from dataclasses import dataclass

from explorer.datasets.entry import Entry

@dataclass(frozen=True, kw_only=True)
class Made(Entry):
    def load(self, data_dir, say):
        import numpy as np

        from explorer.datasets.dataset import make

        labels = np.arange(12, dtype=np.uint8) % 3
        images = np.zeros((12, 5, 9), np.uint8)
        images[np.arange(12), labels] = 255
        arrays = (images[:9], labels[:9], images[9:], labels[9:])
        return make(self.name, arrays, self.classes, self.validation, "made", [a.tobytes() for a in arrays])

DATASET = Made(name="stripes", title="Stripes", classes=("top", "middle", "bottom"), height=5, width=9, training=6,
               validation=3, test=3)
"""


@pytest.fixture
def more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of more data set files; the registry is the real one."""
    monkeypatch.undo()
    folder = tmp_path / "more"
    folder.mkdir()
    monkeypatch.setenv(datasets.FILES_VARIABLE, str(folder))
    return folder


def test_one_file_is_all_that_a_data_set_takes(more: Path) -> None:
    (more / "stripes.py").write_text(STRIPES)
    (more / "helper.py").write_text("raise SystemExit('a file that declares nothing is not run')")
    assert datasets.names() == ("mnist", "fashion", "digits", "stripes")
    assert (datasets.title("stripes"), datasets.locate("stripes")) == ("Stripes", ("stripes", None))
    found = datasets.load("stripes")
    assert (found.height, found.width, found.classes) == (5, 9, ("top", "middle", "bottom"))
    assert found.split("split") == datasets.known("stripes").split("split") == (6, 3)


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("stripes", "DATASET = 3", "must be an Entry"),
        ("stripes", "import no_such_module\nDATASET = 3", "cannot be imported: ModuleNotFoundError"),
        ("stripes", "DATASET = (", "cannot be imported: SyntaxError"),
        ("spots", STRIPES, "called like its file"),
        ("mnist", STRIPES.replace("stripes", "mnist"), "is a data set 'mnist' already"),
    ],
)
def test_a_file_that_is_no_data_set_is_told_in_one_line(more: Path, file: str, text: str, reason: str) -> None:
    (more / f"{file}.py").write_text(text)
    with pytest.raises(UserError, match=reason) as caught:
        datasets.names()
    assert str(more / f"{file}.py") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_data_sets_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv(datasets.FILES_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=f"{datasets.FILES_VARIABLE}=.*no folder"):
        datasets.names()


def test_an_entry_that_does_not_say_how_it_is_had_is_the_writers_mistake() -> None:
    entry = Entry(name="x", title="X", classes=("a", "b"), height=1, width=1, training=2, validation=1, test=1)
    with pytest.raises(NotImplementedError, match="x is had"):
        datasets.read(entry, None, print)
