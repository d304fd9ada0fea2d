"""Batches: which segments go together, and in which order."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import EngineError
from smalltune.core.plugins import nearest

__all__ = ["ORDERS", "by_tokens", "epoch_order"]

ORDERS = ("shuffled", "by_length")
WINDOW = 32


def epoch_order(
    lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int, order: str = "shuffled"
) -> list[NDArray[np.int64]]:
    """Return the batches of one epoch: each segment once. Depends on nothing but its arguments.

    "shuffled" cuts one random permutation into batches. With "by_length" the segments of a batch
    are of similar length: they are shuffled, sorted within windows of 32 batches, cut, and the
    batches shuffled again. What is learnt from then differs, so it is a choice of the study.
    """
    if order not in ORDERS:
        raise EngineError(f"no order of batches {order!r}. {nearest(order, ORDERS)}")
    rng = np.random.default_rng([seed, epoch, 0x0D])
    places = rng.permutation(len(lengths))
    if order == "shuffled":
        return [places[i : i + batch_size] for i in range(0, len(places), batch_size)]
    batches: list[NDArray[np.int64]] = []
    step = WINDOW * batch_size
    for start in range(0, len(places), step):
        window = places[start : start + step]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def by_tokens(
    lengths: NDArray[np.int64], budget: int, *, padded: bool = True
) -> Iterator[NDArray[np.int64]]:
    """Yield batches, shortest segments first, of at most `budget` tokens, with padding or without.

    A longer segment is a batch of its own.
    """
    order = np.argsort(lengths, kind="stable")
    tokens = np.cumsum([0, *lengths[order]])
    start = 0
    for stop in range(1, len(order) + 1):
        if stop < len(order):
            rows, longest = stop + 1 - start, lengths[order[stop]]
            if (rows * longest if padded else tokens[stop + 1] - tokens[start]) <= budget:
                continue
        yield order[start:stop]
        start = stop
