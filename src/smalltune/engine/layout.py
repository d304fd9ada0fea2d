"""Layout: how attention inside packed segments is cut into grids that a kernel can take.

Segments lie shortest first, so that neighbours are of similar length. A block is a run of
neighbours, laid out as the rows of one right-padded grid; a padded cell comes after everything
real in its row, where a causal query never looks. A block of equal lengths is a grid already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.packing import Packed

__all__ = ["Block", "Grid", "Layout", "cut", "layout_of"]

CALL = 15000.0
MOVE = 6.0

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Places `start` to `stop` of a packed row as `rows` x `width` cells.

    `cells` [rows * width] names the place, counted from `start`, that each cell holds (a padded
    cell repeats a real one), `places` [stop - start] the cell that holds each place. Both are None
    when they would change nothing.
    """

    start: int
    stop: int
    rows: int
    width: int
    cells: Any = None
    places: Any = None


@dataclass(frozen=True)
class Block:
    """Neighbouring segments: who asks, who answers, and which keys each query may look at.

    `allowed` is a boolean mask [rows or 1, 1, query width, context + key width], or None for the
    causal one of a square.
    """

    queries: Grid
    keys: Grid
    allowed: Any = None


@dataclass(frozen=True)
class Layout:
    """The blocks of a packed batch. `context` keys stand before those of every segment.

    `longest` is the longest segment with its context. `ends` and `key_ends` [B + 1] int32 say
    where the queries and the keys of each segment begin and end, for kernels that take them;
    such a kernel is right where the layout is `plain`: each segment's queries are its last
    tokens, without context or branches.
    """

    blocks: tuple[Block, ...]
    context: int
    longest: int
    ends: Any
    key_ends: Any
    plain: bool


def layout_of(packed: Packed, *, heads: int, context: int = 0, only_read: bool = False) -> Layout:
    """Return the layout of a batch; with `only_read` just the positions that are read ask.

    The number of attention heads decides with the lengths how the batch is cut (`cut`).
    """
    import torch

    device = packed.ids.device
    lengths = asked = np.array(packed.lengths)
    places = np.arange(lengths.sum())
    if only_read:
        places = packed.read.cpu().numpy()
        asked = np.bincount(packed.owners.cpu().numpy(), minlength=len(lengths))
    branches = None if packed.branches is None else packed.branches.cpu().numpy()
    blocks = []
    for first, after in cut(lengths, heads):
        keys, answering = _grid(lengths, first, after, device)
        queries, asking = _grid(asked, first, after, device) if only_read else (keys, answering)
        square = branches is None and not only_read
        allowed = None
        if not square or context:
            starts = np.cumsum(lengths)[first:after] - lengths[first:after]
            rows = slice(-1, None) if square else slice(None)  # the longest row serves them all
            allowed = _allowed(places[asking[rows]], answering[rows], starts[rows], branches)
            allowed = np.pad(allowed, ((0, 0), (0, 0), (context, 0)), constant_values=True)
        mask = None if allowed is None else torch.from_numpy(allowed[:, None]).to(device)
        blocks.append(Block(queries, keys, mask))
    ends, key_ends = np.cumsum([0, *asked]), np.cumsum([0, *lengths])
    last = np.repeat(key_ends[1:] - ends[1:], asked) + np.arange(asked.sum())
    return Layout(
        tuple(blocks),
        context,
        int(lengths.max()) + context,
        torch.from_numpy(ends.astype(np.int32)).to(device),
        torch.from_numpy(key_ends.astype(np.int32)).to(device),
        plain=context == 0 and branches is None and bool((last == places).all()),
    )


def cut(lengths: Sequence[int] | Places, heads: int) -> list[tuple[int, int]]:
    """Return the cheapest partition of ascending lengths into runs (first, after the last).

    A run costs one kernel call, `rows * width ** 2` pairs in each head, and, if its lengths
    differ, moving its tokens into a grid and back. Counted in pairs of one head, a call is worth
    15,000 and moving a token 6 per head (measured on a CPU, heads of 48 channels, forward and
    backward). Equal lengths are never parted. Dynamic programming over the distinct lengths.
    """
    widths, counts = np.unique(np.asarray(lengths), return_counts=True)
    ends, tokens = np.cumsum([0, *counts]), np.cumsum([0, *(counts * widths)])
    best = np.zeros(len(widths) + 1)
    came = np.zeros(len(widths) + 1, dtype=np.int64)
    for stop, width in enumerate(widths, start=1):
        cells = (ends[stop] - ends[:stop]) * width
        moved = cells + tokens[stop] - tokens[:stop]
        moved[-1] = 0
        costs = best[:stop] + CALL + heads * (cells * width + MOVE * moved)
        came[stop] = np.argmin(costs)
        best[stop] = costs[came[stop]]
    runs, stop = [], len(widths)
    while stop:
        runs.append((int(ends[came[stop]]), int(ends[stop])))
        stop = int(came[stop])
    return runs[::-1]


def _grid(counts: Places, first: int, after: int, device: Any) -> tuple[Grid, Places]:
    """Return the grid of some segments with `counts` places each, and the flat place per cell."""
    import torch

    starts = np.cumsum([0, *counts])
    start, stop, width = int(starts[first]), int(starts[after]), int(counts[first:after].max())
    columns = np.arange(width)[None]
    rows = counts[first:after, None]
    flat = starts[first:after, None] + np.minimum(columns, rows - 1)
    if stop - start == flat.size:
        return Grid(start, stop, after - first, width), flat
    cells = torch.from_numpy((flat - start).ravel()).to(device)
    places = torch.from_numpy(np.flatnonzero(columns < rows)).to(device)
    return Grid(start, stop, after - first, width, cells, places), flat


def _allowed(
    asking: Places, answering: Places, starts: Places, branches: Places | None
) -> NDArray[np.bool_]:
    """Return whether each query [rows, Q] may look at each key [rows, K], as [rows, Q, K]."""
    columns = np.arange(answering.shape[1])
    allowed = columns <= (asking - starts[:, None])[..., None]
    if branches is not None:
        theirs, own = branches[answering][:, None, :], branches[asking][..., None]
        allowed &= (theirs == 0) | (theirs == own)
    return allowed
