"""What is recorded already and what is to be. The parent process alone has a Recorder: it alone writes the ledger."""

from collections.abc import Iterator
from typing import Any

from explorer.asking.search import Search
from explorer.config import Config
from explorer.running import predictions
from explorer.running.engines import Engine
from explorer.running.ledger import Ledger, run_id
from explorer.running.runner import Ended
from explorer.running.trackers import TrackedRun, Tracker


class Recorder:
    """Looks runs on one data set up in a ledger and appends new ones to it."""

    def __init__(self, ledger: Ledger, digest: str):
        self.ledger, self.digest = ledger, digest

    def recorded(self, config: Config) -> dict[str, Any] | None:
        """The record of this very run, if it has been run; a failed run does not count."""
        record = self.ledger.find(run_id(config.identity(), self.digest))
        return record if record and record["status"] != "failed" else None

    def keep(self, ended: Ended) -> dict[str, Any]:
        """Append the record, and the predictions of a run that leads: to have them later is to train once more."""
        leads = ended.logits is not None and self.leads(ended.record)
        self.ledger.append(ended.record)
        if leads and ended.logits is not None:
            predictions.save(self.ledger.path.parent, ended.record["id"], ended.logits)
        return ended.record

    def leads(self, record: dict[str, Any]) -> bool:
        """Whether no recorded run of seed 0 of this model on this data set is better on validation."""
        if record["val_accuracy"] is None:
            return False

        def rivals(other: dict[str, Any]) -> bool:
            return all(other["config"][name] == record["config"][name] for name in ("model", "dataset", "seed"))

        return all((o["val_accuracy"] or 0.0) <= record["val_accuracy"] for o in self.ledger.records() if rivals(o))


def answer(
    search: Search, engine: Engine, recorder: Recorder, tracker: Tracker, force: bool = False
) -> Iterator[dict[str, Any]]:
    """Train what ``search`` asks for until it asks no more, keep every record and yield it as its run ends.

    A run that is recorded already is told to the search from there, and trained only with ``force``.
    """
    while asked := search.ask():
        waiting = []
        for config in asked:
            record = None if force else recorder.recorded(config)
            if record is None:
                waiting.append(config)
            else:
                search.tell(config, record)
        by_id = {run_id(config.identity(), recorder.digest): config for config in waiting}
        for ended in engine.run(waiting, tracker):
            record = recorder.keep(ended)
            config = by_id[record["id"]]
            tracker.finished(TrackedRun(record["id"], config), record)
            search.tell(config, record)
            yield record
