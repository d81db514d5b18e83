"""Whether the best value of a knob lies between two points of its grid."""

from explorer.judging.certainty import Certainty
from explorer.judging.optimum import Optimum, optimum_of
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import knob_name

SURE = {"between": Certainty.LIKELY, "at the point": Certainty.LIKELY, "unknown": Certainty.UNKNOWN}
"""Never sure: that three points lie on a parabola is an assumption."""


def find(study: Study) -> list[Sentence]:
    found = [(judged, optimum_of(judged)) for judged in study.sweeps]
    return [_told(name_of(judged.model, judged.dataset), best) for judged, best in found if best]


def _told(name: str, best: Optimum) -> Sentence:
    low = f"{best.low:.3g}" if best.low else f"below {best.values[0]:g}"
    high = f"{best.high:.3g}" if best.high else f"above {best.values[2]:g}"
    answer = {
        "between": f"the best value lies beside the grid's {best.best:g}",
        "at the point": f"the grid's {best.best:g} is as good as any value beside it, to a tenth of a point",
        "unknown": "the three points do not tell",
    }[best.sure]
    points = ", ".join(f"{value:g}" for value in best.values)
    return (
        f"{name}, {knob_name(best.knob)}: a parabola through {points} (n={best.n}, logarithmic) peaks at "
        f"{best.peak:.3g} (95 %: {low} to {high}), {100 * best.gain:.2f} points above the best of them (at most "
        f"{100 * best.gain_high:.2f}): {answer} ({SURE[best.sure].word})."
    )


FINDING = Finding("between", "Is the optimum between two points of the grid?", find)
