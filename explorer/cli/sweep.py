"""``--sweep`` and ``--search``: train what is not recorded yet of sweeps, studies and searches, then their tables,
pictures and the report."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from explorer import datasets, machine
from explorer.asking import documents, questions, studies
from explorer.asking.search import Listed, Search, WinnerAgain
from explorer.asking.stopping import Stopping, policy
from explorer.asking.studies import StudyQuestion
from explorer.asking.tuning import StudySearch
from explorer.cli import console, output, tracking
from explorer.cli.command import typed
from explorer.cli.options import Places, SweepOptions
from explorer.cli.report import rebuild
from explorer.config import Config
from explorer.errors import UserError
from explorer.judging import studies as judged_studies
from explorer.judging.runs import Runs
from explorer.judging.studies import StudyResult
from explorer.judging.sweeps import Origin, SweepResult, judge
from explorer.record import Record, run_id
from explorer.running import nets, predictions
from explorer.running.budget import Budget
from explorer.running.engines import WorkerSetup
from explorer.running.engines.choice import computers
from explorer.running.estimates import Estimator, Site, patience, together
from explorer.running.following import Follower
from explorer.running.leader import leader as leading
from explorer.running.prepare import check, prepared
from explorer.running.recorder import Recorder, answer, foresee
from explorer.running.requests import Request
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Several, Silent, Tracker
from explorer.running.trackers.json_lines import JsonLines
from explorer.running.trackers.live import many_runs
from explorer.running.trackers.terminal import duration
from explorer.telling import homes
from explorer.telling.homes import Shelves


@dataclass(frozen=True)
class Planned:
    """A sweep, study or search that the person named, and what there is to do for it."""

    question: questions.Sweep | StudyQuestion
    request: Request
    make: Callable[[], Search]
    """Makes the search afresh."""
    runs: list[Config]
    """A sweep's runs; of a study they are not known beforehand."""
    waiting: list[Config]
    """Runs still to be trained, as far as that is known beforehand (see `Search.upcoming`), but those that wait for a
    sweep named before."""
    most: int
    """How many runs it has at most."""


def run(options: SweepOptions) -> int:
    check(options.machine.device, options.machine.kernels)
    store = Store(options.places.results)
    runners: dict[str, Runner] = {}
    planned = plan(options, store, runners)
    to_do = [config for one in planned for config in one.waiting]
    place = computers(options.where, options.machine.device, options.machine.kernels, len(to_do)) if to_do else None
    jobs = min(place.jobs, len(to_do)) if place else 1
    quiet = options.quiet or options.json_lines
    device = place.device if place else None
    where = Site.here(device, options.machine.kernels_on(device), jobs) if device else None
    expected = Estimator(store.records(), lambda run: runners[run.dataset].data.split(run.train_on)[0], where)
    if not quiet:
        print(plan_table(planned, expected, jobs), flush=True)
        if place and place.device and not options.where.jobs and jobs < min(machine.cores(), len(to_do)):
            print(f"{place.device}: one run at a time, because more would share it; --jobs says otherwise", flush=True)
    if options.dry_run:
        return 0
    budget = Budget(options.budget, expected) if options.budget else None
    ended: list[Record] = []
    shelves = shelves_of(options, store, planned, runners)
    kept = tracking.kept(options.track, store, shelves, quiet, lambda: recorded(planned, store))
    if place is None:
        with kept:
            note(store, planned)
    else:
        with (
            closing(place),
            prepared(options.machine.device, options.machine.kernels),
            console.told_of_interruption(store, "the same command goes on where this one stopped"),
            followed(store, planned, to_do, expected, jobs) as follower,
            kept as elsewhere,
        ):
            note(store, planned)  # only now: on a device that cannot be had nothing was asked for
            for name, runner in runners.items():
                mine = [one for one in planned if one.question.dataset == name and one.waiting]
                setup = WorkerSetup(options.asked.data or name, options.data_dir)
                recorder = Recorder(store, runner.data.digest, keeps_best=True)
                with closing(place.engine(runner, setup, patience(store.records()))) as engine:
                    for search, of, label in searches(mine):
                        waiting = [run for one in of for run in one.waiting]
                        known = [] if options.force else recorded_of(of, recorder, waiting, options.stop != "off")
                        if isinstance(search, StudySearch):
                            shelves.add(request_of(mine, search), search.label)
                        with watch(options, waiting, label, known, expected, jobs, search) as tracker:
                            all_three, cutting = Several(tracker, follower, elsewhere), stopping(search, options)
                            for record in answer(search, engine, recorder, all_three, options.force, budget, cutting):
                                expected.add(record)
                                ended.append(record)
    if budget and budget.spent and not quiet:
        print(left_over(options, store, runners, planned, expected, jobs), flush=True)
    return conclude(options, store, planned, ended)


def shelves_of(
    options: SweepOptions, store: Store, planned: Sequence[Planned], runners: Mapping[str, Runner]
) -> Shelves:
    """Where the runs of these stand, for the tools of ``--track``, as far as it is known from what is recorded."""
    shelves = Shelves(lambda dataset: runners[dataset].data.digest)
    if options.track:
        runs = Runs(store.records())
        for one in planned:
            shelves.add(one.request, homes.label_of(one.question, runs))
    return shelves


def recorded(planned: Sequence[Planned], store: Store) -> list[Record]:
    """What is recorded of these sweeps, studies and searches."""
    runs, known = Runs(store.records()), store.requests()
    return [record for one in planned for record in homes.records_of(judged_of(one, runs, known), runs)]


def request_of(planned: Sequence[Planned], search: StudySearch) -> Request:
    return next(one.request for one in planned if one.question is search.question)


def note(store: Store, planned: list[Planned]) -> None:
    """Note down which sweeps were asked for."""
    for one in planned:
        store.note(one.request, trained=bool(one.waiting))


def plan(options: SweepOptions, store: Store, runners: dict[str, Runner]) -> list[Planned]:
    """What there is to do, checked before anything is computed. Adds a Runner for each data set to ``runners``."""
    asked = options.asked
    overrides = {field: value for field, value in asked.values.items() if field != "dataset"}
    dataset = None if asked.data is None else str(asked.values["dataset"])
    found: list[questions.Sweep | StudyQuestion] = []
    for name in documents.names(options.which, asked.model, dataset):
        if options.search or studies.is_study(name, asked.model):
            options.refuse_for_studies()
            found.append(
                studies.load(
                    name,
                    asked.model,
                    dataset,
                    overrides,
                    asked.named,
                    method=options.search,
                    tries=options.tries,
                    fresh_seeds=options.fresh_seeds,
                    yes=options.yes,
                )
            )
        elif options.stop != "off":
            raise UserError(
                f"--stop is for --search and studies; the sweep {name!r} judges all its points, so none may be cut"
            )
        else:
            found.append(questions.load(name, asked.model, dataset, overrides, options.yes, asked.named))
    planned: list[Planned] = []
    seen: set[Config] = set()
    for question in found:
        if question.dataset not in runners:
            runners[question.dataset] = Runner(datasets.load(asked.data or question.dataset, options.data_dir))
        runner = runners[question.dataset]
        recorder = Recorder(store, runner.data.digest)
        make, seeds = search_for(question, options)
        runner.check(make().upcoming())
        waiting = [run for run in foresee(make(), recorder, options.force, options.stop != "off") if run not in seen]
        if isinstance(question, questions.Sweep):  # of a study another run may stand for the one that will be chosen
            seen.update(waiting)
        runs = questions.configs(question, seeds, options.yes) if isinstance(question, questions.Sweep) else []
        try:
            request = Request(
                question.name, question.model, question.dataset, overrides, seeds, question.path,
                asked.data if asked.own_data else None, options.search, options.tries if options.search else None,
                options.fresh_seeds or 0,
            )  # fmt: skip
        except ValueError as error:  # it could not be read back
            raise UserError(f"this sweep cannot be noted down: {error}") from None
        planned.append(Planned(question, request, make, runs, waiting, len(make().upcoming())))
    return planned


def search_for(question: questions.Sweep | StudyQuestion, options: SweepOptions) -> tuple[Callable[[], Search], int]:
    """(what makes the search for a question afresh, how many seeds choose)"""
    if isinstance(question, StudyQuestion):
        return (lambda: StudySearch(question)), question.seeds
    runs = questions.configs(question, options.seeds or question.seeds_default, options.yes)
    seeds = 1 + max(run.seed for run in runs)
    if options.fresh_seeds is None:
        return (lambda: Listed(runs)), seeds
    again = options.fresh_seeds
    return (lambda: WinnerAgain(runs, leader, again)), seeds


def leader(points: Mapping[Config, Mapping[int, float]]) -> Config | None:
    """The point that a sweep's winner is, as it will be judged."""
    first = leading(points)
    return first.point if first else None


def searches(planned: Sequence[Planned]) -> list[tuple[Search, list[Planned], Callable[[Config], str]]]:
    """What to run one after the other: (search, what it answers, what its points are called). Lists of runs are one, so
    that runs of one shape come together whichever sweep they are for."""
    listed = [one for one in planned if isinstance(one.make(), Listed)]
    found: list[tuple[Search, list[Planned], Callable[[Config], str]]] = []
    if listed:
        found.append((Listed(run for one in listed for run in one.waiting), listed, labels_of(listed)))
    for one in planned:
        if one not in listed:
            search, label = one.make(), labels_of([one])
            found.append((search, [one], called_by(search, label) if isinstance(search, StudySearch) else label))
    return found


def called_by(search: StudySearch, usual: Callable[[Config], str]) -> Callable[[Config], str]:
    """Labels of a study's points, which come up as it goes on: ``tanh: lr 0.0012``."""
    return lambda config: search.label(config.point) or usual(config)


def recorded_of(
    planned: Sequence[Planned], recorder: Recorder, waiting: Sequence[Config], or_cut: bool
) -> list[Record]:
    """The records of these runs that are done already."""
    to_come, done = set(waiting), dict[Config, None]()
    for one in planned:
        again = one.make()
        if isinstance(again, StudySearch):  # which runs are a study's comes of what is recorded
            foresee(again, recorder, or_cut=or_cut)
            done |= dict.fromkeys(again.runs)
        else:
            done |= dict.fromkeys(run for run in one.runs if run not in to_come)
    return [record for run in done if (record := recorder.recorded(run)) is not None]


def stopping(search: Search, options: SweepOptions) -> Stopping | None:
    """What cuts the tries of a study or a search early; None where nothing is to be cut."""
    if options.stop == "off" or not isinstance(search, StudySearch):
        return None
    return policy(options.stop, search.contender_of)


def left_over(
    options: SweepOptions,
    store: Store,
    runners: Mapping[str, Runner],
    planned: Sequence[Planned],
    expected: Estimator,
    jobs: int,
) -> str:
    """What the budget left undone, and what it would still take."""
    if options.force:  # what is recorded does not say what was trained again
        return f"the budget of {duration(options.budget or 0)} is over; the same command begins from the first run"
    left: list[Config] = []
    for one in planned:
        recorder = Recorder(store, runners[one.question.dataset].data.digest)
        left += [
            run
            for run in foresee(one.make(), recorder, or_cut=options.stop != "off")
            if run in one.waiting or run not in left
        ]
    return (
        f"the budget of {duration(options.budget or 0)} is over: {len(left)} runs are left, "
        f"{time_of(left, expected, jobs)}; the same command goes on"
    )


def plan_table(planned: list[Planned], expected: Estimator, jobs: int) -> str:
    """What there is to do: a line a sweep, and how long it should take by the steps measured so far."""
    lines = []
    for one in planned:
        question, waiting = one.question, len(one.waiting)
        name = f"{question.model} {question.dataset} {question.name}"
        done = f"{one.most - waiting} done, {waiting} to do"
        if isinstance(question, StudyQuestion):
            what = f"{len(question.contenders)} values, each {question.tries} tries, {question.finalists} finalists on "
            what = what if question.scientific else what.partition(", each ")[2]
            what += f"{question.seeds} seeds, the winner on {question.fresh_seeds} fresh ones"
            lines.append(f"{name}: {what}: {one.most} runs at most, {done}")
        else:
            again = f", the winner on {one.request.fresh_seeds} fresh seeds" if one.request.fresh_seeds else ""
            lines.append(f"{name}: {len(question.points)} points{again}, {one.most} runs, {done}")
    if to_do := [config for one in planned for config in one.waiting]:
        lines.append(f"to do: {len(to_do)} runs, {time_of(to_do, expected, jobs)}")
    return "\n".join(lines)


def time_of(runs: Sequence[Config], expected: Estimator, jobs: int) -> str:
    """How long runs should take, in words."""
    seconds = [expected(run) for run in runs]
    known = [one for one in seconds if one is not None]
    if not known and runs:
        return "no run like these has been timed yet"
    told = f"about {duration(together(known, jobs))} on {jobs} process{'es' if jobs > 1 else ''}"
    missing = len(runs) - len(known)
    return told + (f", not counting {missing} runs of which none like it has been timed" if missing else "")


def labels_of(planned: Sequence[Planned]) -> Callable[[Config], str]:
    """Point -> its label; what answers several sweeps has its name in the first."""
    labels: dict[Config, str] = {}
    for one in planned:
        if isinstance(one.question, StudyQuestion):
            continue
        for point in one.question.points:
            labels.setdefault(point.config, f"{one.question.name}: {point.label}" if len(planned) > 1 else point.label)

    def label(config: Config) -> str:
        from explorer.telling import words

        return labels.get(config.point) or words.short_name(config)

    return label


def followed(
    store: Store, planned: Sequence[Planned], to_do: Sequence[Config], expected: Estimator, jobs: int
) -> Follower:
    """What lets the page follow these, wherever they were started."""
    sweeps = [one for one in planned if isinstance(one.question, questions.Sweep)]
    titles = ", ".join(dict.fromkeys(one.question.title for one in planned))
    about = dict.fromkeys((planned[0].question.model, *(one.question.dataset for one in planned)))
    points = list(dict.fromkeys(run.point for one in sweeps for run in one.runs))
    return Follower(
        store.folder,
        title=f"{titles} ({', '.join(about)})",
        command=typed(*sys.argv[1:]),
        requests=[one.request for one in sweeps] if len(sweeps) == len(planned) else [],
        points=points,
        label=labels_of(planned),
        seeds=max((one.request.seeds for one in sweeps), default=0),
        total=len(to_do),
        expected=together([expected(run) or 0.0 for run in to_do], jobs),
    )


def watch(
    options: SweepOptions,
    waiting: Sequence[Config],
    label: Callable[[Config], str],
    known: Sequence[Record],
    expected: Estimator,
    jobs: int,
    search: Search | None = None,
) -> AbstractContextManager[Tracker]:
    if options.json_lines:
        return nullcontext(JsonLines(sys.stdout))
    if options.quiet:
        return nullcontext(Silent())
    seconds = {run: found for run in waiting if (found := expected(run)) is not None}
    return many_runs(waiting, label, known, seconds, jobs, lambda: spent(search) if search else "")


def spent(search: Search) -> str:
    """Where a search's runs went so far, stage by stage; nothing of one that has a single stage."""
    stages = search.stages()
    return ", ".join(f"{stage.name} {stage.done}/{stage.planned}" for stage in stages) if len(stages) > 1 else ""


def conclude(options: SweepOptions, store: Store, planned: list[Planned], ended: Sequence[Record]) -> int:
    """The comparison tables of these sweeps in the terminal, then where everything lies; the report rebuilt.

    ``ended``: of the runs trained just now; a winner's on fresh seeds are no part of its sweep.
    """
    places = options.places
    runs, known = Runs(store.records()), store.requests()
    judged = [judged_of(one, runs, known) for one in planned]
    ran = {run for one in planned for run in one.runs} | {
        run for one in judged if isinstance(one, StudyResult) for run in one.runs
    }
    swept = {(one.question.model, one.question.dataset) for one in planned}
    keep_best(options, store, swept, {run.point for run in ran})
    files = rebuild(store, places, options.data_dir)
    last = {record.id: record for record in (*ended, *filter(None, map(runs.find, ran)))}
    failed = sum(record.status == "failed" for record in last.values())
    if failed:
        print(f"{failed} of {len(last)} runs failed; the same command tries them again", file=sys.stderr)
    if options.quiet or options.json_lines:
        return int(bool(failed))
    for one in judged:
        if isinstance(one, StudyResult):
            show_study(one, store, places, files)
        else:
            show(one, store, places, files)
    print(f"  {files[-1]}")
    return int(bool(failed))


def judged_of(one: Planned, runs: Runs, known: Sequence[Request]) -> SweepResult | StudyResult:
    own = next((request.own for request in reversed(known) if request.key == one.request.key), False)
    alike = [request for request in known if request.own == own]
    origin: Origin = "own" if own else "published"
    if isinstance(one.question, StudyQuestion):
        return judged_studies.judge([(one.request, one.question)], runs, alike, origin)[0]
    return judge([(one.request, one.question)], runs, alike, origin)[0]


def show_study(one: StudyResult, store: Store, places: Places, files: list[Path]) -> None:
    """A study's table, what came of it, and where its files lie."""
    from explorer.telling import report, tables, tuned

    output.say(f"\n{one.question.title} ({one.model}, {one.dataset}): {one.question.question}")
    rows = tables.study_rows(one)
    output.rows(rows, spare=(*tables.spare(rows), "tries", "at the edge", "n", "test %"))
    for sentence in tuned.study_sentences(one):
        output.say(sentence.replace("**", ""))
    table, picture, _ = report.files_of(one, store.published_folder, places.media)
    mine = [path for path in files if path == table or path.name.startswith(f"{picture.stem}_")]
    print("\n".join(f"  {path}" for path in mine))


def show(one: SweepResult, store: Store, places: Places, files: list[Path]) -> None:
    """A sweep's comparison table, what came of it, and where its files lie."""
    from explorer.telling import report, tables, words

    output.say(f"\n{one.sweep.title} ({one.model}, {one.dataset}): {one.sweep.question}")
    rows = tables.sweep_rows(one)
    output.rows(rows, spare=(*tables.spare(rows), "test %", "published %", "n"))
    if one.winner:
        output.say(f"best on validation: {one.winner.label}, test {words.tested(one.by_label[one.winner.label])}")
        if one.winner.ties:
            output.say(f"as good as far as these runs can tell: {words.listed(one.winner.ties)}")
    if one.hypothesis:
        output.say(f"hypothesis {words.hypothesis(one.hypothesis)}: {words.reason(one.hypothesis)}")
    mine = [path for path in report.files_of(one, store.published_folder, places.media) if path in files]
    print("\n".join(f"  {path}" for path in mine))


def keep_best(options: SweepOptions, store: Store, swept: set[tuple[str, str]], points: set[Config]) -> None:
    """Keep what the best configuration of each model and data set says of the test images, and its net; of no other.

    The ledger has figures alone; the report shows where the best model errs, and a net can be asked. The run that leads
    leaves both behind as it ends; where the best by its mean over seeds is another, it is trained once more: for its
    predictions if a sweep of its (model, data set) was run, for its net if it is one of the sweep's ``points``. A
    person's own nets do not compete with the published study's, and what they say is kept beside what its nets say.
    """
    best, best_own = (best_of_each(store.records(published_only=True)), best_of_each(store.ledger.records()))
    shown, wanted = ({run.id: run for run in found} for found in (best, best_own))
    again = {
        id: run
        for id, run in shown.items()
        if (run.config.model, run.config.dataset) in swept
        and not any(predictions.path_of(folder, id).exists() for folder in store.folders)
    } | {id: run for id, run in wanted.items() if run.config in points and not nets.path_of(store.folder, id).exists()}
    for id, run in again.items():
        dataset = datasets.load(options.asked.data or run.config.dataset, options.data_dir)
        if dataset.digest != run.digest:  # the best was found on other data than lies here
            continue
        if not (options.quiet or options.json_lines):
            name = f"{run.config.model} on {run.config.dataset}"
            print(f"Training the best {name} once more, to keep its net and show where it errs", flush=True)
        with prepared(options.machine.device, options.machine.kernels):
            trained = Runner(dataset).run(run.config)
        if trained.logits is not None:
            predictions.save(store.folder, id, trained.logits)
        if id in wanted and trained.net is not None:
            nets.save(store.folder, trained.net)
    both = {run.id for run in best_of_each(store.records())}  # the page shows the best of all
    predictions.clear(store.folder, both | set(shown) | set(wanted))
    nets.clear(store.folder, set(wanted))
    if options.keep:
        for id, run in wanted.items():
            if run.config in points:
                nets.ask_for(store.folder, id)


@dataclass(frozen=True)
class Best:
    """The best configuration of a model on a data set, at seed 0; ``id`` is that run's."""

    config: Config
    digest: str
    id: str


def best_of_each(records: list[Record]) -> list[Best]:
    runs, found = Runs(records), []
    for model, dataset in sorted({(run.config.model, run.config.dataset) for run in runs.configurations}):
        for first in runs.ranked(model, dataset)[:1]:
            digest = next(iter(first.records.values())).data.digest
            found.append(Best(first.config, digest, run_id(first.config.identity(), digest)))
    return found
