"""The kernels' source: kernels.c and what it includes, C generated from the activations' and optimizers' entries.

An entry's number, its *kind*, is how the callers of kernels name it: they make one instance of a loop for each.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import indent

from explorer.models.activations import ACTIVATIONS
from explorer.rules.optimizers import OPTIMIZERS, SCALARS

FILE = Path(__file__).with_name("kernels.c")


def source() -> str:
    """What the compiler gets: kernels.c, with all it includes."""
    generated = {"activations.h": _activations, "optimizers.h": _optimizers}

    def complete(text: str) -> str:
        return re.sub(r'#include "(.+)"\n', included, text)

    def included(match: re.Match[str]) -> str:
        name = match[1]
        return generated[name]() if name in generated else complete(FILE.with_name(name).read_text())

    return complete(FILE.read_text())


def activation_kinds() -> dict[str | None, int]:
    """The kind of each activation that has C, and of none."""
    names = [None, *(entry.name for entry in ACTIVATIONS.values() if entry.in_c)]
    return {name: kind for kind, name in enumerate(names)}


def optimizer_kinds() -> dict[tuple[str, bool], int]:
    """The kind of each optimizer that has C, with and without Nesterov's momentum where it knows it."""
    variants: list[tuple[str, bool]] = []
    for entry in OPTIMIZERS.values():
        if entry.c_update:
            variants += [(entry.name, nesterov) for nesterov in (False, True) if entry.uses("nesterov") >= nesterov]
    return {variant: kind for kind, variant in enumerate(variants)}


def _activations() -> str:
    kinds = [(kind, ACTIVATIONS[name]) for name, kind in activation_kinds().items() if name is not None]
    lines = [_each("EACH_ACTIVATION", activation_kinds().values())]
    lines += ["INLINE vec activate(vec x, const long kind) {"]
    lines += [f"  if (kind == {kind}) {{ {entry.c_value} }} // {entry.name}" for kind, entry in kinds]
    lines += ["  return x;", "}", "INLINE vec slope(vec x, const long kind) {"]
    lines += [f"  if (kind == {kind}) {{ {entry.c_slope} }} // {entry.name}" for kind, entry in kinds]
    return "\n".join([*lines, "  return splat(1.0f);", "}", ""])


def _optimizers() -> str:
    lines = [_each("EACH_OPTIMIZER", optimizer_kinds().values())]
    lines += ["INLINE void optimizer_kind(const struct optimizer *o, long from, long n, const long kind) {"]
    lines += [f"  const float {', '.join(f'{name} = o->scalars[{slot}]' for slot, name in enumerate(SCALARS))};"]
    lines += ["  float *weights = o->weights + from; const float *gradient = o->gradient + from;"]
    for (name, nesterov), kind in optimizer_kinds().items():
        entry = OPTIMIZERS[name]
        states = [f"state{index}" for index in range(entry.state_count)]
        lines += [f"  if (kind == {kind}) {{ // {name}{', Nesterov' if nesterov else ''}"]
        lines += [f"    const int nesterov = {int(nesterov)};"]
        lines += [f"    float *{state}_at = o->{state} + from;" for state in states]
        lines += ["    FOR_VECTORS(n, {", "      vec w = READ(weights); vec g = READ(gradient);"]
        lines += [f"      vec {state} = READ({state}_at);" for state in states]
        lines += [indent(entry.c_update or "", "      ")]
        lines += [f"      WRITE({state}_at, {state});" for state in states]
        lines += ["      WRITE(weights, w);", "    });", "  }"]
    return "\n".join([*lines, "}", ""])


def _each(macro: str, kinds: Iterable[int]) -> str:
    return f"#define {macro}(x) " + " ".join(f"x({kind})" for kind in kinds)
