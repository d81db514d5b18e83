"""The words of ``--stop``, light to import: `stopping` has what they do."""

from typing import Literal, get_args

StopRule = Literal["half", "hyperband", "off"]
STOP_RULES = get_args(StopRule)
RISKS = {
    "half": "cuts a try at half-way if it is more than 0.5 points and 3 standard errors behind the best one there",
    "hyperband": "cuts the worse half of the tries at 1/8, 1/4 and 1/2 of their steps, future winners among them",
    "off": "every try runs to its end",
}
