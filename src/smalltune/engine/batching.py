"""Batches: which segments go together, in which order, and how they become tensors."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.segments import Segments

__all__ = ["by_tokens", "epoch_order", "to_tensors"]

WINDOW = 32


def epoch_order(
    lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Return the batches of one epoch: each segment once, neighbours of similar length.

    Segments are shuffled, sorted by length within windows of 32 batches, cut into batches, and
    the batches are shuffled again. Depends on nothing but its arguments.
    """
    rng = np.random.default_rng([seed, epoch, 0x0D])
    order = rng.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    step = WINDOW * batch_size
    for start in range(0, len(order), step):
        window = order[start : start + step]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def by_tokens(lengths: NDArray[np.int64], budget: int) -> Iterator[NDArray[np.int64]]:
    """Yield batches, shortest segments first, of at most `budget` tokens after padding."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        full = stop == len(order) or lengths[order[stop]] * (stop + 1 - start) > budget
        if full:
            yield order[start:stop]
            start = stop


def to_tensors(
    segments: Segments, batch: Sequence[int] | NDArray[np.int64], device: str
) -> tuple[Any, Any, Any]:
    """Return input ids [B, T], flat positions [S] that are read, and the tokens [S] they predict.

    Padding is on the right, where a causal model's real positions never look: no mask is needed.
    """
    import torch

    sequences = [segments[i] for i in batch]
    width = max(len(s) for s in sequences)
    ids = np.zeros((len(sequences), width), dtype=np.int64)
    positions, targets = [], []
    for row, (index, sequence) in enumerate(zip(batch, sequences, strict=True)):
        ids[row, : len(sequence)] = sequence
        first = max(int(segments.answers[index]), 1)
        positions.append(row * width + np.arange(first - 1, len(sequence) - 1))
        targets.append(sequence[first:].astype(np.int64))
    return (
        torch.from_numpy(ids).to(device),
        torch.from_numpy(np.concatenate(positions)).to(device),
        torch.from_numpy(np.concatenate(targets)).to(device),
    )
