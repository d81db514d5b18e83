"""Where runs are computed: what this machine's processes and a Ray cluster ask for beside the runs themselves, and how
a study of 10,000 runs scales with its workers.

    python -m benchmarks.engines --address 127.0.0.1:6379   # two or three minutes, and the simulation
    python -m benchmarks.engines --write                    # the simulation alone, and what was measured before

Measured, turn by turn on the same cores: *overhead a run*, the seconds of all workers beside those that the records
count, over runs of one shape by workers that are warm; the seconds until the *first record* of workers that start; and
the processor time that the process which gives out runs and keeps records takes a run. The cluster should have as many
processors as this machine, and be on it.

Simulated: workers take runs as `Waiting` gives them out, the rule of both engines. Runs are drawn from the published
ledger, whole points at a time, with the seconds they took; a worker's first run of a shape takes as long as the slowest
recorded one to capture it. One process hands out and records one run after the other.
"""

import argparse
import heapq
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from benchmarks import machine
from explorer import datasets
from explorer.asking.search import Listed
from explorer.config import Config, make_config
from explorer.running.engines import Engine, WorkerSetup
from explorer.running.engines.local import LocalProcesses
from explorer.running.engines.waiting import Waiting
from explorer.running.ledger import Ledger
from explorer.running.prepare import prepared
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.running.trackers import Silent

RUNS = 10_000
STAGES = (0.7, 0.2, 0.1)  # of a study's runs: tries, finalists, fresh seeds; each waits for the one before
WORKERS = (1, 8, 16, 32, 64, 128, 256, 512)
MEASURED = ("engine", "first record, s", "overhead a run, ms", "keeping a run, ms of processor", "n")
SIMULATED = (
    *("workers", "hours", "times as fast", "training %", "capturing %"),
    *("waiting at a stage's end %", "waiting to be served %"),
)


@dataclass(frozen=True)
class Measured:
    """One turn. Seconds."""

    first: float
    overhead: float
    keeping: float


def turn(engine: Engine, recorder: Recorder, configs: Sequence[Config], workers: int, began: float) -> Measured:
    """The first config of each worker is to warm it."""
    warm, rest = configs[:workers], configs[workers:]
    first = 0.0
    for _ in answer(Listed(warm), engine, recorder, Silent()):
        first = first or time.perf_counter() - began
    wall, busy = time.perf_counter(), time.process_time()
    records = list(answer(Listed(rest), engine, recorder, Silent()))
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    spent = sum(record.seconds.total for record in records)
    return Measured(first, (workers * wall - spent) / len(rest), busy / len(rest))


def runs_of_one_shape(count: int, number: int) -> list[Config]:
    """``number`` of the turn: no two turns have a run in common."""
    seeds = range(1 + number * count, 1 + (number + 1) * count)
    base = {"model": "mlp", "dataset": "digits", "units": (64,), "batch_size": 32, "steps": 200}
    return [make_config({**base, "seed": seed}) for seed in seeds]


def measured(address: str, runs: int, turns: int) -> dict[str, list[Measured]]:
    from explorer.running.engines.ray import RayCluster, RayEngine

    runner, setup, workers = Runner(datasets.load("digits")), WorkerSetup("digits"), machine.cores()
    found: dict[str, list[Measured]] = {"local": [], "ray": []}
    with prepared("CPU"), tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Store(Path(folder)), runner.data.digest)
        recorder.prepare()
        for number in range(turns):
            for name, place in (("local", 2 * number), ("ray", 2 * number + 1)):
                configs, began = runs_of_one_shape(runs + workers, place), time.perf_counter()
                if name == "local":
                    with closing(LocalProcesses(runner, setup, workers)) as engine:
                        found[name].append(turn(engine, recorder, configs, workers, began))
                else:
                    with (
                        closing(RayCluster(address, "CPU")) as cluster,
                        closing(RayEngine(cluster, runner, setup, workers)) as on_ray,
                    ):
                        found[name].append(turn(on_ray, recorder, configs, workers, began))
    return found


def memory_of_idle_node() -> float | None:
    """Megabytes that Ray's processes of this machine hold, shared ones divided among those that share; None where there
    are none, or the system does not say."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if (b"/ray/" in words and b"gcs_server" not in words) or words.startswith(b"ray::IDLE"):
                rollup = (folder / "smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024 or None


@dataclass(frozen=True)
class Cost:
    """Of a recorded run, in seconds: ``run`` where its shape is captured already, ``capture`` more where it is not."""

    config: Config
    run: float
    capture: float


def recorded_costs() -> list[list[Cost]]:
    """The published runs that ended well, point by point."""
    records = [one for one in Ledger(machine.PROJECT / "results", read_only=True).records() if one.status == "ok"]
    slowest: dict[object, float] = {}
    fastest: dict[object, float] = {}
    for record in records:
        shape, capture = record.point.shape, record.seconds.compile
        slowest[shape] = max(slowest.get(shape, 0.0), capture)
        fastest[shape] = min(fastest.get(shape, capture), capture)
    points: dict[Config, list[Cost]] = {}
    for record in records:
        shape, seconds = record.point.shape, record.seconds
        run = seconds.train + seconds.eval + fastest[shape]
        points.setdefault(record.point, []).append(Cost(record.configuration, run, slowest[shape] - fastest[shape]))
    return list(points.values())


def study(costs: Sequence[Sequence[Cost]], runs: int, seed: int = 0) -> list[list[Cost]]:
    """Stages of ``runs`` runs in all, of points drawn at random: the runs of one come together, as a question's do."""
    random = np.random.default_rng(seed)
    stages = []
    for share in STAGES:
        drawn: list[Cost] = []
        while len(drawn) < round(share * runs):
            drawn += costs[int(random.integers(len(costs)))]
        stages.append(drawn[: round(share * runs)])
    return stages


@dataclass
class Spent:
    """Seconds of all workers together, and how long it took."""

    hours: float = 0.0
    running: float = 0.0
    capturing: float = 0.0
    waiting: float = 0.0
    served: float = 0.0


def simulated(stages: Sequence[Sequence[Cost]], workers: int, keeping: float) -> Spent:
    """``keeping``: seconds in which one process records a run and hands out the next, one after the other."""
    spent, clock, free_at = Spent(), 0.0, 0.0
    shapes: list[object] = [None] * workers
    held = Counter(shapes)
    for stage in stages:
        # a config may be drawn twice: each is waited for by its place
        numbered = [cost.config.model_copy(update={"seed": place}) for place, cost in enumerate(stage)]
        waiting = Waiting(numbered)
        events = [(clock, worker) for worker in range(workers)]
        ends = []
        while events:
            asked, worker = heapq.heappop(events)
            served = max(asked, free_at) + keeping
            free_at = served
            if not waiting:
                ends.append(asked)
                continue
            own = shapes[worker]
            config = waiting.take(own, held)  # its own among them changes nothing: no run of it waits, or it is taken
            cost, shape = stage[config.seed], config.shape
            capture = 0.0 if own == shape else cost.capture
            held[own] -= 1
            if not held[own]:
                del held[own]
            held[shape] += 1
            shapes[worker] = shape
            spent.served += served - asked
            spent.capturing += capture
            spent.running += cost.run
            heapq.heappush(events, (served + capture + cost.run, worker))
        clock = max(ends)
        spent.waiting += sum(clock - end for end in ends)
    spent.hours = clock / 3600
    return spent


def simulation(keeping: float, workers: Sequence[int] = WORKERS, runs: int = RUNS) -> Iterator[list[str]]:
    """The table's rows."""
    stages = study(recorded_costs(), runs)
    alone: float | None = None
    for count in workers:
        spent = simulated(stages, count, keeping)
        alone = alone or spent.hours
        of_all = spent.hours * 3600 * count / 100
        shares = (spent.running, spent.capturing, spent.waiting, spent.served)
        speed = alone / spent.hours
        yield [str(count), f"{spent.hours:.2f}", f"{speed:.1f}", *(f"{share / of_all:.1f}" for share in shares)]


def row(name: str, turns: Sequence[Measured]) -> list[str]:
    def of(values: list[float], digits: int) -> str:
        return f"{np.median(values):.{digits}f} ({machine.spread(values, digits)})"

    return [
        name, of([one.first for one in turns], 1), of([1000 * one.overhead for one in turns], 0),
        of([1000 * one.keeping for one in turns], 1), str(len(turns)),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="of a Ray cluster on this machine, with its processors")
    parser.add_argument("--runs", type=int, default=40, help="runs a turn (40)")
    parser.add_argument("--turns", type=int, default=5, help="turns of each engine (5)")
    parser.add_argument("--keeping", type=float, default=10.0, help="milliseconds a run, for the simulation alone (10)")
    parser.add_argument("--write", action="store_true", help="write the tables into benchmarks/README.md")
    options = parser.parse_args()
    keeping = options.keeping / 1000
    if options.address:
        idle = memory_of_idle_node()
        busy = machine.busy_cores(2.0)
        found = measured(options.address, options.runs, options.turns)
        keeping = float(np.median([one.keeping for one in found["ray"]]))
        rows = [row(name, turns) for name, turns in found.items()]
        pairs = list(zip(found["ray"], found["local"], strict=True))
        ratios = [
            [getattr(a, field) / getattr(b, field) for a, b in pairs] for field in ("first", "overhead", "keeping")
        ]
        rows.append(
            [
                "ray / local",
                *(f"{np.median(ratio):.1f} ({machine.spread(ratio, 1)})" for ratio in ratios),
                str(len(pairs)),
            ]
        )
        table = tabulate(rows, MEASURED, "github", disable_numparse=True)
        lines = [
            *machine.description("CPU", "digits"),
            machine.strangers_line([busy or 0.0]) + ", before the first turn",
        ]
        lines[-1] = f"- {lines[-1]}"
        lines.append(f"- Ray {machine.installed('ray')}; its processes of an idle node hold {idle or 0:.0f} MB")
        text = "\n".join((*lines, "", table))
        print(text, flush=True)
        if options.write:
            machine.write_section("engines", text)
    rows = list(simulation(keeping))
    text = f"Keeping a run: {1000 * keeping:.1f} ms.\n\n" + tabulate(rows, SIMULATED, "github", disable_numparse=True)
    print(text)
    if options.write:
        machine.write_section("scaling", text)
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
