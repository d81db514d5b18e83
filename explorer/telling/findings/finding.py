"""What a finding is."""

from collections.abc import Callable
from dataclasses import dataclass

from explorer.judging.study import Study

Sentence = str
"""A sentence in Markdown; a list may stand under it."""


def nothing(study: Study) -> list[Sentence]:
    return []


@dataclass(frozen=True)
class Finding:
    """A question to the whole study. Each file beside this one declares one as ``FINDING``.

    ``find`` gives the answer, no sentence where there are no data for it; ``question`` is its heading among the study
    questions. ``top`` is what a reader with a minute should know of it. A finding without a question is told at the
    top alone.
    """

    id: str
    question: str = ""
    find: Callable[[Study], list[Sentence]] = nothing
    top: Callable[[Study], list[Sentence]] = nothing
