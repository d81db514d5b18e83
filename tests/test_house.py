"""The house: an import goes down the floors or stays on one, and modules never import one another in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests.conftest import PROJECT

# The ground floor's config knows the registries of models and data sets, which know its fields: one floor, no circle.
GROUND = (
    "errors",
    "escape",
    "files",
    "machine",
    "places",
    "fields",
    "toml",
    "config",
    "record",
    "seeds",
    "rules",
    "models",
    "datasets",
)
FLOORS = (
    GROUND,
    ("training",),
    ("asking",),
    ("running",),
    ("judging",),
    ("telling",),
    ("serving",),
    ("cli",),
    ("library", "__init__"),
)


def modules() -> dict[str, Path]:
    """Dotted name -> file, of all the program's modules."""
    found = {}
    for folder, name in ((PROJECT / "explorer", "explorer"), (PROJECT / "models", "explorer.models"),
                         (PROJECT / "datasets", "explorer.datasets")):  # fmt: skip
        for path in folder.rglob("*.py"):
            words = path.relative_to(folder).with_suffix("").parts
            if name == "explorer" and words[0] in ("models", "datasets", "sweeps"):
                continue  # links to the folders above
            found[".".join((name, *words)).removesuffix(".__init__")] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """The program's modules that a file imports anywhere, those for annotations alone included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in names if name in known}


def floor(name: str) -> int:
    room = name.split(".")[1] if "." in name else "__init__"
    return next(level for level, rooms in enumerate(FLOORS) if room in rooms)


def test_no_import_runs_up_a_floor():
    known = modules()
    assert len(known) > 80
    up = [
        f"{name} imports {other}"
        for name, path in known.items()
        for other in imported(path, known) - {"explorer"}
        if floor(other) > floor(name)
    ]
    assert not up


def test_modules_never_import_one_another_in_a_circle():
    known = modules()
    arrows = {name: imported(path, known) - {name, "explorer"} for name, path in known.items()}
    for name, others in arrows.items():  # to import a module of a package is to import the package: that is no arrow
        arrows[name] = {other for other in others if not name.startswith(f"{other}.")}
    assert len(list(TopologicalSorter(arrows).static_order())) >= len(known)  # CycleError names a circle


def test_the_ground_floor_imports_nothing_heavy():
    heavy = {"numpy", "tinygrad", "pandas", "matplotlib", "scipy"}
    for room in ("errors", "escape", "files", "machine", "places", "fields", "config", "record"):
        tree = ast.parse((PROJECT / "explorer" / f"{room}.py").read_text())
        at_once = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in at_once for alias in node.names} | {getattr(n, "module", "") for n in at_once}
        assert not {str(name).split(".")[0] for name in names} & heavy, room
