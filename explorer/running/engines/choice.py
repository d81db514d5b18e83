"""What computes runs, as a person asked: processes of this machine, or the machines of a cluster."""

import os
from typing import Protocol

from explorer.running.engines import Engine, Patience, WorkerSetup
from explorer.running.engines.local import local_engine
from explorer.running.prepare import device_for
from explorer.running.runner import Runner
from explorer.running.where import Where
from explorer.training.device import usual_jobs


class Computers(Protocol):
    """The machines, found. ``jobs``: how many runs they take at once; ``device``: what all share, if it is one."""

    jobs: int
    device: str

    def engine(self, runner: Runner, setup: WorkerSetup, patience: Patience) -> Engine:
        """``patience``: the usual one."""
        ...

    def close(self) -> None: ...


class ThisMachine:
    """This process, or several."""

    def __init__(self, where: Where, device: str, most: int | None):
        self.where, self.device = where, device
        jobs = where.jobs or usual_jobs(device)
        self.jobs = jobs if most is None else min(jobs, most)
        # to watch one run at a time takes a second process, and some drivers give a GPU to one process alone
        self.watched = self.jobs > 1 or (where.watched and device.split(":")[0] == "CPU")

    def engine(self, runner: Runner, setup: WorkerSetup, patience: Patience) -> Engine:
        return local_engine(runner, setup, self.jobs, self.where.run_timeout, patience if self.watched else None)

    def close(self) -> None:
        pass


class OnRay:
    """A Ray cluster. Raises UserError where it cannot be reached, or has no room."""

    device = ""

    def __init__(self, where: Where, device: str | None, kernels: bool | None):
        from explorer.running.engines.ray import RayCluster

        self.where = where
        self.cluster = RayCluster(where.address, device, kernels, where.threads, where.record_host)
        self.jobs = min(where.jobs or self.cluster.places, self.cluster.places)

    def engine(self, runner: Runner, setup: WorkerSetup, patience: Patience) -> Engine:
        from explorer.running.engines.ray import RayEngine

        timeout = self.where.run_timeout
        patient = patience if timeout is None else lambda config: timeout
        return RayEngine(self.cluster, runner, setup, self.where.jobs, patient)

    def close(self) -> None:
        self.cluster.close()


def computers(where: Where, device: str | None, kernels: bool | None, most: int | None = None) -> Computers:
    """What a person asked for, found: by ``device`` and ``kernels``, too, as `prepared` takes them. ``most``: so many
    runs there are, where that is known."""
    if where.engine == "ray":
        return OnRay(where, device or os.environ.get("DEV") or None, kernels)
    return ThisMachine(where, device_for(device), most)
