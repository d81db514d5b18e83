"""A person's own pictures, made into images like those a net was trained on.

MNIST's were made so (http://yann.lecun.com/exdb/mnist/): scaled, keeping the aspect ratio, until the digit fits a box
of 20x20 pixels, with grey levels from anti-aliasing; then put into 28x28 so that the centre of mass is in the middle.
White on black. What a data set's own rule is, its file says (`Framing`); without one a picture is scaled whole.

A picture may be grey or in colour, dark on light or light on dark, with a plain background or a transparent one.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.datasets import own, reading
from explorer.datasets.entry import Framing
from explorer.errors import UserError
from explorer.models.model import Images

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA")  # none that another program would be started for
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm", ".tga")
MOST_BYTES, MOST_PIXELS = 1 << 27, 50_000_000
MOST_IMAGES = 1 << 30  # bytes of an .npz file's images
FAINTEST = 12  # of 255: a picture that varies less shows nothing
EDGE = 0.02  # of the darkest ink: what is fainter is not taken for the drawing's edge
NOISE = 4.5  # 3 standard deviations of a normal distribution, in median absolute deviations

Grey = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Picture:
    """An image to ask a net about: what it is called, its pixels (height, width), its class where that is known."""

    name: str
    image: NDArray[np.uint8]
    label: int | None = None


def gather(path: Path, images: Images, framing: Framing | None) -> tuple[list[Picture], list[UserError]]:
    """(pictures, what is wrong with the others) of a picture's file, a folder of them, or an .npz file of images.

    Raises UserError where the path is none of these, or the one picture it names is no use.
    """
    if path.suffix.lower() == ".npz":
        values, labels = from_npz(path, images.height, images.width)
        known = [None] * len(values) if labels is None else labels.tolist()
        return [Picture(f"{path.name}[{place}]", *one) for place, one in enumerate(zip(values, known, strict=True))], []
    if not path.is_dir():
        return [Picture(path.name, image_of(path, images.height, images.width, framing))], []
    found, bad = [], []
    for file in files_in(path):
        try:
            found.append(Picture(file.name, image_of(file, images.height, images.width, framing)))
        except UserError as error:
            bad.append(error)
    return found, bad


def files_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name. UserError where it has none."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.is_dir())
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}") from None
    if not found:
        raise UserError(f"{folder} has no picture; they end in {', '.join(SUFFIXES)}")
    return found


def image_of(path: Path, height: int, width: int, framing: Framing | None) -> NDArray[np.uint8]:
    """The picture in a file as an image (height, width). UserError, of one line, for a file that cannot be one."""
    try:
        return framed(read(path), height, width, framing)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def read(path: Path) -> Grey:
    """The grey levels (H, W), 0 black to 255 white, of the picture in a file; what is transparent is put on white, or
    on black where the picture itself is light. UserError for what is no sound picture."""
    from PIL import Image, ImageOps

    content = reading.content(path, MOST_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pictures that are large: their size is looked at here
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    size = f"{picture.width}x{picture.height}"
                    raise UserError(f"{path} has {size} pixels; a picture may have {MOST_PIXELS:,}")
                upright = ImageOps.exif_transpose(picture)
                upright.load()
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise what they like at a file that is damaged or no picture
        known = "not a picture of a kind that is read" if type(error).__name__ == "UnidentifiedImageError" else error
        reason = str(known).splitlines()[0] if str(known) else type(known).__name__
        raise UserError(f"{path} cannot be read as a picture ({reason[:120]})") from None
    if upright.mode.startswith("I") or upright.mode == "F":  # 16 or 32 bits: the whole range there is
        wide = np.asarray(upright, np.float64)
        full = 65_535 if wide.max(initial=0) > 255 else 255
        return np.clip(wide * (255 / full), 0, 255).astype(np.float32)
    if not upright.has_transparency_data:
        return np.asarray(upright.convert("RGB").convert("L"), np.float32)
    colours = upright.convert("RGBA")
    light = np.asarray(colours.convert("RGB").convert("L"), np.float32)
    opaque = np.asarray(colours.getchannel("A"), np.float32) / 255
    if not opaque.any():
        raise UserError(f"{path} is wholly transparent: there is nothing on it")
    mean = float((light * opaque).sum() / opaque.sum())
    paper = np.float32(255 if mean < 128 else 0)
    return np.asarray(light * opaque + paper * (1 - opaque), np.float32)


def framed(grey: Grey, height: int, width: int, framing: Framing | None) -> NDArray[np.uint8]:
    """An image (height, width) of a picture (H, W), as ``framing`` says; None: scaled whole, its grey levels as they
    are. ValueError where nothing is on it."""
    if framing is None:
        return _levels(_scaled(grey, height, width))
    ink = ink_of(grey)
    there = ink > EDGE * ink.max()
    rows, columns = (np.flatnonzero(there.any(axis)) for axis in (1, 0))
    drawing = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longest = min(framing.side, height, width) / max(drawing.shape)
    tall, wide = (max(1, round(side * longest)) for side in drawing.shape)
    drawing = _scaled(drawing, tall, wide)
    drawing = drawing * (255 / drawing.max())
    top, left = (height - tall) / 2, (width - wide) / 2
    if framing.centred == "mass":
        total = drawing.sum()
        top = height / 2 - drawing.sum(1) @ np.arange(tall) / total
        left = width / 2 - drawing.sum(0) @ np.arange(wide) / total
    first_row, first_column = (
        int(np.clip(np.floor(place + 0.5), 0, most)) for place, most in ((top, height - tall), (left, width - wide))
    )
    image = np.zeros((height, width), np.float32)
    image[first_row : first_row + tall, first_column : first_column + wide] = drawing
    return _levels(image)


def ink_of(grey: Grey) -> Grey:
    """How much of each pixel (H, W) is drawing: 0 for the background, which is what most of the border is. Dark on
    light or light on dark, whichever is more. What differs from the background no more than its noise is background.

    ValueError where there is no drawing.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    background = np.median(border)
    noise = NOISE * float(np.median(np.abs(border - background)))
    darker, lighter = (np.maximum(difference, 0) for difference in (background - grey, grey - background))
    ink = darker if darker.sum(dtype=np.float64) > lighter.sum(dtype=np.float64) else lighter
    ink = np.where(ink > noise, ink, 0).astype(np.float32)
    if ink.max() < FAINTEST:
        raise ValueError("nothing is drawn on it: it is all of one shade")
    return ink


def _scaled(grey: Grey, height: int, width: int) -> Grey:
    """Anti-aliased, as wide and high as said; itself where it is that already."""
    from PIL import Image

    if grey.shape == (height, width):
        return grey
    small = Image.fromarray(np.ascontiguousarray(grey, np.float32)).resize((width, height), Image.Resampling.HAMMING)
    return np.asarray(small, np.float32)


def _levels(grey: Grey) -> NDArray[np.uint8]:
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)


def from_npz(path: Path, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """(images (N, height, width), labels (N,) or None) of an .npz file: ``x_test`` and ``y_test`` as Keras writes them,
    or ``images`` and ``labels``, or its only array. They are taken as they are: white on black, framed already.

    Raises UserError, of one line, for what is no such file.
    """
    names = own.names_in(path)
    images = next((name for name in ("images", "x_test") if name in names), names[0] if len(names) == 1 else None)
    if images is None:
        raise UserError(f"{path} has {_listed(names)}; it must have images, or x_test, or one array alone")
    found = own.array_of(path, images, MOST_IMAGES)
    if found.shape[:-2] == ():  # one image, without an axis of its own
        found = found[None]
    values = own.as_images(f"{path}: {images}", found)
    if values.shape[1:] != (height, width):
        size = "x".join(map(str, values.shape[1:]))
        raise UserError(f"{path}: {images} has images of {size} pixels; this net takes {height}x{width}")
    labels = next((name for name in ("labels", "y_test") if name in names), None)
    if labels is None or len(names) == 1:
        return values, None
    return values, own.as_labels(f"{path}: {labels}", own.array_of(path, labels, MOST_IMAGES), len(values))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "") if names else "no array"
