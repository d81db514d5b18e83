"""The page's files, and the page as one file that opens from disk: all of it inside, nothing fetched from anywhere."""

import base64
import functools
import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from explorer.judging.runs import ConfigResult
from explorer.judging.study import Study
from explorer.telling.page import facts
from explorer.telling.page.nets import NetFacts
from explorer.telling.page.study import compared, curves, study_facts
from explorer.telling.words import training_command

ASSETS = Path(__file__).parent / "assets"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
MOST_BYTES = 8_000_000
ROOM_FOR_FACTS = 4000  # bytes that a net's layers take at most
MOST_COMPARED = 12  # of a longer sweep, so many points are compared with one another
_STYLE = re.compile(r'<link rel="stylesheet" href="assets/([^"]+)">\n')
_SCRIPT = re.compile(r'<script defer src="assets/([^"]+)"></script>\n')


class Whole(Struct, frozen=True):
    """What the page has inside where it is one file."""

    study: facts.Study
    curves: Mapping[int, Sequence[facts.Curve]]
    """Place of a configuration -> its runs' curves."""
    commands: Sequence[str]
    """What trains each configuration."""
    compared: Mapping[str, tuple[str, str]]
    """``id id`` -> two points of one sweep set against each other, in words: what decides, and the test."""
    galleries: Sequence[facts.Gallery]
    nets: Sequence[NetFacts]


@functools.cache
def files() -> dict[str, tuple[bytes, str]]:
    """Path under assets/ -> (content, media type), of every file there is."""
    return {
        path.relative_to(ASSETS).as_posix(): (
            path.read_bytes(),
            f"{TYPES.get(path.suffix, 'text/plain')}; charset=utf-8",
        )
        for path in sorted(ASSETS.rglob("*"))
        if path.is_file()
    }


def index() -> str:
    return files()["index.html"][0].decode()


def whole(study: Study, galleries: Sequence[facts.Gallery], nets: Iterable[tuple[NetFacts, bytes]]) -> bytes:
    """The page as one file. Nets come in as far as they fit, the first ones first."""
    told = study_facts(study)
    results = study.runs.configurations
    content = Whole(
        study=told,
        curves={place: found for place, result in enumerate(results) if (found := curves(result))},
        commands=[training_command(result.config) for result in results],
        compared=_within_sweeps(study, told.configurations),
        galleries=galleries,
        nets=[],
    )
    room = MOST_BYTES - len(page(msgspec.json.encode(content), {}))
    weights: dict[str, str] = {}
    for net, numbers in _best_of_each(nets):
        text = _text(_planes(numbers))
        if (size := len(text) + ROOM_FOR_FACTS) <= room:
            room -= size
            weights[net.id] = text
            content = msgspec.structs.replace(content, nets=[*content.nets, net])
    return page(msgspec.json.encode(content), weights)


def _text(content: bytes) -> str:
    """Packed by gzip, as base64: what a file can hold, and a browser unpacks."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _planes(weights: bytes) -> bytes:
    """float32 rounded to its upper 24 bits (a part in 65,536): all first bytes, all second, all third. Signs and
    exponents stand together then, and pack well."""
    bits = np.frombuffer(weights, "<u4")
    rounded = (bits + 0x7F + ((bits >> 8) & 1)) >> 8
    return b"".join((rounded >> shift & 0xFF).astype(np.uint8).tobytes() for shift in (16, 8, 0))


def _best_of_each(nets: Iterable[tuple[NetFacts, bytes]]) -> Iterator[tuple[NetFacts, bytes]]:
    """The first net of each data set and model."""
    seen = set()
    for net, weights in nets:
        if (net.dataset, net.model) not in seen:
            seen.add((net.dataset, net.model))
            yield net, weights


def page(data: bytes, weights: Mapping[str, str]) -> bytes:
    """The page with everything it loads inside it, and ``data``, JSON, as what it shows; ``weights`` by a net's id. A
    policy in its head allows these very scripts and styles, nothing else, and no connection."""
    text = index()
    style = "\n".join(files()[name][0].decode() for name in _STYLE.findall(text))
    script = "\n".join(files()[name][0].decode() for name in _SCRIPT.findall(text))
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    held = {"data": _text(data), **{f"weights-{id}": numbers for id, numbers in weights.items()}}
    inside = "".join(f'<script type="text/plain" id="{id}">{text}</script>\n' for id, text in held.items())
    text = _STYLE.sub("", _SCRIPT.sub("", text))
    text = text.replace("<title>", f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>', 1)
    head, foot = text.replace("</head>", f"<style>{style}</style>\n</head>", 1).split("</body>")
    return f"{head}{inside}<script>{script}</script>\n</body>{foot}".encode()


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _within_sweeps(study: Study, configurations: Sequence[facts.Configuration]) -> dict[str, tuple[str, str]]:
    """Every point of a sweep against every other: what a person compares most, and no statistics in the browser."""
    found: dict[str, tuple[str, str]] = {}
    told = {run.config: one.id for run, one in zip(study.runs.configurations, configurations, strict=True)}
    best = [study.runs.ranked(model, dataset)[:3] for dataset, model in study.pairs]
    groups: list[Sequence[ConfigResult]] = [[result for those in best for result in those]]
    for judged in study.sweeps:
        groups.append([outcome for outcome in judged.distinct if outcome.records][:MOST_COMPARED])
    for group in groups:
        for first in group:
            for second in group:
                ids = [told[result.config] for result in (first, second)]
                if ids[0] != ids[1] and " ".join(ids) not in found:
                    both = compared(first, second, study)
                    found[" ".join(ids)] = both.sentence, both.test
    return found
