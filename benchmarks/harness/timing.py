"""Timing: variants in turn within one process, medians, ratios of what ran side by side.

A machine's speed drifts over minutes, hardly within a round. So every round runs each variant
once, the next round begins with another one, and a ratio is taken within a round; its median over
the rounds is the answer, its lowest and highest the spread. Which size of batches is best for a
peer differs from machine to machine: each is tried once before the rounds, the quickest takes part.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Spread", "Unequal", "clock", "in_turn", "quickest", "ratio", "refuse_unequal", "spread"
]  # fmt: skip

Seconds = tuple[float, float]


class Unequal(Exception):
    """Two variants did not do the same work: their times must not be compared."""


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, the lowest and the highest."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return median, lowest and highest; raises ValueError for no values at all."""
    if not values:
        raise ValueError("no values were measured")
    return Spread(statistics.median(values), min(values), max(values))


def ratio(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """Return how many times as long `slow` took as `fast`, round by round.

    Raises ValueError when the two were not measured in the same rounds.
    """
    if len(slow) != len(fast):
        raise ValueError(f"{len(slow)} rounds against {len(fast)}: a ratio needs the same rounds")
    return spread([a / b for a, b in zip(slow, fast, strict=True)])


def clock() -> Seconds:
    """Return CPU seconds of this process and wall seconds, once all work on a GPU is done."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.process_time(), time.perf_counter()


def in_turn(
    variants: Mapping[str, Callable[[], Any]],
    *,
    rounds: tuple[int, int],
    seconds: float,
    before: Callable[[], None] = lambda: None,
    now: Callable[[], float] = time.perf_counter,
) -> dict[str, list[Any]]:
    """Return what each variant returned in every round.

    `rounds` are the fewest and the most; between the two, a round begins only if one as long as
    the longest so far still ends within `seconds`. Round n begins with variant n; `before` is
    called at the beginning of each.
    """
    names = list(variants)
    found: dict[str, list[Any]] = {name: [] for name in names}
    began, longest = now(), 0.0
    for number in range(rounds[1]):
        start = now()
        if number >= rounds[0] and start - began + longest > seconds:
            break
        before()
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(variants[name]())
        longest = max(longest, now() - start)
    return found


def quickest(sizes: Sequence[int], run: Callable[[int], float]) -> tuple[int, dict[str, Any]]:
    """Run each size of batches once, for its seconds; return the quickest and what is kept."""
    tried = {size: run(size) for size in sizes}
    best = min(tried, key=lambda size: tried[size])
    return best, {"batch": best, "tried": {str(each): took for each, took in tried.items()}}


def refuse_unequal(name: str, distances: Mapping[str, float], limits: Mapping[str, float]) -> None:
    """Raise Unequal when a distance from the reference is above its limit, or is no number."""
    for what, limit in limits.items():
        if not distances[what] <= limit:
            raise Unequal(
                f"{name}: {what} differs by {distances[what]:.2e}, more than {limit:.0e}: "
                "the work was not equal, so no ratio is published"
            )
