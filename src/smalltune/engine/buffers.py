"""Buffers: the keys and values of a batch, written in place, and who sees which of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from smalltune.engine.cached_attention import attend_cached

__all__ = ["Buffer"]


class Buffer:
    """Keys and values [layers, 2, n, key/value heads, positions, D] of `n` prompts.

    A prompt's positions are on the left, padded to the longest of the batch; each step adds one
    position for each beam. So the beams of a prompt share its keys, and what a beam wrote is seen
    by the beams that descend from it: the mask follows the beams, the keys stay where they are.
    What all prompts begin with is held once, as `prefix`: of each layer keys and values
    [key/value heads, P, D], or None.

    `groups` query heads share one key/value head. Queries and keys come already rotated.
    """

    def __init__(
        self, layers: int, heads: int, groups: int, dim: int, scale: float, dtype: Any, device: Any
    ):
        """Set up an empty buffer; its memory is kept from batch to batch."""
        import torch

        self.layers, self.heads, self.groups, self.dim = layers, heads, groups, dim
        self.scale, self.dtype, self.device = scale, dtype, device
        self.memory = torch.empty(0, dtype=dtype, device=device)
        self.prefix: list[tuple[Any, Any] | None] = [None] * layers
        self.shared = 0

    def share(self, states: Sequence[tuple[Any, Any]]) -> None:
        """Take keys and values [P, heads, D] of each layer as the prefix of all prompts to come."""
        self.shared = len(states[0][0])
        self.prefix = [
            (
                keys.transpose(0, 1).to(self.dtype).contiguous(),
                values.transpose(0, 1).to(self.dtype).contiguous(),
            )
            for keys, values in states
        ]

    def lay_out(self, lengths: Sequence[int], beams: int, longest: int) -> None:
        """Begin a batch: prompts of these lengths [n], `longest` tokens for each beam at most."""
        import torch

        n, self.width = len(lengths), max(lengths)
        room = self.width + beams * longest
        shape = (self.layers, 2, n, self.heads // self.groups, room, self.dim)
        size = int(np.prod(shape))
        if size > len(self.memory):
            self.kept = self.memory = self.memory[:0].clone()  # not beside the larger one
            self.memory = torch.empty(size, dtype=self.dtype, device=self.device)
        self.kept = self.memory[:size].view(shape)
        self.filled, self.steps = self.width, 0
        self.lengths = torch.tensor(lengths, device=self.device)
        padding = torch.arange(self.width, device=self.device) >= self.lengths[:, None]
        uneven = min(lengths) < self.width
        self.seen = self._visible(padding, beams, room) if beams > 1 or uneven else None
        if uneven:  # what is not seen must still be a number
            rows, columns = padding.nonzero(as_tuple=True)
            self.kept.permute(2, 4, 0, 1, 3, 5)[rows, columns] = 0

    def write(self, rows: slice, columns: Any, states: Sequence[tuple[Any, Any]]) -> None:
        """Write keys and values [T, heads, D] of each layer: whole prompts, end to end.

        The prompts are those at `rows`; `columns` [T] are the places of tokens in their prompts.
        """
        import torch

        lengths = self.lengths[rows]
        owners = torch.arange(rows.start, rows.stop, device=self.device).repeat_interleave(lengths)
        for layer, both in zip(self.kept, states, strict=True):
            for place, new in zip(layer, both, strict=True):
                place.transpose(1, 2)[owners, columns] = new.to(self.dtype)

    def follow(self, parents: Any) -> Any:
        """Begin a step: beam j of each prompt continues the beam `parents` [n, beams].

        Return the place in its text of the token [n * beams] that each beam reads now.
        """
        n, beams = parents.shape
        if self.seen is not None and beams > 1 and self.steps:
            order = parents[:, :, None].expand(-1, -1, self.filled)
            self.seen[:n, :, : self.filled] = self.seen[:n].gather(1, order)
        places = self.shared + self.lengths + self.steps
        self.filled += beams
        self.steps += 1
        self.mask = self._by_query(n)
        return places.repeat_interleave(beams)

    def read(self, layer: int, query: Any, key: Any, value: Any) -> Any:
        """Write a key and a value per beam [n * beams, heads, D]; return what its query reads."""
        n = len(self.lengths)
        beams = len(query) // n
        kept = self.kept[layer, :, :n, :, : self.filled]
        for place, new in zip(kept[..., -beams:, :], (key, value), strict=True):
            place.copy_(new.view(n, beams, -1, self.dim).transpose(1, 2))
        grouped = query.to(self.dtype).view(n, beams, self.heads, self.dim)
        keys, values = kept
        found = attend_cached(grouped, keys, values, self.mask, self.prefix[layer], self.scale)
        return found.view(len(query), -1)

    def keep(self, rows: Any) -> None:
        """Keep the prompts at `rows` [m]: those that change places are copied, no others."""
        import torch

        here = torch.arange(len(rows), device=self.device)
        moved = here[rows != here]
        origin, upto = rows[moved], slice(self.filled)
        self.kept[:, :, moved, :, upto] = self.kept[:, :, origin, :, upto]
        if self.seen is not None:
            self.seen[moved] = self.seen[origin]
        self.lengths = self.lengths[rows]

    def _visible(self, padding: Any, beams: int, room: int) -> Any:
        """Return what each beam sees [n, beams, room], 0 or -inf: of each step its own."""
        import torch

        n, width = padding.shape
        seen = torch.zeros(n, beams, room, dtype=self.dtype, device=self.device)
        seen[:, :, :width].masked_fill_(padding[:, None], -torch.inf)
        others = ~torch.eye(beams, dtype=torch.bool, device=self.device)
        steps = seen[:, :, width:].view(n, beams, -1, beams)
        steps.masked_fill_(others[:, None], -torch.inf)
        return seen

    def _by_query(self, n: int) -> Any:
        """Return the mask [n, 1, beams * groups, positions] of a step; None if all is seen."""
        if self.seen is None:
            return None
        seen = self.seen[:n, :, None, : self.filled].expand(-1, -1, self.groups, -1)
        return seen.reshape(n, 1, -1, self.filled)
