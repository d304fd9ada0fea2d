"""Packing: a batch of segments end to end in one row, and where in it something is read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.segments import Segments

__all__ = ["Batch", "Packed", "of_arrays", "pack", "pack_prompts"]

Batch = Sequence[int] | NDArray[np.int64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Packed:
    """`B` segments, `T` tokens, no padding; attention stays inside a segment.

    `ids` [T] int64 and `positions` [T] int64, which start again in each segment. `lengths` [B] are
    the tokens fed of each segment, shortest first, `items` [B] which segments they are. The hidden
    states at the flat places `read` [S] int64, ascending, are wanted, at least one of each segment;
    `targets` [S] int64 are the tokens predicted there, or nothing [0]; `owners` [S] int64 say whose
    each is, as a place in `items`.

    With `branches` [T] int64 a segment is a trunk (0), which every later token of the segment
    sees, and then branches (1, 2, ..), which see the trunk and themselves.
    """

    ids: Any
    positions: Any
    lengths: tuple[int, ...]
    read: Any
    targets: Any
    items: tuple[int, ...]
    owners: Any
    branches: Any = None

    def behind(self, tokens: int) -> "Packed":
        """Return the batch with so many tokens before each segment that are not part of it."""
        return replace(self, positions=self.positions + tokens) if tokens else self


def pack(segments: Segments, batch: Batch, device: str, *, skip: int = 0) -> Packed:
    """Return the segments at `batch` for learning: read is what predicts a supervised token.

    The last token of a segment predicts nothing and is not fed; nor are the first `skip`, which
    stand before every segment. A first token is never predicted. A segment without a token to
    predict is left out.
    """
    indices = np.asarray(batch, dtype=np.int64)
    begins = np.maximum(segments.answers, skip + 1)
    indices = _by_length(segments, indices[begins[indices] < segments.lengths[indices]])
    tokens = [segments[i] for i in indices]
    return of_arrays(
        fed=[t[skip:-1] for t in tokens],
        read=[
            np.arange(begins[i] - 1, len(t) - 1) - skip
            for i, t in zip(indices, tokens, strict=True)
        ],
        targets=[t[begins[i] :] for i, t in zip(indices, tokens, strict=True)],
        positions=[np.arange(skip, len(t) - 1) for t in tokens],
        items=indices,
        device=device,
    )


def pack_prompts(segments: Segments, batch: Batch, device: str, *, skip: int = 0) -> Packed:
    """Return the segments at `batch` for asking: the last token of each is read.

    All tokens are fed but the first `skip`, which stand before every segment.
    """
    indices = _by_length(segments, np.asarray(batch, dtype=np.int64))
    fed = [segments[i][skip:] for i in indices]
    return of_arrays(
        fed=fed,
        read=[np.array([len(tokens) - 1]) for tokens in fed],
        targets=[],
        positions=[np.arange(skip, skip + len(tokens)) for tokens in fed],
        items=indices,
        device=device,
    )


def of_arrays(
    *,
    fed: Sequence[NDArray[Any]],
    read: Sequence[Numbers],
    targets: Sequence[NDArray[Any]],
    positions: Sequence[Numbers],
    items: Numbers,
    device: str,
) -> Packed:
    """Return a batch from arrays, one of each kind per segment; `read` counts inside a segment."""
    import torch

    def tensor(arrays: Sequence[NDArray[Any]]) -> Any:
        flat = np.concatenate(arrays) if len(arrays) else np.zeros(0)
        return torch.from_numpy(flat.astype(np.int64)).to(device)

    lengths = [len(tokens) for tokens in fed]
    starts = np.cumsum([0, *lengths])
    return Packed(
        ids=tensor(fed),
        positions=tensor(positions),
        lengths=tuple(lengths),
        read=tensor([start + places for start, places in zip(starts, read, strict=False)]),
        targets=tensor(targets),
        items=tuple(items.tolist()),
        owners=tensor([np.full(len(places), place) for place, places in enumerate(read)]),
    )


def _by_length(segments: Segments, indices: Numbers) -> Numbers:
    """Return a batch shortest first: segments of similar length then lie side by side."""
    return indices[np.argsort(segments.lengths[indices], kind="stable")]
