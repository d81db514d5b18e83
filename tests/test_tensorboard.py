"""Runs in TensorBoard: read back with its own reader, and asked of its own server."""

import json
import os
import time
import urllib.request
from pathlib import Path

import pytest
from tensorboard import program
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from explorer.asking.search import Listed
from explorer.cli.tracking import kept
from explorer.config import Config
from explorer.errors import UserError
from explorer.record import Record
from explorer.running.engines.here import InProcess
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import TrackedRun
from explorer.running.trackers.elsewhere import Elsewhere
from explorer.running.trackers.facts import Home, home
from explorer.running.trackers.kinds import Place
from explorer.running.trackers.tensorboard import TensorBoard
from tests.engine_suite import configs
from tests.records import record
from tests.tracker_suite import TrackerSuite, progress, runs

EXPERIMENT = "digits/mlp/lr"


def homes(config: Config) -> list[Home]:
    return [home(EXPERIMENT, "lr", f"lr {config.get('lr'):g}", config, "d")]


def elsewhere(folder: Path, said: list[str]) -> Elsewhere:
    return Elsewhere("tensorboard", TensorBoard(folder), homes, "export", said.append, together=0)


class TestTensorBoard(TrackerSuite):
    @pytest.fixture
    def said(self):
        return []

    @pytest.fixture
    def tracker(self, tmp_path, said):
        return elsewhere(tmp_path, said)

    @pytest.fixture
    def written(self, tracker, said, tmp_path):
        def files() -> str:
            tracker.close()
            assert said == []
            return "\n".join(names(tmp_path))

        return files


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def curve(events: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(tag)]


def session(events: EventAccumulator, which: str):
    content = events.PluginTagToContent("hparams")[f"_hparams_/session_{which}_info"]
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    return data.session_start_info if which == "start" else data.session_end_info


def folder_of(folder: Path, config: Config) -> Path:
    (path,) = folder.glob(f"{EXPERIMENT}/lr {config.get('lr'):g} */seed {config.seed}")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits) -> tuple[Path, list[Record]]:
    """(folder of event files, records) of a point with two seeds and one with a fresh seed besides, trained now."""
    folder = tmp_path_factory.mktemp("tensorboard")
    store = Store(folder / "results")
    asked = [*configs(2), *configs(2, lr=0.01), configs(1, lr=0.01)[0].model_copy(update={"seed": 1000})]
    recorder = Recorder(store, digits.digest)
    with kept([Place("tensorboard", str(folder / "logs"))], store, homes, True, list) as tracker:
        made = list(answer(Listed(asked), InProcess(Runner(digits)), recorder, tracker))
    return folder / "logs", made


def test_every_look_and_every_figure_is_read_back(trained):
    folder, made = trained
    for one in made:
        events = read(folder_of(folder, one.configuration))
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            looks = [(look.step, pytest.approx(getattr(look, name), rel=1e-5)) for look in one.history]
            assert curve(events, f"looks/{name}") == looks
        for name in ("val_accuracy", "test_accuracy", "val_loss", "best_val_accuracy"):
            assert curve(events, name) == [(6, pytest.approx(getattr(one, name), rel=1e-5))]
        assert session(events, "end").status == 1  # STATUS_SUCCESS


def test_the_configuration_is_there_with_its_types_and_the_seeds_of_a_point_are_one_group(trained):
    folder, made = trained
    starts = [session(read(folder_of(folder, one.configuration)), "start") for one in made]
    values = starts[0].hparams
    assert values["lr"].number_value == 0.001
    assert values["batchnorm"].WhichOneof("kind") == "bool_value"
    assert values["units"].string_value == "24"
    assert values["sweep"].string_value == EXPERIMENT
    assert "seed" not in values
    assert {name for one in starts for name in one.hparams} == {*made[0].config, "sweep", "seeds"} - {"seed"}
    groups = [one.group_name for one in starts]
    assert groups[0] == groups[1] != groups[2] == groups[3]
    assert groups[4] not in groups[:4]  # fresh seeds never choose: no mean is taken over both


def test_its_own_server_shows_the_curves_and_the_mean_of_each_points_seeds(trained):
    folder, made = trained
    server = program.TensorBoard()
    server.configure(argv=[None, "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0",
                           "--load_fast", "false", "--reload_interval", "1"])  # fmt: skip
    address = server.launch()

    def ask(route: str, question: dict | None = None):
        body = None if question is None else json.dumps(question).encode()
        request = urllib.request.Request(f"{address}data/plugin/{route}", body, {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=10))

    end = time.monotonic() + 60
    while len(tags := ask("scalars/tags")) < len(made) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(tags) == len(made)
    assert all({"looks/val_accuracy", "test_accuracy"} <= {*there} for there in tags.values())
    (name,) = (name for name in tags if name.startswith(f"{EXPERIMENT}/lr 0.001 ") and name.endswith("seed 0"))
    points = ask(f"scalars/scalars?tag=looks%2Fval_accuracy&run={urllib.request.quote(name)}")
    assert [step for _, step, _ in points] == [look.step for look in made[0].history]
    columns = ask("hparams/experiment", {"experimentName": ""})
    assert {"lr", "optimizer", "sweep"} <= {one["name"] for one in columns["hparamInfos"]}
    metrics = [{"name": one["name"]} for one in columns["metricInfos"]]
    assert "test_accuracy" in {one["name"]["tag"] for one in metrics}
    question = {"startIndex": 0, "sliceSize": 100, "allowedStatuses": ["STATUS_SUCCESS"],
                "colParams": [{"metric": one["name"]} for one in metrics]}  # fmt: skip
    groups = ask("hparams/session_groups", question)["sessionGroups"]
    means = {}
    for group in groups:
        (value,) = (one["value"] for one in group["metricValues"] if one["name"]["tag"] == "test_accuracy")
        means[group["hparams"]["lr"], group["hparams"]["seeds"]] = value
    expected = {
        (0.001, "choosing"): sum(one.test_accuracy for one in made[:2]) / 2,
        (0.01, "choosing"): sum(one.test_accuracy for one in made[2:4]) / 2,
        (0.01, "fresh"): made[4].test_accuracy,
    }
    assert means == pytest.approx(expected, rel=1e-5)


def test_what_is_there_is_not_written_again_and_what_was_interrupted_begins_anew(tmp_path):
    said: list[str] = []
    first, second, _ = runs(3)
    made = record(first.config, 0.9)
    tracker = elsewhere(tmp_path, said)
    tracker.started(first)
    tracker.looked(first, progress(5, look=True))
    tracker.close()  # Ctrl-C
    assert "_hparams_/session_end_info" not in read(folder_of(tmp_path, first.config)).PluginTagToContent("hparams")
    tracker = elsewhere(tmp_path, said)
    for run in (first, second):
        tracker.started(run)
        for step in (5, 10):
            tracker.looked(run, progress(step, look=True))
    tracker.finished(first, made)
    tracker.finished(second, record(second.config, 0.8))
    tracker.close()
    assert [step for step, _ in curve(read(folder_of(tmp_path, first.config)), "looks/val_accuracy")] == [5, 10]
    before = contents(tmp_path)
    destination = TensorBoard(tmp_path)
    assert destination.ended(first, made, homes(first.config)) is False
    assert contents(tmp_path) == before
    assert said == []


def test_a_worker_that_dies_costs_the_curve_no_second_beginning(tmp_path):
    (run,) = runs(1)
    tracker = elsewhere(tmp_path, [])
    for _ in range(2):
        tracker.started(run)
        tracker.looked(run, progress(5, look=True))
    tracker.finished(run, record(run.config, 0.9))
    tracker.close()
    assert [step for step, _ in curve(read(folder_of(tmp_path, run.config)), "looks/val_loss")] == [5]


def test_a_full_disk_is_told_once_and_the_run_is_whole_in_the_end(tmp_path):
    said: list[str] = []
    tracker = elsewhere(tmp_path, said)
    first, second, _ = runs(3)
    tracker.started(first)
    wait_for(lambda: names(tmp_path))
    (path,) = tmp_path.rglob("*tfevents*")
    path.unlink()
    os.symlink("/dev/full", path)
    tracker.looked(first, progress(5, look=True))
    wait_for(lambda: said)
    tracker.looked(first, progress(10, look=True))
    path.unlink()  # there is room again
    tracker.finished(first, record(first.config, 0.9))
    tracker.finished(second, record(second.config, 0.8))
    tracker.close()
    assert len(said) == 1
    assert "No space left on device" in said[0]
    for run, accuracy in ((first, 0.9), (second, 0.8)):
        events = read(folder_of(tmp_path, run.config))
        assert curve(events, "val_accuracy") == [(30, pytest.approx(accuracy))]
        assert [step for step, _ in curve(events, "looks/val_loss")] == [10, 20, 30]


def wait_for(found) -> None:
    end = time.monotonic() + 30
    while not found() and time.monotonic() < end:
        time.sleep(0.01)
    assert found()


def test_what_stays_unwritable_is_counted_with_the_command_that_writes_it(tmp_path):
    said: list[str] = []
    tracker = elsewhere(tmp_path / "logs", said)
    (tmp_path / "logs").write_text("a file in the folder's place")
    for run in runs(3):
        tracker.finished(run, record(run.config, 0.9))
    tracker.close()
    told, missing = said
    assert str(tmp_path / "logs") in told
    assert "3 runs are not there" in missing
    assert missing.endswith("export")


def test_names_that_others_gave_stay_in_the_folder(tmp_path):
    (run,) = runs(1)
    odd = [home("../../digits/..", "..", "../" * 50 + "\0 ü\n/etc", run.config, "d")]
    TensorBoard(tmp_path / "logs").ended(run, record(run.config, 0.9), odd)
    (path,) = tmp_path.rglob("*tfevents*")
    assert path.resolve().is_relative_to(tmp_path / "logs")
    assert len(read(path.parent).Scalars("test_accuracy")) == 1


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "logs").write_text("")
    with pytest.raises(UserError, match="is a file"):
        Place("tensorboard", str(tmp_path / "logs")).open(tmp_path)


def test_a_run_that_answers_two_sweeps_stands_in_both(tmp_path):
    (run,) = runs(1)
    two = [*homes(run.config), home("digits/mlp/opt", "opt", "adam", run.config, "d")]
    tracker = Elsewhere("tensorboard", TensorBoard(tmp_path), lambda config: two, "export", together=0)
    tracker.started(run)
    tracker.looked(run, progress(5, look=True))
    tracker.finished(run, record(run.config, 0.9))
    tracker.close()
    first, second = (read(path.parent) for path in sorted(tmp_path.rglob("*tfevents*")))
    assert curve(first, "looks/val_loss") == curve(second, "looks/val_loss")
    assert session(first, "start").group_name != session(second, "start").group_name


def test_a_run_is_found_by_its_point_which_is_all_but_the_seed():
    first, second = configs(2)
    (other,) = configs(1, lr=0.003)
    assert home("e", "s", "l", first, "d").point == record(first, 0.9).id
    assert home("e", "s", "l", second, "d").point == record(first, 0.9).id
    assert home("e", "s", "l", other, "d").point != record(first, 0.9).id
    assert home("e", "s", "l", first, "other data").point != record(first, 0.9).id
    assert TrackedRun(record(second, 0.9).id, second).id != record(first, 0.9).id
