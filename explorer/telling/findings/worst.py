"""The lowest mean of each model and data set, and the configurations that came to nothing, which are worse."""

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.runs import mean
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import plural, short_name, with_n

NAMED = 3  # that diverged, those that did most often


def find(study: Study) -> list[Sentence]:
    found = []
    for dataset, model in study.pairs:
        mine = [run for run in study.runs.configurations if (run.config.dataset, run.config.model) == (dataset, model)]
        repeated = [run for run in mine if len(run.validation) >= MIN_RUNS]
        if not repeated:
            continue
        low = min(repeated, key=lambda run: mean(run.validation))
        lost = [run for run in mine if run.lost.diverged]
        told = f"{name_of(model, dataset)}: {short_name(low.config)}, {with_n(low.validation)}."
        if lost:
            lost.sort(key=lambda run: -run.lost.diverged)
            named = [f"{short_name(run.config)} ({run.lost.diverged} of {run.lost.of} runs)" for run in lost[:NAMED]]
            more = f"; and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
            told += f" Worse still, of {plural(len(mine), 'configuration')} {len(lost)} diverged: "
            told += f"{'; '.join(named)}{more}."
        found.append(told)
    return found


FINDING = Finding("worst", "Which configurations are worst?", find)
