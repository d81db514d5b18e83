"""A judged study -> what the page is told of it."""

import math
from collections.abc import Mapping, Sequence

from explorer import datasets, models
from explorer.config import Config, fields_for, meaning
from explorer.fields import text_of
from explorer.judging import comparing, stats
from explorer.judging.runs import ConfigResult, Scores
from explorer.judging.study import Study
from explorer.judging.sweeps import SweepResult
from explorer.record import Record
from explorer.seeds import is_fresh
from explorer.telling import tables, words
from explorer.telling.names import model_title
from explorer.telling.page import facts
from explorer.telling.plots.facts import axis_of

STATUSES = ("ok", "diverged", "failed", "cut")
HIDDEN = ("model", "dataset", "seed", "eval_every")  # no axes: what is filtered by, and what changes no figure


def study_facts(study: Study) -> facts.Study:
    """The whole study, without its curves."""
    results = study.runs.configurations
    fields = [name for name in fields_for(None) if name not in HIDDEN]
    flat = [result.config.to_json() for result in results]
    columns = {name: _field(name, [values.get(name) for values in flat]) for name in fields}
    columns = {name: field for name, field in columns.items() if field.values}
    places = {name: {text: place for place, text in enumerate(field.values)} for name, field in columns.items()}
    by_config = {result.config: place for place, result in enumerate(results)}
    pairs = [(dataset, model) for dataset, model in study.pairs if study.runs.ranked(model, dataset)]
    return facts.Study(
        models=[facts.Title(name, model_title(name)) for name in models.names()],
        datasets=[facts.Title(name, datasets.title(name)) for name in study.datasets],
        fields=list(columns.values()),
        configurations=[_configuration(result, values, places) for result, values in zip(results, flat, strict=True)],
        runs=[
            facts.Run(
                place,
                seed,
                record.id,
                record.val_accuracy,
                record.test_accuracy,
                STATUSES.index(record.status),
                is_fresh(seed),
            )
            for place, result in enumerate(results)
            for seed, record in _every(result).items()
        ],
        sweeps=[_sweep(judged, by_config) for judged in study.sweeps],
        best=[by_config[study.runs.ranked(model, dataset)[0].config] for dataset, model in pairs],
        left_out=[words.left_out(what) for what in study.runs.left_out],
    )


def _field(name: str, every: Sequence[object]) -> facts.Field:
    """``every``: the field's value in each configuration, None where it does not apply."""
    found = {text_of(value): value for value in every if value is not None}
    numbers = {
        text: float(value)
        for text, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    about = name, words.knob_name(name), meaning(name)
    if len(numbers) == len(found):
        ordered = sorted(found, key=lambda text: numbers[text])
        return facts.Field(*about, ordered, [numbers[text] for text in ordered])
    lists = {text: tuple(value) for text, value in found.items() if isinstance(value, (list, tuple))}
    return facts.Field(*about, sorted(found, key=lambda text: (lists.get(text, ()), text)), None)


def _configuration(
    result: ConfigResult, flat: Mapping[str, object], places: Mapping[str, Mapping[str, int]]
) -> facts.Configuration:
    config = result.config
    validation = _interval(result.validation)
    test = result.test_figure
    first = next(iter(_every(result).values()))
    return facts.Configuration(
        id=first.id,
        model=config.model,
        dataset=config.dataset,
        values=[-1 if flat.get(name) is None else known[text_of(flat[name])] for name, known in places.items()],
        name=words.short_name(config),
        n=len(result.validation),
        validation=_number(validation.mean),
        low=_number(validation.low),
        high=_number(validation.high),
        told=words.figure(result.validation),
        test=_number(_interval(test.scores).mean),
        test_told=words.figure(test.scores) + ", fresh seeds" * test.fresh,
        seconds=_number(result.mean_seconds),
        parameters=result.parameters,
        steps=result.total_steps,
        lost=words.lost(result.lost),
        own=first.own,
    )  # fmt: skip


def _sweep(judged: SweepResult, by_config: Mapping[Config, int]) -> facts.Sweep:
    hypothesis = judged.hypothesis
    winner = judged.winner
    knobs = judged.sweep.knobs
    return facts.Sweep(
        key=f"{judged.dataset}/{judged.model}/{judged.slug}",
        model=judged.model,
        dataset=judged.dataset,
        title=judged.sweep.title,
        question=judged.sweep.question,
        knobs=knobs,
        axes=[axis_of(knob) for knob in knobs],
        points=[
            facts.Point(
                label=outcome.label,
                configuration=by_config.get(outcome.config, -1) if outcome.records else -1,
                values=[text_of(outcome.point.values.get(knob)) for knob in knobs],
                verdict=tables.verdict(judged, outcome),
                against=words.difference(judged.verdicts[outcome.label]) if outcome.label in judged.verdicts else "",
            )
            for outcome in judged.outcomes
        ],
        baseline=judged.baseline,
        winner=winner.label if winner else "",
        ties=winner.ties if winner else (),
        hypothesis=f"{words.hypothesis(hypothesis)}: {words.reason(hypothesis)}" if hypothesis else "",
        done=judged.runs_done,
        planned=judged.runs_planned,
        command=words.sweep_command(judged.request),
        own=judged.request.own,
    )


def curves(result: ConfigResult) -> list[facts.Curve]:
    """What each run of a configuration saw along the way, by seed; runs without a look are left out."""
    found = []
    for seed, record in _every(result).items():
        looks = list(record.history)
        if looks:
            found.append(
                facts.Curve(
                    seed,
                    [look.step for look in looks],
                    [_short(look.train_loss) or 0.0 for look in looks],
                    [_short(look.val_loss) for look in looks],
                    [look.val_accuracy for look in looks],
                )
            )
    return found


def compared(first: ConfigResult, second: ConfigResult, study: Study) -> facts.Compared:
    """Two configurations of a study set against each other: what differs, and what may be said of it."""
    both = comparing.compare(first, second, study)
    ids = [next(iter(_every(result).values())).id for result in (first, second)]
    seeds = ", by fresh seeds" * both.fresh
    told = f"{words.estimate(both.validation)}, in points" if both.validation else "no verdict, for one has no run"
    whose = f", as in {both.judge.slug}" if both.judge else ""
    tests = [words.with_n(result.test_figure.scores) for result in (first, second)]
    return facts.Compared(
        sentence=f"B against A on validation{seeds}: {told}{whose}.",
        test=f"A {tests[0]}, B {tests[1]}",
        differs=differences(first.config, second.config),
        command=f"python mnist_explorer.py compare {ids[0]} {ids[1]}",
    )


def differences(first: Config, second: Config) -> list[facts.Differs]:
    """The fields in which two configurations differ, in the declared order."""
    return [
        facts.Differs(words.knob_name(name), text_of(first.get(name)), text_of(second.get(name)))
        for name in ("model", *fields_for(None))
        if first.get(name) != second.get(name)
    ]


def _interval(scores: Scores) -> stats.Interval:
    """Of many single runs this is asked most, and a run alone has none."""
    if len(scores) < 2:
        return stats.Interval(next(iter(scores.values()), math.nan), math.nan, math.nan, len(scores))
    return stats.accuracy_interval(list(scores.values()))


def _every(result: ConfigResult) -> dict[int, Record]:
    """The records by seed, those of fresh seeds last."""
    return {**result.records, **result.fresh}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
