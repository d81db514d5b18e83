"""Kept nets: what is written is read again to the bit, measures as its record says; nothing else is taken for one."""

import json
import math
import pickle
import random

import msgspec
import numpy as np
import pytest
from tinygrad.nn.state import safe_load

from explorer.config import make_config
from explorer.errors import UserError
from explorer.running import answers, nets
from explorer.running.recorder import Recorder
from explorer.running.runner import Runner
from explorer.running.store import Store

SMALL = {"dataset": "digits", "batch_size": 32, "steps": 12, "eval_every": 6}
MLP = {"model": "mlp", "units": [24], "batchnorm": True, "dropout": 0.2, "scaling": "standard", **SMALL}
CNN = {"model": "cnn", "filters": [2, 2, 3, 3], "kernel_size": [3, 3], "scaling": "signed", **SMALL}


@pytest.fixture(scope="module")
def runner(digits):
    return Runner(digits, keep=True)


@pytest.fixture(scope="module")
def mlp(runner):
    return runner.run(make_config(MLP))


@pytest.fixture
def kept(mlp, tmp_path):
    return nets.save(tmp_path, mlp.net)


@pytest.mark.parametrize("fields", [MLP, CNN, {**MLP, "train_on": "all", "seed": 3}], ids=["mlp", "cnn", "all"])
def test_the_figures_of_a_kept_net_measured_again_are_its_records_to_the_last_digit(fields, runner, digits, tmp_path):
    trained = runner.run(make_config(fields))
    net = nets.load(nets.save(tmp_path, trained.net))
    figures = {figure.name: (figure.recorded, figure.measured) for figure in answers.measure(net, digits)}
    record = trained.record
    expected = {"test accuracy": (record.test_accuracy, record.test_accuracy)}
    if fields.get("train_on") != "all":
        expected["validation accuracy"] = (record.val_accuracy, record.val_accuracy)
        expected["validation loss"] = (record.val_loss, record.val_loss)
    assert figures == expected
    assert trained.record.test_accuracy > 0.05


def test_a_net_that_another_has_the_weights_of_measures_otherwise(runner, mlp, digits):
    other = runner.run(make_config({**MLP, "steps": 60})).net
    mixed = nets.Net(mlp.record, mlp.net.about, other.weights)
    assert any(figure.recorded != figure.measured for figure in answers.measure(mixed, digits))


def test_a_file_is_what_tinygrad_itself_reads(mlp, kept):
    found = {name: tensor.numpy() for name, tensor in safe_load(kept).items()}
    assert list(found) == list(mlp.net.weights)
    assert {name: values.shape for name, values in found.items()} == {
        "1.weight": (24, 784), "1.bias": (24,), "2.weight": (24,), "2.bias": (24,), "2.running_mean": (24,),
        "2.running_variance": (24,), "5.weight": (10, 24), "5.bias": (10,),
    }  # fmt: skip
    assert all((found[name] == mlp.net.weights[name]).all() for name in found)


def test_what_is_written_is_read_again_record_weights_and_scaling(mlp, kept):
    net = nets.load(kept)
    assert net.record.configuration == make_config(MLP)
    assert net.record.to_json() == mlp.record.to_json()
    assert msgspec.structs.replace(net.about, digest="") == mlp.net.about
    assert all((net.weights[name] == values).all() for name, values in mlp.net.weights.items())
    assert kept.name == f"{mlp.record.id}.safetensors"


def header_of(content: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(header, weights: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + weights


def changed(content: bytes, change) -> bytes:
    header, weights = header_of(content)
    change(header)
    return with_header(header, weights)


def of_net(header, **fields):
    header["__metadata__"]["net"] = json.dumps({**json.loads(header["__metadata__"]["net"]), **fields})


DAMAGES = {
    "empty": lambda content: b"",
    "text": lambda content: b"hello, this is no net at all, but a text of some length\n" * 9,
    "a pickle": lambda content: pickle.dumps({"weights": [1, 2, 3]}),
    "a header of terabytes": lambda content: (1 << 42).to_bytes(8, "little") + content[8:],
    "cut in the header": lambda content: content[:300],
    "cut in the weights": lambda content: content[:-100],
    "a header that is a list": lambda content: with_header([1, 2], content[-100:]),
    "deeply nested": lambda content: (100_000).to_bytes(8, "little") + b"[" * 100_000,
    "foreign": lambda content: changed(content, lambda header: header.pop("__metadata__")),
    "another's record": lambda content: changed(content, lambda h: h["__metadata__"].update(record='{"id": "x"}')),
    "settings that are not the id's": lambda content: content.replace(b'\\"lr\\":0.001', b'\\"lr\\":0.003'),
    "weights of another size": lambda content: changed(content, lambda h: h["1.bias"].update(shape=[23])),
    "a shape of billions": lambda content: changed(content, lambda h: h["1.bias"].update(shape=[1 << 40, 1 << 40])),
    "weights beyond the end": lambda content: changed(
        content, lambda h: h["1.bias"].update(data_offsets=[1 << 40, (1 << 40) + 96])
    ),
    "negative places": lambda content: changed(content, lambda h: h["1.bias"].update(data_offsets=[-96, 0])),
    "half precision": lambda content: changed(content, lambda h: h["1.bias"].update(dtype="F16")),
    "a tensor that is a number": lambda content: changed(content, lambda h: h.update({"1.bias": 3})),
    "images of no size": lambda content: changed(content, lambda h: of_net(h, height=0)),
    "a scaling that is none": lambda content: changed(content, lambda h: of_net(h, multiplier="much")),
    "a newer schema": lambda content: changed(content, lambda h: of_net(h, schema=99)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_one_line(damage, kept):
    kept.write_bytes(DAMAGES[damage](kept.read_bytes()))
    with pytest.raises(UserError, match=str(kept)) as refusal:
        nets.load(kept)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600


def test_a_changed_byte_is_noticed_wherever_it_changes_anything(mlp, kept):
    whole, chance = kept.read_bytes(), random.Random(0)
    refused = 0
    for place in [*range(16), *(chance.randrange(len(whole)) for _ in range(150))]:
        content = bytearray(whole)
        content[place] ^= 1 << chance.randrange(8)
        kept.write_bytes(content)
        try:
            net = nets.load(kept)
        except UserError:
            refused += 1
        else:  # a space of the header's end, a bit of a text that nothing depends on
            assert place < len(whole) - sum(values.nbytes for values in mlp.net.weights.values())
            assert all((net.weights[name] == values).all() for name, values in mlp.net.weights.items())
    assert refused > 140


def test_weights_that_are_not_those_of_the_configuration_are_refused(mlp, digits):
    weights = {name: values for name, values in mlp.net.weights.items() if name != "5.bias"}
    with pytest.raises(UserError, match="not those of its configuration"):
        answers.logits(nets.Net(mlp.record, mlp.net.about, weights), digits.test_images[:3])


def test_other_data_than_it_was_measured_on_are_refused(mlp, mnist):
    with pytest.raises(UserError, match="digest"):
        answers.measure(mlp.net, mnist)


def test_nothing_is_written_through_a_link(mlp, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "nets").symlink_to(tmp_path / "elsewhere")
    assert nets.save(tmp_path, mlp.net) is None
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "is not kept" in capsys.readouterr().err


def as_best(net: nets.Net) -> nets.Net:
    return nets.Net(net.record, msgspec.structs.replace(net.about, asked=False), net.weights)


def test_only_what_nobody_asked_for_makes_room_for_a_better_one(runner, mlp, tmp_path):
    other = runner.run(make_config({**MLP, "seed": 1})).net
    third = runner.run(make_config({**MLP, "seed": 2})).net
    nets.save(tmp_path, mlp.net)
    for net in (mlp.net, other, third):  # the first was asked for, and stays so
        nets.save(tmp_path, as_best(net))
    (tmp_path / "nets" / "mine.safetensors").write_bytes(b"somebody else's")
    nets.clear(tmp_path, {third.record.id})
    names = {path.stem for path in (tmp_path / "nets").glob("*.safetensors")}
    assert names == {mlp.record.id, third.record.id, "mine"}
    assert nets.ask_for(tmp_path, third.record.id)
    assert not nets.ask_for(tmp_path, other.record.id)
    nets.clear(tmp_path, set())
    assert nets.path_of(tmp_path, third.record.id).exists()


def test_a_net_is_found_by_its_id_its_model_or_its_file(runner, mlp, tmp_path, capsys):
    with pytest.raises(UserError, match="--keep"):
        nets.find([tmp_path])
    better = runner.run(make_config({**MLP, "steps": 120}))
    cnn = runner.run(make_config(CNN))
    assert better.record.val_accuracy > mlp.record.val_accuracy
    for trained in (mlp, better, cnn):
        path = nets.save(tmp_path, trained.net)
    (tmp_path / "nets" / "0123456789abcdef.safetensors").write_bytes(b"no net")
    found = {word: nets.find([tmp_path], word).record.id for word in ("mlp", "cnn", mlp.record.id[:6], str(path), None)}
    assert found == {
        "mlp": better.record.id, "cnn": cnn.record.id, mlp.record.id[:6]: mlp.record.id, str(path): cnn.record.id,
        None: max((mlp, better, cnn), key=lambda one: one.record.val_accuracy).record.id,
    }  # fmt: skip
    assert "left out" in capsys.readouterr().err
    with pytest.raises(UserError, match=cnn.record.id):
        nets.find([tmp_path], "lenet")
    with pytest.raises(UserError, match="of mnist"):
        nets.find([tmp_path], dataset="mnist")


def test_the_run_that_leads_leaves_its_net_behind_and_a_worse_one_does_not(digits, tmp_path):
    runner, recorder = Runner(digits), Recorder(Store(tmp_path), digits.digest, keeps_best=True)
    ids = []
    for lr in (0.003, 0.01, 0.00001):
        trained = runner.run(make_config({**MLP, "dropout": 0.1, "steps": 40, "lr": lr}))
        ids.append(trained.record.id)
        recorder.keep(trained)
    first, second, worst = (nets.path_of(tmp_path, run).exists() for run in ids)
    assert first
    assert not worst
    records = {record.id: record.val_accuracy for record in recorder.store.records()}
    assert second == (records[ids[1]] >= records[ids[0]])
    assert runner.run(make_config({**MLP, "seed": 5})).net is None


def test_probabilities_sum_to_one_and_follow_the_logits(mlp, digits):
    images = digits.test_images[:7]
    logits = answers.logits(mlp.net, images)
    shares = answers.probabilities(logits)
    assert shares.sum(axis=1) == pytest.approx([1.0] * 7)
    assert (shares.argmax(1) == logits.argmax(1)).all()
    assert math.log(shares[0, 1] / shares[0, 2]) == pytest.approx(float(logits[0, 1] - logits[0, 2]), abs=1e-4)


def test_images_of_another_size_are_refused(mlp):
    with pytest.raises(UserError, match="20x20"):
        answers.logits(mlp.net, np.zeros((2, 20, 20), np.uint8))
