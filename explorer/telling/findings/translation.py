"""How the models bear test images that move, trained with shifts and without."""

from explorer.judging.study import Study
from explorer.telling import shifts
from explorer.telling.findings.finding import Finding, Sentence


def find(study: Study) -> list[Sentence]:
    return [sentence for moved in study.moved for sentence in shifts.sentences(moved)]


FINDING = Finding("translation", "What do the models make of images that are not where they should be?", find)
