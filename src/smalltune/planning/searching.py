"""Searching: which hyperparameters are tried, and where to look when the best lies at an edge.

Points are spread by the additive recurrence of Roberts (2018), "The unreasonable effectiveness of
quasirandom sequences": each coordinate advances by a power of the inverse of the plastic number's
kin, so that any number of points covers the box evenly. A seed moves all of them.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from smalltune.methods import Range

__all__ = ["beyond", "edge", "spread"]

RATE = "learning_rate"
LOWEST, HIGHEST = "lowest", "highest"
STEP = 10 ** (1 / 2)
"""How far beyond its edge a learning rate is tried, each time: half a decade."""


def spread(ranges: Mapping[str, Range], trials: int, seed: int) -> list[dict[str, Any]]:
    """Return `trials` points over ranges, as option to value, the same for the same arguments.

    The first `n` points of a longer list are those of a shorter one.
    """
    names = sorted(ranges)
    golden = _root(len(names))
    rng = random.Random(seed)
    shifts = [rng.random() for _ in names]
    return [
        {
            name: ranges[name].at((shift + place * golden ** -(axis + 1)) % 1.0)
            for axis, (name, shift) in enumerate(zip(names, shifts, strict=True))
        }
        for place in range(1, trials + 1)
    ]


def beyond(candidates: Sequence[Mapping[str, Any]], best: int) -> dict[str, Any] | None:
    """Return a candidate beyond the edge at which the best one lies, None where it lies inside.

    Only learning rates are followed; the new candidate has the best one's other values.
    """
    option, at = edge(candidates, best)
    if option != RATE or not at:
        return None
    rate = candidates[best][RATE]
    further = rate * STEP if at == HIGHEST else rate / STEP
    return {**candidates[best], RATE: Range.rounded(further)}


def edge(candidates: Sequence[Mapping[str, Any]], best: int) -> tuple[str, str]:
    """Return the option by which the best candidate is judged, and at which end of it it lies.

    That is the learning rate, on which all others depend; where it is not tuned, the one number
    that is. The end is LOWEST or HIGHEST of the values tried, "" inside; without such an option
    both are "".
    """
    tuned = dict.fromkeys(name for each in candidates for name in each)
    option = RATE if RATE in tuned else next(iter(tuned)) if len(tuned) == 1 else ""
    values = [each[option] for each in candidates if option in each]
    if option not in candidates[best] or not all(map(_number, values)):
        return "", ""
    value = candidates[best][option]
    if len(set(values)) < 2 or min(values) < value < max(values):
        return option, ""
    return option, HIGHEST if value == max(values) else LOWEST


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _root(axes: int) -> float:
    """Return the root above one of x^(axes + 1) = x + 1."""
    x = 2.0
    for _ in range(64):
        x = math.pow(1 + x, 1 / (axes + 1))
    return x
