"""How the best tenth of all configurations spreads over the main knobs, beside how all of them do. A description:
sweeps vary one thing around the defaults, so what was tried most is found most."""

from collections import Counter
from collections.abc import Sequence

from explorer.fields import text_of
from explorer.judging.runs import ConfigResult
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import knob_name

KNOBS = ("lr", "batch_size", "depth", "width", "filters", "kernel_size")
FEWEST = 20  # configurations of which a tenth says something
NAMED = 3  # values of a knob


def find(study: Study) -> list[Sentence]:
    found = []
    for dataset, model in study.pairs:
        ranked = study.runs.ranked(model, dataset)
        if len(ranked) < FEWEST:
            continue
        best = ranked[: len(ranked) // 10]
        parts = [part for knob in KNOBS if (part := _spread(knob, best, ranked))]
        found.append(f"{name_of(model, dataset)}, the best {len(best)} of {len(ranked)}: {'; '.join(parts)}.")
    return found


def _spread(knob: str, best: Sequence[ConfigResult], every: Sequence[ConfigResult]) -> str:
    """``lr 0.003 in 60 % (in 12 % of all), 0.001 in 40 % (in 55 %)``, the values that most of the best have."""
    there, tried = (Counter(run.config.axis(knob) for run in runs) for runs in (best, every))
    if len(tried) < 2:
        return ""
    told = [
        f"{text_of(value)} in {100 * count / len(best):.0f} % (in {100 * tried[value] / len(every):.0f} %{of})"
        for (value, count), of in zip(there.most_common(NAMED), (" of all", "", ""), strict=False)
    ]
    return f"{knob_name(knob)} {', '.join(told)}"


FINDING = Finding("top-tenth", "What do the best tenth of all configurations have in common?", find)
