"""Runs in MLflow: a sweep is an experiment, a point a parent run with the means of its seeds, a seed a run nested in
it. A run is found again by its record's id, a point by the id of its seed 0: typed twice, nothing is there twice.
"""

import os
import shlex
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from explorer.errors import UserError
from explorer.fields import text_of
from explorer.record import Record, Status
from explorer.running.trackers import TrackedRun
from explorer.running.trackers.elsewhere import beside, reason, without_password
from explorer.running.trackers.facts import (
    Home,
    Seen,
    began,
    ended,
    figures,
    last_step,
    look_figures,
    looks_of,
    seeds_of,
    settings,
)  # fmt: skip

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, Run, RunTag

FILE = "mlflow.db"
SQLITE = "sqlite:///"
QUIET = {  # what MLflow's client reads from the environment, where a person does not say otherwise
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds; its own are 120, and 7 more tries
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
AT_ONCE = 900  # figures in one request; it takes 1,000, with up to 100 parameters
STATUS: dict[Status, str] = {"ok": "FINISHED", "diverged": "FAILED", "failed": "FAILED", "cut": "KILLED"}
INTERRUPTED, RUNNING, FINISHED = "KILLED", "RUNNING", "FINISHED"
POINT, SEED = "point", "seed"  # what a run of MLflow stands for, its tag "kind"
PARENT = "mlflow.parentRunId"
MEANS = ("val_accuracy", "test_accuracy")


class MLflow:
    """A `Destination`: a server, or a file of SQLite."""

    def __init__(self, uri: str):
        import mlflow  # what is missing is told of now

        if uri.startswith(SQLITE):
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

        self.uri, self.where = uri, without_password(uri)
        self._experiments: dict[str, str] = {}  # name -> id
        self._points: dict[tuple[str, str], str] = {}  # (experiment, point's id) -> run
        self._open: dict[str, dict[Home, str]] = {}
        """Id of a run that goes on -> home -> its run here."""
        self._behind: set[str] = set()
        """Points whose means are not up to date."""
        self._found: dict[str, dict[tuple[str, str], dict[str, bool]]] = {}
        """Experiment -> (record's id, point's id) -> runs here, whether each is whole; as `ended` found it since the
        last `flush`: to ask for each run alone would take a quarter of the time that writing it takes."""

    @cached_property
    def client(self) -> "MlflowClient":
        """Made when it is first needed: a server may take its time."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    def began(self, run: TrackedRun, homes: Sequence[Home]) -> None:
        self._open[run.id] = {}
        for home in homes:
            for old in self._seeds(home, run):
                self.client.delete_run(old.info.run_id)
            there = self._open[run.id][home] = self._create_seed(run, home, time.time())
            self._log(there, params=_seed_params(run))
            self._behind.add(self._point(run, home, time.time()))

    def looked(self, id: str, seen: Sequence[Seen]) -> None:
        for there in self._open.get(id, {}).values():
            self._log(there, _looks(seen))

    def forget(self, id: str) -> None:
        self._open.pop(id, None)
        self._experiments.clear()  # what was known may be gone: somebody deleted it, or began a server anew
        self._points.clear()
        self._found.clear()

    def ended(self, run: TrackedRun, record: Record, homes: Sequence[Home]) -> bool:
        live, wrote = self._open.pop(run.id, {}), False
        for home in homes:
            point = self._point(run, home, began(record))
            if home in live:
                self._end_seed(live[home], record, time.time(), tags=_tags(_ending(record)))
            else:
                there = self._runs_in(home).setdefault((run.id, home.point), {})
                if any(there.values()):
                    continue
                for old in there:
                    self.client.delete_run(old)
                there.clear()
                new = self._create_seed(run, home, began(record), _ending(record))
                self._end_seed(new, record, ended(record), _looks(looks_of(record)), _seed_params(run))
                there[new] = True
            self._behind.add(point)
            wrote = True
        return wrote

    def flush(self) -> None:
        """The means of the points whose seeds have changed."""
        for point in list(self._behind):
            self._tell_means(point)
            self._behind.discard(point)
        self._found.clear()

    def close(self) -> None:
        for homes in self._open.values():
            for home, there in homes.items():
                self.client.set_terminated(there, INTERRUPTED)
                if point := self._points.get((home.experiment, home.point)):
                    self._behind.add(point)
        self._open = {}
        self.flush()

    def _experiment(self, home: Home) -> str:
        """The id of a home's experiment, which is made if need be."""
        from mlflow.exceptions import MlflowException

        name = home.experiment
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                try:
                    self._experiments[name] = self.client.create_experiment(name)
                    return self._experiments[name]
                except MlflowException:  # another process has made it meanwhile
                    found = self.client.get_experiment_by_name(name)
                    if found is None:
                        raise
            if found.lifecycle_stage != "active":
                raise RuntimeError(f"the experiment {name} was deleted there; restore it, or delete it for good")
            self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def _point(self, run: TrackedRun, home: Home, at: float) -> str:
        """The run of a home's point, which is made if need be."""
        key = (home.experiment, home.point)
        if key not in self._points:
            experiment = self._experiment(home)
            found = self.client.search_runs(
                [experiment], _having({"kind": POINT, "point_id": home.point}), max_results=1
            )
            if found:
                self._points[key] = found[0].info.run_id
                if found[0].info.status != FINISHED:  # who wrote its seeds was stopped before it told the means
                    self._behind.add(self._points[key])
            else:
                tags = {"kind": POINT, "sweep": home.sweep, "point": home.label, "point_id": home.point}
                made = self.client.create_run(experiment, _milliseconds(at), tags, home.label).info.run_id
                self._log(made, params=_params(settings(run.config)))
                self._points[key] = made
        return self._points[key]

    def _seeds(self, home: Home, run: TrackedRun) -> "Sequence[Run]":
        """What there is of a run in its home."""
        return self._search(self._experiment(home), {"kind": SEED, "record": run.id, "point_id": home.point})

    def _runs_in(self, home: Home) -> dict[tuple[str, str], dict[str, bool]]:
        """What there is of all runs in its experiment: an entry of ``_found``."""
        if home.experiment not in self._found:
            found: dict[tuple[str, str], dict[str, bool]] = {}
            for run in self._search(self._experiment(home), {"kind": SEED}):
                key = run.data.tags["record"], run.data.tags["point_id"]
                found.setdefault(key, {})[run.info.run_id] = _is_whole(run)
            self._found[home.experiment] = found
        return self._found[home.experiment]

    def _create_seed(self, run: TrackedRun, home: Home, at: float, more: Mapping[str, str] | None = None) -> str:
        point = self._point(run, home, at)
        tags = {
            PARENT: point, "kind": SEED, "sweep": home.sweep, "point": home.label, "point_id": home.point,
            "record": run.id, "seeds": seeds_of(run.config), **(more or {}),
        }  # fmt: skip
        made = self.client.create_run(self._experiment(home), _milliseconds(at), tags, f"seed {run.config.seed}")
        there: str = made.info.run_id
        return there

    def _end_seed(
        self,
        there: str,
        record: Record,
        at: float,
        looks: "Sequence[Metric]" = (),
        params: "Sequence[Param]" = (),
        tags: "Sequence[RunTag]" = (),
    ) -> None:
        """``looks``, ``params`` and ``tags`` are what is not there yet."""
        self._log(there, [*looks, *_metrics(figures(record), last_step(record), at)], params, tags)
        self.client.set_terminated(there, STATUS[record.status], _milliseconds(at))

    def _log(
        self,
        there: str,
        metrics: "Sequence[Metric]" = (),
        params: "Sequence[Param]" = (),
        tags: "Sequence[RunTag]" = (),
    ) -> None:
        while len(metrics) > AT_ONCE:
            self.client.log_batch(there, metrics[:AT_ONCE])
            metrics = metrics[AT_ONCE:]
        self.client.log_batch(there, metrics, params, tags)

    def _tell_means(self, point: str) -> None:
        """The means over the seeds that choose, those over the fresh ones apart, and how many there are."""
        parent = self.client.get_run(point)
        seeds = self._search(parent.info.experiment_id, {PARENT: point})
        means: dict[str, float] = {}
        for kind, before in (("choosing", ""), ("fresh", "fresh/")):
            mine = [run.data.metrics for run in seeds if run.data.tags.get("seeds") == kind and _is_whole(run)]
            for name in MEANS:
                if values := [metrics[name] for metrics in mine if name in metrics]:
                    means |= {f"{before}{name}": statistics.fmean(values), f"{before}seeds": len(values)}
        at = max((run.info.end_time or run.info.start_time for run in seeds), default=0) / 1000
        if any(parent.data.metrics.get(name) != value for name, value in means.items()):
            self._log(point, _metrics(means, len(seeds), at))
        status = RUNNING if any(run.info.status == RUNNING for run in seeds) else FINISHED
        if status == FINISHED != parent.info.status:
            self.client.set_terminated(point, FINISHED, _milliseconds(at))
        elif status != parent.info.status:
            self.client.update_run(point, status)

    def _search(self, experiment: str, tags: Mapping[str, str]) -> "list[Run]":
        """Its runs that have these tags."""
        found: list[Run] = []
        token: str | None = None
        while token or not found:
            page = self.client.search_runs([experiment], _having(tags), page_token=token)
            found += page
            if not (token := page.token):
                break
        return found


def open_at(where: str | None, results: Path | None) -> MLflow:
    uri = where or os.environ.get("MLFLOW_TRACKING_URI") or ""
    uri = uri or f"{SQLITE}{beside(results, FILE, f'mlflow:{SQLITE}runs.db').absolute()}"
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE))
        if where is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.is_dir() or path.is_dir():
            raise UserError(f"mlflow:{uri}: {'is a folder' if path.is_dir() else f'there is no folder {path.parent}'}")
        if not path.exists():
            _make(path)
    elif urlsplit(uri).scheme not in ("http", "https"):
        raise UserError(f"mlflow:{without_password(uri)}: must be sqlite:///FILE or the http:// address of a server")
    return MLflow(uri)


def _make(path: Path) -> None:
    """A file of SQLite with MLflow's tables. It is put in its place when it is whole, because MLflow cannot finish one
    that was left half made. Raises UserError where it cannot be made."""
    from mlflow import MlflowClient

    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        MlflowClient(tracking_uri=f"{SQLITE}{aside.absolute()}")
        with suppress(FileExistsError):  # another process was quicker
            os.link(aside, path)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # SQLAlchemy's, of a full disk, say
        raise UserError(f"mlflow:{SQLITE}{path}: cannot be made: {reason(error)}") from error
    finally:
        for left in (aside, aside.with_name(f"{aside.name}-journal")):
            left.unlink(missing_ok=True)


def watch_command(where: str) -> str:
    """A server's own address, or what serves the file."""
    return where if where.startswith("http") else shlex.join(["mlflow", "server", "--backend-store-uri", where])


def _ending(record: Record) -> dict[str, str]:
    """The tags that a run has when it ends."""
    about, why = record.environment, {"why": str(record.error)} if record.error is not None else {}
    return {"status": record.status, "commit": about.commit or "", "device": about.device, **why}


def _is_whole(run: "Run") -> bool:
    """Whether all of it is there: it is said to have ended when the rest is written."""
    return "status" in run.data.tags and run.info.status != RUNNING


def _having(tags: Mapping[str, str]) -> str:
    """MLflow's filter for runs with these tags; their values hold no quote."""
    return " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())


def _milliseconds(at: float) -> int:
    return round(1000 * at)


def _metrics(values: Mapping[str, float], step: int, at: float) -> "list[Metric]":
    from mlflow.entities import Metric

    return [Metric(name, value, _milliseconds(at), step) for name, value in values.items()]


def _looks(seen: Sequence[Seen]) -> "list[Metric]":
    return [metric for look, at in seen for metric in _metrics(look_figures(look), look.step, at)]


def _params(values: Mapping[str, object]) -> "list[Param]":
    from mlflow.entities import Param

    return [Param(name, text_of(value)) for name, value in values.items()]


def _seed_params(run: TrackedRun) -> "list[Param]":
    return _params({**settings(run.config), "seed": run.config.seed})


def _tags(values: Mapping[str, str]) -> "list[RunTag]":
    from mlflow.entities import RunTag

    return [RunTag(name, value) for name, value in values.items()]
