"""The report's part on its own statistics: the rules, how often they err, and what corrections would leave."""

from explorer.judging.certainty import MIN_RUNS
from explorer.judging.moderation import Trend
from explorer.judging.pairs import PAIRED_FROM
from explorer.judging.relations import ALPHA
from explorer.judging.simulated import Rates, Simulated
from explorer.judging.study import Study
from explorer.telling.findings.finding import Sentence
from explorer.telling.names import name_of
from explorer.telling.tables import text_table
from explorer.telling.words import listed, plural, short_name

EXAMPLES = (0.9, 0.98)  # accuracies at which the usual spread is told


def statistics_lines(study: Study, simulated: Simulated | None) -> list[Sentence]:
    """Markdown, a line each; empty for a study without a verdict."""
    if not study.across.compared:
        return []
    lines = [f"- {sentence}" for sentence in [*rules(), *across(study), *spreads(study.runs.validation_trend)]]
    return lines + (["", *errors(simulated)] if simulated else [])


def rules() -> list[Sentence]:
    level = f"{100 * ALPHA:g} %"
    return [
        f"**Fewer than {MIN_RUNS} runs** get no interval and no verdict: the runs themselves are shown.",
        f"**The test** of two points is Welch's below {PAIRED_FROM} common seeds, from there on the paired t test. "
        "Pairing halves the degrees of freedom, and runs of one seed have little in common.",
        f"**Corrections**: the points of a sweep against its baseline by Holm at {level}; what a file states "
        "beforehand (published claims) by Holm within the claim; any other two, picked after looking, by the number of "
        f"points less one (Hsu's subset), so that the truly best point is called worse than another in {level} of "
        "sweeps at most. Two points have one p in a sweep, and so one word, whichever sentence they stand in; two that "
        "stand in several sweeps have the word of the one with most runs of them, of equals that with fewest points.",
        "**Sure**: the test shows it. **Likely**: only the second opinion does, or the main test on the very seeds "
        "that made the choice. **Unknown**: neither, or too few runs. What rests on several comparisons is as sure as "
        "the least sure of them.",
        "**Tied** with the best is what is not shown worse, lies behind no point that is, and no farther off than a "
        "point of the sweep's usual spread could lie unseen. A noisy point that is far behind is *unknown*, not tied.",
    ]


def across(study: Study) -> list[Sentence]:
    """What a correction over all sweeps would leave, and which runs are behind many verdicts."""
    found = study.across
    told = [
        f"**Nothing is corrected across sweeps**: of {found.compared:,} comparisons with a baseline in "
        f"{plural(found.sweeps, 'sweep')}, {found.shown:,} are shown (sure); {found.survive:,} would be, were Holm's "
        "correction run over all of them."
    ]
    shared = [(config, sweeps) for config, sweeps in study.shared_baselines.items() if len(sweeps) > 2]
    if shared:
        named = [
            f"{plural(len(study.runs.of(config)), 'run')} of {name_of(config.model, config.dataset)} "
            f"({short_name(config)}) in {len(sweeps)}"
            for config, sweeps in shared
        ]
        told.append(
            f"**Shared baselines**: the same runs are the baseline of several sweeps, whose verdicts share their luck: "
            f"{listed(named)}."
        )
    return told


def spreads(trend: Trend | None) -> list[Sentence]:
    if trend is None:
        return ["**Second opinion**: none, for too few configurations were repeated to say what spread is usual."]
    usual = [f"{100 * float(trend.prior(at).variance) ** 0.5:.2f} points at {100 * at:g} %" for at in EXAMPLES]
    return [
        f"**Second opinion**: Welch's test with variances moderated by what is usual at an accuracy (Smyth 2004), as "
        f"{trend.points:,} configurations have it: a standard deviation of {' and '.join(usual)}. What is usual counts "
        f"as {trend.freedom:.1f} degrees of freedom, half of what the fit gives it; the moderated variance is "
        "multiplied by 1.25."
    ]


def errors(simulated: Simulated) -> list[Sentence]:
    """What simulated sweeps say of these rules, a row a kind and number of seeds."""
    rows = []
    for row in simulated.rows:
        rows.append(
            {
                "sweeps in which": row.kind,
                "n": row.n,
                "paired (before): false %": _share(row.paired.false),
                "sure: false %": _share(row.sure.false),
                "likely: false %": _share(row.likely.false),
                "paired (before): found %": _found(row.paired),
                "Welch: found %": _found(row.welch),
                "sure: found %": _found(row.sure),
                "likely: found %": _found(row.likely),
                "best called worse %": _share(row.sure.lost),
            }
        )
    return [
        f"Simulated, {simulated.sweeps:,} sweeps a row, each with the points and standard deviations of one of "
        f"{simulated.templates} sweeps of this study, two points having a correlation of {simulated.correlation:g} "
        f"over seeds. What differs does so by {simulated.shift:g} of the sweep's median standard deviations; what "
        f"collapses loses {100 * simulated.drop:g} points in {100 * simulated.collapse:g} % of its runs. *False*: "
        "sweeps with any word against the baseline that is not true. *Found*: of the points that truly differ from the "
        "baseline, those that get the true word. *Before*: paired t tests at any n. "
        "`python -m benchmarks.judging` measures it. A point whose runs are better than all others but for a collapse "
        "now and then, so that it is equal on average, is called better too often by any test: of few runs, none may "
        "show the collapse.",
        "",
        text_table(rows),
    ]


def _share(share: float) -> str:
    return f"{100 * share:.1f}"


def _found(rates: Rates) -> str:
    return "-" if rates.found is None else f"{100 * rates.found:.0f}"
