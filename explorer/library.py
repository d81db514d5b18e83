"""What the command line does, for programs: train runs and sweeps, read what is recorded, name the best, compare.

Compiler, device and data are set up inside, and the environment is put back as it was. Mistakes are raised as
`explorer.UserError`, whose text is one line. Nothing is written unless ``results`` names a folder.
"""

import functools
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from explorer import places
from explorer.errors import UserError

if TYPE_CHECKING:  # importing these for real takes up to a second, and `from explorer import run` should not
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from explorer.asking.questions import Sweep
    from explorer.asking.rules import StopRule
    from explorer.asking.search import Search
    from explorer.asking.stopping import Stopping
    from explorer.asking.studies import StudyQuestion
    from explorer.config import Config
    from explorer.judging.comparing import Comparison
    from explorer.judging.runs import ConfigResult, Runs
    from explorer.judging.settled import SettledSweep
    from explorer.judging.studies import StudyResult
    from explorer.judging.sweeps import SweepResult
    from explorer.record import Record
    from explorer.running.answers import Answer
    from explorer.running.requests import Request
    from explorer.running.runner import Runner
    from explorer.running.store import Store
    from explorer.running.trackers import Tracker
    from explorer.running.trackers.elsewhere import Everywhere, Homes
    from explorer.running.trackers.facts import Home
    from explorer.running.where import Where

Folder = str | Path
FieldValue = bool | int | float | str | list[int] | tuple[int, ...]
Track = str | Sequence[str]
Judged = TypeVar("Judged", "SweepResult", "SettledSweep", "StudyResult")


def run(
    config: "Config | None" = None,
    *,
    results: Folder | None = None,
    data_dir: Folder | None = None,
    device: str | None = None,
    kernels: bool | None = None,
    force: bool = False,
    keep: bool = False,
    tracker: "Tracker | None" = None,
    track: Track = (),
    **fields: FieldValue,
) -> "Record":
    """Train one run in this process and return its record: ``run(model="mlp", lr=0.003)`` or ``run(config)``.

    ``fields`` are hyperparameters by name, over those of ``config`` where both are given; ``dataset`` may be the path
    of a person's own data. With ``results`` the record is kept there, and a run recorded there is returned, not
    trained again, unless ``force``; with ``keep`` its trained net is kept there as well, for `predict`. ``track`` names
    tools that it is kept in too, as the flag does: ``"tensorboard:logs"``, ``"mlflow:sqlite:///runs.db"``, or several;
    those without a place lie in ``results``. ``tracker`` hears of it while it goes on. ``record.status`` says how it
    ended: a run that diverged or ran out of memory is no exception. Runs that differ in numbers alone start at once
    after the first.

    Raises UserError for what cannot be run.
    """
    from explorer import datasets
    from explorer.asking.search import Listed
    from explorer.config import make_config, merge
    from explorer.running import nets
    from explorer.running.engines.here import InProcess
    from explorer.running.prepare import check, prepared
    from explorer.running.recorder import Recorder, answer
    from explorer.running.store import Store
    from explorer.running.trackers import Several, Silent, TrackedRun

    known = config.to_json() if config else {}
    word = str(fields.get("dataset", known.get("dataset", "mnist")))
    name, path = datasets.locate(word, data_dir)
    wanted = make_config(merge(known, {**fields, "dataset": name}))
    kept = _kept(track, results)
    runner = _runner(str(path or name), _text(data_dir), device, kernels, os.environ.get("KERNEL_THREADS"))
    runner.check([wanted])
    check(device, kernels)
    recorder = Recorder(Store(Path(results)), runner.data.digest) if results is not None else None

    def homes(config: "Config") -> "list[Home]":
        from explorer.telling.homes import home_of  # only where it is asked: it takes a second

        return home_of(config, runner.data.digest)

    if keep and recorder is None:
        raise UserError("keep says to keep the net, and results where; give results too")
    if recorder and not force and (there := recorder.recorded(wanted)):
        if not keep or there.status != "ok" or nets.ask_for(recorder.store.folder, there.id):
            with kept(homes, lambda: [there]):
                return there
        force = True
    runner.keep = keep
    with prepared(device, kernels), kept(homes, list) as elsewhere:
        both = Several(tracker or Silent(), elsewhere)
        if recorder:
            # none where another process trained it meanwhile
            made = list(answer(Listed([wanted]), InProcess(runner), recorder, both, force))
            found = next(iter(made), None) or recorder.recorded(wanted)
            assert found is not None
            return found
        (trained,) = InProcess(runner).run([wanted], both)
        both.finished(TrackedRun(trained.record.id, wanted), trained.record)
        return trained.record


def sweep(
    which: Folder,
    model: str = "mlp",
    *,
    dataset: Folder | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    run_timeout: float | None = None,
    address: str | None = None,
    results: Folder | None = None,
    data_dir: Folder | None = None,
    device: str | None = None,
    kernels: bool | None = None,
    force: bool = False,
    tracker: "Tracker | None" = None,
    track: Track = (),
    **fields: FieldValue,
) -> "SweepResult":
    """Answer a question: train every point of a sweep with every seed, and judge.

    ``which`` is a shipped sweep's name or the path of a TOML file; ``fields`` are fixed for all of it; ``jobs`` above
    1 (the default) train in worker processes, which a script needs ``if __name__ == "__main__":`` for. One that gives
    no sign of life for ``run_timeout`` seconds (None: ten times the longest run recorded of its kind, at least 300) is
    killed, and its run tried once more. With ``address`` runs go to the Ray cluster there, at most ``jobs`` at once
    (None: as many as there is room for). With ``results`` records are kept there and those that are there are not
    trained again. ``track`` and ``tracker`` as of `run`.

    Raises UserError for what cannot be asked.
    """
    from explorer.asking import questions
    from explorer.asking.search import Listed
    from explorer.judging.sweeps import judge
    from explorer.running.requests import Request
    from explorer.running.where import at

    work = _Work(dataset, at(address, jobs, run_timeout), results, data_dir, device, kernels, tracker, track)
    asked = questions.load(str(which), model, work.dataset, fields, named={field: field for field in fields})
    runs = questions.configs(asked, asked.seeds_default if seeds is None else seeds)
    request = Request(
        asked.name, model, asked.dataset, dict(fields), 1 + max(run.seed for run in runs), asked.path, work.path
    )
    return work.answered(
        asked, request, Listed(runs), lambda runs: judge([(request, asked)], runs)[0], force, keeps_best=True
    )


def settle(
    which: Folder,
    model: str = "mlp",
    *,
    cap: int = 20,
    dataset: Folder | None = None,
    jobs: int | None = None,
    run_timeout: float | None = None,
    address: str | None = None,
    results: Folder | None = None,
    data_dir: Folder | None = None,
    device: str | None = None,
    kernels: bool | None = None,
    tracker: "Tracker | None" = None,
    track: Track = (),
    **fields: FieldValue,
) -> "SettledSweep":
    """Give a sweep's points seeds where its question is open, look by look, ``cap`` at most, and say what is settled.

    Its seeds start at 500, so that none was seen before. Other arguments as of `sweep`. Raises UserError for what
    cannot be asked.
    """
    from explorer.asking import questions
    from explorer.judging.settled import search, settled
    from explorer.running.requests import Request
    from explorer.running.where import at

    work = _Work(dataset, at(address, jobs, run_timeout), results, data_dir, device, kernels, tracker, track)
    asked = questions.load(str(which), model, work.dataset, fields, named={field: field for field in fields})
    request = Request(asked.name, model, asked.dataset, dict(fields), cap, asked.path, work.path, settle=True)
    return work.answered(
        asked, request, search(asked, cap), lambda runs: settled(request, asked, runs), keeps_best=True
    )


def study(
    which: Folder,
    model: str = "mlp",
    *,
    search: Literal["random", "qmc", "tpe"] | None = None,
    tries: int | None = None,
    fresh_seeds: int | None = None,
    stop: "StopRule" = "off",
    dataset: Folder | None = None,
    jobs: int | None = None,
    run_timeout: float | None = None,
    address: str | None = None,
    results: Folder | None = None,
    data_dir: Folder | None = None,
    device: str | None = None,
    kernels: bool | None = None,
    force: bool = False,
    tracker: "Tracker | None" = None,
    track: Track = (),
    **fields: FieldValue,
) -> "StudyResult":
    """Tune each value of what a study asks about, and judge their best settings on fresh seeds; with ``search``, look
    for one good configuration in the ranges of a file's ``[search]``. ``stop`` cuts tries that are behind: ``half`` at
    half-way, ``hyperband`` at 1/8, 1/4 and 1/2. Other arguments as of `sweep`.

    Raises UserError for what cannot be asked.
    """
    from explorer.asking import studies
    from explorer.asking.stopping import policy
    from explorer.asking.tuning import StudySearch
    from explorer.judging.studies import judge
    from explorer.running.requests import Request
    from explorer.running.where import at

    work = _Work(dataset, at(address, jobs, run_timeout), results, data_dir, device, kernels, tracker, track)
    asked = studies.load(
        str(which), model, work.dataset, fields, {field: field for field in fields},
        method=search, tries=tries, fresh_seeds=fresh_seeds,
    )  # fmt: skip
    tuning = StudySearch(asked)
    request = Request(
        asked.name, model, asked.dataset, dict(fields), asked.seeds, asked.path, work.path, search, tries,
        fresh_seeds or 0,
    )  # fmt: skip
    stopping = None if stop == "off" else policy(stop, tuning.contender_of)
    return work.answered(
        asked, request, tuning, lambda runs: judge([(request, asked)], runs, [request])[0], force, stopping=stopping
    )


class _Work:
    """How the runs of one question are trained, kept and followed: what `sweep`, `settle` and `study` are asked
    alike."""

    def __init__(
        self,
        dataset: Folder | None,
        where: "Where",
        results: Folder | None,
        data_dir: Folder | None,
        device: str | None,
        kernels: bool | None,
        tracker: "Tracker | None",
        track: Track,
    ):
        from explorer import datasets

        self.where, self.results, self.data_dir, self.device, self.kernels = where, results, data_dir, device, kernels
        self.tracker, self.kept = tracker, _kept(track, results)
        name, path = datasets.locate(dataset, data_dir) if dataset is not None else (None, None)
        self.dataset: str | None = name
        self.path = str(path.resolve()) if path else None
        """Of a person's own data."""

    def answered(
        self,
        question: "Sweep | StudyQuestion",
        request: "Request",
        search: "Search",
        judged: "Callable[[Runs], Judged]",
        force: bool = False,
        keeps_best: bool = False,
        stopping: "Stopping | None" = None,
    ) -> Judged:
        """What is ``judged`` of the runs that the search asks for, once they are trained and with what else there is in
        ``results``."""
        from explorer.asking.tuning import StudySearch
        from explorer.judging.runs import Runs
        from explorer.running.engines import WorkerSetup
        from explorer.running.engines.choice import computers
        from explorer.running.estimates import patience
        from explorer.running.prepare import prepared
        from explorer.running.recorder import Recorder, answer
        from explorer.running.store import Store
        from explorer.running.trackers import Several, Silent
        from explorer.telling.homes import Shelves, label_of, records_of

        data = self.path or request.dataset
        runner = _runner(data, _text(self.data_dir), self.device, self.kernels, os.environ.get("KERNEL_THREADS"))
        to_come = search.upcoming()
        runner.check(to_come)
        with ExitStack() as stack:
            folder = self.results if self.results is not None else stack.enter_context(tempfile.TemporaryDirectory())
            store = Store(Path(folder))
            recorder = Recorder(store, runner.data.digest, keeps_best=keeps_best)
            place = computers(self.where, self.device, self.kernels, max(1, len(to_come)))
            stack.enter_context(closing(place))
            stack.enter_context(prepared(self.device, self.kernels))
            store.note(request)
            setup = WorkerSetup(data, Path(self.data_dir) if self.data_dir else None)
            engine = stack.enter_context(closing(place.engine(runner, setup, patience(store.records()))))
            shelves = Shelves(lambda dataset: runner.data.digest)
            shelves.add(request, label_of(question, Runs(store.records())))
            if isinstance(search, StudySearch):
                shelves.add(request, search.label)  # of what comes up as it goes on

            def recorded() -> "list[Record]":
                runs = Runs(store.records())
                return records_of(judged(runs), runs)

            both = Several(self.tracker or Silent(), stack.enter_context(self.kept(shelves, recorded)))
            records = list(answer(search, engine, recorder, both, force, stopping=stopping))
            return judged(Runs(records if self.results is None else store.records()))


def _kept(
    track: Track, results: Folder | None
) -> "Callable[[Homes, Callable[[], Iterable[Record]]], AbstractContextManager[Everywhere]]":
    """`kinds.kept` in the tools that are named. Raises UserError where one is none, or its package is missing."""
    from explorer.running.trackers import kinds

    places = kinds.distinct([kinds.place(name) for name in ([track] if isinstance(track, str) else track)])
    folder = None if results is None else Path(results)
    return lambda homes, recorded: kinds.kept(places, folder, homes, recorded, lambda place: "the same call")


def load(results: Folder | None = None, looks: bool = False) -> "pd.DataFrame":
    """What is recorded, one row a run; with ``looks`` one row a look, its run's ``id`` before it.

    ``results`` is the folder that records were kept in. Without it: the published study and this clone's own runs, or
    ``./results`` where the program is installed. `explorer.judging.frame` says what the columns are.
    """
    from explorer.judging import frame, study
    from explorer.judging.runs import Runs

    store = _store(results)
    records = store.records()
    if looks:
        return frame.looks_frame(records)
    return frame.runs_frame(records, study.of_requests(Runs(records), store.requests()).sweeps)


def best(model: str, dataset: str = "mnist", results: Folder | None = None) -> "ConfigResult":
    """The best configuration of a model on a data set, chosen on validation: its ``config``, and figures by seed.

    Raises UserError where none is recorded. ``results`` as for `load`.
    """
    from explorer.judging.runs import Runs

    store = _store(results)
    ranked = Runs(store.records()).ranked(model, dataset)
    if not ranked:
        raise UserError(f"no finished run of {model} on {dataset} is recorded in {store.folder}")
    return ranked[0]


def compare(first: "str | Config", second: "str | Config", results: Folder | None = None) -> "Comparison":
    """A test between two recorded configurations, each a Config, a record's id or a sweep's label.

    Raises UserError where one is not recorded. ``results`` as for `load`.
    """
    from explorer.judging import comparing, study
    from explorer.judging.runs import Runs

    store = _store(results)
    runs = Runs(store.records())
    judged = study.of_requests(runs, store.requests())
    named = comparing.by_name(judged.sweeps)
    a, b = (comparing.recorded_as(which, runs, named) for which in (first, second))
    return comparing.compare(a, b, judged)


def predict(
    what: "Folder | NDArray[np.uint8]",
    model: str | None = None,
    *,
    dataset: str | None = None,
    results: Folder | None = None,
    device: str | None = None,
    kernels: bool | None = None,
) -> "list[Answer]":
    """What a kept net says of pictures: of a file, a folder, an ``.npz`` file, or images (N, height, width) uint8 such
    as the net was trained on.

    ``model`` names the net: a record's id, a model (its best net on validation), or a ``.safetensors`` file; without it
    the best is asked, of ``dataset`` if given. ``results`` as for `load`. Raises UserError where no such net is kept,
    and for what is no picture.
    """
    from explorer.datasets import pictures
    from explorer.running import nets
    from explorer.running.prepare import prepared

    net = nets.load(nets.find(_store(results).folders, model, dataset).path)
    if isinstance(what, str | Path):
        asked, bad = pictures.gather(Path(what), net.images, nets.framing_of(net))
        if bad:
            raise bad[0]
    else:
        asked = [pictures.Picture(str(place), image) for place, image in enumerate(what)]
    if not asked:
        return []
    with prepared(device, kernels):
        from explorer.running import answers

        return answers.answered(net, asked)


def _store(results: Folder | None) -> "Store":
    from explorer.running.store import Store

    if results is None and places.CHECKOUT is None:
        results = places.default("results")
    folder = None if results is None else Path(results)
    if folder is not None and not folder.is_dir():
        raise UserError(f"{folder}: no such folder; results names the one that holds runs.jsonl")
    return Store(folder, read_only=True)


@functools.lru_cache(maxsize=1)  # so that a loop of runs reads its data once, and compiles each shape once
def _runner(word: str, data_dir: str | None, device: str | None, kernels: bool | None, threads: str | None) -> "Runner":
    from explorer import datasets
    from explorer.running.runner import Runner

    return Runner(datasets.load(word, data_dir))


def _text(folder: Folder | None) -> str | None:
    return None if folder is None else str(folder)
