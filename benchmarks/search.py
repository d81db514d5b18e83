"""Our search by Optuna's Parzen tree against an Optuna study that calls us, a process a try, as its users would.

    python -m benchmarks.search            # about 15 minutes
    python -m benchmarks.search --readme   # and writes its section of benchmarks/README.md

Both search the same ranges with as many tries, on the digits. Optuna asks its own sampler, one that lives as long as
its study, and runs ``mnist_explorer.py mlp --json`` for each try. Of either the three best tries run on three seeds,
the best mean wins, and ten fresh seeds say what it is worth. The overhead of a try is all the time that passes but for
the run itself: for us what `answer` takes around `Runner.run`, for Optuna what the process takes around what its record
says of training, compiling and looking.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from benchmarks import machine
from explorer import datasets
from explorer.asking import studies
from explorer.asking.studies import StudyQuestion
from explorer.asking.tuning import StudySearch
from explorer.config import Config
from explorer.fields import flag_of, text_of
from explorer.record import Record
from explorer.running.engines.here import InProcess
from explorer.running.prepare import prepared
from explorer.running.recorder import Recorder, answer
from explorer.running.runner import Runner, Trained
from explorer.running.store import Store
from explorer.running.trackers import Silent
from explorer.seeds import fresh

QUESTION = """
[search]
finalists = 3
seeds = 3
fresh_seeds = 10
seed = {seed}
tries = {tries}
[search.ranges]
lr = {{ low = 1e-4, high = 0.1, log = true }}
batch_size = {{ values = [16, 32, 64, 128] }}
activation = {{ values = ["relu", "silu", "tanh"] }}
width = {{ low = 16, high = 256, log = true }}
dropout = {{ low = 0.0, high = 0.5 }}
[base]
steps = 60
"""
HEADERS = ("search", "tries", "best, fresh seeds, validation %", "test %", "overhead a try, ms", "n")


@dataclass(frozen=True)
class Outcome:
    """What a search came to: the fresh seeds' accuracies of its best, as fractions; the seconds around each try."""

    validation: list[float]
    test: list[float]
    overhead: list[float]


class TimedRunner(Runner):
    """Counts the seconds that runs take."""

    seconds = 0.0

    def run(self, config: Config, *arguments: object) -> Trained:
        began = time.perf_counter()
        try:
            return super().run(config, *arguments)  # type: ignore[arg-type]
        finally:
            self.seconds += time.perf_counter() - began


def ours(question: StudyQuestion, runner: TimedRunner) -> Outcome:
    """Our search: proposals, records on the disk, and runs, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Store(Path(folder)), runner.data.digest)
        search = StudySearch(question)
        records: list[Record] = []
        overhead: list[float] = []
        began, run = time.perf_counter(), runner.seconds
        for record in answer(search, InProcess(runner), recorder, Silent()):
            now = time.perf_counter()
            overhead.append(now - began - (runner.seconds - run))
            began, run = now, runner.seconds
            records.append(record)
    judging = [record for record in records if record.seed in fresh(question.fresh_seeds)]
    return outcome(judging, overhead[: question.tries])


def optuna_study(question: StudyQuestion, runner: TimedRunner) -> Outcome:
    """An Optuna study of the same ranges, which starts a process for each try."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    (contender,) = question.contenders
    space = {
        one.field: CategoricalDistribution(list(one.values)) if one.values
        else IntDistribution(int(one.low), int(one.high), log=one.log) if one.whole
        else FloatDistribution(one.low, one.high, log=one.log)
        for one in contender.ranges
    }  # fmt: skip
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=question.seed, multivariate=True)
    )
    tried: list[tuple[float, Config]] = []
    overhead = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(question.tries):
            began = time.perf_counter()
            trial = study.ask(space)
            config = contender.config(trial.params)
            record = in_a_process(config, Path(folder))
            accuracy = float(record["val_accuracy"] or 0.0)
            study.tell(trial, accuracy)
            tried.append((accuracy, config))
            overhead.append(time.perf_counter() - began - sum(record["seconds"].values()))

    def on(config: Config, seeds: range) -> list[Record]:
        return [runner.run(config.model_copy(update={"seed": seed})).record for seed in seeds]

    finalists = [config for _, config in sorted(tried, key=lambda one: -one[0])[: question.finalists]]
    best = max(finalists, key=lambda config: sum(one.val_accuracy or 0.0 for one in on(config, range(question.seeds))))
    return outcome(on(best, fresh(question.fresh_seeds)), overhead)


def in_a_process(config: Config, results: Path) -> dict:
    """The record of a run that a process of its own trains, as a program that knows only the command line has it."""
    words = [flag_of(name) + "=" + text_of(value) for name, value in config.to_json().items() if name != "model"]
    command = [sys.executable, str(machine.PROJECT / "mnist_explorer.py"), config.model, "--json", *words]
    told = subprocess.run([*command, "--results", str(results)], capture_output=True, text=True, cwd=results)
    if told.returncode not in (0, 3):
        raise RuntimeError(told.stderr)
    return json.loads(told.stdout)


def outcome(judging: list[Record], overhead: list[float]) -> Outcome:
    validation = [record.val_accuracy or 0.0 for record in judging]
    return Outcome(validation, [record.test_accuracy or 0.0 for record in judging], overhead)


def row(name: str, tries: int, outcomes: list[Outcome]) -> list[str]:
    """Means over searches, with the 95 % interval of their mean; the median overhead."""
    bests = [np.mean(one.validation) for one in outcomes]
    tests = [np.mean(one.test) for one in outcomes]
    overhead = [1000 * seconds for one in outcomes for seconds in one.overhead]
    return [name, str(tries), interval(bests), interval(tests), f"{np.median(overhead):.1f}", str(len(outcomes))]


def interval(values: list[float]) -> str:
    from scipy.special import stdtrit

    mean = f"{100 * np.mean(values):.2f}"
    if len(values) < 3:
        return mean
    half = stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(len(values))
    return f"{mean} ± {100 * half:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tries", type=int, default=24, help="of each search (default 24)")
    parser.add_argument("--searches", type=int, default=5, help="of either kind, each with its own seed (default 5)")
    parser.add_argument("--readme", action="store_true", help="write the section of benchmarks/README.md")
    options = parser.parse_args()
    found: dict[str, list[Outcome]] = {"ours, --search tpe": [], "an Optuna study, a process a try": []}
    with prepared("CPU"), tempfile.TemporaryDirectory() as folder:
        runner = TimedRunner(datasets.load("digits"))
        for seed in range(options.searches):
            path = Path(folder) / "search.toml"
            path.write_text(QUESTION.format(seed=seed, tries=options.tries))
            question = studies.load(str(path), "mlp", "digits", method="tpe")
            for name, search in zip(found, (ours, optuna_study), strict=True):
                found[name].append(search(question, runner))
                print(f"{name}, seed {seed}: {100 * np.mean(found[name][-1].validation):.2f} %", flush=True)
    rows = [row(name, options.tries, outcomes) for name, outcomes in found.items()]
    one, other = ([np.mean(outcome.validation) for outcome in outcomes] for outcomes in found.values())
    differences = [a - b for a, b in zip(one, other, strict=True)]
    lines = [
        *machine.description("CPU", "digits"),
        "",
        tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True),
        "",
        f"Ours less Optuna's, points of validation accuracy: {interval(differences)} (n = {len(differences)}).",
    ]
    print("\n".join(lines))
    if options.readme:
        machine.write_section("search", "\n".join(lines))
    return 0


if __name__ == "__main__":
    machine.leave_with(main)
