"""One step of the grid down and up from the baseline, for numeric knobs."""

from explorer.fields import text_of
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import difference


def find(study: Study) -> list[Sentence]:
    sentences = []
    for judged in study.sweeps:
        knob = judged.numeric_knob
        if knob is None or judged.role != "knob" or not judged.verdicts or judged.seeds < 2:
            continue
        labels = sorted(judged.validation, key=lambda label: judged.number(label, knob))
        here = labels.index(judged.baseline)
        told = []
        for word, index in (("down", here - 1), ("up", here + 1)):
            if 0 <= index < len(labels):
                verdict = judged.verdicts[labels[index]]
                value = text_of(judged.value(labels[index], knob))
                told.append(f"{word} to {value} {difference(verdict)} ({verdict.verdict})")
        if told:
            at = text_of(judged.value(judged.baseline, knob))
            sentences.append(f"{name_of(judged.model, judged.dataset)}, {judged.slug} from {at}: {'; '.join(told)}.")
    return sentences


FINDING = Finding("factors", "What does a factor up or down from the baseline change?", find)
