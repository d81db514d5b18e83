"""Who is timed. Each contender trains one net at one batch size in a process of its own, told over a pipe how far.

``python -m benchmarks.contenders NAME MODEL BATCH DEVICE`` is such a process: it answers one line of JSON when it is
ready (compiled, warm), and one for each line it reads, a number of steps to take. In between it sleeps.

What a step is, for all: a batch of uint8 images drawn by random indices from the training set, scaled to [0, 1],
forward, cross-entropy, backward, Adam. The losses of a turn are on the host before its clock stops.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import PROJECT, cores, load_data
from explorer.datasets.dataset import Dataset
from explorer.errors import UserError

UNITS = (784, 512, 512, 10)
WARM_UP_STEPS = 4  # a TinyJit captures in its second step and replays from the third on
ENDING_SECONDS = 10
TORCH_MISSING = "PyTorch is not installed: pip install -r requirements-bench.txt"


class UnavailableError(Exception):
    """This contender cannot run here; the message is one line."""


class Kind(NamedTuple):
    title: str
    build: str  # the function below that makes its step
    variables: dict[str, str]  # what its process finds in the environment


CONTENDERS = {
    "ours": Kind("ours", "ours", {}),
    "codegen": Kind("ours, KERNELS=0", "ours", {"KERNELS": "0"}),
    "ours-beam": Kind("ours, BEAM=2", "ours", {"BEAM": "2"}),
    "stock": Kind("tinygrad as its example writes it", "stock", {}),
    "stock-beam": Kind("the same, BEAM=2", "stock", {"BEAM": "2"}),
    "torch": Kind("PyTorch eager", "torch", {}),
    "torch-fused": Kind("PyTorch eager, Adam(fused=True)", "torch", {}),
    "torch-compile": Kind("PyTorch torch.compile", "torch", {}),
}
Turn = Callable[[int], tuple[float, float]]  # steps -> (seconds, the last loss)


def flops_per_step(model: str, batch: int) -> int:
    """Floating-point operations of one step's matrix products and convolutions; 2 for each multiply-add.

    Forward, weight gradient and input gradient are as much each; the first layer has no input gradient. Activations,
    normalization, loss and Adam are not counted. Both nets at their defaults: 784-512-512-10; 5x5 and 3x3 kernels,
    32, 32, 64, 64 filters, no padding.
    """
    if model == "mlp":
        products = [inputs * outputs for inputs, outputs in itertools.pairwise(UNITS)]
    else:
        layers = [
            (24, 1, 32, 5),
            (20, 32, 32, 5),
            (8, 32, 64, 3),
            (6, 64, 64, 3),
        ]  # side of the result, in, out, kernel
        products = [side**2 * inputs * outputs * kernel**2 for side, inputs, outputs, kernel in layers]
        products.append(576 * 10)
    return 2 * batch * (2 * products[0] + 3 * sum(products[1:]))


def ours(name: str, model: str, batch: int, device: str, dataset: Dataset) -> Turn:
    """The explorer's own trainer. Its training clock leaves out what the others' turns have not: the final figures."""
    from explorer.training import compiler
    from explorer.training import device as environment

    compiler.ensure_compiler()
    try:
        environment.open_device()
    except UserError as error:
        raise UnavailableError(str(error)) from None
    from explorer.config import make_config
    from explorer.training.trainer import Trainer

    # a small test set: the figures at the end of a run are not timed, but they take time
    dataset = dataclasses.replace(dataset, test_images=dataset.test_images[:500], test_labels=dataset.test_labels[:500])
    fields = {"model": model, "batch_size": batch, "train_on": "all"}
    trainer = Trainer(make_config({**fields, "steps": WARM_UP_STEPS}), dataset.of)

    def turn(steps: int) -> tuple[float, float]:
        config = make_config({**fields, "steps": steps, "eval_every": steps})
        result = trainer.run(config, dataset)
        assert len(result.losses) == steps, result.error
        return result.seconds["train"], result.losses[-1]

    return turn


def stock_layers(model: str) -> list[Callable[[Any], Any]]:
    """The nets as tinygrad's examples/beautiful_mnist.py builds one: a plain list of its own layers and methods."""
    from tinygrad import Tensor, nn

    if model == "mlp":
        return [
            lambda x: x.flatten(1),
            nn.Linear(784, 512),
            Tensor.silu,
            nn.Linear(512, 512),
            Tensor.silu,
            nn.Linear(512, 10),
        ]
    layers: list[Callable[[Any], Any]] = []
    for inputs, outputs, kernel in ((1, 32, 5), (32, 64, 3)):
        layers += [nn.Conv2d(inputs, outputs, kernel), Tensor.silu, nn.Conv2d(outputs, outputs, kernel), Tensor.silu]
        layers += [nn.BatchNorm(outputs), Tensor.max_pool2d]
    return [*layers, lambda x: x.flatten(1), nn.Linear(576, 10)]


def stock_step(layers: list[Any], images: Any, labels: Any, batch: int, lr: float = 1e-3) -> Any:
    """A TinyJit that takes one step on a batch it draws itself and returns the loss, on the device."""
    from tinygrad import Tensor, TinyJit, nn

    optimizer = nn.optim.Adam(nn.state.get_parameters(layers), lr=lr)

    @TinyJit
    def step() -> Any:
        optimizer.zero_grad()
        chosen = Tensor.randint(batch, high=images.shape[0])
        logits = (images[chosen].float() / 255).sequential(layers)
        loss = logits.sparse_categorical_crossentropy(labels[chosen]).backward()
        return loss.realize(*optimizer.schedule_step())

    return step


def stock(name: str, model: str, batch: int, device: str, dataset: Dataset) -> Turn:
    from explorer.training import compiler
    from explorer.training import device as environment

    compiler.ensure_compiler()
    try:
        environment.open_device()
    except UserError as error:
        raise UnavailableError(str(error)) from None
    from tinygrad import Tensor
    from tinygrad.helpers import Context

    images = Tensor(dataset.train_images.reshape(-1, 1, 28, 28)).realize()
    labels = Tensor(dataset.train_labels).realize()
    step = stock_step(stock_layers(model), images, labels, batch)

    def turn(steps: int) -> tuple[float, float]:
        start = time.perf_counter()
        with Context(TRAINING=1):
            for _ in range(steps):
                loss = step()
        last = loss.item()
        return time.perf_counter() - start, last

    return turn


def torch_net(model: str) -> Any:
    from torch import nn

    if model == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 512), nn.SiLU(), nn.Linear(512, 512), nn.SiLU(), nn.Linear(512, 10)
        )
    layers: list[Any] = []
    for inputs, outputs, kernel in ((1, 32, 5), (32, 64, 3)):
        layers += [nn.Conv2d(inputs, outputs, kernel), nn.SiLU(), nn.Conv2d(outputs, outputs, kernel), nn.SiLU()]
        layers += [nn.BatchNorm2d(outputs), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(576, 10))


def torch_device(device: str) -> str:
    """PyTorch's name for a tinygrad device."""
    return {"CPU": "cpu", "METAL": "mps"}.get(device, "cuda")


def torch(name: str, model: str, batch: int, device: str, dataset: Dataset) -> Turn:
    try:
        import torch
    except ImportError:
        raise UnavailableError(TORCH_MISSING) from None
    from torch.nn import functional

    torch.set_num_threads(cores())
    place = torch_device(device)
    if place == "cuda" and not torch.cuda.is_available():
        raise UnavailableError(f"PyTorch {torch.__version__} finds no CUDA device")
    images = torch.tensor(dataset.train_images).reshape(-1, 1, 28, 28).to(place)
    labels = torch.tensor(dataset.train_labels).long().to(place)
    net = torch_net(model).to(place)
    forward = torch.compile(net) if name == "torch-compile" else net
    fused = True if name == "torch-fused" else None  # None: what PyTorch does when nobody says anything
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=fused)

    def step() -> Any:
        chosen = torch.randint(0, len(images), (batch,), device=place)
        optimizer.zero_grad()
        loss = functional.cross_entropy(forward(images[chosen].float().div_(255)), labels[chosen])
        loss.backward()
        optimizer.step()
        return loss.detach()

    def turn(steps: int) -> tuple[float, float]:
        start = time.perf_counter()
        losses = torch.stack([step() for _ in range(steps)]).tolist()
        return time.perf_counter() - start, losses[-1]

    return turn


class Contender:
    """The parent's end of the pipe. Raises UnavailableError where the contender cannot run here."""

    def __init__(self, name: str, model: str, batch: int, device: str):
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  lives as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contenders", name, model, str(batch), device],
            cwd=PROJECT,
            env={**os.environ, "DEV": device, **CONTENDERS[name].variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        try:
            self.step_seconds: float = self._answer()["step_seconds"]
        except BaseException:
            self.close()
            raise

    def turn(self, steps: int) -> float:
        """Take so many steps; seconds per step."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return self._answer()["step_seconds"]

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().strip().splitlines() or ["it said nothing"]
            raise UnavailableError(f"its process ended with code {code}: {said[-1][:200]}")
        answer = json.loads(line)
        if "unavailable" in answer:
            raise UnavailableError(answer["unavailable"])
        return answer


def serve(name: str, model: str, batch: int, device: str) -> None:
    """The child's end: standard output carries answers alone, whatever a library may print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    def taken(steps: int) -> float:
        seconds, loss = turn(steps)
        if not np.isfinite(loss):
            raise UnavailableError(f"its loss is {loss}: what was timed is not training")
        return seconds / steps

    try:
        turn: Turn = globals()[CONTENDERS[name].build](name, model, batch, device, load_data())
        taken(WARM_UP_STEPS)
        estimate = taken(1)
        if estimate < 1:  # one hiccup must not make a turn of three steps out of one of three hundred
            estimate = min(estimate, taken(3), taken(3))
        answer(step_seconds=min(taken(10), taken(10)) if estimate < 0.1 else estimate)
        for line in sys.stdin:
            answer(step_seconds=taken(int(line)))
    except UnavailableError as reason:
        answer(unavailable=str(reason))
    except Exception as error:  # a compiler that is missing, a device out of memory: the others go on
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        answer(unavailable=f"{type(error).__name__}: {said[0][:200] if said else ''}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    sys.stderr.flush()
    os._exit(0)  # tearing down a device's threads takes a second and serves nobody
