"""The report's pictures, a plot a file: ``facts`` (what is shown, plain data, tested) and ``draw`` (a figure of them).

A file put here is a plot, under its own name; PLOTS imports it when it is asked for. ``facts`` takes what the plot is
about (a SweepResult, a Pair, Predictions) and gives None where there is nothing to show; ``draw`` knows the facts and
picture.py alone.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from explorer.telling.plots.facts import Facts

SHARED = ("facts", "picture", "png")  # the files here that are no plot


@dataclass(frozen=True)
class Plot:
    """One kind of picture, and the file that says all of it."""

    name: str
    facts: "Callable[[Any], Facts | None]"
    draw: "Callable[[Any], Figure]"
    file: Path


class _Plots(Mapping[str, Plot]):
    """name -> Plot, from the files of this folder; a plot is imported when it is asked for."""

    def __getitem__(self, name: str) -> Plot:
        if name not in self:
            raise KeyError(name)
        module = importlib.import_module(f"{__name__}.{name}")
        return Plot(name, module.facts, module.draw, Path(str(module.__file__)))

    def __iter__(self) -> Iterator[str]:
        return (found.name for found in pkgutil.iter_modules(__path__) if found.name not in SHARED)

    def __contains__(self, name: object) -> bool:  # without an import, which the inherited one takes
        return name in list(self)

    def __len__(self) -> int:
        return len(list(iter(self)))


PLOTS: Mapping[str, Plot] = _Plots()


def write(path: Path, name: str, facts: "Facts") -> Path:
    """Brings the PNG ``path``, a picture of the plot ``name``, up to date with its facts: see png.py."""
    from explorer.telling.plots import png

    return png.write(Path(path), PLOTS[name], facts)
