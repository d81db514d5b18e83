"""Where one rebuilding of the report puts its files, and a page of it: lines, links and pictures in Markdown."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from explorer import escape
from explorer.config import Config
from explorer.files import write_atomically
from explorer.judging.costs import Costs
from explorer.judging.runs import Runs
from explorer.judging.settled import SettledSweep
from explorer.judging.shifts import Moved
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.telling import plots, tables
from explorer.telling.plots.facts import Pair

# (logits (n, classes), labels (n,), images (n, height, width)) of the test set, or None where it cannot be had
Predict = Callable[[Config], tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]] | None]


@dataclass(frozen=True)
class Own:
    """What a person asked in addition to the study, judged over their records and the study's."""

    sweeps: Sequence[SweepResult] = ()
    settled: Sequence[SettledSweep] = ()
    studies: Sequence[StudyResult] = ()
    moved: Sequence[Moved] = ()

    def __bool__(self) -> bool:
        return bool(self.sweeps or self.settled or self.studies or self.moved)


class Shelf:
    """Places and facts of one rebuilding; remembers the files it wrote.

    The front page is ``report``, REPORT.md; what lies behind it is in the folder of its name, ``report/``.
    """

    def __init__(
        self, study: Study, own: Own, results: Path, media: Path, report: Path, predict: Predict | None = None
    ):
        self.study, self.own, self.predict = study, own, predict
        self.results, self.media, self.report = results, media, report
        self.folder = report.parent / report.stem.lower()
        self.costs = Costs(study.runs)
        self.files: list[Path] = []
        self.missing: list[str] = []
        """What a reader might look for and not find, a sentence each."""
        self.answered: dict[str, str] = {}
        """The questions to the whole study that have an answer on its page: the place's name there -> the question."""
        self.errors: list[str] = []
        """What the best of each model takes for what most often, a sentence each."""

    @property
    def runs(self) -> Runs:
        return self.study.runs

    def behind(self, name: str) -> Path:
        """The page of that name behind the front page."""
        return self.folder / f"{name}.md"

    @property
    def every_run(self) -> Path:
        """The CSV of every run, a row each."""
        return self.results / "runs.csv"

    def pair(self, dataset: str, model: str) -> Pair:
        return Pair(model, dataset, self.runs.ranked(model, dataset), self.study.of(dataset, model))

    def save(self, path: Path, text: str) -> None:
        """Replaces a text file as a whole, if it says anything new."""
        content = text.encode("utf-8", "backslashreplace")
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        self.files.append(path)


class Page:
    """A page while it is written. Nothing that others wrote becomes HTML on it, or a link that leads elsewhere."""

    def __init__(self, shelf: Shelf, path: Path, title: str):
        self.shelf, self.path, self.title = shelf, path, title
        self.lines: list[str] = []
        self.targets: set[str] = set()  # what links may lead to, beside places on the page itself
        self.sections: list[str] = []

    def say(self, *lines: str) -> None:
        """Adds lines, each a paragraph, a bullet, a table or a picture, and a blank one after them."""
        if lines:
            self.lines += [*lines, ""]

    def section(self, title: str, *lines: str) -> None:
        """A section with a heading; left out where it holds nothing."""
        if lines:
            self.sections.append(title)
            self.say(f"## {title}", "", *lines)

    def link(self, path: Path, place: str = "") -> str:
        """A file, or a place in it, as this page names it."""
        relative = Path(os.path.relpath(path, self.path.parent)).as_posix()
        target = quote(relative, errors="surrogateescape") + (f"#{place}" if place else "")
        self.targets.add(target)
        return target

    def to(self, judged: SweepResult | StudyResult, words: str = "") -> str:
        """A link to a sweep's own section."""
        return f"[{words or judged.slug}]({self.link(page_of(self.shelf, judged), tables.anchor(judged))})"

    def picture(self, path: Path, plot: str, about: object, title: str = "") -> list[str]:
        """Draws a plot and gives the line that shows it, under its own or another title; none where it has no facts."""
        facts = plots.PLOTS[plot].facts(about)
        if facts is None:
            return []
        self.shelf.files.append(plots.write(path, plot, facts))
        return [f"![{title or facts.title}]({self.link(path)})", ""]

    def pair_picture(self, dataset: str, model: str, plot: str, what: str = "") -> list[str]:
        path = self.shelf.media / dataset / f"{model}_{what or plot}.png"
        return self.picture(path, plot, self.shelf.pair(dataset, model))

    def save(self) -> None:
        study, own = self.shelf.study, self.shelf.own
        linked: list[SweepResult | StudyResult] = [*study.sweeps, *study.studies, *own.sweeps, *own.studies]
        for judged in linked:  # sentences of findings link to them
            self.link(page_of(self.shelf, judged), tables.anchor(judged))
        text = "\n".join(squeezed([f"# {self.title}", "", *self.lines])) + "\n"
        self.shelf.save(self.path, escape.page(text, self.targets))


def page_behind(shelf: Shelf, name: str, title: str) -> Page:
    """A page behind the front page, which it leads back to."""
    page = Page(shelf, shelf.behind(name), title)
    page.say(f"What lies behind [the report]({page.link(shelf.report)}). Its words are explained there.")
    return page


def page_of(shelf: Shelf, judged: SweepResult | StudyResult) -> Path:
    """The page that has a sweep's section."""
    return shelf.behind(tables.page_name(judged))


def files_of(judged: SweepResult | StudyResult, results: Path, media: Path) -> tuple[Path, Path, Path]:
    """Where a sweep's CSV, picture and learning curves lie; not every sweep has all of them."""
    results, media = Path(results), Path(media)
    if judged.origin == "own":
        results, media = results / "own", media / "own"
    folder, stem = media / judged.dataset, f"{judged.model}_{judged.slug}"
    return results / f"{judged.dataset}_{stem}.csv", folder / f"{stem}.png", folder / f"{stem}_curves.png"


def bullets(told: Iterable[str]) -> list[str]:
    return [f"- {sentence}" for sentence in told]


def squeezed(lines: Sequence[str]) -> list[str]:
    """No two blank lines in a row, none at the end."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept
