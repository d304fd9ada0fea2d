"""Choosing: the most probable next tokens, without logits of the whole vocabulary in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from smalltune.engine.fused import hooked
from smalltune.engine.held import computed_in, is_linear

__all__ = ["Wanted", "best_of_head", "best_of_logits"]

WIDTH = 4096
"""Columns of the vocabulary at a time on a CPU, so that their logits stay in its cache."""

BLOCK = 64


@dataclass(frozen=True)
class Wanted:
    """Which next tokens are wanted: the best `count`.

    With `ends` [e] int64, ascending, the best `count` of the other tokens, and after them the
    best of these, as many again if there are.
    """

    count: int
    ends: Any = None


def best_of_head(head: Any, states: Any, wanted: Wanted) -> tuple[Any, Any]:
    """Return log-probabilities (float64) and tokens [n, c], best first, after states [n, d].

    The output head goes through the vocabulary piece by piece if it is a plain linear layer; one
    with a forward of its own or with something called around it is called as it is.
    """
    import torch

    if not is_linear(head) or hooked(head) or "forward" in vars(head):
        return best_of_logits(head(states), wanted)
    rows, device = head.weight.shape[0], states.device.type
    held = head.weight.dtype != computed_in(head) and not torch.is_autocast_enabled(device)
    width = WIDTH if device == "cpu" else rows

    def pieces() -> Iterator[Any]:
        for start in range(0, rows, width):
            piece = slice(start, start + width)
            bias = None if head.bias is None else head.bias[piece]
            weight = head.weight[piece].to(states.dtype) if held else head.weight[piece]
            yield torch.nn.functional.linear(states, weight, bias)

    return _best(pieces(), wanted)


def best_of_logits(logits: Any, wanted: Wanted) -> tuple[Any, Any]:
    """Return log-probabilities (float64) and tokens [n, c], best first, of logits [n, V]."""
    width = WIDTH if logits.device.type == "cpu" else logits.shape[1]
    return _best(iter(logits.split(width, dim=1)), wanted)


def _best(pieces: Iterator[Any], wanted: Wanted) -> tuple[Any, Any]:
    """Merge the best of each piece of the vocabulary; of equal logits the first token wins."""
    import torch

    values, tokens, sums, ends = [], [], [], []
    start = 0
    for piece in pieces:
        logits = piece.float()
        stop = start + logits.shape[1]
        best, places = _top(logits, 1)
        sums.append(best - torch.log_softmax(logits, dim=-1).gather(1, places))
        if wanted.ends is not None:
            inside = wanted.ends[(wanted.ends >= start) & (wanted.ends < stop)] - start
            ends.append(logits[:, inside])
            logits = logits.index_fill(1, inside, -torch.inf)
        if wanted.count > 1 or wanted.ends is not None:
            best, places = _top(logits, min(wanted.count, stop - start))
        values.append(best)
        tokens.append(places + start)
        start = stop
    total = torch.cat(sums, dim=1).double().logsumexp(dim=1, keepdim=True)
    best, places = _top(torch.cat(values, dim=1), wanted.count)
    found, chosen = [best], [torch.cat(tokens, dim=1).gather(1, places)]
    if ends:
        stops = torch.cat(ends, dim=1)
        best, places = stops.topk(min(wanted.count, stops.shape[1]), dim=1)
        found.append(best)
        chosen.append(wanted.ends[places])
    return torch.cat(found, dim=1).double() - total, torch.cat(chosen, dim=1)


def _top(values: Any, count: int) -> tuple[Any, Any]:
    """Return the largest `count` of each row of values [n, m], and where they are.

    The maximum of each block is a vector instruction, the place of a maximum is not: for one
    value only the block that holds it is searched.
    """
    n, m = values.shape
    if count > 1:
        top = values.topk(count, dim=1)
        return top.values, top.indices
    if m % BLOCK:
        places = values.argmax(dim=1, keepdim=True)
        return values.gather(1, places), places
    blocks = values.view(n, -1, BLOCK)
    which = blocks.amax(dim=2).argmax(dim=1)
    inside = blocks.gather(1, which[:, None, None].expand(-1, 1, BLOCK))[:, 0].argmax(dim=1)
    places = (which * BLOCK + inside)[:, None]
    return values.gather(1, places), places
