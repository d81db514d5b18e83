"""Claims on runs: of the processes that use one ledger, each run is trained by one at a time.

A claim is a lock on one byte of ``claims.lock`` beside the ledger, at an offset made of the run's id. The system frees
it when its owner ends, however that ends, so that none is ever stale, and nothing is ever written into the file.
"""

import os
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

FILE = "claims.lock"


class Claims:
    """This process's claims on runs in the results ``folder``; one object a process and folder.

    Where the file system has no locks, or the file cannot be opened, every claim is granted: a run may then be trained
    twice, as the ledger can tell.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / FILE
        self._file: int | None = None

    def take(self, run: str) -> bool:
        """Whether the run with this id is this process's now; False where another process has it."""
        file = self._opened()
        if file is None:
            return True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(run))
        except (BlockingIOError, PermissionError):  # POSIX allows both for a lock that another process holds
            return False
        except OSError:
            return True
        return True

    def release(self, run: str) -> None:
        """Leave the run to others."""
        if self._file is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _offset(run))

    def close(self) -> None:
        """Release every claim."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int | None:
        if self._file is None and fcntl is not None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
            with suppress(OSError):
                self._file = os.open(self.path, flags, 0o666)
        return self._file


def _offset(run: str) -> int:
    """The byte that stands for the run: 62 bits of its id, for an offset has 63."""
    return int(run, 16) >> 2
