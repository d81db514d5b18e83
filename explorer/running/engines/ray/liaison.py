"""The process that speaks with Ray on behalf of this one.

Ray ends the process that it runs in when it loses its cluster, prints what it likes and catches signals. Here that
costs nothing: whoever trains and keeps records hears of it as of a worker's death. Everything that happens comes in
by one queue, so nothing is asked for twice and nothing waits for a clock.
"""

import itertools
import logging
import os
import pickle
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypedDict, cast

from explorer.running.engines.ray import node as on_nodes
from explorer.running.engines.ray.messages import (
    Begin,
    Begun,
    Dismiss,
    Give,
    Joined,
    Left,
    Lost,
    NeedsData,
    Order,
    Refused,
    Report,
    Room,
    Said,
    Ship,
    Want,
)
from explorer.training.device import GPUS

if TYPE_CHECKING:
    from ray.actor import ActorHandle

WATCH_SECONDS = 1.0  # how often it is asked which nodes there are
LOST_SECONDS = 60.0  # after so long without an answer the head is taken for lost
KNOCKS = 3  # in vain, and it is as well: on a crowded machine an answer may take long, but not this
MOST_EARLY_DEATHS = 3  # of workers of one node that ended before they were ready


@dataclass(frozen=True)
class Cluster:
    """What the liaison is to connect to, and what a run takes of it."""

    address: str
    device: str | None
    """None: a GPU where a node has one, else processors."""
    threads: int
    record_host: bool
    wanted: on_nodes.Wanted
    """But for its terms and its label."""


@dataclass(frozen=True)
class Node:
    """A node that is alive."""

    id: str
    name: str
    """For people: its host and its address."""
    label: str
    """For records."""
    places: int
    """How many runs it has room for."""
    gpu: bool


class _Found(TypedDict):
    """A node as Ray tells of it."""

    NodeID: str
    Alive: bool
    Resources: dict[str, float]
    NodeManagerHostname: str
    NodeManagerAddress: str


class _Reference(Protocol):
    """Ray's, to what a call comes to."""

    def future(self) -> Future[object]: ...


class _Method(Protocol):
    def remote(self, *arguments: object) -> _Reference: ...


class _Handle(Protocol):
    """Ray's, on a `node.Actor`."""

    open: _Method
    hear: _Method


@dataclass
class _Seat:
    """A worker's place on a node."""

    actor: _Handle
    node: Node
    ready: bool = False


class _End:
    """The parent is gone."""


class _Lost:
    """The head is gone."""


_Event: TypeAlias = "Order | tuple[str, int, Future[object]] | list[_Found] | _Lost | _End"
"""An order; what came of a call (which, the seat, its result); the nodes; the head's end; the parent's."""


def serve(connection: "Connection[Report, Order]", cluster: Cluster) -> None:
    """The process's life: until the parent is gone, or the cluster."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        knock(cluster.address)
        import ray

        ray.init(cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
        liaison = Liaison(connection, cluster)
    except BaseException as error:
        connection.send(Lost(first_line(error)))
        return
    try:
        liaison.live()
    except (BrokenPipeError, ConnectionResetError):  # the parent is gone
        pass
    finally:
        os._exit(0)  # Ray's own end takes seconds, and its cluster sees ours at once


def knock(address: str) -> None:
    """Raises OSError where nobody listens: Ray itself would go on trying for a minute."""
    host, colon, port = address.rpartition("/")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()


def first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


class Liaison:
    """Workers as actors, so many as there are places and use for."""

    def __init__(self, connection: "Connection[Report, Order]", cluster: Cluster) -> None:
        import ray
        from ray import cloudpickle

        cloudpickle.register_pickle_by_value(on_nodes)
        self.ray, self.connection, self.cluster = ray, connection, cluster
        self.actor = ray.remote(on_nodes.Actor)
        self.head: str = ray.get_runtime_context().gcs_address
        self.inbox: SimpleQueue[_Event] = SimpleQueue()
        self.numbers = itertools.count()
        self.seats: dict[int, _Seat] = {}
        self.nodes: dict[str, Node] = {}
        self.refused: set[str] = set()
        self.early_deaths: Counter[str] = Counter()
        self.places: int | None = None
        self.wanted = 0
        self.terms: bytes | None = None
        self.data: object = None
        """The data set in Ray's object store, once it was asked for."""
        self.hungry: list[int] = []
        """Seats that wait for it."""

    def live(self) -> None:
        self.learn(self.ray.nodes())
        for task in (self._listen, self._watch):
            threading.Thread(target=task, daemon=True).start()
        silent = 0.0  # seconds of waiting alone: neither a process that was stopped nor a slow parent is a lost head
        while silent < LOST_SECONDS:
            began = time.monotonic()
            try:
                event = self.inbox.get(timeout=WATCH_SECONDS)
            except Empty:
                event = None
            silent += min(time.monotonic() - began, 2 * WATCH_SECONDS)
            if event is None:
                continue
            if isinstance(event, _End):
                return
            if isinstance(event, _Lost):
                break
            if isinstance(event, list):
                silent = 0.0
            self.handle(event)
        self.connection.send(Lost("its head does not answer"))

    def _listen(self) -> None:
        """Hear the parent's orders."""
        try:
            while True:
                self.inbox.put(self.connection.recv())
        except (EOFError, OSError):
            self.inbox.put(_End())

    def _watch(self) -> None:
        """Ask again and again which nodes there are: in a thread, for a head that is lost does not answer."""
        in_vain = 0
        while in_vain < KNOCKS:
            time.sleep(WATCH_SECONDS)
            try:
                knock(self.head)
                self.inbox.put(self.ray.nodes())
                in_vain = 0
            except OSError:
                in_vain += 1
        self.inbox.put(_Lost())

    def handle(self, event: _Event) -> None:
        match event:
            case list():
                self.learn(event)
            case "opened", int(number), Future() as future:
                self.opened(number, future)
            case "heard", int(number), Future() as future:
                self.heard(number, future)
            case Begin(terms):
                for number in list(self.seats):
                    self.end(number)
                self.terms, self.data, self.hungry, self.wanted = terms, None, [], 0
                self.refused.clear()
                self.early_deaths.clear()
                self.connection.send(Begun())
            case Want(workers):
                self.wanted = workers
                self.fill()
            case Give(number, task):
                if seat := self.seats.get(number):
                    self.ask("heard", number, seat.actor.hear.remote(task))
            case Dismiss(number):
                self.end(number)
                self.fill()
            case Ship(data):
                self.data = self.ray.put(pickle.loads(data))
                for number in self.hungry:
                    self.open(number)
                self.hungry = []

    def open(self, number: int) -> None:
        if seat := self.seats.get(number):
            self.ask("opened", number, seat.actor.open.remote(self.data))

    def ask(self, what: str, number: int, reference: _Reference) -> None:
        """Have what comes of a call put into the inbox."""
        tell: Callable[[Future[object]], None] = lambda future: self.inbox.put((what, number, future))  # noqa: E731
        reference.future().add_done_callback(tell)

    def learn(self, found: Sequence[_Found]) -> None:
        """Which nodes there are now: workers of those that are gone are gone, on new ones there is room."""
        self.nodes = {one["NodeID"]: self.node(one) for one in found if one["Alive"]}
        for number, seat in list(self.seats.items()):
            if seat.node.id not in self.nodes:
                self.end(number)
                self.connection.send(Left(number, f"its node {seat.node.label} is gone"))
        self.fill()

    def node(self, found: _Found) -> Node:
        resources, device = found["Resources"], (self.cluster.device or "").split(":")[0]
        gpus = int(resources.get("GPU", 0))
        gpu = device in GPUS or (not device and gpus > 0)
        places = gpus if gpu else int(resources.get("CPU", 0) // self.cluster.threads)
        host, address, id = found["NodeManagerHostname"], found["NodeManagerAddress"], found["NodeID"]
        name = host if host == address else f"{host} ({address})"
        return Node(id, name, host if self.cluster.record_host else id[:8], places, gpu)

    def usable(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.id not in self.refused]

    def fill(self) -> None:
        """Start workers until there are as many as are of use and have room, node by node in turn."""
        places = sum(node.places for node in self.usable())
        if places != self.places:
            self.places = places
            self.connection.send(Room(places))
        taken = Counter(seat.node.id for seat in self.seats.values())
        while self.terms is not None and len(self.seats) < self.wanted:
            free = [node for node in self.usable() if taken[node.id] < node.places]
            if not free:
                return
            node = min(free, key=lambda node: taken[node.id])
            taken[node.id] += 1
            self.start(node)

    def start(self, node: Node) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        number = next(self.numbers)
        found = self.actor.options(
            num_cpus=0 if node.gpu else self.cluster.threads,
            num_gpus=1 if node.gpu else 0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        ).remote(self.cluster.wanted._replace(terms=self.terms or b"", label=node.label))
        actor = cast(_Handle, found)
        self.seats[number] = _Seat(actor, node)
        self.ask("opened", number, actor.open.remote())

    def end(self, number: int) -> None:
        if seat := self.seats.pop(number, None):
            self.ray.kill(cast("ActorHandle[on_nodes.Actor]", seat.actor))

    def opened(self, number: int, future: "Future[object]") -> None:
        if (seat := self.seats.get(number)) is None:
            return
        if (error := future.exception()) is not None:
            self.end(number)
            self.early_deaths[seat.node.id] += 1
            if self.early_deaths[seat.node.id] >= MOST_EARLY_DEATHS:
                self.refuse(seat.node, f"its workers end before they can train ({first_line(error)})")
            return  # another is started when the nodes are asked about next
        answer = future.result()
        assert isinstance(answer, tuple)
        verdict, line = answer
        if verdict == "refused":
            self.refuse(seat.node, line)
        elif verdict == "needs data" and self.data is not None:
            self.open(number)
        elif verdict == "needs data":
            self.hungry.append(number)
            if len(self.hungry) == 1:
                self.connection.send(NeedsData())
        else:
            seat.ready = True
            self.connection.send(Joined(number, seat.node.id, seat.node.label))

    def refuse(self, node: Node, line: str) -> None:
        """Have no more workers on this node."""
        if node.id not in self.refused:
            self.refused.add(node.id)
            self.connection.send(Refused(f"node {node.name} is left out: {line}"))
        for number, seat in list(self.seats.items()):
            if seat.node.id == node.id:
                self.end(number)
                if seat.ready:
                    self.connection.send(Left(number, f"its node {node.label} is left out"))
        self.fill()

    def heard(self, number: int, future: "Future[object]") -> None:
        if (seat := self.seats.get(number)) is None:
            return
        if (error := future.exception()) is not None:
            self.end(number)
            self.connection.send(Left(number, f"its worker on {seat.node.label} died ({type(error).__name__})"))
            return
        answer = future.result()
        assert isinstance(answer, tuple)
        going, messages = answer
        self.connection.send(Said(number, messages))
        if going:
            self.ask("heard", number, seat.actor.hear.remote())
