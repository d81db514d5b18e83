"""The routes: what a page may read, and the few things that it may ask to be done."""

import gzip
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from explorer.errors import UserError
from explorer.files import print_to_stderr
from explorer.judging import study
from explorer.judging.runs import ConfigResult, Runs
from explorer.running import nets as kept_nets
from explorer.running import predictions, requests
from explorer.running.store import Store
from explorer.serving.guard import HEADERS, Guard
from explorer.serving.news import News
from explorer.serving.player import Player
from explorer.serving.sweeps import Sweeps, follow, offered
from explorer.telling.page import gallery, html, knobs, nets
from explorer.telling.page.study import compared, curves, study_facts
from explorer.telling.words import training_command

T = TypeVar("T")
MOST_BODY = 20_000  # bytes of what is asked: a few knobs
Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class ServerOptions:
    """Where results and data lie, and what PLAY trains on; None is what a command without the flag would take."""

    results: Path | None
    data_dir: Path | None
    device: str | None
    kernels: bool | None


class StudyRead:
    """The study as the files have it now: judged once, and again when they have grown."""

    def __init__(self, options: ServerOptions):
        self.options = options
        self.store = Store(options.results, read_only=True)
        self._lock = threading.Lock()
        self._state: object = None
        self._study: study.Study | None = None
        self._packed = b""
        self._by_id: dict[str, ConfigResult] = {}
        self._galleries: tuple[object, bytes] = (None, b"")

    def get(self) -> study.Study:
        """Any thread may ask; the first one after a change waits for it to be read."""
        with self._lock:
            state = self._files()
            if self._study is None or state != self._state:
                runs = Runs(self.store.records(), self.store.damaged())
                self._study = study.of_requests(runs, self.store.requests())
                self._packed = _packed(study_facts(self._study))
                self._by_id = {
                    record.id: result
                    for result in runs.configurations
                    for record in (*result.records.values(), *result.fresh.values())
                }
                self._state = state
            return self._study

    def packed(self) -> bytes:
        """The facts as JSON, packed by gzip."""
        self.get()
        return self._packed

    def result(self, id: str) -> ConfigResult:
        """The configuration that the run of this id has. UserError where there is none."""
        self.get()
        found = self._by_id.get(id)
        if found is None:
            raise UserError("no run of that id is recorded")
        return found

    def galleries(self) -> bytes:
        """The surest mistakes as JSON, packed by gzip."""
        now = self.get()
        with self._lock:
            if self._galleries[0] is not now:
                predict = predictions.reader(self.store.folders, self.options.data_dir)
                self._galleries = now, _packed(gallery.galleries(now, predict))
            return self._galleries[1]

    def _files(self) -> object:
        names = ("runs.jsonl", requests.FILE)
        paths = [folder / name for folder in self.store.folders for name in names]
        return [(path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else None for path in paths]


def _packed(content: object) -> bytes:
    return gzip.compress(msgspec.json.encode(content), 5)


class Server:
    """What the routes stand on. Whatever takes a while is done in a thread, so that all pages stay quick."""

    def __init__(self, options: ServerOptions, guard: Guard):
        self.options, self.guard = options, guard
        self.read = StudyRead(options)
        self.player = Player(options.results, options.data_dir, options.device, options.kernels)
        self.sweeps = Sweeps(options.results, os.environ)
        self.sweep_news = News()
        self.over = threading.Event()

    def app(self) -> Starlette:
        routes = [
            Route("/", self.index),
            Route("/assets/{name:path}", self.asset),
            Route("/api/study", self.study),
            Route("/api/curves/{id}", self.curves),
            Route("/api/command/{id}", self.command),
            Route("/api/compare/{first}/{second}", self.compare),
            Route("/api/galleries", self.galleries),
            Route("/api/nets", self.nets),
            Route("/api/nets/{id}", self.weights),
            Route("/api/knobs", self.knobs),
            Route("/api/play/check", self.check),
            Route("/api/play/events", self.play_events),
            Route("/api/play/train", self.train, methods=["POST"]),
            Route("/api/play/stop", self.stop, methods=["POST"]),
            Route("/api/play/keep", self.keep, methods=["POST"]),
            Route("/api/sweeps/offered", self.offered),
            Route("/api/sweeps/events", self.sweep_events),
            Route("/api/sweeps/start", self.start_sweep, methods=["POST"]),
            Route("/api/sweeps/ask", self.ask_sweep, methods=["POST"]),
        ]
        guarded = Middleware(BaseHTTPMiddleware, dispatch=self.guarded)
        return Starlette(routes=routes, middleware=[guarded], lifespan=self.living)

    @asynccontextmanager
    async def living(self, app: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=self.warm, daemon=True).start()
        follower = threading.Thread(target=follow, args=(self.sweeps, self.sweep_news.tell, self.over), daemon=True)
        follower.start()
        try:
            yield
        finally:
            self.over.set()
            await run_in_threadpool(self.player.close)

    def warm(self) -> None:
        """Read the study before the first page asks for it; what is wrong is told to the page that asks."""
        try:
            self.read.get()
        except UserError as error:
            print_to_stderr(f"error: {error}")

    async def guarded(self, request: Request, answer: Answer) -> Response:
        refusal = self.guard.refusal(request)
        if refusal is None:
            try:
                response = await answer(request)
            except UserError as error:
                response = PlainTextResponse(str(error), 400)
        else:
            response = PlainTextResponse(refusal, 403)
        response.headers.update(HEADERS)
        return response

    # What may be read

    async def index(self, request: Request) -> Response:
        return Response(html.index(), media_type="text/html")

    async def asset(self, request: Request) -> Response:
        found = html.files().get(request.path_params["name"])  # a table, so no path leads out of it
        if found is None:
            return PlainTextResponse("there is no such file", 404)
        return Response(found[0], headers={"content-type": found[1]})

    async def study(self, request: Request) -> Response:
        return _unpacked_by_browser(await run_in_threadpool(self.read.packed))

    async def galleries(self, request: Request) -> Response:
        return _unpacked_by_browser(await run_in_threadpool(self.read.galleries))

    async def curves(self, request: Request) -> Response:
        return await _json(lambda: curves(self.read.result(request.path_params["id"])))

    async def command(self, request: Request) -> Response:
        return await _json(lambda: training_command(self.read.result(request.path_params["id"]).config))

    async def compare(self, request: Request) -> Response:
        first, second = request.path_params["first"], request.path_params["second"]
        return await _json(lambda: compared(self.read.result(first), self.read.result(second), self.read.get()))

    async def nets(self, request: Request) -> Response:
        return await _json(lambda: nets.known(self.read.store.folders, print_to_stderr))

    async def weights(self, request: Request) -> Response:
        def found() -> bytes:
            for kept in kept_nets.all_kept(self.read.store.folders, say=False):
                if kept.record.id == request.path_params["id"]:
                    return nets.weights(kept_nets.load(kept.path))
            raise UserError("no net of that id is kept")

        return Response(await run_in_threadpool(found), media_type="application/octet-stream")

    async def knobs(self, request: Request) -> Response:
        return await _json(knobs.every_model)

    async def check(self, request: Request) -> Response:
        said = dict(request.query_params)
        changed = said.pop("changed", "")
        return await _json(lambda: knobs.settled(said, changed)[1])

    async def offered(self, request: Request) -> Response:
        return await _json(offered)

    async def play_events(self, request: Request) -> Response:
        return StreamingResponse(self.player.news.read(self.player.told), media_type="text/event-stream")

    async def sweep_events(self, request: Request) -> Response:
        now = await run_in_threadpool(self.sweeps.look)
        return StreamingResponse(self.sweep_news.read(lambda: {"sweeps": now}), media_type="text/event-stream")

    # What may be done

    async def train(self, request: Request) -> Response:
        said = await _body(request, dict[str, str])
        config, settled = await run_in_threadpool(knobs.settled, said)
        if config is None:
            raise UserError(settled.error)
        run = self.player.train(config, said)
        return JSONResponse({"key": run.key})

    async def stop(self, request: Request) -> Response:
        self.player.stop()
        return JSONResponse({})

    async def keep(self, request: Request) -> Response:
        asked = await _body(request, KeepNet)
        await run_in_threadpool(self.player.keep, asked.key)
        return JSONResponse({})

    async def start_sweep(self, request: Request) -> Response:
        asked = await _body(request, StartSweep)
        fields = {} if asked.steps is None else {"steps": asked.steps}
        command = await run_in_threadpool(
            self.sweeps.start, asked.model, asked.sweep, asked.dataset, asked.seeds, fields
        )
        return JSONResponse({"command": command})

    async def ask_sweep(self, request: Request) -> Response:
        asked = await _body(request, AskSweep)
        await run_in_threadpool(self.sweeps.ask, asked.key, asked.asked)
        return JSONResponse({})


class KeepNet(msgspec.Struct):
    """Which of PLAY's runs is to have its net kept."""

    key: str


class StartSweep(msgspec.Struct):
    """What the page asks to start a sweep."""

    model: str
    sweep: str
    seeds: int
    dataset: str | None = None
    steps: str | None = None


class AskSweep(msgspec.Struct):
    """What the page asks of a sweep that runs."""

    key: str
    asked: str


def _unpacked_by_browser(packed: bytes) -> Response:
    return Response(packed, media_type="application/json", headers={"content-encoding": "gzip"})


async def _json(make: Callable[[], object]) -> Response:
    content = await run_in_threadpool(lambda: msgspec.json.encode(make()))
    return Response(content, media_type="application/json")


async def _body(request: Request, kind: type[T]) -> T:
    """The request's JSON. UserError for what is none, or not what it should be."""
    if int(request.headers.get("content-length", MOST_BODY + 1)) > MOST_BODY:
        raise UserError("the request is too long")
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the request cannot be understood: {error}") from None
