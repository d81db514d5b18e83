"""A sweep: a TOML file -> the list of Configs.

    title = "Batch size"
    question = "..."                      # text: title, question, hypothesis, note
    hypothesis = "..."
    expect_best.batch_size = [32, 64]     # what the verdict is checked against; `label` names points
    baseline = { batch_size = 128 }       # or a label; else the point with the default values, else the first
    seeds = 10                            # else 5 for mlp, 3 for cnn
    dataset = "mnist"                     # only where the sweep makes sense on one data set alone
    reference_is = "validation"           # what split the points' published accuracies are of; else test
    repeats = true                        # points may be equal (published tables); equal points share their runs
    role = "recipes"                      # what the points are to one another, see Role; else a grid of two axes is a
                                          # pair, a longer one recipes, and all else a knob
    gain_over = { steps = 50 }            # or a label: the report says what the best point gains over this one
    [published]                           # with role = "published": the sweep is a table that somebody published
    table = "MNIST MLP"                   # its name; files that name the same table stand side by side in the report
    as = "run"                            # how its points were made: as "stated" (the default), or as really "run"
    best_look = true                      # each of its figures is the best of many looks
    [[claims]]                            # what was said of the points, for the report to hold against the data
    says = "RMSprop over Adam"
    winner = "optimizer_RMSprop"          # labels of points
    rivals = ["optimizer_Adam"]
                                          # or pairs = [["adam", "sgd"], ["adamw", "sgd"]]: each first beats its second;
                                          # or suffices = ["width 256"] with rivals: none of them is better by much
    [base]                                # what all points have in common, over the model's defaults
    [grid]                                # the product of the lists; or:
    [[points]]                            # one by one: label, reference (a published accuracy, as a fraction), fields

Sections ``[mlp]`` and ``[cnn]`` hold the same keys for one model: its base is added to the common one, anything else of
it takes the place of the common one. A grid may also vary ``width``, ``depth``, or ``units1`` and ``units2``: the two
hidden layers' widths as axes of their own.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from explorer import models
from explorer.asking import documents
from explorer.asking.documents import MOST_POINTS, TEXTS, PublishedAs, Role, check_fields, clash, told_of
from explorer.config import Config, make_config, merge
from explorer.errors import UserError
from explorer.fields import flag_of, nearest, text_of


@dataclass(frozen=True)
class Point:
    """One configuration of a sweep. ``config`` has seed 0; `configs` makes the runs."""

    label: str
    """Short, unique in the sweep: ``lr 0.003``, ``128 / 0.001``, or the file's."""
    values: dict[str, Any]
    """Every knob of the sweep -> its value here; None where it does not apply (an optimizer without momentum)."""
    config: Config
    reference: float | None = None
    """A published accuracy, as a fraction."""
    same_as: str | None = None
    """Label of the first point with this very Config, in a sweep with ``repeats``. It is the same runs: statistics
    should take the points where this is None, tables of published figures all of them."""


@dataclass(frozen=True)
class Claim:
    """What somebody said of points, in their words: the first of each pair is better than the second; or, where it says
    ``suffices``, the second is not better than the first by more than a difference that counts. All are labels."""

    says: str
    pairs: tuple[tuple[str, str], ...]
    suffices: bool = False


@dataclass(frozen=True)
class PublishedTable:
    """The published table a sweep is, how its points were made, and whether its figures are the best of many looks."""

    table: str
    made_as: PublishedAs = "stated"
    best_look: bool = False


@dataclass(frozen=True)
class Sweep:
    """A question and the points that answer it, for one model on one data set."""

    name: str
    """The file's name without ``.toml``."""
    path: str | None
    """Where its file lies, if it is not a shipped one."""
    title: str
    question: str
    hypothesis: str
    model: str
    dataset: str
    knobs: tuple[str, ...]
    """The fields that vary, in the file's order; also ``width``, ``depth``, ``units1``, ``units2`` as the file says."""
    points: tuple[Point, ...]
    baseline: str
    """Label of the point the others are compared with."""
    expect_best: dict[str, list[Any]]
    """What the hypothesis says the best values are; ``label`` for labels; empty where it says nothing of the kind."""
    seeds_default: int
    reference_is: Literal["test", "validation"]
    """The split that the points' published accuracies were measured on."""
    note: str
    kind: Literal["grid", "points"]
    role: Role
    gain_over: str | None
    """Label of the point that the best one's gain is counted from, where the report is to say it."""
    claims: tuple[Claim, ...]
    published: PublishedTable | None


def load(
    name_or_path: str,
    model: str,
    dataset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    yes: bool = False,
    named: Mapping[str, str] | None = None,
) -> Sweep:
    """The sweep of that name, or in that file, for one model on one data set (None: the file's own, else mnist).

    ``overrides``: fields fixed for the whole sweep, values as flags give them; ``named`` is what the person called
    each (default: its flag). Over 10,000 points need ``yes``.

    Raises UserError, one line naming the file, the key and what would be right, before any point is made where the
    file alone shows it.
    """
    if model not in models.names():  # a list of sweeps may name any
        raise UserError(f"there is no model {model!r}{nearest(model, models.names())}")
    path, shown = documents.find(name_or_path)
    overrides = dict(overrides or {})
    named = {field: flag_of(field) for field in overrides} | dict(named or {})
    with told_of(shown):
        document = documents.read(path)
    fixed_dataset = document.get("dataset")
    if dataset and fixed_dataset and dataset != fixed_dataset:
        raise UserError(f"sweep {path.stem!r} is about {fixed_dataset}, not {dataset}; use --dataset {fixed_dataset}")
    dataset = dataset or fixed_dataset or "mnist"
    if not documents.has_points(document, model):
        if whose := [name for name in models.names() if documents.kind_of(document, name) == "study"]:
            only = f"asks nothing of {model}, only of {', '.join(whose)}"
            raise UserError(f"study {path.stem!r} {'is no sweep' if model in whose else only}")
        what = "has no grid" if document else "is an empty file: it needs a [grid], e.g. lr = [0.001, 0.01],"
        raise UserError(f"sweep {path.stem!r} {what} for {model}")
    if "seed" in overrides:
        raise UserError(f"{named['seed']}: a sweep runs seeds 0, 1, 2, ...; use --seeds to say how many")

    section = document.get(model, {})
    both = {**document, **section}
    if "grid" in section or "points" in section:  # the model's way of listing points, not both ways
        both = {key: value for key, value in both.items() if key not in ("grid", "points") or key in section}
    kind: Literal["grid", "points"] = "grid" if "grid" in both else "points"
    where = f"{model}.{kind}" if kind in section else kind
    rows: list[dict[str, Any]] = [both["grid"]] if kind == "grid" else both["points"]
    knobs = tuple(dict.fromkeys(key for row in rows for key in row if key not in ("label", "reference")))
    base = merge(document.get("base", {}), section.get("base", {}))
    for field in overrides:
        if knob := clash(field, knobs, model):
            which = "" if knob == field else f" (which {named[field]} would fix)"
            raise UserError(f"sweep {path.stem!r} varies {knob}{which}; leave out {named[field]}")

    with told_of(shown, but=tuple(named.values())):
        check_fields(where, model, knobs)
        check_fields("base", model, base)
        if kind == "grid":
            _check_grid(where, model, both["grid"], base)
        count = math.prod(len(values) for values in both["grid"].values()) if kind == "grid" else len(rows)
        if count > MOST_POINTS and not yes:
            raise UserError(f"{where} would be {count:,} points; pass --yes to run so many")

        fixed = merge(base, overrides) | {"model": model, "dataset": dataset}
        own = section.get("base", {})
        called = {field: f"{model}.base.{field}" if field in own else f"base.{field}" for field in base} | named
        made = _grid_points if kind == "grid" else _listed_points
        points = _settled(made(rows, where, knobs, fixed, called), bool(both.get("repeats")))
        expect_best = expectation(both.get("expect_best", {}), knobs, points)
        baseline = _baseline(both.get("baseline"), knobs, points, fixed)
        gain_over = _point_named("gain_over", both["gain_over"], knobs, points) if "gain_over" in both else None
        claims = _claims(both.get("claims", []), points)
        role = _role(both, knobs, points)

    texts = texts_of(both, path)
    return Sweep(
        name=sweep_name(path),
        path=None if path.resolve().parent == documents.FOLDER.resolve() else str(path.resolve()),
        **texts,
        model=model,
        dataset=dataset,
        knobs=knobs,
        points=points,
        baseline=baseline,
        expect_best=expect_best,
        seeds_default=both.get("seeds", models.get(model).seeds),
        reference_is=both.get("reference_is", "test"),
        kind=kind,
        role=role,
        gain_over=gain_over,
        claims=claims,
        published=_published(both.get("published")),
    )


def sweep_name(path: Path) -> str:
    """What a sweep is called after its file: files are named after it, so it has letters, digits, _, - and . alone."""
    return re.sub("[^A-Za-z0-9_.-]+", "-", path.stem).lstrip(".-")[:100] or "sweep"


def texts_of(document: Mapping[str, Any], path: Path) -> dict[str, str]:
    """What a file says in words, each as one line; its title is the file's name where it says none."""
    texts = {name: " ".join(document.get(name, "").split()) for name in TEXTS}
    return {**texts, "title": texts["title"] or path.stem}


def configs(sweep: Sweep, seeds: int, yes: bool = False) -> list[Config]:
    """The runs: every point at seed 0, then every point at seed 1, and so on, so that an interrupted sweep has all its
    points at the first seeds. Equal points are one run. Raises UserError for fewer than one seed, and for over 10,000
    runs without ``yes``.
    """
    if seeds < 1:
        raise UserError(f"--seeds must be a whole number >= 1, got {seeds}")
    distinct = [point.config for point in sweep.points if point.same_as is None]
    if (count := seeds * len(distinct)) > MOST_POINTS and not yes:  # counted, not made
        raise UserError(f"sweep {sweep.name!r} would be {count:,} runs; pass --yes to do so many")
    return [config.model_copy(update={"seed": seed}) for seed in range(seeds) for config in distinct]


def expected_labels(sweep: Sweep) -> set[str]:
    """Labels of the points whose values are all among those of ``expect_best``; empty where it is empty.

    Of equal points (``repeats``) the first one's label, whichever was named.
    """
    expected = [point for point in sweep.points if sweep.expect_best and is_expected(point, sweep.expect_best)]
    return {point.same_as or point.label for point in expected}


def _check_grid(where: str, model: str, grid: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    known = models.get(model).axes
    if given := [axis for axis in known if axis in grid]:
        if len(given) < len(known):
            other = next(axis for axis in known if axis not in given)
            raise UserError(f"{where}.{given[0]} needs {other} beside it; one layer alone is depth = [1] with width")
        if both := {"units", "width", "depth"} & grid.keys():
            raise UserError(f"{where}.{min(both)} and {where}.units1 say the same thing; keep one of them")
    for field in base:
        if knob := clash(field, grid, model):
            raise UserError(f"base.{field} has no effect, since {where}.{knob} varies it; take it out of base")


def _grid_points(
    rows: list[dict[str, Any]], where: str, knobs: tuple[str, ...], fixed: Mapping[str, Any], called: Mapping[str, str]
) -> Iterator[Point]:
    (grid,) = rows
    called = {**called, **{knob: f"{where}.{knob}" for knob in knobs}}
    spelt = models.get(str(fixed["model"])).axes
    called |= {spelt[knob]: f"{where}.{knob}" for knob in reversed(knobs) if knob in spelt}
    for combination in itertools.product(*grid.values()):
        said = models.get(str(fixed["model"])).spell_out(dict(zip(grid, combination, strict=True)))
        config = config_of(merge(fixed, said), called, grid_label(knobs, combination))
        values = {knob: config.axis(knob) for knob in knobs}
        yield Point(grid_label(knobs, tuple(values.values())), values, config)


def grid_label(knobs: tuple[str, ...], values: tuple[Any, ...]) -> str:
    if len(knobs) == 1:
        return f"{knobs[0].replace('_', ' ')} {text_of(values[0])}"
    return " / ".join(map(text_of, values))


def _listed_points(
    rows: list[dict[str, Any]], where: str, knobs: tuple[str, ...], fixed: Mapping[str, Any], called: Mapping[str, str]
) -> Iterator[Point]:
    for number, row in enumerate(rows, 1):
        said = {key: value for key, value in row.items() if key not in ("label", "reference")}
        label = row.get("label") or ", ".join(
            f"{key.replace('_', ' ')} {text_of(value)}" for key, value in said.items()
        )
        called_here = {**called, **{field: f"{where}[{number}].{field}" for field in said}}
        config = config_of(merge(fixed, said), called_here, label or f"point {number}")
        values = {knob: config.axis(knob) for knob in knobs}
        reference = row.get("reference")
        yield Point(label or "defaults", values, config, None if reference is None else float(reference))


def config_of(values: Mapping[str, Any], called: Mapping[str, str], label: str) -> Config:
    """The Config; a mistake in it names the key or the point."""
    try:
        return make_config(values, called)
    except UserError as error:
        if str(error).startswith(tuple(called.values())):
            raise  # it names the key
        raise UserError(f"point {label!r}: {error}") from None


def _settled(points: Iterator[Point], repeats: bool) -> tuple[Point, ...]:
    """The points, with equal ones marked, or refused unless ``repeats``; labels must differ in any case."""
    settled: list[Point] = []
    first_of: dict[Config, str] = {}
    labels: set[str] = set()
    for point in points:
        same = first_of.get(point.config)
        first_of.setdefault(point.config, point.label)
        if same is not None and not repeats:
            if same == point.label:
                raise UserError(f"point {same!r} is there twice; leave one out")
            raise UserError(
                f"points {same!r} and {point.label!r} are the same configuration; leave one out, or say repeats = true"
            )
        if point.label in labels:
            raise UserError(f"two points have the label {point.label!r}; give each its own")
        labels.add(point.label)
        settled.append(replace(point, same_as=same))
    return tuple(settled)


class Named(Protocol):
    """What a file asks about: a point, or a value of a study."""

    @property
    def label(self) -> str: ...
    @property
    def values(self) -> Mapping[str, Any]: ...


def expectation(said: Mapping[str, list[Any]], knobs: tuple[str, ...], points: Sequence[Named]) -> dict[str, list[Any]]:
    """What a file's ``expect_best`` says. UserError for what no point has."""
    expected = {key: [_plain(value) for value in values] for key, values in said.items()}
    for key, values in expected.items():
        if key not in (*knobs, "label"):
            raise UserError(f"expect_best.{key}: the sweep does not vary {key}{nearest(key, [*knobs, 'label'])}")
        there = [_named_value(point, key) for point in points]
        for value in values:
            if value not in there:
                offered = ", ".join(dict.fromkeys(map(text_of, there)))
                raise UserError(f"expect_best.{key}: no point has {text_of(value)}; one of: {offered}")
    if expected and not any(is_expected(point, expected) for point in points):
        raise UserError(f"expect_best: no point has all of {', '.join(expected)} as expected")
    return expected


def is_expected(point: Named, expected: Mapping[str, list[Any]]) -> bool:
    """Whether a point's values are all among those of ``expect_best``."""
    return all(_named_value(point, key) in values for key, values in expected.items())


def _named_value(point: Named, key: str) -> Any:
    return point.label if key == "label" else point.values[key]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _baseline(said: Any, knobs: tuple[str, ...], points: tuple[Point, ...], fixed: Mapping[str, Any]) -> str:
    if said is not None:
        return _point_named("baseline", said, knobs, points)
    try:
        default = make_config(fixed)
    except UserError:  # what the points have in common need not be a whole Config
        return points[0].label
    return next((point.label for point in points if point.config == default), points[0].label)


def _point_named(key: str, said: str | dict[str, Any], knobs: tuple[str, ...], points: tuple[Point, ...]) -> str:
    """The label of the one point that ``key`` names, by its label or by values."""
    if isinstance(said, str):
        return _label(key, said, points)
    for field in said:
        if field not in knobs:
            raise UserError(f"{key}.{field}: the sweep does not vary {field}{nearest(field, knobs)}")
    same = [point for point in points if all(point.values[field] == _plain(value) for field, value in said.items())]
    if len({point.config for point in same}) != 1:
        known = ", ".join(point.label for point in points[:6]) + (", ..." if len(points) > 6 else "")
        raise UserError(f"{key}: {len(same) or 'no'} points have those values; it must be one of: {known}")
    return same[0].label


def _label(where: str, said: str, points: tuple[Point, ...]) -> str:
    labels = [point.label for point in points]
    if said not in labels:
        raise UserError(f"{where}: no point has the label {said!r}{nearest(said, labels)}")
    return said


def _claims(said: list[dict[str, Any]], points: tuple[Point, ...]) -> tuple[Claim, ...]:
    claims = []
    for number, claim in enumerate(said, 1):
        where = f"claims[{number}]"

        def known(key: str, labels: Iterable[str], where: str = where) -> list[str]:
            return [_label(f"{where}.{key}", label, points) for label in labels]

        first = (
            known("winner", [claim["winner"]]) if "winner" in claim else known("suffices", claim.get("suffices", []))
        )
        pairs = [(one, rival) for one in first for rival in known("rivals", claim.get("rivals", []))]
        for pair in claim.get("pairs", []):
            better, worse = known("pairs", pair)
            pairs.append((better, worse))
        if same := [one for one, rival in pairs if one == rival]:
            raise UserError(f"{where}: {same[0]!r} cannot be its own rival")
        claims.append(Claim(claim["says"], tuple(pairs), "suffices" in claim))
    return tuple(claims)


def _published(said: dict[str, Any] | None) -> PublishedTable | None:
    if said is None:
        return None
    return PublishedTable(" ".join(said["table"].split()), said.get("as", "stated"), said.get("best_look", False))


def _role(said: Mapping[str, Any], knobs: tuple[str, ...], points: tuple[Point, ...]) -> Role:
    """What the points are to one another: as the file says, else by the form of its grid."""
    varied = [knob for knob in knobs if len({point.values[knob] for point in points}) > 1] if "grid" in said else []
    by_form: Role = "knob" if len(varied) < 2 else "pair" if len(varied) == 2 else "recipes"
    role: Role = said.get("role", by_form)
    if role == "pair" and by_form != "pair":
        raise UserError('role = "pair" needs a grid of two axes, each with two values or more')
    if "published" in said and role != "published":
        raise UserError('[published] needs role = "published" beside it')
    return role
