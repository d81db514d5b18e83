"""Whether the learning rate and the batch size matter after few and after many steps."""

from collections.abc import Mapping

from explorer.fields import Value, text_of
from explorer.judging import stats
from explorer.judging.certainty import MIN_RUNS, Certainty
from explorer.judging.relations import Relations
from explorer.judging.runs import ConfigResult, mean, slices, typical_deviation
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import knob_name, nested, points

STEPS = (100, 500, 1000)


def find(study: Study) -> list[Sentence]:
    """Per model, data set and knob: the spread over the knob's values after so many steps."""
    sentences = []
    for dataset, model in study.pairs:
        of_pair = [
            run for run in study.runs.configurations if (run.config.dataset, run.config.model) == (dataset, model)
        ]
        for knob in ("lr", "batch_size"):
            parts: list[str] = []
            groups: dict[int, dict[Value, ConfigResult]] = {}
            for steps in STEPS:
                sets = slices([run for run in of_pair if run.config.steps == steps], knob)
                enough = [group for group in sets if min(len(run.validation) for run in group.values()) >= MIN_RUNS]
                if enough:
                    groups[steps] = max(enough, key=_evidence)
            # The same values after each number of steps, where enough are common: a wider grid moves more.
            shared = set.intersection(*(set(group) for group in groups.values())) if groups else set()
            for steps, group in groups.items():
                parts.append(_at(study, steps, {v: group[v] for v in group if len(shared) < 3 or v in shared}))
            if parts:
                sentences.append(nested(f"{name_of(model, dataset)}, {knob_name(knob)}:", parts))
    return sentences


def _evidence(group: Mapping[Value, ConfigResult]) -> tuple[int, int]:
    """How much a set of configurations can say: runs, then points."""
    return min(len(run.validation) for run in group.values()) * len(group), len(group)


def _at(study: Study, steps: int, group: Mapping[Value, ConfigResult]) -> str:
    values = sorted(group)
    scores = {text_of(value): group[value].validation for value in values}
    found = Relations(scores, trend=study.runs.validation_trend)
    apart, noise, n = stats.knob_spread(scores).range, typical_deviation(scores), min(map(len, scores.values()))
    means = {label: mean(item) for label, item in scores.items()}
    word = {Certainty.SURE: "it matters", Certainty.LIKELY: "it likely matters"}.get(found.effect, "not settled")
    return (
        f"after {steps} steps the {len(values)} values from {text_of(values[0])} to {text_of(values[-1])} lie "
        f"{points(apart)} apart ({max(means, key=lambda label: means[label])} best), "
        f"{_times(apart, noise)} the seed's standard deviation of {points(noise)} (n={n}): {word}"
    )


def _times(value: float, unit: float) -> str:
    return f"{value / unit:.1f} times" if unit > 0 else "beside"


FINDING = Finding("at-steps", "Does the learning rate or the batch size matter at 100, 500 and 1000 steps?", find)
