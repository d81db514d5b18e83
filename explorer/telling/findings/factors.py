"""One step of the grid down and up from the baseline, for numeric knobs."""

from explorer.fields import text_of
from explorer.judging.certainty import MIN_RUNS
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import estimate


def find(study: Study) -> list[Sentence]:
    sentences = []
    for judged in study.sweeps:
        knob = judged.numeric_knob
        if knob is None or judged.role != "knob" or not judged.verdicts or judged.seeds < MIN_RUNS:
            continue
        labels = sorted(judged.validation, key=lambda label: judged.number(label, knob))
        here = labels.index(judged.baseline)
        told = []
        for word, index in (("down", here - 1), ("up", here + 1)):
            if 0 <= index < len(labels):
                value = text_of(judged.value(labels[index], knob))
                told.append(f"{word} to {value}: {estimate(judged.verdicts[labels[index]])}")
        if told:
            at = text_of(judged.value(judged.baseline, knob))
            sentences.append(
                f"{name_of(judged.model, judged.dataset)}, {judged.slug} from {at}, in points: {'; '.join(told)}."
            )
    return sentences


FINDING = Finding("factors", "What does a factor up or down from the baseline change?", find)
