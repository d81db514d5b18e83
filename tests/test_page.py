"""What the page is told, who may ask the server what, and the page as one file. No browser: see test_browser."""

import gzip
import http.client
import json
import re
import socket
import sys
import threading

import msgspec
import numpy as np
import pytest

from explorer import models
from explorer.cli.options import Machine
from explorer.cli.page import PageOptions, page
from explorer.config import fields_for, make_config
from explorer.errors import UserError
from explorer.judging import comparing, study
from explorer.judging.runs import Runs
from explorer.running import following
from explorer.running.requests import Request
from explorer.running.store import Store
from explorer.running.trackers import TrackedRun
from explorer.serving.sweeps import Sweeps
from explorer.telling import words
from explorer.telling.page import html, knobs
from explorer.telling.page.study import compared, curves, study_facts
from explorer.training.trainer import Progress
from tests.records import LR, PAIR, notebook, record, runs

MEAN = [0.90, 0.92, 0.94]


@pytest.fixture
def judged(tmp_path):
    """A study of one sweep, judged."""
    notebook(tmp_path, LR, [*runs({"lr": 0.001}, MEAN), *runs({"lr": 0.01}, [0.80, 0.81, None])])
    store = Store(tmp_path / "results", read_only=True)
    return study.of_requests(Runs(store.records()), store.requests())


def test_the_page_is_told_every_configuration_run_and_point_with_the_figures_of_the_report(judged):
    told = study_facts(judged)
    assert [run.status for run in told.runs] == [0, 0, 0, 0, 0, 1]
    first = told.configurations[0]
    assert (first.n, first.validation, first.lost) == (3, 0.92, "")
    assert told.configurations[1].lost == "1 of 3 diverged (step 7)"
    (sweep,) = told.sweeps
    assert {point.label: point.configuration for point in sweep.points} == {
        "lr 0.0003": -1, "lr 0.001": 0, "lr 0.003": -1, "lr 0.01": 1,
    }  # fmt: skip
    lr = next(field for field in told.fields if field.name == "lr")
    assert [lr.numbers[one.values[told.fields.index(lr)]] for one in told.configurations] == [0.001, 0.01]
    assert [curve.seed for curve in curves(judged.runs.configurations[1])] == [0, 1]


def test_two_configurations_are_compared_in_the_judges_words_and_only_what_differs_is_listed(judged):
    first, second = judged.runs.configurations
    found = compared(first, second, judged)
    assert [(line.label, line.first, line.second) for line in found.differs] == [("lr", "0.001", "0.01")]
    ids = [configuration.id for configuration in study_facts(judged).configurations]
    assert found.command == f"python mnist_explorer.py compare {ids[0]} {ids[1]}"
    relation = comparing.compare(first, second, judged).validation
    assert words.estimate(relation) in found.sentence and relation.n == 2


def test_every_hyperparameter_of_every_model_has_a_knob_whose_slider_keeps_within_its_bounds():
    for model, those in knobs.every_model().items():
        assert [knob.name for knob in those] == list(fields_for(model))
        for knob in those:
            if knob.kind in ("whole", "number"):
                assert knob.low < knob.high
                low = knob.low if knob.scale != "log" else max(knob.low, 1e-9)
                value = int(low) if knob.kind == "whole" else low
                config, told = knobs.settled({"model": model, knob.name: str(value)}, knob.name)
                effect = "effect" in told.error or "without" in told.error or "give" in told.error
                assert config is not None or effect or "> 0" in knob.bounds, (knob, told)
    assert set(knobs.every_model()) == set(models.names())


def test_a_knob_that_the_last_change_makes_meaningless_is_left_out_and_a_mistake_is_told():
    said = {"model": "mlp", "optimizer": "adam", "momentum": "0.9"}
    config, told = knobs.settled(said, "optimizer")
    assert config.optimizer == "adam" and told.dropped == ("momentum",)
    assert told.command == "python mnist_explorer.py mlp"
    config, told = knobs.settled({"model": "mlp", "lr": "-1"}, "lr")
    assert config is None and "lr" in told.error


def test_the_page_as_a_file_holds_all_it_needs_and_no_label_becomes_markup(tmp_path):
    evil = "</script><script>alert(1)</script><!--"
    text = f'title = "{evil}"\nbase.steps = 30\npoints = [{{ label = "{evil}", lr = 0.001 }}]'
    notebook(tmp_path, text, runs({"lr": 0.001}, MEAN), name="evil")
    store = Store(tmp_path / "results", read_only=True)
    page = html.whole(study.of_requests(Runs(store.records()), store.requests()), [], []).decode()
    assert evil not in page
    assert page.count("</script>") == 2  # the data's and the program's own
    assert not re.search(r'(?:src|href)="(?!data:,)', page)
    assert "script-src 'sha256-" in page and "default-src 'none'" in page
    held = json.loads(gzip.decompress(_base64(re.search(r'id="data">([^<]*)<', page)[1])))
    assert held["study"]["sweeps"][0]["title"] == evil
    assert held["curves"]["0"][0]["step"] == [10, 20, 30]
    assert held["commands"] == ["python mnist_explorer.py mlp --dataset digits --steps 30"]


def _base64(text: str) -> bytes:
    return msgspec.json.decode(f'"{text}"', type=bytes)


def test_weights_in_the_file_are_rounded_by_less_than_two_parts_in_a_hundred_thousand():
    weights = np.random.default_rng(0).normal(size=10_000).astype("<f4")
    planes = np.frombuffer(html._planes(weights.tobytes()), np.uint8).reshape(3, -1).astype(np.uint32)
    found = ((planes[0] << 24) | (planes[1] << 16) | (planes[2] << 8)).astype("<u4").view("<f4")
    assert np.max(np.abs(found - weights) / np.abs(weights)) < 2e-5


def test_the_packages_files_hold_every_script_and_style_of_the_page():
    named = re.findall(r'(?:src|href)="assets/([^"]+)"', html.index())
    assert len(named) > 10
    assert set(named) <= set(html.files())
    assert "vendor/uplot/LICENSE" in html.files()


# Following a sweep


class Live:
    """A sweep of two points that tells what it does."""

    def __init__(self, folder):
        self.results = folder
        self.config = make_config({"model": "mlp", "dataset": "digits", "steps": 30})
        self.follower = following.Follower(
            folder, title="Mine", command="python mnist_explorer.py mlp --sweep mine",
            requests=[Request("mine", "mlp", "digits")], points=[self.config], label=lambda config: f"lr {config.lr:g}",
            seeds=1, total=2,
        )  # fmt: skip
        self.run = TrackedRun("id", self.config)


@pytest.fixture
def live(tmp_path):
    return Live(tmp_path)


def test_a_sweep_is_followed_through_files_that_are_gone_when_it_is(live):
    with live.follower:
        live.follower.started(live.run)
        (sweep,) = following.sweeps(live.results)
        assert (sweep.plan.title, sweep.now.done, sweep.now.total) == ("Mine", 0, 2)
        assert [(worker.label, worker.seed) for worker in sweep.now.workers] == [("lr 0.001", 0)]
        other = make_config({"model": "mlp", "dataset": "digits", "steps": 30, "lr": 0.5})  # a study's next try
        live.follower.started(TrackedRun("other", other))
        live.follower.finished(live.run, record(live.config, 0.9))
        (sweep,) = following.sweeps(live.results)
        assert sweep.now.done == 1 and [point.label for point in sweep.plan.points] == ["lr 0.001", "lr 0.5"]
    assert following.sweeps(live.results) == []
    assert list(live.results.iterdir()) == []


def test_a_sweep_with_names_that_are_not_utf8_is_followed_too(tmp_path):
    told = {"title": "T", "requests": [], "points": [], "label": str, "seeds": 1, "total": 1}
    with following.Follower(tmp_path, command="mlp --report \udcff.md", **told):
        (sweep,) = following.sweeps(tmp_path)
    assert sweep.plan.command == r"mlp --report \udcff.md"


def test_a_sweep_that_is_asked_to_stop_ends_as_by_ctrl_c_and_one_asked_to_pause_waits(live, monkeypatch):
    waited = []

    def sleep(seconds):
        waited.append(following.sweeps(live.results)[0].now.state)
        following.ask(live.results, live.follower.key, "resume")

    monkeypatch.setattr(following.time, "sleep", sleep)
    with live.follower:
        assert following.ask(live.results, live.follower.key, "pause")
        live.follower.started(live.run)
        assert waited == ["paused"] and following.sweeps(live.results)[0].now.state == "running"
        assert following.ask(live.results, live.follower.key, "stop")
        with pytest.raises(KeyboardInterrupt):
            live.follower.started(live.run)
    assert not following.ask(live.results, live.follower.key, "stop")
    assert not following.ask(live.results, "../../elsewhere", "stop")


def test_what_a_killed_sweep_left_is_no_sweep_and_is_removed_by_the_next(live):
    live.follower.plan = msgspec.structs.replace(live.follower.plan, pid=2**22 + 1)  # above the most a system gives
    live.follower.__enter__()
    assert following.sweeps(live.results) == []
    following.clear(live.results)
    assert list(live.results.iterdir()) == []


def test_a_loss_that_is_no_number_is_told_as_none(live):
    with live.follower:
        live.follower.started(live.run)
        live.follower.written = -1e9
        live.follower.looked(live.run, Progress(3, 30, float("nan"), None, 0.0))
        (sweep,) = following.sweeps(live.results)
        assert sweep.now.workers[0].loss is None and sweep.now.workers[0].step == 3


def test_the_page_is_told_that_the_best_mean_leads_and_not_the_luckiest_run(tmp_path):
    rates = {0.1: [0.99], 0.2: [0.97, 0.93, 0.94], 0.3: [0.98, 0.80, 0.80]}
    notebook(tmp_path, LR, [one for rate, scores in rates.items() for one in runs({"lr": rate}, scores)])
    told = {"title": "T", "command": "", "requests": [], "seeds": 0, "total": 1}
    points = [runs({"lr": rate}, [None])[0].point for rate in rates]
    with following.Follower(tmp_path / "results", points=points, label=lambda config: f"lr {config.lr:g}", **told):
        (shown,) = Sweeps(tmp_path / "results", {}).look()
    assert [(point.label, point.n, point.leads) for point in shown.points] == [
        ("lr 0.1", 1, False), ("lr 0.2", 3, True), ("lr 0.3", 3, False),
    ]  # fmt: skip


# The server, without a browser

pytest.importorskip("uvicorn", reason="needs uvicorn: requirements-page.txt")


class Served:
    """A server on a free port, in a thread of this process."""

    def __init__(self, results):
        import uvicorn

        from explorer.serving.app import Server, ServerOptions
        from explorer.serving.guard import Guard

        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        guard = Guard("127.0.0.1", self.port)
        self.token = guard.token
        app = Server(ServerOptions(results, None, "CPU", None), guard).app()
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        self.thread = threading.Thread(target=self.server.run, args=([listening],))
        self.thread.start()

    def ask(self, method, path, body=b"", **headers):
        """(status, headers, body), the path sent as it stands."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True)
        headers = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        return answer.status, answer.headers, content

    def close(self):
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    notebook(folder, PAIR, runs({"lr": 0.001, "batch_size": 32}, MEAN))
    served = Served(folder / "results")
    served.folder = folder
    yield served
    served.close()


@pytest.mark.parametrize(
    ("host", "origin", "token", "status"),
    [
        ("127.0.0.1:PORT", "http://127.0.0.1:PORT", "TOKEN", 200),
        ("localhost:PORT", "http://localhost:PORT", "TOKEN", 200),
        ("127.0.0.1:PORT", "http://127.0.0.1:PORT", "", 403),
        ("127.0.0.1:PORT", "http://127.0.0.1:PORT", "wrong%C3%A9", 403),
        ("127.0.0.1:PORT", "https://evil.example", "TOKEN", 403),
        ("127.0.0.1:PORT", "null", "TOKEN", 403),
        ("127.0.0.1:PORT", None, "TOKEN", 403),
        ("evil.example:PORT", "http://evil.example:PORT", "TOKEN", 403),
        ("127.0.0.1:80", "http://127.0.0.1:80", "TOKEN", 403),
        ("127.0.0.1:PORT@evil.example", "http://127.0.0.1:PORT", "TOKEN", 403),
    ],
)
def test_only_a_page_of_this_server_with_its_token_may_change_anything(server, host, origin, token, status):
    def put(text):
        return text.replace("PORT", str(server.port)).replace("TOKEN", server.token)

    headers = {"Host": put(host), **({"Origin": put(origin)} if origin else {})}
    assert server.ask("POST", f"/api/play/stop?token={put(token)}", **headers)[0] == status


def test_another_name_that_leads_here_may_not_even_read(server):
    assert server.ask("GET", "/api/study")[0] == 200
    assert server.ask("GET", "/api/study", Host=f"evil.example:{server.port}")[0] == 403


def test_a_server_that_others_may_reach_answers_to_addresses_and_its_own_name_only():
    from explorer.serving.guard import Guard

    guard = Guard("0.0.0.0", 8642)
    assert guard._is_ours("192.168.1.5:8642") and guard._is_ours("[fe80::1]:8642") and guard._is_ours("localhost:8642")
    assert not guard._is_ours("evil.example:8642") and not guard._is_ours("192.168.1.5:99") and not guard._is_ours("[")


@pytest.mark.parametrize(
    "path", ["/assets/../study.py", "/assets/%2e%2e/study.py", "/assets//etc/passwd", "/../etc/passwd", "/assets/js"]
)
def test_no_path_leads_out_of_what_is_served(server, path):
    assert server.ask("GET", path)[0] == 404


def test_every_answer_says_that_scripts_come_from_here_alone(server):
    for path in ("/", "/assets/js/core.js", "/api/study", "/nowhere"):
        policy = server.ask("GET", path)[1]["content-security-policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy


def test_mistakes_are_told_in_a_line_not_by_a_traceback(server):
    for path, body, word in (
        ("/api/play/train", b"[]", "understood"),
        ("/api/play/train", b'{"model": "mlp", "lr": "no"}', "lr"),
        ("/api/play/train", b'{"model": "../x"}', "model"),
        ("/api/play/train", b" " * 30_000, "too long"),
        ("/api/play/keep", b'{"key": "no such run"}', "ended well"),
        ("/api/sweeps/start", b'{"model": "mlp", "sweep": "/etc/passwd", "seeds": 1}', "no shipped sweep"),
        ("/api/sweeps/start", b'{"model": "mlp", "sweep": "lr", "seeds": 0}', "seeds"),
        ("/api/sweeps/ask", b'{"key": "../x", "asked": "stop"}', "does not run"),
        ("/api/sweeps/ask", b'{"key": "x", "asked": "rm"}', "asked to"),
    ):
        origin = f"http://127.0.0.1:{server.port}"
        status, _, answer = server.ask("POST", f"{path}?token={server.token}", body, Origin=origin)
        assert status == 400 and word in answer.decode() and b"\n" not in answer, (path, body, answer)
    assert server.ask("GET", "/api/curves/ffffffffffffffff")[0] == 400


def test_a_configurations_command_trains_it(server):
    study = json.loads(server.ask("GET", "/api/study")[2])
    command = json.loads(server.ask("GET", f"/api/command/{study['configurations'][0][0]}")[2])
    assert command == "python mnist_explorer.py mlp --dataset digits --batch-size 32 --steps 30"


def test_the_study_is_read_again_when_the_ledger_has_grown(server):
    before = len(json.loads(server.ask("GET", "/api/study")[2])["runs"])
    notebook(server.folder, PAIR, runs({"lr": 0.003, "batch_size": 32}, MEAN))
    assert len(json.loads(server.ask("GET", "/api/study")[2])["runs"]) == before + 3


def test_without_the_packages_of_the_server_one_line_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UserError, match=r"uvicorn; pip install -r requirements-page\.txt"):
        page(PageOptions("127.0.0.1", 0, None, None, Machine(None, None)))


def test_a_port_that_is_taken_is_told_in_a_line():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="--port names another"):
        page(PageOptions("127.0.0.1", taken.getsockname()[1], None, None, Machine(None, None)))
