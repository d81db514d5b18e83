"""The report's sentences, each computed from the data. A question without data gets no sentence."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import datasets
import models
from datasets.dataset import LOOK_IMAGES
from explorer.fields import text_of
from explorer.judging import stats
from explorer.judging.results import (
    HALF_A_POINT,
    ConfigResult,
    Runs,
    Scores,
    SweepResult,
    short_name,
    slices,
    typical_deviation,
)
from explorer.telling.names import aim_of, name_of
from explorer.telling.tables import difference, figure, seconds, text_table

LISTED = 6  # of a longer list, so many are named
WITHIN = 0.005  # "about as good as the best", as a fraction
FEW_SEEDS = 5  # below it the test of whether a knob matters at all has next to no power


@dataclass(frozen=True)
class Study:
    """All there is to say something about."""

    runs: Runs
    sweeps: tuple[SweepResult, ...]

    def get(self, name: str, model: str, dataset: str) -> SweepResult | None:
        """The sweep of that name with results, as shipped if it was also run with overrides; None if not run."""
        found = [
            judged
            for judged in self.sweeps
            if (judged.request.name, judged.request.model, judged.request.dataset) == (name, model, dataset)
        ]
        return next((judged for judged in found if judged.slug == name), found[0] if found else None)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(dataset, model) with any record, in the order of data sets and of models."""
        there = {(run.config.dataset, run.config.model) for run in self.runs.configurations}
        return [
            (dataset, model) for dataset in datasets.names() for model in models.names() if (dataset, model) in there
        ]


@dataclass(frozen=True)
class Best:
    """What the table of best configurations says of one model on one data set."""

    dataset: str
    model: str
    why: str
    measured: ConfigResult


def points(value: float) -> str:
    """A difference of fractions in points of a per cent: ``0.21 points``."""
    return f"{100 * value:.2f} points"


def listed(labels: Sequence[str]) -> str:
    """``a, b and c``, or the first few and how many more."""
    if len(labels) > LISTED:
        return f"{', '.join(labels[:LISTED])} and {len(labels) - LISTED} more"
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)


def nested(head: str, parts: Sequence[str]) -> str:
    """A sentence with a list under it, in Markdown."""
    return "\n  - ".join([head, *parts])


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def mean(scores: Scores) -> float:
    return float(np.mean(list(scores.values())))


def with_n(scores: Scores) -> str:
    """``97.93 ± 0.12 % (n=5)``."""
    return f"{figure(scores)} % (n={len(scores)})"


def best(study: Study) -> list[Best]:
    """Per data set and model: the most accurate on validation, the quickest within half a point of it, and the most
    accuracy above guessing per second of training."""
    found = []
    for dataset, model in study.pairs:
        ranked = study.runs.ranked(model, dataset)
        if not ranked:
            continue
        near = [run for run in ranked if mean(run.validation) >= mean(ranked[0].validation) - WITHIN]
        chosen = {"accuracy": ranked[0]}
        if (quick := min(near, key=lambda run: run.mean_seconds)) is not ranked[0]:
            chosen["time, within 0.5 points of it"] = quick
        chosen["accuracy per second"] = max(ranked, key=_gain_per_second)
        found += [Best(dataset, model, why, run) for why, run in chosen.items()]
    return found


def _gain_per_second(run: ConfigResult) -> float:
    return (mean(run.validation) - 0.1) / max(run.mean_seconds, 1e-3)


def best_sentences(study: Study) -> list[str]:
    """The best configuration of each model and data set, its target, and MLP against CNN."""
    sentences = []
    first = {(item.dataset, item.model): item.measured for item in best(study) if item.why == "accuracy"}
    for (dataset, model), run in first.items():
        target = aim_of(model, dataset)
        reached = ""
        if target is not None and run.test:
            short = target - mean(run.test)
            reached = (
                f"; the aim of {100 * target:.1f} % is {'reached' if short <= 0 else 'missed by ' + points(short)}"
            )
        sentences.append(
            f"**{name_of(model, dataset)}**: the best on validation ({short_name(run.config)}) has "
            f"{with_n(run.test)} on the test set, after {seconds(run.mean_seconds)} s of training{reached}."
        )
    for dataset in datasets.names():
        if (dataset, "mlp") in first and (dataset, "cnn") in first:
            sentences.append(against(first[dataset, "mlp"], first[dataset, "cnn"], dataset))
    return sentences


def against(mlp: ConfigResult, cnn: ConfigResult, dataset: str) -> str:
    """The best CNN against the best MLP of a data set, by test accuracy over common seeds."""
    seeds = sorted(mlp.test.keys() & cnn.test.keys())
    cost = cnn.mean_seconds / mlp.mean_seconds if mlp.mean_seconds > 0 else math.nan
    times = "" if math.isnan(cost) else f" for {cost:.1f} times its training seconds"
    if not seeds:
        return f"On {datasets.title(dataset)} the best CNN and the best MLP have no seed in common."
    pair = stats.paired_test([mlp.test[seed] for seed in seeds], [cnn.test[seed] for seed in seeds])
    told = "one seed, so no verdict" if pair.n < 2 else f"p = {probability(pair.p)}"
    return (
        f"**CNN against MLP on {datasets.title(dataset)}**: the best CNN's test accuracy differs from the best MLP's "
        f"by {difference(pair)} points (n={pair.n}, {told}){times}."
    )


def probability(p: float) -> str:
    return "unknown" if math.isnan(p) else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def top_findings(study: Study) -> list[str]:
    """What a reader with a minute should know."""
    sentences = best_sentences(study)
    for dataset, model in study.pairs:
        sentences += knob_sentences(study, dataset, model)
    sentences += hypotheses(study)
    for _, answer in questions(study, short=True):
        sentences += answer
    return sentences


def knob_sentences(study: Study, dataset: str, model: str) -> list[str]:
    """Which of the sweeps about one thing move the accuracy, and which were not shown to."""
    sweeps = [
        judged
        for judged in study.sweeps
        if (judged.request.dataset, judged.request.model) == (dataset, model)
        and judged.varies_one_thing
        and not math.isnan(judged.importance.p)
    ]
    if not sweeps:
        return []
    sweeps.sort(key=lambda judged: -judged.importance.corrected)
    shown = [judged for judged in sweeps if judged.importance.p <= 0.05]
    silent = [judged.slug for judged in sweeps if judged.importance.p > 0.05]
    parts = []
    if shown:
        named = [
            f"{judged.slug} ({points(judged.importance.corrected)} against the seed's {100 * judged.noise:.2f}"
            f"{_mostly(judged)})"
            for judged in shown
        ]
        parts.append(f"accuracy depends most on {listed(named)}")
    if silent:
        few = [j.slug for j in sweeps if j.importance.p > 0.05 and j.importance.n < FEW_SEEDS]
        whose = "" if len(few) == len(silent) else f" of {listed(few)}"
        caveat = f", where fewer than {FEW_SEEDS} seeds{whose} leave the test next to no power" if few else ""
        parts.append(f"no effect was shown of {listed(silent)}{caveat}")
    return [f"**Knobs, {name_of(model, dataset)}**: {'; '.join(parts)} (standard deviations over each grid)."]


def _mostly(judged: SweepResult) -> str:
    """``, 2.10 without sgd 0.001``: where without its worst point a sweep has less than half the effect."""
    worst = min(judged.validation, key=lambda label: mean(judged.validation[label]))
    others = {label: scores for label, scores in judged.validation.items() if label != worst}
    rest = stats.knob_importance(others).corrected
    return f", {100 * rest:.2f} without {worst}" if rest < judged.importance.corrected / 2 else ""


def hypotheses(study: Study) -> list[str]:
    """How many hypotheses ended how."""
    ended: dict[str, list[str]] = {"confirmed": [], "rejected": [], "undecided": []}
    for judged in study.sweeps:
        if judged.hypothesis:
            ended[judged.hypothesis.verdict].append(f"{judged.request.dataset} {judged.request.model} {judged.slug}")
    parts = [
        f"{len(labels)} {verdict}" + (f" ({', '.join(labels)})" if verdict != "undecided" else "")
        for verdict, labels in ended.items()
        if labels
    ]
    return [f"**Hypotheses** about which point is best: {'; '.join(parts)}."] if parts else []


def sweep_sentences(judged: SweepResult) -> list[str]:
    """What a sweep showed: winner, ties, hypothesis, edge, what n could have shown, and what to beware of."""
    sentences = []
    if not judged.complete:
        sentences.append(f"**Unfinished**: {judged.runs_done} of {judged.runs_planned} runs are recorded.")
    best_ = judged.winner
    if best_:
        sentences.append(_winner_sentence(judged, best_))
        sentences += _ties(judged, best_)
    else:
        sentences.append("No point has a validation accuracy: nothing can be chosen.")
    if judged.hypothesis:
        sentences.append(f"**Hypothesis {judged.hypothesis.verdict}**: {judged.hypothesis.reason}.")
    for knob, side in judged.edges if best_ else []:
        end, words = "lowest" if side == "low" else "highest", knob.replace("_", " ")
        value = text_of(judged.value(best_.label, knob)) if best_ else ""
        sentences.append(
            f"**Edge of the grid**: the winner has the {end} {words} tried ({value}); the grid should go on beyond it."
        )
    sentences += _power_sentences(judged)
    sentences += _beware(judged)
    lost = [f"{outcome.label}: {outcome.lost}" for outcome in judged.distinct if outcome.lost]
    if lost:
        sentences.append(f"**Runs without a result** (the other points' verdicts stand without them): {listed(lost)}.")
    if judged.is_pair and judged.validation:
        sentences += interaction_sentences(judged)
    return sentences


def _winner_sentence(judged: SweepResult, best_: stats.Winner) -> str:
    verdict = judged.verdicts.get(best_.label)
    beside = (
        f"{difference(verdict)} points against the baseline {judged.baseline}: {verdict.verdict}"
        if verdict and verdict.n
        else f"no seed in common with the baseline {judged.baseline}"
        if verdict
        else "it is the baseline itself"
        if best_.label == judged.baseline
        else "the baseline has no result"
    )
    return (
        f"**Best on validation**: {best_.label}, {with_n(judged.validation[best_.label])}, test "
        f"{figure(judged.by_label[best_.label].test)} %; {beside}."
    )


def _ties(judged: SweepResult, best_: stats.Winner) -> list[str]:
    if judged.seeds < 2:
        return ["**One seed**: no verdict on any difference, and no ties can be named; run it with `--seeds 5`."]
    tested = [label for label in best_.ties if label not in best_.untested]
    sentences = []
    if tested:
        verdict = judged.verdicts.get(best_.label)
        both = verdict is not None and verdict.verdict == "better" and judged.baseline in tested
        stricter = " Picked after looking, it has to pass a stricter test here than against the baseline."
        sentences.append(f"**Ties**: the data cannot tell it from {listed(tested)}.{stricter if both else ''}")
    elif len(judged.validation) > 1 and not best_.untested:
        sentences.append("**Ties**: none; it beats every other point.")
    if best_.untested:
        sentences.append(f"Never compared with it, for want of two common seeds: {listed(best_.untested)}.")
    return sentences


def _power_sentences(judged: SweepResult) -> list[str]:
    sentences = []
    compared = [verdict for verdict in judged.verdicts.values() if verdict.n > 1]
    if power := judged.power:
        means = [mean(scores) for scores in judged.validation.values()]
        found = (
            f"a true difference from the baseline of {points(power.detectable)} is found with 80 % power"
            if power.detectable < 0.5
            else "next to no difference from the baseline is found with 80 % power"
        )
        more = f"; half a point would take {power.needed:,} seeds" if power.detectable > HALF_A_POINT else ""
        sentences.append(
            f"**What it could have shown**: with n = {power.n} and {plural(power.comparisons, 'comparison')}, {found}"
            f"{more}. From worst to best the points lie {points(max(means) - min(means))} apart; the seed alone gives "
            f"a standard deviation of {points(judged.noise)} (median point)."
        )
    misleading = [
        verdict.label
        for verdict in compared
        if verdict.verdict == "no difference shown" and abs(verdict.difference) > verdict.half_width
    ]
    if misleading:
        sentences.append(
            f"The interval of {listed(misleading)} excludes 0 beside *no difference shown*: the interval is that of "
            f"one comparison, the verdict is Holm-corrected for all {len(compared)}."
        )
    return sentences


def _beware(judged: SweepResult) -> list[str]:
    """What else varies with the knob: the file's own note, and what the points themselves show."""
    sentences = [f"**Note**: {judged.sweep.note}"] if judged.sweep.note else []
    configs = [outcome.config for outcome in judged.distinct]
    knobs = judged.sweep.knobs
    if "batch_size" in knobs and "steps" not in knobs and configs[0].steps and "images" not in judged.sweep.note:
        images = sorted(config.batch_size * (config.steps or 0) for config in configs)
        sentences.append(
            f"**Confounded**: at equal steps the batch size also sets how many images are seen, {images[0]:,} to "
            f"{images[-1]:,}."
        )
    one_rate = len({config.lr for config in configs}) == 1
    for knob in ("optimizer", "batch_size"):
        if knobs == (knob,) and one_rate and "learning rate" not in judged.sweep.note:
            sentences.append(
                f"**Confounded**: every {knob.replace('_', ' ')} ran at lr {configs[0].lr:g}, which suits one better "
                "than another."
            )
    if judged.request.overrides:
        fixed = ", ".join(f"{field} {text_of(value)}" for field, value in judged.request.overrides.items())
        sentences.append(f"**Run with {fixed}** for all points, unlike the sweep's own file.")
    return sentences


@dataclass(frozen=True)
class Interaction:
    """Whether the best value of one knob depends on the other."""

    tuned: str
    given: str
    best_at: dict[str, str]
    """Value of ``given`` -> the value of ``tuned`` with the best mean there."""
    n: int
    """Seeds common to all cells."""
    effect: float = math.nan
    """Standard deviation of what cells have beyond the sum of row and column, noise taken out; nan if not tested."""
    noise: float = math.nan
    p: float = math.nan

    @property
    def best(self) -> str:
        """``0.003 at 16, 0.001 at 32``"""
        return ", ".join(f"{value} at {given}" for given, value in self.best_at.items())

    @property
    def shown(self) -> str:
        return "not tested" if math.isnan(self.p) else "shown" if self.p <= 0.05 else "not shown"


def interaction_of(judged: SweepResult) -> Interaction:
    """Of a pair with any result: the best value of one knob at each of the other, and the test of the cells."""
    # Of two knobs the learning rate is the one to tune for the other, else the second for the first.
    tuned = "lr" if "lr" in judged.sweep.knobs else judged.sweep.knobs[1]
    given = next(knob for knob in judged.sweep.knobs if knob != tuned)
    cells = {(judged.value(label, given), judged.value(label, tuned)): s for label, s in judged.validation.items()}
    rows, columns = judged.values(given), judged.values(tuned)
    best_at = {
        text_of(row): text_of(max((c for r, c in cells if r == row), key=lambda column: mean(cells[row, column])))
        for row in rows
        if any(r == row for r, _ in cells)
    }
    seeds = sorted(set.intersection(*(set(scores) for scores in cells.values())))
    names = tuned.replace("_", " "), given.replace("_", " ")
    if len(seeds) < 2 or len(cells) < len(rows) * len(columns):
        return Interaction(*names, best_at, len(seeds))
    scores = np.array([[[cells[row, column][seed] for seed in seeds] for column in columns] for row in rows])
    return Interaction(*names, best_at, len(seeds), *stats.interaction(scores))


def interaction_sentences(judged: SweepResult) -> list[str]:
    """Where the best cells lie, and whether the two knobs do more than add up."""
    found = interaction_of(judged)
    sentence = f"**Interaction**: the {found.tuned} with the best mean, by {found.given}: {found.best}."
    if found.shown == "not tested":
        why = "fewer than two seeds are common to all cells" if found.n < 2 else "some cells have no result"
        return [f"{sentence} Whether the two do more than add up is not tested: {why}."]
    shown = "do not simply add up" if found.shown == "shown" else "were not shown to do more than add up"
    return [
        f"{sentence} The two {shown} (n={found.n}, p = {probability(found.p)}): from the sum of row and column effects "
        f"cells depart by a standard deviation of {points(found.effect)}, a single run's noise being "
        f"{points(found.noise)}."
    ]


def questions(study: Study, short: bool = False) -> list[tuple[str, list[str]]]:
    """The study questions with their answers; ``short`` keeps to those that belong among the findings."""
    asked = [
        ("Why did plain SGD end at 17 %, and what does SGD reach?", sgd(study)),
        ("Did the published MNIST tables vary what they said they varied?", published_tables(study)),
    ]
    if short:
        asked = [(question, answer[:1] if "SGD" in question else answer) for question, answer in asked]
        asked.append(("Are the published winners distinguishable?", claims_summary(study)))
    else:
        asked = [
            ("Does the learning rate or the batch size matter at 100, 500 and 1000 steps?", at_steps(study)),
            (
                "Are the published winners distinguishable from their rivals?",
                [*claims_summary(study), *published_winners(study)],
            ),
            *asked,
            ("How much is gained from steps, augmentation, dropout and batch normalization?", gains(study)),
            ("Is batch size worth something beyond the images it shows?", batch_views(study)),
            ("When do more epochs or steps help, up and down?", longer(study)),
            ("What does a factor up or down from the baseline change?", factors(study)),
            ("Do the models overfit?", overfitting(study)),
        ]
    return [(question, answer) for question, answer in asked if answer]


def at_steps(study: Study) -> list[str]:
    """Per model, data set and knob: the spread over the knob's values after 100, 500 and 1000 steps."""
    sentences = []
    for dataset, model in study.pairs:
        of_pair = [
            run for run in study.runs.configurations if (run.config.dataset, run.config.model) == (dataset, model)
        ]
        for knob in ("lr", "batch_size"):
            parts: list[str] = []
            groups: dict[int, dict[Any, ConfigResult]] = {}
            for steps in (100, 500, 1000):
                sets = slices([run for run in of_pair if run.config.steps == steps], knob)
                repeated = [group for group in sets if min(len(run.validation) for run in group.values()) > 1]
                if repeated:
                    groups[steps] = max(repeated, key=_evidence)
            # The same values after each number of steps, where enough are common: a wider grid moves more.
            shared = set.intersection(*(set(group) for group in groups.values())) if groups else set()
            for steps, group in groups.items():
                parts.append(_at(steps, {v: group[v] for v in group if len(shared) < 3 or v in shared}))
            if parts:
                sentences.append(nested(f"{name_of(model, dataset)}, {knob.replace('_', ' ')}:", parts))
    return sentences


def _evidence(group: Mapping[Any, ConfigResult]) -> tuple[int, int]:
    """How much a set of configurations can say: runs, then points."""
    return min(len(run.validation) for run in group.values()) * len(group), len(group)


def _at(steps: int, group: Mapping[Any, ConfigResult]) -> str:
    values = sorted(group)
    scores = {text_of(value): group[value].validation for value in values}
    importance, noise = stats.knob_importance(scores), typical_deviation(scores)
    means = {label: mean(item) for label, item in scores.items()}
    word = "no effect shown" if math.isnan(importance.p) or importance.p > 0.05 else "it matters"
    word += ", but too few seeds to say" if word == "no effect shown" and importance.n < FEW_SEEDS else ""
    return (
        f"after {steps} steps the {len(values)} values from {text_of(values[0])} to {text_of(values[-1])} lie "
        f"{points(importance.spread.range)} apart ({max(means, key=lambda label: means[label])} best), "
        f"{_times(importance.spread.range, noise)} the seed's standard deviation of {points(noise)} "
        f"(n={importance.n}, p = {probability(importance.p)}: {word})"
    )


def _times(value: float, unit: float) -> str:
    return f"{value / unit:.1f} times" if unit > 0 else "beside"


# The claims of the published Fashion table: (what it says, its winner, the rivals), by the table's own labels.
CLAIMS = (
    ("RMSprop over Adam", "optimizer_RMSprop", ("optimizer_Adam", "optimizer_AdamW", "optimizer_SGD")),
    ("depth 1 over 2", "depth_1", ("depth_2", "depth_3")),
    ("512/128 over 256/256", "units_512_128", ("units_256_256",)),
    ("batch 128 over smaller ones", "batchsize_128", tuple(f"batchsize_{size}" for size in (64, 32, 16, 8, 4))),
    ("learning rate 0.001 over others", "lr_0.001", ("lr_0.005", "lr_0.0005", "lr_0.01", "lr_0.0001", "lr_1e-05")),
)


def claims_summary(study: Study) -> list[str]:
    """Which of the published claims the data bear out against each of their rivals, which not, and which are wrong."""
    judged = study.get("published-fashion", "mlp", "fashion")
    if judged is None:
        return []
    ended: dict[str, list[str]] = {"borne out": [], "not shown against every rival": [], "contradicted": []}
    for claim, winner, rivals in CLAIMS:
        words = [verdict.verdict for verdict in _claim(judged, winner, rivals) if verdict.n > 1]
        if "better" in words:
            ended["contradicted"].append(claim)
        elif words:
            all_worse = words == ["worse"] * len(rivals)
            ended["borne out" if all_worse else "not shown against every rival"].append(claim)
    parts = [f"{len(claims)} {how} ({'; '.join(claims)})" for how, claims in ended.items() if claims]
    n = judged.seeds
    return (
        [f"**Published Fashion winners**: of {sum(map(len, ended.values()))} claims, {'; '.join(parts)} at n = {n}."]
        if parts
        else []
    )


def _claim(judged: SweepResult, winner: str, rivals: Sequence[str]) -> list[stats.Verdict]:
    """The rivals that have results against the published winner; empty where it has none itself."""
    scores = {label: judged.by_label[label].validation for label in (winner, *rivals) if label in judged.by_label}
    there = {label: scores[label] for label in rivals if scores.get(label)}
    return stats.verdicts(scores[winner], there) if scores.get(winner) and there else []


def published_winners(study: Study) -> list[str]:
    """Each claim: winner minus rival on validation, paired, Holm-corrected within the claim, and the power it had."""
    judged = study.get("published-fashion", "mlp", "fashion")
    if judged is None:
        return []
    sentences = []
    for claim, winner, rivals in CLAIMS:
        verdicts = _claim(judged, winner, rivals)
        if not verdicts:
            continue
        told = []
        for verdict in verdicts:
            mirrored = stats.Paired(-verdict.difference, verdict.half_width, verdict.p, verdict.n)
            word = {"better": "worse than it", "worse": "better than it"}.get(verdict.verdict, verdict.verdict)
            told.append(f"{difference(mirrored)} against {verdict.label}{_published(judged, verdict.label)}: {word}")
        ours, first = judged.by_label[winner].validation, verdicts[0]
        nearest = judged.by_label[first.label].validation
        spread = typical_deviation({"": {seed: ours[seed] - nearest[seed] for seed in ours.keys() & nearest.keys()}})
        shown = stats.detectable_difference(spread, first.n, alpha=0.05 / len(verdicts))
        power = f" n = {first.n} would have shown {points(shown)} against {first.label} with 80 % power."
        head = f"**{claim}**: {winner}{_published(judged, winner)} measures {with_n(ours)} on validation."
        sentences.append(nested(f"{head}{'' if math.isnan(shown) else power} Its lead in points:", told))
    return sentences


def _alike(judged: SweepResult, label: str) -> Scores:
    """The point's scores on the split that its published figure is of."""
    outcome = judged.by_label[label]
    return outcome.validation if judged.sweep.reference_is == "validation" else outcome.test


def _published(judged: SweepResult, label: str) -> str:
    reference = judged.by_label[label].point.reference
    return "" if reference is None else f" (published {100 * reference:.1f} %)"


def sgd(study: Study) -> list[str]:
    """Plain SGD as published, its loss beside that of guessing, and the best SGD that was run."""
    judged = study.get("published-fashion", "mlp", "fashion")
    sentences = []
    plain = judged.by_label.get("optimizer_SGD") if judged else None
    if judged and plain and plain.validation:
        loss = np.mean([record.train_loss for record in plain.records.values() if record.train_loss is not None])
        stuck = ": so small a rate is slow to leave the start, for SGD, unlike Adam, does not scale its steps up"
        sentences.append(
            f"**Plain SGD**: with lr {plain.config.lr:g} and no momentum, "
            f"{plain.config.total_steps(50_000)} steps of batch {plain.config.batch_size} end at "
            f"{with_n(plain.validation)} on validation{_published(judged, plain.label)}, the training loss at "
            f"{loss:.2f} where guessing has {math.log(10):.2f} (ln 10){stuck if loss > 0.8 * math.log(10) else ''}."
        )
    for dataset, model in study.pairs:
        ranked = [run for run in study.runs.ranked(model, dataset) if run.config.optimizer == "sgd"]
        if not ranked:
            continue
        best_run = ranked[0]
        if plain and best_run.config == plain.config:
            continue
        words = [f"the best SGD that was run on {name_of(model, dataset)} ({short_name(best_run.config)}) reaches"]
        words.append(f"{with_n(best_run.validation)} on validation and {figure(best_run.test)} % on test")
        with_momentum = next((run for run in ranked if run.config.momentum), None)
        without = next((run for run in ranked if not run.config.momentum), None)
        other = without if best_run is with_momentum else with_momentum
        if other:
            kind = "without" if other is without else "with"
            words.append(f"(the best {kind} momentum: {short_name(other.config)}, {figure(other.validation)} %)")
        sentences.append(f"**SGD with another learning rate**: {' '.join(words)}.")
    return sentences


def published_tables(study: Study) -> list[str]:
    """As stated against as really run: how many published figures lie where one more run would."""
    sentences = []
    for model in models.names():
        kinds = (f"published-{model}", "as stated"), (f"published-{model}-as-run", "as really run")
        found = ((kind, study.get(name, model, "mnist")) for name, kind in kinds)
        counts = [f"{kind}, {counted}" for kind, judged in found if judged and (counted := _places(judged))]
        if not counts:
            continue
        sentences.append(f"**Published {model.upper()} table**: {'; '.join(counts)}.")
        stated = study.get(f"published-{model}", model, "mnist")
        if stated:
            sentences += _same_length_spread(stated, model)
        as_run = study.get(f"published-{model}-as-run", model, "mnist")
        first = (
            next((o for o in as_run.distinct if o.config.steps == 100 and len(o.test) > 1), None) if as_run else None
        )
        if first:
            sentences.append(
                f"As really run, the {model.upper()} rows of 100 steps are one experiment: {with_n(first.test)} on "
                f"test, the seed's standard deviation being {points(typical_deviation({'': first.test}))}."
            )
        sentences += _best_look(as_run, model) if as_run else []
    fashion = study.get("published-fashion", "mlp", "fashion")
    if fashion and (counted := _places(fashion)):
        sentences.append(f"**Published Fashion table**: {counted}.")
    return sentences


def _places(judged: SweepResult) -> str:
    """How many published figures lie where one more run would; empty where none can be placed."""
    words = [place(outcome.point.reference, _alike(judged, outcome.label)) for outcome in judged.outcomes]
    tested = [word for word in words if word in ("inside", "below", "above")]
    if not tested:
        return ""
    return (
        f"{tested.count('inside')} of {len(tested)} published figures lie inside the 95 % prediction interval of one "
        f"more run, {tested.count('below')} below, {tested.count('above')} above"
    )


def _best_look(as_run: SweepResult, model: str) -> list[str]:
    """How much publishing the best of many looks adds: the best against the last, both at the slice that looks see."""
    longest = max(as_run.distinct, key=lambda outcome: outcome.config.steps or 0)
    gains = {
        seed: record.best_val_accuracy - last
        for seed, record in longest.records.items()
        if record.status == "ok"
        and record.best_val_accuracy is not None
        and (last := record.history[-1].val_accuracy) is not None
    }
    if len(gains) < 2:
        return []
    return [
        f"The {model.upper()} program published the best of its looks at the test set, one every "
        f"{longest.config.eval_every} steps: in the {longest.config.steps} steps as really run, the best look at the "
        f"validation images lies {figure(gains)} points above the last (n={len(gains)}), by choosing alone (of the "
        f"{LOOK_IMAGES:,} images of a look; on a test set of 10,000 chance weighs less, and so would this)."
    ]


def _same_length_spread(stated: SweepResult, model: str) -> list[str]:
    """Rows of 100 steps: how far apart the published figures lie and the measured ones do."""
    rows = [o for o in stated.distinct if o.config.steps == 100 and o.test and o.point.reference is not None]
    if len(rows) < 2:
        return []
    published = [outcome.point.reference for outcome in rows if outcome.point.reference is not None]
    means = [mean(outcome.test) for outcome in rows]
    return [
        f"The {len(rows)} published {model.upper()} rows of 100 steps lie "
        f"{points(max(published) - min(published))} apart; had learning rate and batch size been connected, they would "
        f"lie {points(max(means) - min(means))} apart on the test set, the seed's standard deviation being "
        f"{points(typical_deviation({o.label: o.test for o in rows}))}."
    ]


def place(reference: float | None, scores: Scores) -> str:
    """Where a published figure lies against the prediction interval of one more run; a dash where unknown."""
    return "-" if reference is None or not scores else stats.published_inside(reference, list(scores.values()))


def side_by_side(stated: SweepResult | None, as_run: SweepResult | None) -> str:
    """A published table beside what was measured, as stated and as really run; rows are matched by their order."""
    rows = []
    longest = stated or as_run
    assert longest is not None
    for index, outcome in enumerate(longest.outcomes):
        row: dict[str, Any] = {"row": outcome.label}
        reference = outcome.point.reference
        row["published %"] = "-" if reference is None else f"{100 * reference:.2f}"
        for judged, kind in ((stated, "as stated"), (as_run, "as really run")):
            if judged is None or index >= len(judged.outcomes):
                continue
            scores = _alike(judged, judged.outcomes[index].label)
            row[f"{kind}, {judged.sweep.reference_is} %"] = figure(scores)
            row[f"{kind}: published is"] = place(reference, scores)
        rows.append(row)
    return text_table(rows)


def gains(study: Study) -> list[str]:
    """For the sweeps of those names: the best point against the one without (or the shortest)."""
    sentences = []
    for dataset, model in study.pairs:
        for name in ("steps", "epochs", "augment", "dropout", "batchnorm", "schedule", "final"):
            judged = study.get(name, model, dataset)
            if judged is None or judged.winner is None:
                continue
            base = judged.baseline
            if name in ("steps", "epochs") and judged.numeric_knob == name:  # from the shortest run
                base = min(judged.validation, key=lambda label: judged.value(label, name))
            if judged.sweep.knobs == ("batchnorm",):  # on is the CNN's default, but what it gains is over off
                base = next((label for label in judged.validation if judged.value(label, name) is False), base)
            others = {label: scores for label, scores in judged.validation.items() if label != base}
            if base not in judged.validation or not others:
                continue
            top = max(others, key=lambda label: mean(others[label]))
            verdict = next(v for v in stats.verdicts(judged.validation[base], others) if v.label == top)
            sentences.append(
                f"{name_of(model, dataset)}, {judged.slug}: {top} gains {difference(verdict)} points on "
                f"validation over {base} (n={verdict.n}): {verdict.verdict}."
            )
    return sentences


def batch_views(study: Study) -> list[str]:
    """Batch size at equal steps beside batch size at equal images."""
    sentences = []
    for dataset, model in study.pairs:
        views = [(study.get(name, model, dataset), at) for name, at in (("bs", "steps"), ("bs-images", "images"))]
        parts = [
            f"at equal {at} {judged.winner.label} is best with {figure(judged.validation[judged.winner.label])} %"
            f" ({'tied with ' + listed(judged.winner.ties) if judged.winner.ties else 'alone'})"
            for judged, at in views
            if judged and judged.winner and judged.seeds > 1
        ]
        if len(parts) == 2:
            sentences.append(f"{name_of(model, dataset)}: {'; '.join(parts)}.")
    return sentences


def longer(study: Study) -> list[str]:
    """Each lengthening of a run against the length before it, Holm-corrected, and the last one that paid."""
    sentences = []
    for dataset, model in study.pairs:
        for name in ("epochs", "steps"):
            judged = study.get(name, model, dataset)
            if judged is None or judged.numeric_knob != name or judged.seeds < 2:
                continue
            labels = sorted(judged.validation, key=lambda label: judged.value(label, name))
            pairs = []
            for shorter, further in itertools.pairwise(labels):
                a, b = judged.validation[shorter], judged.validation[further]
                common = sorted(a.keys() & b.keys())
                if len(common) > 1:
                    pairs.append((shorter, further, stats.paired_test([a[s] for s in common], [b[s] for s in common])))
            adjusted = stats.holm([pair.p for _, _, pair in pairs])
            told = [
                f"{text_of(judged.value(a, name))} to {text_of(judged.value(b, name))}: {difference(pair)}"
                + ("" if p <= 0.05 else " (no difference shown)")
                for (a, b, pair), p in zip(pairs, adjusted, strict=True)
            ]
            if not told:
                continue
            paid = [b for (_, b, pair), p in zip(pairs, adjusted, strict=True) if p <= 0.05 and pair.difference > 0]
            verdict = (
                f"more {name} were shown to help up to {text_of(judged.value(paid[-1], name))}"
                if paid
                else "no lengthening was shown to help"
            )
            sentences.append(
                f"{name_of(model, dataset)}, validation points gained by {name}: {'; '.join(told)}. So {verdict}."
            )
    return sentences


def factors(study: Study) -> list[str]:
    """One step of the grid down and up from the baseline, for numeric knobs."""
    sentences = []
    for judged in study.sweeps:
        knob = judged.numeric_knob
        if knob is None or not judged.verdicts or judged.seeds < 2 or judged.request.name.startswith("published"):
            continue
        labels = sorted(judged.validation, key=lambda label: judged.value(label, knob))
        here = labels.index(judged.baseline)
        told = []
        for word, index in (("down", here - 1), ("up", here + 1)):
            if 0 <= index < len(labels):
                verdict = judged.verdicts[labels[index]]
                told.append(
                    f"{word} to {text_of(judged.value(labels[index], knob))} {difference(verdict)} ({verdict.verdict})"
                )
        if told:
            at = text_of(judged.value(judged.baseline, knob))
            sentences.append(
                f"{name_of(judged.request.model, judged.request.dataset)}, {judged.slug} from {at}: {'; '.join(told)}."
            )
    return sentences


def overfitting(study: Study) -> list[str]:
    """Train against validation at the end of the best configuration and of the longest runs; where the loss turned."""
    sentences = []
    for dataset, model in study.pairs:
        ranked = study.runs.ranked(model, dataset)
        if not ranked:
            continue
        longest = max(ranked, key=lambda run: run.config.total_steps(50_000))
        for what, run in (("the best configuration", ranked[0]), ("the longest runs", longest)):
            told = _gap(run)
            if told and (run is not ranked[0] or what == "the best configuration"):
                sentences.append(f"{name_of(model, dataset)}, {what} ({short_name(run.config)}): {told}.")
    return sentences


def _gap(run: ConfigResult) -> str:
    looks = [
        record.history
        for record in run.records.values()
        if record.status == "ok" and record.history
        if all(look.val_loss is not None for look in record.history)
    ]
    if not looks:
        return ""
    gap = {index: history[-1].train_accuracy - (history[-1].val_accuracy or 0.0) for index, history in enumerate(looks)}
    lowest = [min(history, key=lambda look: look.val_loss or 0.0) for history in looks]
    share = float(np.mean([low.step / history[-1].step for low, history in zip(lowest, looks, strict=True)]))
    pairs = zip(lowest, looks, strict=True)
    rise = float(np.mean([(history[-1].val_loss or 0.0) - (low.val_loss or 0.0) for low, history in pairs]))
    turned = "validation loss was still about its lowest at the end: longer training may help"
    if rise > 0.005:
        turned = f"validation loss was lowest {100 * share:.0f} % of the way and rose by {rise:.3f} from there"
        turned += ": it overfits" if share < 0.75 else ""
    regularized = run.config.get("dropout") or run.config.augments
    through = ", the training batches being seen through dropout or augmentation" if regularized else ""
    ends = f"accuracy on training batches less that on validation ends at {figure(gap)} points"
    return f"{ends} (n={len(looks)}{through}); {turned}"
