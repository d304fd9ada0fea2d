"""Fitting: evaluation in batches that fit into memory; what does not fit is cut anew.

Where an evaluation is cut is placement, as in training: it changes an answer by rounding only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import EngineError
from smalltune.engine.batching import by_tokens
from smalltune.engine.memory import is_out_of_memory

__all__ = ["in_batches", "telling"]

Items = NDArray[np.int64]
Cut = Callable[[Items, int], Iterator[Items]]


@dataclass
class _Room:
    """How often memory did not suffice, and who is told."""

    tell: Callable[[str], None] = lambda text: None
    halved: int = 0


_room: ContextVar[_Room | None] = ContextVar("room", default=None)


@contextmanager
def telling(tell: Callable[[str], None]) -> Iterator[None]:
    """Say inside what had to be done for memory, and keep to it from one call to the next."""
    token = _room.set(_Room(tell))
    try:
        yield
    finally:
        _room.reset(token)


def in_batches(
    sizes: Items, budget: int, compute: Callable[[Items], None], *, cut: Cut | None = None
) -> None:
    """Call `compute` with the items of one batch after another, until all `n` are done.

    An item takes up `sizes` [n] tokens, a batch at most `budget`; `cut(items, tokens)` yields the
    batches of some items, by default shortest first. When memory does not suffice for a batch, it
    and what is left are cut with half the tokens; `compute` must leave nothing behind then.
    Raises EngineError when one item alone does not fit.
    """
    room = _room.get() or _Room()
    cut = cut or (lambda items, tokens: (items[b] for b in by_tokens(sizes[items], tokens)))
    left = np.arange(len(sizes))
    while len(left):
        done, failed = [left[:0]], None
        for batch in cut(left, max(1, budget >> room.halved)):
            if not _fits(compute, batch):
                failed = batch
                break
            done.append(batch)
        left = np.setdiff1d(left, np.concatenate(done))
        if failed is not None:
            _use_less(room, budget, sizes[failed])


def _fits(compute: Callable[[Items], None], batch: Items) -> bool:
    try:
        compute(batch)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    return False


def _use_less(room: _Room, budget: int, sizes: Items) -> None:
    """Halve the budget until a batch of these items is beyond it, and free what can be freed."""
    import torch

    most = len(sizes) * int(sizes.max())
    if len(sizes) == 1:
        raise EngineError(
            f"memory does not suffice for one text of {most} tokens at a time: lower `max_length`, "
            "take a smaller model, or run fewer workers"
        )
    while (budget >> room.halved) >= max(2, most):
        room.halved += 1
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    room.tell(f"out of memory: at most {budget >> room.halved} tokens at a time from here on")
