"""scikit-learn's handwritten digits, enlarged from 8x8 to 28x28: they come with a package and need no download.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.datasets.entry import Entry, Framing, Say
from explorer.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from explorer.datasets.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class _Bundled(Entry):
    def load(self, data_dir: str | Path | None, say: Say) -> Dataset:
        """All 1,797 images, shuffled by a fixed seed, for the original order has whole stretches by one writer."""
        import numpy as np

        from explorer.datasets.dataset import make

        # The file alone: importing scikit-learn takes two seconds.
        spec = importlib.util.find_spec("sklearn")
        if spec is None or not spec.submodule_search_locations:
            raise UserError("the digits come with scikit-learn, which is not installed: pip install scikit-learn")
        file = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)  # 64 pixels from 0 to 16, then the label
        pixels, target = table[:, :64].reshape(-1, 8, 8), table[:, 64]
        # RandomState, unlike Generator, promises the same stream in every release of numpy.
        order = np.random.RandomState(0).permutation(len(target))
        images, labels = enlarge(pixels[order]), target[order].astype(np.uint8)
        cut = self.training + self.validation
        arrays = (images[:cut], labels[:cut], images[cut:], labels[cut:])
        return make(self.name, arrays, self.classes, self.validation, "scikit-learn", [a.tobytes() for a in arrays])


def enlarge(images: np.ndarray) -> np.ndarray:
    """Bilinear enlargement of (N, 8, 8) integers from 0 to 16 to (N, 28, 28) uint8 from 0 to 255.

    Pixels are areas: target pixel i has its centre at (i + 1/2) 8/28 - 1/2 = (4 i - 5)/14 of the source, and what lies
    beyond the border repeats it. In whole fourteenths all arithmetic is exact, so that every machine gets the same
    bytes and thereby the same digest.
    """
    import numpy as np

    fourteenths = np.clip(4 * np.arange(28) - 5, 0, 7 * 14)
    lower, fraction = np.divmod(fourteenths, 14)
    weights = np.zeros((28, 8), np.int64)
    weights[np.arange(28), lower] = 14 - fraction
    weights[np.arange(28), np.minimum(lower + 1, 7)] += fraction
    sums = weights @ images @ weights.T  # in units of 1/196 of a source value
    full = 14 * 14 * 16
    return ((sums * 255 + full // 2) // full).astype(np.uint8)


DATASET = _Bundled(
    name="digits",
    title="digits",
    classes=tuple("0123456789"),
    height=28,
    width=28,
    training=1_200,
    validation=300,
    test=297,
    place=3,
    framing=Framing(28, "middle"),  # bitmaps of NIST's programs, filled by the digit
)
