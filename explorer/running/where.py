"""Where a person wants runs to be computed. Light: the command line's help is made from it."""

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["local", "ray"]
ENGINES: tuple[EngineName, ...] = ("local", "ray")


@dataclass(frozen=True)
class Where:
    """What was asked for."""

    engine: EngineName = "local"
    jobs: int | None = None
    """The most runs at once; None: as many as there is room for."""
    run_timeout: float | None = None
    """Seconds of silence after which a worker is taken for stuck; None: the usual patience."""
    watched: bool = True
    """Whether a single run at a time is watched as well, which takes a process of its own."""
    address: str = "auto"
    """Of the cluster."""
    threads: int = 1
    """Processors that a run takes on the cluster."""
    record_host: bool = False
    """Whether records name the cluster's nodes by their hosts."""


def at(address: str | None, jobs: int | None = None, run_timeout: float | None = None) -> Where:
    """The cluster at this address; without one this machine, one run at a time unless ``jobs`` says."""
    if address is None:
        return Where(jobs=jobs or 1, run_timeout=run_timeout, watched=False)
    return Where("ray", jobs, run_timeout, address=address)
