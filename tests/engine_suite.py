"""What every engine must do. A test module makes a subclass with an ``engine`` fixture; pytest runs these there."""

import numpy as np
import pytest

from explorer.config import Config, make_config
from explorer.errors import UserError
from explorer.record import Bar, Cut
from explorer.running.engines import Engine
from explorer.running.runner import Runner
from explorer.running.trackers import TrackedRun

BASE = {"model": "mlp", "dataset": "digits", "units": (24,), "batch_size": 32, "steps": 6, "eval_every": 3}
# 6 GB of weights and as much again twice over: more than the address space that these tests leave it
IMPOSSIBLE = make_config({**BASE, "units": (16384,) * 24, "batch_size": 1000, "seed": 7})


def configs(count: int, **fields) -> list[Config]:
    return [make_config({**BASE, **fields, "seed": seed}) for seed in range(count)]


class Notes:
    """A tracker that writes down what it hears: (event, run, what was said)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, TrackedRun, object]] = []

    def awaited(self, runs) -> None:
        self.heard += [("awaited", run, None) for run in runs]

    def started(self, run) -> None:
        self.heard.append(("started", run, None))

    def tried_again(self, run, reason) -> None:
        self.heard.append(("tried again", run, reason))

    def looked(self, run, progress) -> None:
        self.heard.append(("looked", run, progress))

    def finished(self, run, record) -> None:
        self.heard.append(("finished", run, record))

    def said(self) -> list[str]:
        return [event for event, _, _ in self.heard]

    def of(self, id: str) -> list[str]:
        return [event for event, run, _ in self.heard if run.id == id]


class EngineSuite:
    """Needs fixtures: ``runner``, a Runner of the digits; ``engine``, an Engine of them; ``cramped_engine``, one whose
    runs have 3 GB to live in; ``broken_engine``, one whose runs all raise UserError."""

    def test_every_config_comes_back_once_with_the_record_this_process_would_make(self, engine: Engine, runner: Runner):
        asked = configs(3) + configs(2, units=(25,))
        ended = list(engine.run(asked, Notes()))
        assert sorted(one.record.id for one in ended) == sorted(map(runner.id_of, asked))
        assert {one.record.status for one in ended} == {"ok"}
        alone = runner.run(asked[1]).record
        (same,) = (one.record for one in ended if one.record.id == alone.id)
        assert same.test_accuracy == pytest.approx(alone.test_accuracy, abs=0.01)  # other threads, other sums
        assert [look.step for look in same.history] == [look.step for look in alone.history]

    def test_nothing_asked_is_nothing_done(self, engine: Engine):
        assert list(engine.run([], Notes())) == []

    def test_an_engine_runs_again_after_its_list_has_ended(self, engine: Engine):
        for seeds in (1, 2):
            assert len(list(engine.run(configs(seeds, lr=0.002 * seeds), Notes()))) == seeds

    def test_it_writes_nothing(self, engine: Engine, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        list(engine.run(configs(2), Notes()))
        assert list(tmp_path.iterdir()) == []

    def test_a_tracker_hears_of_every_start_and_every_look(self, engine: Engine):
        notes = Notes()
        ended = list(engine.run(configs(3), notes))
        for one in ended:
            events = notes.of(one.record.id)
            assert events[0] == "started"
            assert events.count("started") == 1
            assert "finished" not in events  # that is for whoever keeps the record
            looks = [
                said.look for event, run, said in notes.heard
                if event == "looked" and run.id == one.record.id and said.look
            ]  # fmt: skip
            assert [look.step for look in looks] == [3, 6]
            assert looks[-1].val_accuracy == pytest.approx(one.record.history[-1].val_accuracy, abs=1e-5)

    def test_only_what_may_lead_brings_its_predictions(self, engine: Engine, runner: Runner):
        asked = [*configs(2), make_config({**BASE, "train_on": "all"})]
        brought = {one.record.id: one.logits for one in engine.run(asked, Notes())}
        logits = brought[runner.id_of(asked[0])]
        assert logits.shape == (len(runner.data.test_images), 10)
        assert logits.dtype == np.float32
        assert brought[runner.id_of(asked[1])] is None
        assert brought[runner.id_of(asked[2])] is None

    def test_a_run_out_of_memory_is_recorded_as_failed_and_costs_no_other(self, cramped_engine: Engine):
        ended = list(cramped_engine.run([IMPOSSIBLE, *configs(2)], Notes()))
        status = {one.record.seed: one.record.status for one in ended}
        assert status == {7: "failed", 0: "ok", 1: "ok"}
        (failed,) = (one.record for one in ended if one.record.status == "failed")
        assert failed.error
        assert failed.test_accuracy is None

    def test_a_run_that_misses_a_bar_is_cut_at_that_look_and_the_others_run_on(self, engine: Engine):
        bars = {0: [Bar(0.5, 1.01)], 1: [Bar(0.5, 0.0)], 2: [Bar(1.0, 1.01)]}  # the end of a run cuts nothing
        ended = {
            one.record.seed: one.record
            for one in engine.run(configs(3), Notes(), bars=lambda config: bars[config.seed])
        }
        assert {seed: record.status for seed, record in ended.items()} == {0: "cut", 1: "ok", 2: "ok"}
        looks = ended[0].history
        assert ended[0].error == Cut(3, looks[-1].val_accuracy, 1.01)
        assert ([look.step for look in looks], ended[0].steps, ended[0].steps_done) == ([3], 6, 3)
        assert (ended[0].val_accuracy, ended[0].test_accuracy) == (None, None)

    def test_what_a_tracker_raises_is_not_blamed_on_the_run(self, engine: Engine):
        class Deaf(Notes):
            def looked(self, run, progress) -> None:
                raise ValueError("no ears")

        with pytest.raises(ValueError, match="no ears"):
            list(engine.run(configs(1, lr=0.004), Deaf()))
        assert len(list(engine.run(configs(1), Notes()))) == 1  # and the engine is none the worse

    def test_a_mistake_that_every_run_would_meet_ends_the_whole(self, broken_engine: Engine):
        with pytest.raises(UserError):
            list(broken_engine.run(configs(2), Notes()))
