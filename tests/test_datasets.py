"""explorer.data: data sets are found, fetched and verified, and nothing altered passes."""

import functools
import gzip
import hashlib
import http.server
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from datasets import data
from explorer.errors import UserError

PROJECT = Path(__file__).resolve().parent.parent
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def idx(values: np.ndarray) -> bytes:
    """``values`` (uint8) as an IDX file."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@functools.cache
def miniature(name: str) -> tuple[bytes, ...]:
    """Four tiny files in the order of data.FILES; each name has other ones."""
    random = np.random.RandomState(len(name))
    shapes = ((20, 28, 28), (20,), (5, 28, 28), (5,))
    return tuple(idx(random.randint(0, 10, shape).astype(np.uint8)) for shape in shapes)


def write(folder: Path, contents: tuple[bytes, ...], suffix: str = ".gz") -> None:
    folder.mkdir(parents=True)
    for file, content in zip(data.FILES, contents, strict=True):
        (folder / f"{file}{suffix}").write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; no folder named, no Debian package, no network."""
    for variable in (data.VARIABLE, *PROXIES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache")
    monkeypatch.setattr(data, "DEBIAN_FOLDERS", {"fashion": tmp_path / "debian"})
    dead = f"http://127.0.0.1:{closed_port()}/"
    monkeypatch.setattr(data, "MIRRORS", {"mnist": (dead, dead), "fashion": (dead, dead)})
    return tmp_path / "cache" / "data"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The miniatures pass for the real data sets."""
    digests = {name: tuple(hashlib.sha256(part).hexdigest() for part in miniature(name)) for name in data.DIGESTS}
    monkeypatch.setattr(data, "DIGESTS", digests)


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
    candidates = [os.environ.get(data.VARIABLE, ""), str(PROJECT.parent / "shared" / "data")]
    return next((Path(folder) for folder in candidates if folder and (Path(folder) / "mnist").is_dir()), None)


REAL = real_folder()
needs_real_data = pytest.mark.skipif(REAL is None, reason=f"no real data: {data.VARIABLE} names no folder with mnist/")


@needs_real_data
@pytest.mark.parametrize(
    ("name", "first_labels", "mean", "deviation"),
    [
        ("mnist", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], 0.1307, 0.3081),
        ("fashion", [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], 0.2860, 0.3530),
    ],
)
def test_the_real_data_sets_load_whole(name: str, first_labels: list[int], mean: float, deviation: float) -> None:
    found = data.load(name, REAL)
    assert (found.name, found.validation_count) == (name, 10_000)
    assert found.train_images.shape == (60_000, 28, 28)
    assert found.test_images.shape == (10_000, 28, 28)
    assert found.train_labels.shape == (60_000,)
    assert found.test_labels.shape == (10_000,)
    assert {array.dtype for array in (found.train_images, found.train_labels)} == {np.dtype(np.uint8)}
    assert found.train_labels[:10].tolist() == first_labels
    assert np.bincount(found.test_labels).size == len(data.CLASS_NAMES[name]) == 10
    assert not found.train_images.flags.writeable
    # The well-known constants, which are those of all 60,000 training images.
    multiplier, offset = data.affine("standard", found.train_images)
    assert 1 / multiplier / 255 == pytest.approx(deviation, abs=5e-5)
    assert -offset / multiplier / 255 == pytest.approx(mean, abs=5e-5)


@needs_real_data
def test_the_two_real_data_sets_have_different_digests() -> None:
    digests = {data.load(name, REAL).digest for name in ("mnist", "fashion")}
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
    found = data.load("mnist", tmp_path)
    assert [idx(part) for part in (found.train_images, found.train_labels)] == list(miniature("mnist")[:2])
    assert [idx(part) for part in (found.test_images, found.test_labels)] == list(miniature("mnist")[2:])


@pytest.mark.usefixtures("tiny")
def test_the_argument_beats_the_environment_and_both_beat_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (cache, tmp_path / "named", tmp_path / "environment"):
        write(folder / "mnist", miniature("mnist"))
    assert data.load("mnist").source == str(cache / "mnist")
    monkeypatch.setenv(data.VARIABLE, str(tmp_path / "environment"))
    assert data.load("mnist").source == str(tmp_path / "environment" / "mnist")
    assert data.load("mnist", tmp_path / "named").source == str(tmp_path / "named" / "mnist")


@pytest.mark.usefixtures("tiny")
def test_a_given_folder_with_another_data_set_only_is_passed_over(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "given" / "mnist", miniature("mnist"))
    write(tmp_path / "debian", miniature("fashion"))
    assert data.load("fashion", tmp_path / "given").source == str(tmp_path / "debian")


@pytest.mark.parametrize("by_environment", [False, True])
@pytest.mark.parametrize("exists", [False, True])
def test_a_given_folder_that_is_missing_or_empty_is_told_with_what_it_should_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool, exists: bool
) -> None:
    folder = tmp_path / "given"
    if exists:
        (folder / "mnist").mkdir(parents=True)
    if by_environment:
        monkeypatch.setenv(data.VARIABLE, str(folder))
    with pytest.raises(UserError, match=r"holds mnist/ or fashion/ with train-images-idx3-ubyte.gz") as caught:
        data.load("mnist", None if by_environment else folder, fall_back=True)
    assert str(caught.value).startswith(f"{data.VARIABLE}={folder}" if by_environment else f"--data-dir {folder}")
    assert ("no such folder" in str(caught.value)) is not exists


@pytest.mark.usefixtures("tiny")
def test_a_missing_file_in_a_given_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path / "mnist", miniature("mnist"))
    (tmp_path / "mnist" / f"{data.FILES[2]}.gz").unlink()
    with pytest.raises(UserError, match=f"incomplete: {data.FILES[2]}.gz"):
        data.load("mnist", tmp_path)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("in_cache", [False, True])
def test_an_altered_file_is_told_with_both_digests(tmp_path: Path, cache: Path, in_cache: bool) -> None:
    folder = cache if in_cache else tmp_path / "given"
    write(folder / "mnist", miniature("mnist"))
    altered = bytearray(miniature("mnist")[0])
    altered[-1] ^= 1
    path = folder / "mnist" / f"{data.FILES[0]}.gz"
    path.write_bytes(gzip.compress(bytes(altered)))
    with pytest.raises(UserError) as caught:
        data.load("mnist", None if in_cache else folder, fall_back=True)
    for part in (str(path), hashlib.sha256(miniature("mnist")[0]).hexdigest(), hashlib.sha256(altered).hexdigest()):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("damage", ["cut short", "altered within", "no header"])
def test_a_gzip_that_does_not_unpack_is_told_with_both_digests(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "mnist", miniature("mnist"))
    path = tmp_path / "mnist" / f"{data.FILES[0]}.gz"
    raw = bytearray(path.read_bytes())
    if damage == "cut short":
        raw = raw[: len(raw) // 2]
    elif damage == "altered within":
        raw[len(raw) // 2] ^= 255
    else:
        raw = raw[:5]
    path.write_bytes(raw)
    with pytest.raises(UserError, match="does not unpack") as caught:
        data.load("mnist", tmp_path)
    for part in (str(path), hashlib.sha256(miniature("mnist")[0]).hexdigest(), hashlib.sha256(raw).hexdigest()):
        assert part in str(caught.value)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_a_download_is_verified_kept_and_not_repeated(
    name: str, tmp_path: Path, cache: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "web", miniature(name))
    mirror = serve(tmp_path / "web")
    monkeypatch.setitem(data.MIRRORS, name, (data.MIRRORS[name][0], mirror))
    lines: list[str] = []
    first = data.load(name, say=lines.append)
    assert first.source == mirror
    assert lines == [f"downloading {mirror}{file}.gz" for file in data.FILES]
    assert sorted(path.name for path in (cache / name).iterdir()) == sorted(data.FILES)
    monkeypatch.setitem(data.MIRRORS, name, ())
    second = data.load(name, say=lines.append)
    assert second.source == str(cache / name)
    assert second.digest == first.digest
    assert len(lines) == 4


@pytest.mark.usefixtures("tiny")
def test_a_mirror_that_delivers_altered_data_is_left_for_the_next_one(
    tmp_path: Path, cache: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "good", miniature("mnist"))
    write(tmp_path / "bad", miniature("mnist"))
    (tmp_path / "bad" / f"{data.FILES[0]}.gz").write_bytes(b"<html>Please sign in</html>")
    good, bad = serve(tmp_path / "good"), serve(tmp_path / "bad")
    monkeypatch.setattr(data, "_answering_mirrors", lambda name: [bad, good])
    lines: list[str] = []
    assert data.load("mnist", say=lines.append).source == good
    assert "that failed: what came has SHA-256" in lines[1]


@pytest.mark.usefixtures("tiny")
def test_a_failed_download_leaves_nothing_in_the_cache(
    tmp_path: Path, cache: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "web", miniature("mnist"))
    (tmp_path / "web" / f"{data.FILES[2]}.gz").unlink()
    monkeypatch.setitem(data.MIRRORS, "mnist", (serve(tmp_path / "web"),))
    with pytest.raises(UserError, match="every mirror that answered failed to deliver"):
        data.load("mnist", say=lambda line: None)
    assert not cache.exists()


@pytest.mark.usefixtures("tiny")
def test_a_cache_that_cannot_be_written_costs_a_note_and_not_the_run(
    tmp_path: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "web", miniature("mnist"))
    (tmp_path / "cache").write_text("a file where the folder would have to be")
    monkeypatch.setitem(data.MIRRORS, "mnist", (serve(tmp_path / "web"),))
    lines: list[str] = []
    assert data.load("mnist", say=lines.append).train_images.shape == (20, 28, 28)
    assert sum("could not be kept" in line for line in lines) == 4


def test_being_offline_names_the_remedies_in_one_line() -> None:
    with pytest.raises(UserError, match="none of 2 mirrors delivered: ConnectionError") as caught:
        data.load("fashion", fall_back=True)
    for remedy in ("--data-dir", data.VARIABLE, "fashion/", "dataset-fashion-mnist", "--dataset digits"):
        assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mirrors_that_never_answer_are_given_up_together_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert data.ANSWER_SECONDS < 15
    monkeypatch.setattr(data, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setitem(data.MIRRORS, "mnist", (mirror,) * 4)
        started = time.monotonic()
        with pytest.raises(UserError, match="cannot be downloaded"):
            data.load("mnist")
        assert time.monotonic() - started < 0.5 * 3  # far less than the four would take in turn, file by file


def test_names_that_are_looked_up_for_ever_are_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "ANSWER_SECONDS", 0.3)
    release = threading.Event()
    monkeypatch.setattr(data, "_fetch", lambda *_: release.wait(30))
    started = time.monotonic()
    try:
        with pytest.raises(UserError, match=r"no answer within 0.3 s"):
            data.load("mnist")
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
    monkeypatch.setitem(data.MIRRORS, "mnist", ("http://mirror.invalid/",))
    handler = http.server.SimpleHTTPRequestHandler
    original = handler.translate_path
    monkeypatch.setattr(handler, "translate_path", lambda self, path: original(self, "/" + path.rsplit("/", 1)[1]))
    assert data.load("mnist", say=lambda line: None).source == "http://mirror.invalid/"


def test_mnist_that_cannot_be_had_falls_back_to_digits_with_one_line() -> None:
    lines: list[str] = []
    found = data.load("mnist", fall_back=True, say=lines.append)
    assert found.name == "digits"
    assert len(lines) == 1
    assert lines[0].startswith("WARNING: NOT MNIST!")
    assert "\n" not in lines[0]


def test_an_unknown_data_set_is_told_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="'emnist': choose from mnist, fashion, digits"):
        data.load("emnist")


def test_digits_are_split_shuffled_and_the_same_everywhere() -> None:
    found = data.load("digits")
    assert found.train_images.shape == (1_500, 28, 28)
    assert found.test_images.shape == (297, 28, 28)
    assert (found.train_images.dtype, found.train_labels.dtype) == (np.uint8, np.uint8)
    assert (found.validation_count, found.source, found.digest) == (300, "scikit-learn", "32d93b9e0279a5cd")
    assert (found.train_images.min(), found.train_images.max()) == (0, 255)
    for labels in (found.train_labels[:1_200], found.train_labels[1_200:], found.test_labels):
        assert np.bincount(labels).min() >= 0.05 * len(labels)  # no class has less than half its even share


def test_digits_parts_hold_each_original_image_once() -> None:
    from sklearn.datasets import load_digits

    found = data.load("digits")
    together = np.concatenate([found.train_images, found.test_images])
    expected = data.enlarge(load_digits().images.astype(np.int64))
    assert sorted(image.tobytes() for image in together) == sorted(image.tobytes() for image in expected)


def test_enlarging_agrees_with_bilinear_interpolation_elsewhere() -> None:
    from scipy.ndimage import map_coordinates

    image = np.random.RandomState(0).randint(0, 17, (8, 8))
    centres = (np.arange(28) + 0.5) * 8 / 28 - 0.5
    expected = map_coordinates(
        image.astype(float), np.meshgrid(centres, centres, indexing="ij"), order=1, mode="nearest"
    )
    assert np.abs(data.enlarge(image[None])[0] - expected * 255 / 16).max() <= 0.5 + 1e-9


def test_unit_and_signed_scaling_map_the_ends_of_the_range() -> None:
    for scaling, low, high in (("unit", 0, 1), ("signed", -1, 1)):
        multiplier, offset = data.affine(scaling, np.zeros((0, 28, 28), np.uint8))
        assert offset == low
        assert 255 * multiplier + offset == pytest.approx(high)


def test_standard_scaling_gives_mean_zero_and_deviation_one_over_just_these_images() -> None:
    images = np.random.RandomState(1).randint(0, 200, (3_000, 28, 28)).astype(np.uint8)
    multiplier, offset = data.affine("standard", images)
    scaled = images * multiplier + offset
    assert scaled.mean() == pytest.approx(0, abs=1e-9)
    assert scaled.std() == pytest.approx(1, abs=1e-9)


def test_scalings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="one of unit, signed, standard"):
        data.affine("log", np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="one single value"):
        data.affine("standard", np.zeros(4, np.uint8))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x0d\x01" + bytes(8), "not an IDX file"),
        (b"\x00\x00\x08\x03" + bytes(4), "within its header"),
        (idx(np.zeros((3, 2), np.uint8))[:-1], r"shape \(3, 2\) with 5 values"),
        (idx(np.zeros((3, 2), np.uint8)) + b"\x00", r"shape \(3, 2\) with 7 values"),
    ],
)
def test_what_is_not_an_idx_file_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        data.parse_idx(content)
