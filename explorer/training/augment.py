"""Random rotation, zoom and shift of a batch of images, on the device.

Each output pixel looks up where it comes from in the source image; what comes from outside is black. The random draws
arrive as a tensor and the magnitudes as tensors too, so one captured step serves every strength and every seed.
"""

import math

from tinygrad import Tensor, dtypes

from explorer.models.kernels import ops
from explorer.models.kernels.native import enabled

DRAWS = 4  # per image: rotation, zoom, shift across, shift down; each uniform in [-1, 1]


def augment(
    images: Tensor, draws: Tensor, angle: Tensor, scale: Tensor, shift: Tensor, sampling: str, pivot: str
) -> Tensor:
    """Images (B, H, W) of any number type -> float32 (B, H, W), each turned, zoomed and shifted by its own draws.

    ``draws`` (B, 4) in [-1, 1]; ``angle`` (1,) degrees, ``scale`` (1,) share, ``shift`` (1,) pixels are the extremes.
    ``sampling``: "nearest" or "bilinear". ``pivot``: what rotation and zoom turn about, "center" or "corner" (0, 0).
    """
    if images.dtype == dtypes.uint8 and enabled():
        return ops.augment(images, draws, angle, scale, shift, sampling == "bilinear", pivot == "corner")
    batch, height, width = map(int, images.shape)
    turn = (draws[:, 0] * angle * (math.pi / 180)).reshape(batch, 1, 1)
    zoom = (1 + draws[:, 1] * scale).reshape(batch, 1, 1)
    across, down = ((draws[:, axis] * shift).reshape(batch, 1, 1) for axis in (2, 3))
    middle_x, middle_y = ((width - 1) / 2, (height - 1) / 2) if pivot == "center" else (0.0, 0.0)
    x = Tensor.arange(width).cast(dtypes.float32).reshape(1, 1, width) - middle_x - across
    y = Tensor.arange(height).cast(dtypes.float32).reshape(1, height, 1) - middle_y - down
    # the inverse map, output to source: turn back by -angle, zoom by 1/zoom
    cosine, sine = (turn.cos() / zoom).contiguous(), (turn.sin() / zoom).contiguous()
    source_x = x * cosine + y * sine + middle_x
    source_y = y * cosine - x * sine + middle_y
    if sampling == "nearest":
        return _pixels(images, (source_x + 0.5).floor(), (source_y + 0.5).floor())
    left, top = source_x.floor(), source_y.floor()
    right_share, bottom_share = source_x - left, source_y - top
    upper = _pixels(images, left, top) * (1 - right_share) + _pixels(images, left + 1, top) * right_share
    lower = _pixels(images, left, top + 1) * (1 - right_share) + _pixels(images, left + 1, top + 1) * right_share
    return upper * (1 - bottom_share) + lower * bottom_share


def _pixels(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """images[b, y, x] as float32 for whole-numbered float tensors x, y (B, H, W); 0 outside the image."""
    batch, height, width = map(int, images.shape)
    inside = (x >= 0) * (x < width) * (y >= 0) * (y < height)
    index = inside.where(y * width + x, 0.0).cast(dtypes.int32).reshape(batch, height * width)
    found = images.reshape(batch, height * width).gather(1, index).reshape(batch, height, width)
    return inside.where(found.cast(dtypes.float32), 0.0)
