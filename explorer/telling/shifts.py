"""How nets bear test images that move: a table, and what it shows, in the report and in the terminal."""

from explorer import datasets
from explorer.judging.runs import mean
from explorer.judging.shifts import Moved, ShiftResult
from explorer.telling import tables
from explorer.telling.names import model_title
from explorer.telling.words import amount, estimate, figure, listed, plural, short_name

TOLD_AT = 2  # pixels: the sentences are about this far, or as far as was measured


def table(moved: Moved, form: str = "github", width: int | None = None) -> str:
    """A row a configuration: test accuracy on images moved by 0, 1, 2, ... pixels, and what is lost at the farthest.
    Where it is wider than ``width``, that and odd pixels fall away."""
    far = moved.pixels
    lost, heads = f"lost at {far} px, points", [f"{pixels} px, test %" for pixels in range(far + 1)]
    rows = [
        {
            "model": model_title(one.config.model),
            "configuration": short_name(one.config),
            "n": len(one.measured),
            **{head: figure(one.at(pixels)) for pixels, head in enumerate(heads)},
            lost: amount(one.lost(far)),
        }
        for one in moved.results
    ]
    return tables.text_table(rows, form, width, [*heads[1::2], lost])


def names(moved: Moved) -> list[str]:
    """``CNN trained with shifts up to 2``; where that does not tell two apart, the whole configuration."""
    short = [_name(one) for one in moved.results]
    whole = [f"{model_title(one.config.model)} ({short_name(one.config)})" for one in moved.results]
    return [name if short.count(name) == 1 else other for name, other in zip(short, whole, strict=True)]


def _name(one: ShiftResult) -> str:
    how = f"trained with shifts up to {one.config.shift:g}" if one.config.shift else "trained without shifts"
    return f"{model_title(one.config.model)} {how}"


def sentences(moved: Moved) -> list[str]:
    """What each loses some pixels away, and how each stands to the one that does best there."""
    at = min(TOLD_AT, moved.pixels)
    if at < 1:
        return []
    called = names(moved)
    lost = [
        f"{name} has {figure(one.at(0))} % in place and {figure(one.at(at))} % there ({amount(one.lost(at))} points)"
        for name, one in zip(called, moved.results, strict=True)
    ]
    away = plural(at, "pixel")
    told = [f"**Test images of {datasets.title(moved.dataset)} moved by {away}**: {'; '.join(lost)}."]
    best = max(range(len(called)), key=lambda place: mean(moved.results[place].at(at)))
    relations = moved.relations(at)
    others = [place for place in range(len(called)) if place != best]
    if others:
        beside = [f"{called[place]} {estimate(relations.of(str(place), str(best)))}" for place in others]
        told.append(f"There the {called[best]} does best. Against it, in points: {'; '.join(beside)}.")
    return told


HOW = (
    "Nets that were trained on images in place, or on shifted ones, are asked about test images moved by whole pixels, "
    "up, down, left and right, and the four figures averaged; what comes in is black. Nothing is chosen by it. Test is "
    "judged here, by the tests used everywhere, Holm-corrected over all pairs of a data set. "
    "`python mnist_explorer.py shift` measures."
)


def what(moved: Moved) -> str:
    """``MLP and CNN on MNIST``"""
    there = list(dict.fromkeys(model_title(one.config.model) for one in moved.results))
    return f"{listed(there)} on {datasets.title(moved.dataset)}"
