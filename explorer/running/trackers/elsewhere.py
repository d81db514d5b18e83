"""Runs kept elsewhere too, in the tools that people watch. The training waits for none of it: what is heard is handed
over by a thread of its own, and what cannot be written is told once and tried again when the others are done."""

import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from explorer.config import Config
from explorer.errors import UserError
from explorer.files import print_to_stderr
from explorer.record import Record
from explorer.running.trackers import Several, Silent, TrackedRun
from explorer.running.trackers.facts import Home, Seen

if TYPE_CHECKING:
    from explorer.training.trainer import Progress

TOGETHER_SECONDS = 1.0  # what is heard within so long is handed over at once: a server takes the cores of the training
AGAIN_SECONDS = 30.0  # so long nothing is tried after something failed: a server that hangs costs 5 s each time
PATIENCE_SECONDS = 15.0  # at the end, without anything that comes through
HURRY_SECONDS = 2.0  # at the end after Ctrl-C
LONGEST_REASON = 200  # characters: what a server answers may be a page
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
Homes = Callable[[Config], Sequence[Home]]


class Destination(Protocol):
    """Where runs are kept besides the ledger. One thread alone uses it. Where it cannot write it raises what it
    likes."""

    where: str
    """What a person calls it, without its password."""

    def began(self, run: TrackedRun, homes: Sequence[Home]) -> None:
        """Whatever there is of this run from an earlier beginning is replaced."""
        ...

    def looked(self, id: str, seen: Sequence[Seen]) -> None:
        """Nothing is written of a run that it did not hear of, or forgot."""
        ...

    def forget(self, id: str) -> None:
        """Something of this run was lost: it is to be written whole when it ends."""
        ...

    def ended(self, run: TrackedRun, record: Record, homes: Sequence[Home]) -> bool:
        """Afterwards the whole run is there, whatever was heard of it before. False where it was there already."""
        ...

    def flush(self) -> None:
        """After some of these: what is owed to those who watch."""
        ...

    def close(self) -> None:
        """What began and did not end was interrupted."""
        ...


def beside(results: Path | None, name: str, example: str) -> Path:
    """Where runs are kept if nobody says where: beside their records. Raises UserError where these have no place."""
    if results is None:
        raise UserError(f"no folder of records is named to put {name} beside; name one, or a place, as in {example}")
    return results / name


@dataclass(frozen=True)
class _Began:
    run: TrackedRun
    homes: Sequence[Home]


@dataclass(frozen=True)
class _Looked:
    run: TrackedRun
    seen: Seen


@dataclass(frozen=True)
class _Ended:
    run: TrackedRun
    record: Record
    homes: Sequence[Home]
    last: bool = False
    """Whether another process trained it, which may be about to write it: it is looked after at the end."""


class _Closing:
    pass


_Event = _Began | _Looked | _Ended | _Closing


class Elsewhere(Silent):
    """The tracker that keeps runs at a destination. Nothing that goes wrong there is raised.

    ``homes``: where a run stands, asked when it is told of. ``catch_up``: the command that writes what is missing.
    """

    def __init__(
        self,
        name: str,
        destination: Destination,
        homes: Homes,
        catch_up: str,
        say: Callable[[str], None] = print_to_stderr,
        together: float = TOGETHER_SECONDS,
    ):
        self.name, self.destination, self.homes, self.catch_up, self.say = name, destination, homes, catch_up, say
        self.together = together
        self.owed: dict[str, _Ended] = {}
        """id -> a run that ended and is not there yet."""
        self._begun: set[str] = set()
        self._given: set[str] = set()
        self._handled = 0
        self._silent_until = 0.0
        self._told, self._up_to_date = False, True
        self._closing = threading.Event()
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"to {name}", daemon=True)
        self._thread.start()

    def started(self, run: TrackedRun) -> None:
        self._begun.add(run.id)
        self._events.put(_Began(run, self.homes(run.config)))

    def looked(self, run: TrackedRun, progress: "Progress") -> None:
        if progress.look is not None:
            self._events.put(_Looked(run, Seen(progress.look, time.time())))

    def finished(self, run: TrackedRun, record: Record) -> None:
        self._end(run, record, last=run.id not in self._begun)

    def complete(self, records: Iterable[Record]) -> None:
        """Runs that were recorded before are to be there as well."""
        for record in records:
            if record.id not in self._given:
                self._end(TrackedRun(record.id, record.configuration), record)

    def _end(self, run: TrackedRun, record: Record, last: bool = False) -> None:
        self._given.add(run.id)
        self.owed[run.id] = event = _Ended(run, record, self.homes(run.config), last)
        self._events.put(event)

    def close(self, hurry: bool = False) -> None:
        """Wait for what is still to be handed over, as long as any of it comes through; tell what is missing then."""
        self._closing.set()
        self._events.put(_Closing())
        while self._thread.is_alive():
            before = self._handled
            self._thread.join(HURRY_SECONDS if hurry else PATIENCE_SECONDS)
            if hurry or self._handled == before:
                break
        missing = len(self.owed)
        if missing or not self._up_to_date:
            lacks = "the last figures are" if not missing else "1 run is" if missing == 1 else f"{missing:,} runs are"
            self.say(f"{self.name}: {lacks} not there; when it can be written again: {self.catch_up}")

    def _work(self) -> None:
        while True:
            heard = [self._events.get()]
            self._closing.wait(self.together)
            with suppress(queue.Empty):
                while True:
                    heard.append(self._events.get_nowait())
            self._hand_over(heard)
            if self._closing.is_set() and any(isinstance(event, _Closing) for event in heard):
                self._finish()
                return

    def _hand_over(self, heard: Sequence[_Event]) -> None:
        """In the order they were heard, but a run's looks together."""
        seen: dict[str, list[_Looked]] = {}
        for event in heard:
            match event:
                case _Began():
                    seen.pop(event.run.id, None)
                    self._begin_there(event)
                case _Looked():
                    seen.setdefault(event.run.id, []).append(event)
                case _Ended():
                    self._hand_looks(seen.pop(event.run.id, []))
                    if not event.last:
                        self._end_there(event)
        for looks in seen.values():
            self._hand_looks(looks)
        self._up_to_date = self._try(self.destination.flush)

    def _begin_there(self, event: _Began) -> None:
        if not self._try(lambda: self.destination.began(event.run, event.homes)):
            self.destination.forget(event.run.id)

    def _hand_looks(self, looks: Sequence[_Looked]) -> None:
        if looks and not self._try(lambda: self.destination.looked(looks[0].run.id, [event.seen for event in looks])):
            self.destination.forget(looks[0].run.id)

    def _end_there(self, event: _Ended) -> bool:
        done = self._try(lambda: self.destination.ended(event.run, event.record, event.homes))
        if done:
            self.owed.pop(event.run.id, None)
        else:
            self.destination.forget(event.run.id)
        return done

    def _finish(self) -> None:
        """Try once more what failed, as far as it goes now."""
        self._silent_until = 0.0
        for event in list(self.owed.values()):
            if not self._end_there(event):
                break
        self._up_to_date = self._try(self.destination.flush)
        self._try(self.destination.close)

    def _try(self, do: Callable[[], object]) -> bool:
        try:
            if time.monotonic() < self._silent_until:
                return False
            do()
            return True
        except Exception as error:  # whatever a foreign library raises must not cost a run
            self._silent_until = time.monotonic() + AGAIN_SECONDS
            if not self._told:
                self._told = True
                self.say(f"{self.name} ({self.destination.where}) cannot be written: {reason(error)}; the runs go on")
            return False
        finally:
            self._handled += 1


def reason(error: Exception) -> str:
    """Why something failed, in one line."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    line = without_password(line)
    return line if len(line) <= LONGEST_REASON else line[:LONGEST_REASON] + "…"


def without_password(text: str) -> str:
    """The text with what stands before the host of an address left out."""
    return _PASSWORD.sub("", text)


class Everywhere(Several):
    """Keeps runs at several destinations, until it is left."""

    def __init__(self, *trackers: Elsewhere):
        super().__init__(*trackers)
        self.elsewhere = trackers

    def complete(self, records: Iterable[Record]) -> None:
        """As `Elsewhere.complete`."""
        records = list(records)
        for tracker in self.elsewhere:
            tracker.complete(records)

    def __enter__(self) -> "Everywhere":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        for tracker in self.elsewhere:
            tracker.close(hurry=kind is not None)
