"""The page's files, and the page as one file that opens from disk: all of it inside, nothing fetched from anywhere."""

import base64
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from explorer.judging.runs import ConfigResult
from explorer.judging.study import Study
from explorer.telling.page import facts
from explorer.telling.page.nets import NetFacts
from explorer.telling.page.study import compared, curves, study_facts

ASSETS = Path(__file__).parent / "assets"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
MOST_BYTES = 8_000_000
MOST_COMPARED = 12  # of a longer sweep, so many points are compared with one another
_STYLE = re.compile(r'<link rel="stylesheet" href="assets/([^"]+)">\n')
_SCRIPT = re.compile(r'<script defer src="assets/([^"]+)"></script>\n')


class Whole(Struct, frozen=True):
    """What the page has inside where it is one file."""

    study: facts.Study
    curves: Mapping[int, Sequence[facts.Curve]]
    """Place of a configuration -> its runs' curves."""
    compared: Mapping[str, tuple[str, str]]
    """``id id`` -> two points of one sweep set against each other, in words: what decides, and the test."""
    galleries: Sequence[facts.Gallery]
    nets: Sequence[NetFacts]
    weights: Mapping[str, bytes]


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


def whole(study: Study, galleries: Sequence[facts.Gallery], nets: Sequence[tuple[NetFacts, bytes]]) -> bytes:
    """The page as one file. Nets come in as far as they fit, the first ones first."""
    told = study_facts(study)
    results = study.runs.configurations
    content = Whole(
        study=told,
        curves={place: found for place, result in enumerate(results) if (found := curves(result))},
        compared=_within_sweeps(study),
        galleries=galleries,
        nets=[],
        weights={},
    )
    room = MOST_BYTES - len(msgspec.json.encode(content)) - sum(len(body) for body, _ in files().values())
    for net, weights in nets:
        room -= len(weights) * 4 // 3 + 4000
        if room > 0:
            kept = {**content.weights, net.id: weights}
            content = msgspec.structs.replace(content, nets=[*content.nets, net], weights=kept)
    return page(msgspec.json.encode(content))


def page(data: bytes) -> bytes:
    """The page with everything it loads inside it, and ``data``, JSON, as what it shows. A policy in its head allows
    these very scripts and styles, nothing else, and no connection."""
    text = index()
    style = "\n".join(files()[name][0].decode() for name in _STYLE.findall(text))
    script = "\n".join(files()[name][0].decode() for name in _SCRIPT.findall(text))
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    # In JSON a < stands in texts alone, and no element can begin or end without one.
    held = data.decode().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    text = _STYLE.sub("", _SCRIPT.sub("", text))
    text = text.replace("<title>", f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>', 1)
    head, foot = text.replace("</head>", f"<style>{style}</style>\n</head>", 1).split("</body>")
    inside = f'<script type="application/json" id="data">{held}</script>\n<script>{script}</script>\n'
    return f"{head}{inside}</body>{foot}".encode()


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _within_sweeps(study: Study) -> dict[str, tuple[str, str]]:
    """Every point of a sweep against every other: what a person compares most, and no statistics in the browser."""
    found: dict[str, tuple[str, str]] = {}
    best = [study.runs.ranked(model, dataset)[:3] for dataset, model in study.pairs]
    groups: list[Sequence[ConfigResult]] = [[result for those in best for result in those]]
    for judged in study.sweeps:
        groups.append([outcome for outcome in judged.distinct if outcome.records][:MOST_COMPARED])
    for group in groups:
        for first in group:
            for second in group:
                ids = [next(iter(result.records.values())).id for result in (first, second)]
                if ids[0] != ids[1] and " ".join(ids) not in found:
                    both = compared(first, second)
                    found[" ".join(ids)] = both.sentence, both.test
    return found
