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

__all__ = ["beyond", "spread"]

RATE = "learning_rate"
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

    Judged by the learning rate, on which all others depend: the best has the lowest or the highest
    that was tried. The new candidate has the best one's other values.
    """
    rates = [each[RATE] for each in candidates if RATE in each]
    if len(set(rates)) < 2 or RATE not in candidates[best]:
        return None
    rate = candidates[best][RATE]
    if min(rates) < rate < max(rates):
        return None
    return {
        **candidates[best],
        RATE: Range.rounded(rate * (STEP if rate == max(rates) else 1 / STEP)),
    }


def _root(axes: int) -> float:
    """Return the root above one of x^(axes + 1) = x + 1."""
    x = 2.0
    for _ in range(64):
        x = math.pow(1 + x, 1 / (axes + 1))
    return x
