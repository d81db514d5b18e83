"""What it is trained on."""

import re


def names() -> tuple[str, ...]:
    return ("mnist", "fashion", "digits")


def valid_name(name: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,39}", name) is not None
