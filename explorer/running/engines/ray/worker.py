"""What trains on a node, once it is known that the node has the same program."""

import dataclasses
import os
import pickle
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from explorer import datasets
from explorer.config import make_config
from explorer.datasets.dataset import Dataset
from explorer.datasets.entry import Published
from explorer.errors import UserError
from explorer.running.engines import Broken, Mistaken, News
from explorer.running.engines.ray.messages import Task, Terms
from explorer.running.prepare import prepared
from explorer.running.runner import Runner, Trained
from explorer.training.device import NODE_VARIABLE

if TYPE_CHECKING:  # importing it for real imports tinygrad
    from explorer.training.trainer import Progress

QUIET_SECONDS = 1.0  # between two messages of a run that has not looked: hundreds of workers send to one process


class Worker:
    """Trains in a thread of its own, so that it can be listened to meanwhile. One thread: tinygrad's cache of compiled
    kernels belongs to the thread that opened it."""

    def __init__(self, terms: bytes, label: str) -> None:
        self.terms: Terms = pickle.loads(terms)
        self.label = label
        self.tasks: SimpleQueue[Task] = SimpleQueue()
        self.news: SimpleQueue[tuple[bool, News]] = SimpleQueue()
        """(whether the run goes on, what there is to say)"""
        self.opened: SimpleQueue[str] = SimpleQueue()
        """Why the device cannot be used here; an empty text where it can."""

    def open(self, shipped: object) -> tuple[str, str]:
        """As `node.Actor.open`; ``shipped`` is the data set, where it was asked for."""
        try:
            data = shipped if isinstance(shipped, Dataset) else found(self.terms)
        except UserError as error:
            return "refused", str(error)
        if data is None:
            return "needs data", ""
        threading.Thread(target=self._live, args=(Runner(data),), daemon=True).start()
        refusal = self.opened.get()
        return ("refused", refusal) if refusal else ("ready", "")

    def hear(self, task: bytes | None) -> tuple[bool, list[bytes]]:
        """As `node.Actor.hear`."""
        if task is not None:
            self.tasks.put(pickle.loads(task))
        going, message = self.news.get()
        messages = [message]
        try:
            while going:
                going, message = self.news.get_nowait()
                messages.append(message)
        except Empty:
            pass
        return going, [pickle.dumps(one) for one in messages]

    def _live(self, runner: Runner) -> None:
        os.environ["KERNEL_THREADS"] = str(self.terms.threads)
        os.environ[NODE_VARIABLE] = self.label
        try:
            with prepared(self.terms.device, self.terms.kernels):
                self.opened.put("")
                while True:
                    task = self.tasks.get()
                    self.news.put((False, self._train(runner, task)))
        except Exception as error:  # else nobody would hear of it
            self.opened.put(str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")

    def _train(self, runner: Runner, task: Task) -> Trained | Broken | Mistaken:
        told = time.monotonic()

        def listen(progress: "Progress") -> None:
            nonlocal told
            if progress.look or time.monotonic() - told > QUIET_SECONDS:
                told = time.monotonic()
                self.news.put((True, progress))

        try:
            return runner.run(make_config(task.config), listen, task.bars)
        except UserError as error:
            return Mistaken(str(error))
        except Exception as error:  # whatever went wrong in this run is this run's matter
            return Broken(f"{type(error).__name__}: {error}")


def found(terms: Terms) -> Dataset | None:
    """The data set as this node has it: in the folder that was named, where the node's own environment and cache say,
    or where the other machine's did. None where it is in none of them; nothing is downloaded.

    Raises UserError where it has another data set in that place.
    """
    word, folders = terms.setup.dataset, (terms.setup.data_dir, None, terms.data_variable)
    for folder in dict.fromkeys(folders):
        try:
            entry = datasets.known(word) if word in datasets.names() else None
            if isinstance(entry, Published):
                data = datasets.read(dataclasses.replace(entry, mirrors=()), folder, lambda line: None)
            else:
                data = datasets.load(word, folder and Path(folder))
        except UserError:
            continue
        if data.digest != terms.digest:
            raise UserError(
                f"its data set {data.name} in {data.source} is another one than here; bring both to the same"
            )
        return data
    return None
