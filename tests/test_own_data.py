"""datasets.own: a folder or an .npz of a person's own becomes a data set of any size; what cannot is refused."""

import gzip
import io
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import datasets
from explorer.config import make_config
from explorer.datasets import idx, own
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError
from explorer.running.ledger import Ledger
from explorer.running.runner import Runner

Parts = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has loaded no own data yet."""
    monkeypatch.setattr(datasets, "_own", {})


@pytest.fixture(scope="session")
def parts(digits: Dataset) -> Parts:
    """Real handwriting, cut to 12x20 with the strokes off the middle: five classes, sorted, of different sizes."""

    def some(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.flatnonzero(labels < 5)
        chosen = chosen[np.argsort(labels[chosen], kind="stable")][: -len(chosen) // 20]
        return images[chosen][:, 8:20, 4:24], labels[chosen]

    x_train, y_train = some(digits.train_images, digits.train_labels)
    x_test, y_test = some(digits.test_images, digits.test_labels)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def write_npz(path: Path, parts: Parts, **changes: Any) -> Path:
    np.savez_compressed(path, **(parts | changes))
    return path


def write_folder(folder: Path, parts: Parts, suffix: str = "") -> Path:
    folder.mkdir()
    for file, values in zip(idx.FILES, parts.values(), strict=True):
        content = idx.pack(values)
        (folder / f"{file}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    return folder


def refused(path: Path, *words: str) -> str:
    """The one line that refuses this data set; it has these words."""
    with pytest.raises(UserError) as caught:
        datasets.load(path)
    line = str(caught.value)
    assert "\n" not in line
    for word in (str(path), *words):
        assert word in line
    return line


def test_an_npz_and_a_folder_of_the_same_images_are_the_same_data_set(tmp_path: Path, parts: Parts) -> None:
    found = [
        datasets.load(write_npz(tmp_path / "one.npz", parts)),
        datasets.load(write_folder(tmp_path / "two", parts)),
        datasets.load(write_folder(tmp_path / "three", parts, ".gz")),
    ]
    assert [one.name for one in found] == ["one", "two", "three"]
    assert len({one.digest for one in found}) == 1
    for one in found:
        assert (one.height, one.width, one.classes) == (12, 20, tuple("01234"))
        assert np.array_equal(one.test_images, parts["x_test"]) and np.array_equal(one.test_labels, parts["y_test"])
        assert not one.train_images.flags.writeable
        assert one.source == str(tmp_path / one.name) + (".npz" if one.name == "one" else "")


def test_every_training_image_is_kept_once_with_its_label(tmp_path: Path, parts: Parts) -> None:
    found = datasets.load(write_npz(tmp_path / "mine.npz", parts))

    def pairs(images: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, int]]:
        return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))

    assert pairs(found.train_images, found.train_labels) == pairs(parts["x_train"], parts["y_train"])


def test_validation_takes_a_sixth_of_each_class_though_the_file_is_sorted(tmp_path: Path, parts: Parts) -> None:
    found = datasets.load(write_npz(tmp_path / "mine.npz", parts))
    training, validation = found.split("split")
    assert found.split("all") == (training + validation, 0) == (len(parts["y_train"]), 0)
    everybody, chosen = np.bincount(found.train_labels), np.bincount(found.train_labels[training:])
    assert chosen.tolist() == [round(count / 6) for count in everybody]
    assert (np.diff(found.train_labels[:100].astype(int)) != 0).any()  # shuffled, too
    again = datasets.load(write_npz(tmp_path / "again.npz", parts))
    assert np.array_equal(again.train_images, found.train_images) and again.digest == found.digest


def test_two_images_of_a_class_are_one_to_train_on_and_one_to_validate_on() -> None:
    training, validation = own.split(np.array([0, 0, 1, 1, 1]))
    assert sorted([*training, *validation]) == [0, 1, 2, 3, 4]
    assert len(validation) == 2 and set(np.array([0, 0, 1, 1, 1])[validation]) == {0, 1}


@pytest.mark.parametrize("change", ["one pixel", "one label", "order"])
def test_the_digest_tells_data_apart(tmp_path: Path, parts: Parts, change: str) -> None:
    first = datasets.load(write_npz(tmp_path / "mine.npz", parts)).digest
    images, labels = parts["x_test"].copy(), parts["y_test"].copy()
    if change == "one pixel":
        images[0, 0, 0] ^= 1
    elif change == "one label":
        labels[0] = (labels[0] + 1) % 5
    else:
        images, labels = images[::-1], labels[::-1]
    other = datasets.load(write_npz(tmp_path / "mine.npz", parts, x_test=images, y_test=labels)).digest
    assert other != first


@pytest.mark.parametrize(
    "written",
    [
        lambda x, y: (x[..., None], y[:, None]),
        lambda x, y: (x.astype(np.int64), y.astype(">i4")),
        lambda x, y: (np.asfortranarray(x), y.astype(np.uint16)),
    ],
)
def test_other_ways_to_write_the_same_numbers_make_the_same_data_set(
    tmp_path: Path, parts: Parts, written: Callable[..., Any]
) -> None:
    x_train, y_train = written(parts["x_train"], parts["y_train"])
    found = datasets.load(write_npz(tmp_path / "other.npz", parts, x_train=x_train, y_train=y_train))
    assert found.digest == datasets.load(write_npz(tmp_path / "plain.npz", parts)).digest


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 64), (64, 64), (7, 3)])
def test_sides_go_from_1_to_64(tmp_path: Path, height: int, width: int) -> None:
    images = np.random.RandomState(0).randint(0, 256, (12, height, width)).astype(np.uint8)
    labels = np.arange(12, dtype=np.uint8) % 2
    parts = {"x_train": images, "y_train": labels, "x_test": images[:3], "y_test": labels[:3]}
    found = datasets.load(write_npz(tmp_path / "sides.npz", parts))
    assert (found.height, found.width, len(found.classes), found.validation_count) == (height, width, 2, 2)


def test_real_mnist_as_keras_writes_it_is_read_whole(tmp_path: Path, mnist: Dataset) -> None:
    names = ("train_images", "train_labels", "test_images", "test_labels")
    arrays = dict(zip(own.ARRAYS, (getattr(mnist, name) for name in names), strict=True))
    np.savez(tmp_path / "mnist.npz", **arrays)
    found = datasets.load(tmp_path / "mnist.npz")
    assert found.name == "own-mnist"  # what is called mnist is the one with the known digests
    assert (len(found.train_images), len(found.test_images), len(found.classes)) == (60_000, 10_000, 10)
    assert abs(found.validation_count - 10_000) <= 5
    assert np.array_equal(np.bincount(found.train_labels), np.bincount(mnist.train_labels))


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_classes_are_named_by_a_text_beside_the_data(tmp_path: Path, parts: Parts, kind: str) -> None:
    path = write_folder(tmp_path / "f", parts) if kind == "folder" else write_npz(tmp_path / "n.npz", parts)
    text = "\ufeffzero\r\n one \n\ntwo\nthree\nvier ²\n"
    ((path if kind == "folder" else tmp_path) / "classes.txt").write_text(text, encoding="utf-8", newline="")
    assert datasets.load(path).classes == ("zero", "one", "two", "three", "vier ²")


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_classes_are_named_within_the_npz(tmp_path: Path, parts: Parts, dtype: str) -> None:
    (tmp_path / "classes.txt").write_text("these\nare\nof\nanother\nset\n")
    named = write_npz(tmp_path / "n.npz", parts, class_names=np.array(list("abcde"), dtype))
    assert datasets.load(named).classes == tuple("abcde")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"a\nb\n", "2 names for 5 classes"),
        (b"a\nb\nc\nd\nd\n", "one name twice"),
        (b"a\nb\nc\nd\n" + b"x" * 41, "1 to 40 printable"),
        (b"a\nb\nc\nd\n\x1b[31m", "printable"),
        (b"a\nb\nc\nd\n\xff", "not text in UTF-8"),
        (b"a" * (own.CLASS_BYTES + 1), "may have"),
    ],
)
def test_names_that_do_not_fit_the_classes_are_refused(tmp_path: Path, parts: Parts, text: bytes, reason: str) -> None:
    folder = write_folder(tmp_path / "f", parts)
    (folder / "classes.txt").write_bytes(text)
    refused(folder, "classes.txt", reason)


@pytest.mark.parametrize("values", [np.arange(5), np.array(list("abcd")), np.array([list("abcde")])])
def test_names_in_the_npz_that_do_not_fit_are_refused(tmp_path: Path, parts: Parts, values: np.ndarray) -> None:
    refused(write_npz(tmp_path / "n.npz", parts, class_names=values), "class_names")


REFUSALS: dict[str, tuple[Callable[[Parts], Parts], tuple[str, ...]]] = {
    "colour": (lambda p: {"x_train": np.stack([p["x_train"]] * 3, axis=-1)}, ("x_train", "colour")),
    "colour with alpha": (lambda p: {"x_test": np.stack([p["x_test"]] * 4, axis=-1)}, ("x_test", "colour")),
    "flat images": (lambda p: {"x_train": p["x_train"].reshape(-1, 240)}, ("x_train", "(N, height, width)")),
    "one image": (lambda p: {"x_test": p["x_test"][0]}, ("x_test", "(12, 20)")),
    "a single number": (lambda p: {"x_train": np.uint8(3)}, ("x_train", "()")),
    "floats": (lambda p: {"x_train": p["x_train"] / 255}, ("x_train", "float64", "0 to 255")),
    "truth values": (lambda p: {"x_train": p["x_train"] > 0}, ("x_train", "bool")),
    "negative pixels": (lambda p: {"x_train": p["x_train"].astype(int) - 1}, ("x_train", "from -1 to 254")),
    "pixels over 255": (lambda p: {"x_train": p["x_train"].astype(int) * 2}, ("x_train", "to 510")),
    "no training image": (lambda p: {name: p[name][:0] for name in ("x_train", "y_train")}, ("x_train", "no image")),
    "no test image": (lambda p: {name: p[name][:0] for name in ("x_test", "y_test")}, ("x_test", "no image")),
    "no height": (lambda p: {"x_train": p["x_train"][:, :0]}, ("x_train", "0x20", "1 to 64")),
    "too wide": (lambda p: {"x_train": np.pad(p["x_train"], ((0, 0), (0, 0), (0, 45)))}, ("x_train", "12x65")),
    "two sizes": (lambda p: {"x_test": p["x_test"][:, 1:]}, ("12x20", "11x20")),
    "black": (lambda p: {"x_train": p["x_train"] * 0}, ("x_train", "one single value")),
    "fewer labels": (lambda p: {"y_train": p["y_train"][1:]}, ("y_train", "labels for")),
    "one-hot labels": (lambda p: {"y_test": np.eye(5, dtype=int)[p["y_test"]]}, ("y_test", "one whole number")),
    "label floats": (lambda p: {"y_train": p["y_train"].astype(float)}, ("y_train", "whole numbers")),
    "label texts": (lambda p: {"y_train": p["y_train"].astype(str)}, ("y_train", "whole numbers")),
    "negative labels": (lambda p: {"y_train": p["y_train"].astype(int) - 1}, ("y_train", "from -1 to 3")),
    "labels over 99": (lambda p: {"y_train": p["y_train"].astype(int) * 25}, ("y_train", "to 100")),
    "huge labels": (lambda p: {"y_train": p["y_train"].astype(np.uint64) << np.uint64(60)}, ("y_train",)),
    "one class": (lambda p: {"y_train": p["y_train"] * 0}, ("y_train", "one class", "2 to 100")),
    "a class left out": (lambda p: {"y_train": p["y_train"] * 2}, ("y_train", "class 1 nowhere")),
    "labels from 1": (lambda p: {"y_train": p["y_train"] + 1}, ("y_train", "class 0 nowhere")),
    "a class with one image": (
        lambda p: {"y_train": np.where(np.arange(len(p["y_train"])) == 7, 5, p["y_train"])},
        ("y_train", "class 5 once"),
    ),
    "a class in the test alone": (lambda p: {"y_test": p["y_test"] + 1}, ("y_test", "class 5", "end at 4")),
    "pickled": (lambda p: {"x_train": np.array(list(p["x_train"]), object)}, ("x_train", "pickled")),
    "pickled labels": (lambda p: {"y_test": p["y_test"].astype(object)}, ("y_test", "pickled")),
    "records": (lambda p: {"y_test": np.zeros(len(p["y_test"]), [("a", "u1")])}, ("y_test", "whole numbers")),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_an_npz_that_is_no_data_set_is_refused_in_one_line(tmp_path: Path, parts: Parts, case: str) -> None:
    change, words = REFUSALS[case]
    refused(write_npz(tmp_path / "mine.npz", parts, **change(parts)), *words)


def test_nothing_is_ever_unpickled(tmp_path: Path, parts: Parts) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (tmp_path / "sprung").write_text, ("",)

    refused(write_npz(tmp_path / "trap.npz", parts, x_train=np.array([Trap()], object)), "pickled")
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Trap()))
    refused(tmp_path / "bare.npz", "no sound .npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("missing", own.ARRAYS)
def test_an_npz_without_one_of_the_four_arrays_is_refused(tmp_path: Path, parts: Parts, missing: str) -> None:
    np.savez(tmp_path / "mine.npz", **{name: values for name, values in parts.items() if name != missing})
    refused(tmp_path / "mine.npz", f"lacks {missing}")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_an_npz_cut_short_is_refused(tmp_path: Path, parts: Parts, share: float) -> None:
    path = write_npz(tmp_path / "mine.npz", parts)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "no sound .npz")


def test_bytes_flipped_anywhere_end_in_one_line_or_in_the_same_data(tmp_path: Path, parts: Parts) -> None:
    few = {name: values[::8] for name, values in parts.items()}
    path = write_npz(tmp_path / "mine.npz", few)
    sound, digest = path.read_bytes(), datasets.load(path).digest
    random = np.random.RandomState(0)
    told = []
    for position in random.randint(0, len(sound), 150):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << random.randint(8)
        path.write_bytes(damaged)
        try:
            assert datasets.load(path).digest == digest  # a time of day or the like
        except UserError as error:
            told.append(str(error))
    assert len(told) > 100
    assert not any("\n" in line for line in told)


def with_member(path: Path, parts: Parts, name: str, content: bytes) -> Path:
    """An .npz of ``parts``, whose member ``name`` has these very bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, values in parts.items():
            buffer = io.BytesIO()
            np.save(buffer, values)
            archive.writestr(f"{one}.npy", content if one == name else buffer.getvalue())
    return path


def npy(header: str, values: bytes = b"") -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 20, 20)}", "1,073,741,824 in all"),
        ("{'descr': '<u8', 'fortran_order': False, 'shape': (99999999999999999999, 9)}", "1,073,741,824 in all"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (9000, 20, 20)}", "fewer"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", "more"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -4)}", "shape (-1, -4)"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (4,)}", "pickled"),
        ("{'descr': '|u1', 'fortran_order': False}", "no sound .npz"),
        ("(" * 5000, "no sound .npz"),
        ("[" * 30000, "no sound .npz"),
        ("__import__('os')", "no sound .npz"),
    ],
)
def test_a_header_is_judged_before_the_values_are_read(tmp_path: Path, parts: Parts, header: str, reason: str) -> None:
    path = with_member(tmp_path / "mine.npz", parts, "x_train", npy(header, b"\1\2\3\4"))
    tracemalloc.start()
    refused(path, reason)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20


def test_a_newer_npy_format_and_a_foreign_packing_are_refused(tmp_path: Path, parts: Parts) -> None:
    refused(with_member(tmp_path / "new.npz", parts, "x_train", b"\x93NUMPY\x03\x00" + bytes(80)), "version 3.0")
    path = tmp_path / "bz2.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name in own.ARRAYS:
            archive.writestr(f"{name}.npy", bytes(100))
    refused(path, "packed in a way")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an IDX file"),
        (b"hello, world", "not an IDX file"),
        (b"\x00\x00\x0d\x03" + bytes(12), "not an IDX file"),
        (b"\x00\x00\x08\x03" + bytes(5), "within its header"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "1,073,741,824 in all"),
        (idx.pack(np.ones((9, 12, 20), np.uint8))[:-1], "fewer"),
        (idx.pack(np.ones((9, 12, 20), np.uint8)) + b"1", "more"),
        (idx.pack(np.ones((9, 12), np.uint8)), "(N, height, width)"),
        (idx.pack(np.ones((9, 12, 20, 3), np.uint8)), "colour"),
        (b"\x00\x00\x08\x5a" + b"\0\0\0\1" * 90 + b"1", "IDX file"),
    ],
)
def test_a_file_that_is_no_idx_file_of_images_is_refused(
    tmp_path: Path, parts: Parts, content: bytes, reason: str, suffix: str
) -> None:
    folder = write_folder(tmp_path / "mine", parts)
    (folder / idx.FILES[0]).unlink()
    (folder / f"{idx.FILES[0]}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    refused(folder, idx.FILES[0], reason)


def test_a_damaged_gzip_and_one_that_unpacks_to_far_more_are_refused(tmp_path: Path, parts: Parts) -> None:
    folder = write_folder(tmp_path / "mine", parts, ".gz")
    path = folder / f"{idx.FILES[2]}.gz"
    sound = path.read_bytes()
    for damaged in (sound[: len(sound) // 2], sound[:3], bytes([*sound[:50], sound[50] ^ 255, *sound[51:]])):
        path.write_bytes(damaged)
        refused(folder, path.name, "no sound IDX")
    path.write_bytes(gzip.compress(idx.pack(parts["x_test"]) + bytes(60 << 20)))
    tracemalloc.start()
    refused(folder, path.name, "more")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


@pytest.mark.parametrize("count", [1, 3])
def test_a_folder_without_all_four_files_names_those_it_lacks(tmp_path: Path, parts: Parts, count: int) -> None:
    folder = write_folder(tmp_path / "mine", parts, ".gz")
    for file in idx.FILES[:count]:
        (folder / f"{file}.gz").unlink()
    refused(folder, *idx.FILES[:count])


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "circle", "dead link"])
@pytest.mark.parametrize("within", [True, False])
def test_only_regular_files_are_read(tmp_path: Path, parts: Parts, kind: str, within: bool) -> None:
    folder = write_folder(tmp_path / "mine", parts)
    path = folder / idx.FILES[1] if within else tmp_path / "mine.npz"
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(path)
    else:
        path.symlink_to(tmp_path / "nowhere")
    refused(folder if within else path, str(path))


def test_a_file_of_a_gibibyte_and_more_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "sparse.npz", "wb") as stream:
        stream.truncate(3 << 30)
    refused(tmp_path / "sparse.npz", "may have")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("images.npz", "images"),
        ("Kuzushiji 49.NPZ", "kuzushiji-49"),
        ("données/été.npz", "t"),
        ("a.b_c-d", "a.b_c-d"),
        ("mnist.npz", "own-mnist"),
        ("x/FASHION/", "own-fashion"),
        ("...", "own"),
        ("-rf.npz", "rf"),
        ("<script>.npz", "script"),
        ("n" * 200, "n" * 40),
        ("x/../y", "y"),
    ],
)
def test_a_path_gives_a_safe_name(path: str, name: str) -> None:
    assert datasets.name_of(Path(path)) == name
    assert datasets.valid_name(name)
    assert name not in datasets.names()


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "-x", "A", "x" * 41, "a/b", "x\n", "x\0", "é"])
def test_names_that_are_not_safe_are_not_valid(name: str) -> None:
    assert not datasets.valid_name(name)


def test_a_name_is_looked_for_in_the_data_folder(tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    write_npz(tmp_path / "letters.npz", parts)
    write_folder(tmp_path / "signs", parts)
    assert datasets.locate("letters", tmp_path) == ("letters", tmp_path / "letters.npz")
    assert datasets.load("signs", tmp_path).name == "signs"
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(tmp_path))
    assert datasets.load("letters").digest == datasets.load("signs").digest


def test_a_path_from_the_home_folder_is_found(tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_npz(tmp_path / "mine.npz", parts)
    assert datasets.load("~/mine.npz").name == "mine"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("mnits", "did you mean 'mnist'"),
        ("qqqq", "one of: mnist, fashion, digits, or the path of your own"),
        ("no/such", "no such folder or file"),
        ("missing.npz", "no such folder or file"),
        ("~nobody-of-that-name/x", "no such folder or file"),
        ("~nobody-of-that-name", "unknown"),
        ("~\0", "unknown"),
        ("a\0/b", "unknown"),
        ("x" * 300, "unknown"),
        ("x/" + "y" * 5000, "no such"),
        ("", "unknown"),
    ],
)
def test_a_word_that_names_no_data_set_is_told_in_one_line(word: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        datasets.load(word)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_was_loaded_by_its_path_is_known_by_its_name_from_then_on(tmp_path: Path, parts: Parts) -> None:
    assert datasets.find("mine") is None
    first = datasets.load(write_npz(tmp_path / "Mine.npz", parts, class_names=np.array(list("abcde"))))
    entry = datasets.find("mine")
    assert entry is not None
    assert (entry.classes, entry.height, entry.width, entry.test) == (tuple("abcde"), 12, 20, len(parts["y_test"]))
    assert entry.split("split") == first.split("split")
    assert datasets.load("mine").digest == datasets.read(entry, None, print).digest == first.digest
    assert datasets.title("mine") == "mine"
    assert "mine" not in datasets.names()


def test_lists_have_the_declared_data_sets_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(["a", "digits", "zebra", "fashion", "mnist"], key=datasets.rank) == [
        "mnist",
        "fashion",
        "digits",
        "a",
        "zebra",
    ]


def test_a_net_trains_on_a_persons_own_data(tmp_path: Path, parts: Parts) -> None:
    write_folder(tmp_path / "Signs", parts)
    runner = Runner(datasets.load(tmp_path / "Signs"), Ledger(tmp_path / "results"))
    fields = {"model": "mlp", "dataset": "signs", "units": (24,), "batch_size": 32, "steps": 120, "angle": 5}
    record = runner.run(make_config(fields))
    assert record["data"] == {"name": "signs", "digest": runner.data.digest}
    assert record["parameters"] == 12 * 20 * 24 + 24 + 24 * 5 + 5
    assert record["test_accuracy"] > 0.6  # of five classes, guessing finds a fifth
