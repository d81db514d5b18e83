"""Write optim.json: what PyTorch's optimizers do, step by step, to two small parameters given fixed gradients.

Run by hand with PyTorch (2.13 was used), which the project itself does not need: python make_optim_golden.py
"""

import json
from pathlib import Path

import torch

STEPS = 4
SHAPES = [(3, 4), (5,)]
# Every key but "name" is PyTorch's own; the test knows them as the explorer's names.
CASES = {
    "sgd": {"name": "SGD", "lr": 0.1},
    "sgd weight decay": {"name": "SGD", "lr": 0.1, "weight_decay": 0.1},
    "sgd momentum": {"name": "SGD", "lr": 0.1, "momentum": 0.9},
    "sgd nesterov": {"name": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    "adam": {"name": "Adam", "lr": 0.01},
    "adam weight decay": {"name": "Adam", "lr": 0.01, "weight_decay": 0.1},
    "adamw default decay": {"name": "AdamW", "lr": 0.01},
    "adamw": {"name": "AdamW", "lr": 0.01, "weight_decay": 0.1},
    "rmsprop": {"name": "RMSprop", "lr": 0.01},
    "rmsprop momentum": {"name": "RMSprop", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.1},
}


def run(name: str, start: list[torch.Tensor], gradients: list[list[torch.Tensor]], settings: dict) -> list[list]:
    """Parameters after each step, in float64, so the golden's own rounding does not count."""
    params = [tensor.clone().requires_grad_() for tensor in start]
    optimizer = getattr(torch.optim, name)(params, **settings)
    after = []
    for step in gradients:
        for param, gradient in zip(params, step, strict=True):
            param.grad = gradient.clone()
        optimizer.step()
        after.append([[round(x, 10) for x in param.detach().flatten().tolist()] for param in params])
    return after


def main() -> None:
    generator = torch.Generator().manual_seed(0)

    def normal(shape: tuple[int, ...]) -> torch.Tensor:
        # Rounded, so that the file holds exactly what the optimizers were given.
        return torch.randn(shape, generator=generator, dtype=torch.float64).mul(1000).round().div(1000)

    start = [normal(shape) for shape in SHAPES]
    gradients = [[normal(shape) for shape in SHAPES] for _ in range(STEPS)]
    golden = {
        "torch": torch.__version__.split("+")[0],
        "shapes": SHAPES,
        "start": [tensor.flatten().tolist() for tensor in start],
        "gradients": [[tensor.flatten().tolist() for tensor in step] for step in gradients],
        "cases": {
            label: {
                "optimizer": case["name"].lower(),
                "settings": (settings := {key: value for key, value in case.items() if key != "name"}),
                "after": run(str(case["name"]), start, gradients, settings),
            }
            for label, case in CASES.items()
        },
    }
    Path(__file__).with_name("optim.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
