"""Text that others wrote, made harmless where it is shown: on a terminal, and on a page of Markdown.

Titles, labels, processors' names and reasons of failure come from files that anybody may have made.
"""

import re
from collections.abc import Collection

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_DIRECTION = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?:\(([^()\s]*)\)|(?=[(:\[]))")
_OWN_LINE = re.compile(r'<a id="[\w.-]+"></a>|</?details>|<summary>[^<>]*</summary>')
_OWN_TARGET = re.compile(r"#[\w.·-]*")


def printable(text: str) -> str:
    """The text with its control characters spelled out (``\\x1b``): a terminal would obey them."""
    return text.translate(_CONTROL | _DIRECTION)


def page(text: str, targets: Collection[str]) -> str:
    """A page of Markdown in which no line holds HTML but our own anchors and folds, and no link leads elsewhere than
    within the page or to one of ``targets``. Lines between ``` lines are code, and stay as they are."""
    lines, code = [], False
    for line in printable(text).split("\n"):
        if line.startswith("```"):
            code = not code
        elif not code and not _OWN_LINE.fullmatch(line):
            line = _LINK.sub(lambda found: _link(found, targets), _TAG.sub("&lt;", line))
        lines.append(line)
    return "\n".join(lines)


def _link(found: re.Match[str], targets: Collection[str]) -> str:
    target = found[1]
    if target is not None and (target in targets or _OWN_TARGET.fullmatch(target)):
        return found[0]
    return f"\\{found[0]}"
