"""News for any number of pages: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import msgspec

WAIT_SECONDS = 15.0  # without news for so long, a line that says nothing keeps the connection open
MOST_WAITING = 1000  # a page that does not read is told to come again


class News:
    """A list of readers. `tell` may be called from any thread."""

    def __init__(self) -> None:
        self._readers: set[tuple[asyncio.AbstractEventLoop, asyncio.Queue[bytes]]] = set()
        self._lock = threading.Lock()

    def tell(self, content: object) -> None:
        """To all who read now."""
        line = event(content)
        with self._lock:
            readers = list(self._readers)
        for loop, queue in readers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_put, queue, line)

    async def read(self, first: Callable[[], object]) -> AsyncIterator[bytes]:
        """What is told from now on; before it what ``first`` says, so that nothing is missed in between."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        reader = (asyncio.get_running_loop(), queue)
        with self._lock:
            self._readers.add(reader)
        try:
            yield event(first())
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), WAIT_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
                if queue.full():
                    return
        finally:
            with self._lock:
                self._readers.discard(reader)


def event(content: object) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"


def _put(queue: "asyncio.Queue[bytes]", line: bytes) -> None:
    if not queue.full():
        queue.put_nowait(line)
