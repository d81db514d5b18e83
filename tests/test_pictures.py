"""A person's own pictures become images as MNIST's were made; what cannot be one is told in a line."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from explorer import datasets
from explorer.datasets import pictures
from explorer.errors import UserError

MNIST = datasets.known("mnist").framing
FASHION = datasets.known("fashion").framing


def image_of(path, framing=MNIST) -> np.ndarray:
    return pictures.image_of(path, 28, 28, framing)


def drawn(tmp_path, levels, name="digit.png"):
    path = tmp_path / name
    Image.fromarray(np.asarray(levels, np.uint8)).save(path)
    return path


def seven(height=300, width=200, thick=24) -> np.ndarray:
    """A seven, white on black, in the upper left of a large picture."""
    image = np.zeros((height, width), np.uint8)
    image[40 : 40 + thick, 20:140] = 255
    for row in range(40, 220):
        left = 140 - thick - (row - 40) // 3
        image[row, left : left + thick] = 255
    return image


def test_mnists_own_images_come_back_as_they_are(mnist):
    same = 0
    for image in mnist.test_images[:300]:
        found = pictures.framed(image.astype(np.float32), 28, 28, MNIST)
        white = image * (255 / image.max())  # what is not quite white becomes white
        assert np.abs(found - white).max() <= 5.1  # an edge so faint is cut off
        same += np.abs(found - white).max() <= 0.501
    assert same > 285


def test_what_is_drawn_fills_20_pixels_its_centre_of_mass_in_the_middle(tmp_path):
    image = image_of(drawn(tmp_path, seven()))
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == 20
    places = np.arange(28)
    mass = image.sum(dtype=float)
    assert abs(image.sum(1, dtype=float) @ places / mass - 14) <= 0.5
    assert abs(image.sum(0, dtype=float) @ places / mass - 14) <= 0.5
    assert image.max() == 255


def test_fashion_fills_28_pixels(tmp_path):
    image = image_of(drawn(tmp_path, seven()), FASHION)
    assert np.flatnonzero(image.any(1))[[0, -1]].tolist() == [0, 27]


def test_where_on_the_picture_it_is_drawn_and_how_large_makes_no_difference(tmp_path):
    once = image_of(drawn(tmp_path, seven()))
    moved = np.pad(seven(), ((100, 30), (50, 200)))
    assert (image_of(drawn(tmp_path, moved)) == once).all()
    twice = image_of(drawn(tmp_path, np.kron(seven(), np.ones((2, 2), np.uint8))))
    assert np.abs(twice.astype(int) - once).mean() < 1


def coloured(levels: np.ndarray, ink, paper) -> np.ndarray:
    share = levels[..., None] / 255
    return (share * np.array(ink) + (1 - share) * np.array(paper)).round().astype(np.uint8)


WAYS = {
    "dark on light": lambda levels: Image.fromarray(255 - levels),
    "in colour": lambda levels: Image.fromarray(coloured(levels, (10, 20, 120), (250, 240, 200))),
    "light on dark in colour": lambda levels: Image.fromarray(coloured(levels, (255, 230, 0), (10, 40, 30))),
    "black on nothing": lambda levels: Image.merge(
        "RGBA", [Image.new("L", levels.shape[::-1], 0)] * 3 + [Image.fromarray(levels)]
    ),
    "white on nothing": lambda levels: Image.merge(
        "RGBA", [Image.new("L", levels.shape[::-1], 255)] * 3 + [Image.fromarray(levels)]
    ),
    "grey and transparent": lambda levels: Image.merge(
        "LA", [Image.new("L", levels.shape[::-1], 60), Image.fromarray(levels)]
    ),
    "by palette": lambda levels: Image.fromarray(255 - levels).convert("P"),
    "in 16 bits": lambda levels: Image.fromarray(levels.astype(np.uint16) * 257),
    "black and white": lambda levels: Image.fromarray(levels).convert("1"),
}


@pytest.mark.parametrize("way", WAYS)
def test_ink_is_found_whatever_its_colour_and_ground(way, tmp_path):
    path = tmp_path / "digit.png"
    WAYS[way](seven()).save(path)
    plain = image_of(drawn(tmp_path, seven(), "plain.png"))
    assert np.abs(image_of(path).astype(int) - plain).mean() < 1


def test_paper_that_is_shaded_and_noisy_stays_background(tmp_path):
    levels = 200 - 0.6 * seven().astype(float)
    shade = np.linspace(0, 20, levels.shape[1])
    noise = np.random.default_rng(0).normal(0, 3, levels.shape)
    image = image_of(drawn(tmp_path, np.clip(levels + shade + noise, 0, 255)))
    plain = image_of(drawn(tmp_path, seven(), "plain.png"))
    assert np.abs(image.astype(int) - plain).mean() < 6
    assert (image[plain == 0] > 40).mean() < 0.05


def test_a_photograph_that_lies_on_its_side_is_turned_as_it_says(tmp_path):
    plain = image_of(drawn(tmp_path, seven(), "plain.png"))
    turned = Image.fromarray(np.rot90(seven()))  # a quarter to the left; 6 says: turn it to the right
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert (image_of(tmp_path / "turned.png") == plain).all()


def test_without_a_rule_a_picture_is_scaled_whole(tmp_path):
    image = image_of(
        drawn(tmp_path, np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4) * 16, np.ones((14, 14)))), None
    )
    assert image.shape == (28, 28)
    assert image[0, 0] == 0
    assert image[-1, -1] == 240


def bytes_of(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


BAD = {
    "empty.png": b"",
    "text.png": b"this is a text",
    "cut.png": bytes_of(Image.fromarray(seven()), "PNG")[:120],
    "cut.jpg": bytes_of(Image.fromarray(seven()), "JPEG")[:200],
    "blank.png": bytes_of(Image.new("L", (40, 40), 255), "PNG"),
    "clear.png": bytes_of(Image.new("RGBA", (40, 40), (9, 9, 9, 0)), "PNG"),
    "huge.png": bytes_of(Image.new("1", (20_000, 20_000)), "PNG"),
    "vector.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "image.npy": b"\x93NUMPY\x01\x00",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_one_line(name, tmp_path):
    (tmp_path / name).write_bytes(BAD[name])
    with pytest.raises(UserError, match=name) as refusal:
        image_of(tmp_path / name)
    assert "\n" not in str(refusal.value)


def test_what_is_no_file_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("pipe.png", "missing.png"):
        with pytest.raises(UserError, match=name):
            image_of(tmp_path / name)


def test_a_folder_gives_its_pictures_by_name_and_names_the_bad_ones(tmp_path):
    of = datasets.known("mnist")
    images = pictures.Images(of.height, of.width, 10)
    with pytest.raises(UserError, match="no picture"):
        pictures.gather(tmp_path, images, MNIST)
    for name in ("b.png", "a.PNG", "c.jpg"):
        Image.fromarray(seven()).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    found, bad = pictures.gather(tmp_path, images, MNIST)
    assert [picture.name for picture in found] == ["a.PNG", "b.png", "c.jpg"]
    assert [str(tmp_path / "bad.png") in str(error) for error in bad] == [True]


def test_images_of_an_npz_are_taken_as_they_are(tmp_path, digits):
    images = pictures.Images(28, 28, 10)
    np.savez(tmp_path / "keras.npz", x_train=digits.train_images[:2], x_test=digits.test_images[:5],
             y_test=digits.test_labels[:5])  # fmt: skip
    np.savez(tmp_path / "one.npz", anything=digits.test_images[0])
    found, _ = pictures.gather(tmp_path / "keras.npz", images, MNIST)
    assert [picture.label for picture in found] == digits.test_labels[:5].tolist()
    assert all((picture.image == image).all() for picture, image in zip(found, digits.test_images, strict=False))
    (alone,), _ = pictures.gather(tmp_path / "one.npz", images, MNIST)
    assert alone.label is None
    np.savez(tmp_path / "small.npz", images=np.zeros((3, 20, 20), np.uint8))
    np.savez(tmp_path / "pickled.npz", images=np.array([{"a": 1}], object))
    np.savez(tmp_path / "two.npz", a=np.zeros(3), b=np.zeros(3))
    (tmp_path / "text.npz").write_text("no")
    for name, said in (("small", "20x20"), ("pickled", "pickled"), ("two", "a, b"), ("text", "no sound")):
        with pytest.raises(UserError, match=said):
            pictures.gather(tmp_path / f"{name}.npz", images, MNIST)
