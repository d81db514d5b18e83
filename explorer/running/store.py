"""Where results lie: the published study that ships with the program, and beside it this clone's own runs.

``results/`` holds what is published and is only read; ``results/own/``, which git ignores, takes a person's own runs
and sweeps. A folder that a person names stands alone: it is read and written, and nothing else is.
"""

from collections.abc import Callable
from pathlib import Path

from explorer.files import Damaged, print_to_stderr, user_data
from explorer.record import Record
from explorer.running import requests
from explorer.running.ledger import Ledger
from explorer.running.requests import Request

PROJECT = Path(__file__).resolve().parents[2]
PUBLISHED = PROJECT / "results"
OWN = "own"


def own_folder(published: Path = PUBLISHED) -> Path:
    """Where a person's own runs go unless they say otherwise: an installed program has no study beside it."""
    return published / OWN if published.is_dir() else user_data() / "results"


class Store:
    """The published study and this clone's own runs; or, with ``folder``, that folder alone.

    Opening creates nothing. With ``read_only`` nothing is written either. Methods raise UserError as `Ledger` and
    `requests` do.
    """

    def __init__(
        self,
        folder: Path | None = None,
        say: Callable[[str], None] = print_to_stderr,
        *,
        read_only: bool = False,
        published: Path = PUBLISHED,
    ) -> None:
        self.alone = folder is not None
        self.folder = own_folder(Path(published)) if folder is None else Path(folder)
        """What is written goes here."""
        self.published_folder = self.folder if self.alone else Path(published)
        self.ledger = Ledger(self.folder, say, read_only=read_only, own=not self.alone, create=False)
        """The one that is written: a single run is looked up here alone, so that a fresh clone trains it."""
        self._published = self.ledger if self.alone else Ledger(published, say, read_only=True)

    @property
    def path(self) -> Path:
        """The file that new records go to."""
        return self.ledger.path

    @property
    def folders(self) -> list[Path]:
        """The folders of results that are read, this clone's own first: predictions lie in either."""
        return [self.folder] if self.alone else [self.folder, self.published_folder]

    def find(self, id: str, own_only: bool = False) -> Record | None:
        """The last record with this id, one's own before a published one; or None."""
        found = self.ledger.find(id)
        return self._published.find(id) if found is None and not own_only and not self.alone else found

    def records(self, published_only: bool = False) -> list[Record]:
        """All records, the published ones first; each says whether it is ``own``."""
        if self.alone:
            return self.ledger.records()
        return self._published.records() + ([] if published_only else self.ledger.records())

    def damaged(self, published_only: bool = False) -> list[Damaged]:
        """The lines of these files that are left out, for they are no records and no requests."""
        ledgers = [self._published] if self.alone or published_only else [self._published, self.ledger]
        return [one for ledger in ledgers for one in (*ledger.damaged, *requests.damaged(ledger.path.parent))]

    def requests(self, published_only: bool = False) -> list[Request]:
        """All sweeps that were asked for, the published ones first; each says whether it is ``own``.

        A sweep that is published and was asked for here with more seeds stands in both.
        """
        if self.alone:
            return requests.read(self.folder)
        return requests.read(self.published_folder) + ([] if published_only else requests.read(self.folder, own=True))

    def prepare(self) -> None:
        """Creates what is missing. Raises UserError where no record could be kept."""
        self.ledger.prepare()

    def append(self, record: Record) -> None:
        """Adds a record to one's own; on return it is on the disk."""
        self.ledger.append(record)

    def note(self, request: Request, trained: bool = True) -> bool:
        """Notes down that a sweep was asked for; False where that is known already.

        What is published with as many seeds is one's own only if runs were ``trained`` for it.
        """
        if not self.alone and not trained and self._is_published(request):
            return False
        return requests.append(self.folder, request)

    def _is_published(self, request: Request) -> bool:
        return any(other.covers(request) for other in requests.read(self.published_folder))
