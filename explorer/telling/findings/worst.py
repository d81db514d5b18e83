"""The configuration with the lowest mean of each model and data set, and how many came to nothing."""

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.runs import mean
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import plural, short_name, with_n


def find(study: Study) -> list[Sentence]:
    found = []
    for dataset, model in study.pairs:
        mine = [run for run in study.runs.configurations if (run.config.dataset, run.config.model) == (dataset, model)]
        repeated = [run for run in mine if len(run.validation) >= MIN_RUNS]
        if not repeated:
            continue
        low = min(repeated, key=lambda run: mean(run.validation))
        lost = sum(run.lost.diverged > 0 for run in mine)
        told = f"; of {plural(len(mine), 'configuration')} {lost} diverged in some run" if lost else ""
        found.append(f"{name_of(model, dataset)}: {short_name(low.config)}, {with_n(low.validation)}{told}.")
    return found


FINDING = Finding("worst", "Which configurations are worst?", find)
