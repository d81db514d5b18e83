"""Any device: what it is asked to do is counted on tinygrad's NULL, and what comes of it is compared on OpenCL.

No GPU is needed. NULL computes nothing, but is asked everything; OpenCL runs on the CPU where pocl is installed.
"""

import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from tinygrad import Device, Tensor
from tinygrad.helpers import Context
from tinygrad.uop.ops import Ops

from benchmarks.devices import counted
from explorer import models
from explorer.config import Config, make_config
from explorer.errors import UserError
from explorer.models.activations import ACTIVATIONS
from explorer.rules import optimizers as rules
from explorer.running.prepare import prepared
from explorer.training import device as devices
from explorer.training.feeding import AHEAD, HostFed, Resident
from explorer.training.memory import buffer, read, write
from explorer.training.trainer import Run, Trainer
from tests.conftest import PROJECT

MLP = {"model": "mlp", "dataset": "digits", "units": (24,), "batch_size": 32, "steps": 20, "eval_every": 10}
CNN = {"model": "cnn", "dataset": "digits", "filters": (2, 3, 4, 3), "batch_size": 16, "steps": 20, "eval_every": 5}
EVERYTHING = {"dropout": 0.2, "batchnorm": True, "angle": 10.0, "shift": 1.0, "sampling": "bilinear"}
WATCHED = {"lr_schedule": "plateau", "patience": 1, "lr_decay": 0.5, "lr": 0.05}


def on(device: str, fields: dict, data, feed=None):
    """The Result of a run on that device."""
    with Context(DEV=device):
        config = make_config(fields)
        return Trainer(config, data.of, feed).run(config, data)


def small(model: str) -> dict:
    """A small run of any model, one that was dropped in included."""
    rest = {"model": model, "dataset": "digits", "batch_size": 16, "steps": 20}
    return {"mlp": MLP, "cnn": CNN}.get(model, rest)


# ----------------------------------------------------------------------------------------------------------------------
# On NULL: what a step and a look ask of the host.


@pytest.fixture
def null():
    with Context(DEV="NULL", NULL_ALLOW_COPYOUT=1):
        yield


@pytest.mark.parametrize("fields", [MLP, CNN | EVERYTHING], ids=["mlp", "cnn with every random part"])
def test_256_steps_take_one_upload_and_captured_calls_alone_and_a_look_takes_one_download(fields, digits, null):
    config = make_config({**fields, "steps": 4 * AHEAD, "eval_every": AHEAD})
    run = Run(Trainer(config, digits.of), config, digits, lambda progress: None)
    with Context(TRAINING=1):
        for step in range(1, AHEAD + 1):
            run.take_step(step)
        run.fetch(AHEAD)
        for _ in range(2):  # the evaluation is captured
            run.look(AHEAD, 0)
        with counted("NULL") as counts:
            for step in range(AHEAD + 1, 2 * AHEAD + 1):
                run.take_step(step)
        assert (counts.copies_in, counts.copies_out, counts.waits) == (1, 0, 0)
        assert counts.launches == 0
        assert counts.graph_calls == AHEAD * len(run.trainer.step.jit.captured.linear.src)
        run.fetch(2 * AHEAD)
        with counted("NULL") as counts:
            run.look(2 * AHEAD, AHEAD)
        assert (counts.copies_in, counts.copies_out, counts.launches) == (0, 1, 0)


def test_a_cut_of_the_learning_rate_is_uploaded_once_and_only_then(digits, null):
    config = make_config({**MLP, **WATCHED, "steps": 4 * AHEAD})
    run = Run(Trainer(config, digits.of), config, digits, lambda progress: None)
    with Context(TRAINING=1):
        for step in range(1, 11):
            run.take_step(step)
        run.fetch(10)
        rates = []
        for step in (10, 10, 10):  # NULL's losses are all the same: the first look improves, each other one cuts
            with counted("NULL") as counts:
                run.look(step, 0)
            rates.append((run.delivered[-1].numbers[0], counts.copies_in))
    weights = len(run.trainer.weights())
    assert rates[0] == (np.float32(0.05), 0)
    assert rates[1] == (np.float32(0.025), weights + 1)
    assert rates[2] == (np.float32(0.0125), weights + 1)
    with counted("NULL") as counts:
        run.take_step(11)
    assert counts.copies_in == 0


def test_data_of_another_kind_are_uploaded_and_captured_anew(digits):
    import dataclasses

    fewer = dataclasses.replace(digits, train_images=digits.train_images[300:], train_labels=digits.train_labels[300:])
    config = make_config({**MLP, "steps": 3})
    with Context(DEV="CPU"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERNELS", "0")
        shared = Trainer(config, digits.of)
        shared.run(config, digits)
        alone = Trainer(config, digits.of).run(config, fewer)
        assert shared.run(config, fewer).losses == alone.losses


# ----------------------------------------------------------------------------------------------------------------------
# On NULL with OpenCL's renderer: no kernel of a step does more than a net asks for.


def work(call) -> int:
    """Threads times iterations of the loops of a kernel."""
    program = call.src[0]
    threads = math.prod(program.arg.global_size) * math.prod(program.arg.local_size or (1,))
    iterations, around = 0, [1]
    for uop in program.src[1].src:
        if uop.op is Ops.RANGE:
            around.append(around[-1] * (uop.vmax + 1))
            iterations += around[-1]
        elif uop.op is Ops.END:
            around.pop()
    return int(threads) * max(1, iterations)


def kernels_of_a_step(config: Config, data) -> list:
    with Context(DEV="NULL:OPENCL", NULL_ALLOW_COPYOUT=1, TRAINING=1):
        run = Run(Trainer(config, data.of), config, data, lambda progress: None)
        for step in (1, 2):
            run.take_step(step)
    calls = run.trainer.step.jit.captured.linear.src
    return [inner for call in calls for inner in call.src[0].src[0].src]


def least_work(config: Config, data) -> int:
    """Multiply-adds of the largest layer, which no kernel of a step need exceed by much."""
    layers = [layer for layer in config.net.build(data.of) if hasattr(layer, "weight")]
    places = {2: 1, 4: data.of.pixels}
    return config.batch_size * max(math.prod(x.weight.shape) * places.get(x.weight.ndim, 0) for x in layers)


NARROW = MLP | {"units": (4,)}  # its own work is little, so that any that is done again shows
CASES = [{**NARROW, "activation": name} for name in ACTIVATIONS]
CASES += [{**NARROW, "optimizer": name} for name in rules.OPTIMIZERS]
CASES += [small(model) for model in models.names()[1:]] + [CNN | EVERYTHING]


@pytest.mark.parametrize("fields", CASES, ids=lambda fields: " ".join(map(str, list(fields.values())[::6])))
def test_no_kernel_of_a_step_does_much_more_than_the_largest_layer(fields, digits):
    config = make_config(fields)
    most = max(kernels_of_a_step(config, digits), key=work)
    assert work(most) <= 3 * least_work(config, digits), most.src[0].arg.name


def test_a_norm_that_each_element_computes_again_is_found(digits, monkeypatch):
    monkeypatch.setattr(rules, "_norm", lambda x: x.square().sum().sqrt())
    config = make_config({**NARROW, "optimizer": "lamb"})
    assert max(map(work, kernels_of_a_step(config, digits))) > 3 * least_work(config, digits)


# ----------------------------------------------------------------------------------------------------------------------
# The choice of a device.


def test_without_a_gpu_the_cpu_is_chosen_though_opencl_may_run_on_it(monkeypatch):
    monkeypatch.delenv("DEV")
    if any(devices._is_gpu(name) for name in devices.GPUS):
        pytest.skip("there is a GPU here")
    with prepared():
        assert Device.DEFAULT == os.environ["DEV"] == "CPU"
    assert "DEV" not in os.environ


def test_the_first_gpu_that_works_is_chosen(monkeypatch):
    monkeypatch.delenv("DEV")
    tried = []
    monkeypatch.setattr(devices, "GPUS", ("NULL", "NOSUCH", "PYTHON", "CL"))  # NULL opens, but nothing comes out
    monkeypatch.setattr(devices, "_try", lambda name, inner=devices._try: (tried.append(name), inner(name)))
    with prepared():
        assert Device.DEFAULT == "PYTHON"
    assert tried == ["NULL", "NOSUCH", "PYTHON", "PYTHON"]


@pytest.mark.parametrize("name", ["NULL", "NOSUCH", "CPU:NOSUCH", "a:b:c:d"])
def test_a_device_that_cannot_be_used_is_one_line_that_names_it(name):
    with pytest.raises(UserError, match=f"^(--)?device {name}[ :]") as error, prepared(name):
        pass
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", devices.GPUS)
def test_a_gpu_opens_or_is_one_line_that_says_why_not(name):
    try:
        with prepared(name) as opened:
            told = f"device {opened} cannot be used here (it can)"
    except UserError as error:
        told = str(error)
    assert told.startswith(f"device {name} cannot be used here (")
    assert "\n" not in told


def test_of_several_ways_to_a_device_the_first_one_says_why_it_is_not_to_be_had():
    ways = [FileNotFoundError(2, "No such file or directory", "/dev/kfd"), RuntimeError("no USB")]
    line = str(devices.cannot_open("AMD", ExceptionGroup("No interface for AMD is available", ways)))
    assert "'/dev/kfd'" in line
    assert "exception" not in line


def test_processes_share_a_cpu_and_no_other_device(monkeypatch):
    monkeypatch.setattr(devices.machine, "cores", lambda: 8)
    assert [devices.usual_jobs(name) for name in ("CPU", "CPU:LLVM", "CL", "CUDA")] == [8, 8, 1, 1]


# ----------------------------------------------------------------------------------------------------------------------
# On the CPU without our kernels, and on OpenCL: both ways of feeding, and the same losses as anywhere.


@pytest.mark.parametrize(
    "fields", [MLP | WATCHED | {"lr": 3.0, "eval_every": 1}, CNN | EVERYTHING], ids=["watched", "everything"]
)
def test_resident_training_has_the_losses_of_host_fed_training_to_the_bit(fields, digits, monkeypatch):
    monkeypatch.setenv("KERNELS", "0")
    host, resident = (on("CPU", fields, digits, feed) for feed in (HostFed, Resident))
    assert host.losses == resident.losses
    assert repr(host.history) == repr(resident.history)
    np.testing.assert_array_equal(host.test_logits, resident.test_logits)


@pytest.fixture(scope="module")
def cl() -> str:
    try:
        with prepared("CL"):
            return "CL"
    except UserError as error:
        pytest.skip(f"needs OpenCL, e.g. through pocl-opencl-icd: {error}")


def test_what_may_not_be_written_to_can_be_copied_in(cl):
    with Context(DEV=cl):
        values = np.arange(12, dtype=np.uint8)
        values.flags.writeable = False
        tensor = buffer((12,), Tensor([0], dtype="uint8").dtype)
        write(tensor, values)
        np.testing.assert_array_equal(read(tensor), values)


@pytest.mark.parametrize("optimizer", rules.OPTIMIZERS)
def test_the_first_losses_are_those_of_the_cpu(optimizer, digits, cl):
    fields = {**MLP, "optimizer": optimizer, "lr": 1.0 if optimizer == "lars" else 0.003}
    there, here = on(cl, fields, digits), on("CPU", fields, digits)
    assert len(there.losses) == 20
    np.testing.assert_allclose(there.losses, here.losses, rtol=1e-4)
    assert there.test_accuracy == pytest.approx(here.test_accuracy, abs=0.01)


def test_a_convolutional_net_with_every_random_part_and_a_watcher_has_the_losses_of_the_cpu(digits, cl):
    fields = CNN | EVERYTHING | WATCHED | {"lr": 0.01}
    there, here = on(cl, fields, digits), on("CPU", fields, digits)
    np.testing.assert_allclose(there.losses, here.losses, rtol=1e-3)
    assert [look.step for look in there.history] == [5, 10, 15, 20]


def test_a_plateau_cuts_the_learning_rate_as_often_and_goes_back_to_the_weights_it_does_on_the_cpu(digits, cl):
    config = make_config({**MLP, **WATCHED, "eval_every": 1})
    factors, losses = [], []
    for device in ("CPU", cl):
        with Context(DEV=device, TRAINING=1):
            run = Run(Trainer(config, digits.of), config, digits, lambda progress: None)
            losses.append(run.train().losses)
            factors.append(run.watcher.factor)
    assert factors[0] == factors[1] < 1
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_on_opencl_too_the_two_ways_of_feeding_agree_to_the_bit_and_only_fetching_waits(digits, cl):
    config = make_config({**MLP, "steps": 2 * AHEAD})
    losses = []
    with Context(DEV=cl, TRAINING=1):
        for feed in (HostFed, Resident):
            run = Run(Trainer(config, digits.of, feed), config, digits, lambda progress: None)
            for step in range(1, AHEAD + 1):
                run.take_step(step)
            run.fetch(AHEAD)
            with counted(cl) as counts:
                for step in range(AHEAD + 1, 2 * AHEAD + 1):
                    run.take_step(step)
            assert (counts.copies_out, counts.waits) == (0, 0)
            assert counts.copies_in == (1 if feed is Resident else 3 * AHEAD)
            run.fetch(2 * AHEAD)
            losses.append(run.result.losses)
    assert losses[0] == losses[1]


def test_a_run_diverges_at_the_same_step(digits, cl):
    fields = {**MLP, "optimizer": "sgd", "lr": 1e18}
    assert on(cl, fields, digits).error.step == on("CPU", fields, digits).error.step


def test_real_mnist_trains(mnist, cl):
    fields = {**MLP, "dataset": "mnist", "steps": 60, "lr": 0.01, "eval_every": 60}
    result = on(cl, fields, mnist)
    assert result.test_accuracy == pytest.approx(on("CPU", fields, mnist).test_accuracy, abs=0.01)
    assert result.test_accuracy > 0.6


def command(tmp_path, *words) -> list[str]:
    tiny = ["--dataset", "digits", "--units", "24", "--batch-size", "32", "--device", "CL", "--results", tmp_path]
    return list(map(str, (sys.executable, PROJECT / "mnist_explorer.py", "mlp", *tiny, *words)))


def test_a_sweep_runs_on_opencl_one_run_at_a_time_and_ctrl_c_ends_it(tmp_path, cl):
    (tmp_path / "tiny.toml").write_text(
        'title = "Tiny"\nquestion = "?"\nbase.steps = 20\nbase.eval_every = 10\ngrid.lr = [0.001, 0.01]\n'
    )
    places = ["--media", tmp_path / "media", "--report", tmp_path / "REPORT.md", "--seeds", 1]
    words = command(tmp_path, "--sweep", tmp_path / "tiny.toml", *places)
    answer = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0, answer.stderr
    assert "CL: one run at a time" in answer.stdout
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 2
    with subprocess.Popen(
        command(tmp_path, "--steps", 1_000_000, "--eval-every", 10, "--json-lines"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert "val_accuracy" in process.stdout.readline()  # a look: it is in the midst of its steps
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "2 records are kept" in stderr
    assert "Traceback" not in stderr
