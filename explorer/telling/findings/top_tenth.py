"""How the best tenth of all configurations spreads over the main knobs, beside how all of them do. A description:
sweeps vary one thing around the defaults, so what was tried most is found most."""

from collections.abc import Sequence

from explorer.fields import text_of
from explorer.judging.runs import ConfigResult
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import knob_name

KNOBS = ("lr", "batch_size", "depth", "width")
FEWEST = 20  # configurations of which a tenth says something


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
    """``lr 0.001 to 0.003, mostly 0.003 (tried: 1e-05 to 10)``"""

    def values(runs: Sequence[ConfigResult]) -> list[float]:
        there = (run.config.axis(knob) for run in runs)
        return sorted(value for value in there if isinstance(value, int | float))

    there, tried = values(best), values(every)
    if not there or tried[0] == tried[-1]:
        return ""
    usual = max(dict.fromkeys(there), key=there.count)
    span = text_of(there[0]) if there[0] == there[-1] else f"{text_of(there[0])} to {text_of(there[-1])}"
    mostly = f", mostly {text_of(usual)}" if there[0] != there[-1] else ""
    return f"{knob_name(knob)} {span}{mostly} (tried: {text_of(tried[0])} to {text_of(tried[-1])})"


FINDING = Finding("top-tenth", "What do the best tenth of all configurations have in common?", find)
