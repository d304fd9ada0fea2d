"""Prefixes: the tokens that all prompts begin with, such as demonstrations, computed once."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.forward import hidden_at
from smalltune.engine.fronts import as_cache, front_of
from smalltune.engine.lean import States, lean_states
from smalltune.engine.packing import Packed, pack_prompts
from smalltune.engine.routes import packed_states, route_of
from smalltune.engine.segments import Segments

__all__ = ["Prefix", "prefix_of", "shared_tokens"]

LEAST = 16
"""A shorter prefix costs more in every attention than it saves."""


def shared_tokens(segments: Segments, most: int) -> NDArray[np.int32]:
    """Return the longest beginning that all segments share, of at most `most` tokens."""
    if not len(segments):
        return segments.ids[:0]
    most = max(0, min(most, int(segments.lengths.min())))
    places = segments.starts[:-1, None] + np.arange(most)
    differs = np.flatnonzero((segments.ids[places] != segments.ids[places[:1]]).any(0))
    return segments[0][: int(differs[0]) if len(differs) else most]


def prefix_of(model: Any, segments: Segments, most: int, *, longest: int) -> "Prefix":
    """Return the computed prefix of segments, empty where it would not pay.

    At most `most` tokens of each segment are taken, and fewer than the shortest has, so that
    each keeps a token of its own. It does not pay for one segment, for less than `LEAST` tokens,
    and on the padded route, which computes the prefix with each segment. `longest` is the longest
    segment, with whatever is to follow it. A front, which a method puts before every segment, is
    computed in any case.
    """
    front = front_of(model)
    before = front.length if front else 0
    most = min(most, int(segments.lengths.min()) - 1) if len(segments) else 0
    tokens = shared_tokens(segments, most)
    route = route_of(model, before + longest)
    states: States = front.states(model) if front else []
    if route == "padded" or len(segments) < 2 or len(tokens) < LEAST:
        return Prefix(model, 0, route, before, _kept(model, route, states))
    alone = Segments.of([tokens], [0], [0])
    packed = pack_prompts(alone, [0], next(model.parameters()).device.type).behind(before)
    if route == "lean":
        added: States = []
        lean_states(model, packed, context=states or None, kept=added)
        return Prefix(model, len(tokens), route, before, _joined(states, added))
    from transformers import DynamicCache

    cache = _kept(model, route, states) or DynamicCache(config=model.config)
    packed_states(model, packed, cache=cache)
    return Prefix(model, len(tokens), route, before, cache)


def _kept(model: Any, route: str, states: States) -> Any:
    """Return keys and values as a route takes them, or None where there are none."""
    return (as_cache(model, states) if route == "packed" else states) if states else None


def _joined(first: States, then: States) -> States:
    import torch

    if not first:
        return then
    pairs = zip(first, then, strict=True)
    return [(torch.cat((a, c)), torch.cat((b, d))) for (a, b), (c, d) in pairs]


@dataclass(frozen=True)
class Prefix:
    """What stands before every segment, and what the model's layers keep of it.

    `length` tokens that all segments begin with, behind `front` virtual ones of a method.
    """

    model: Any
    length: int
    route: str
    front: int = 0
    kept: Any = None

    def hidden_at(self, packed: Packed) -> Any:
        """Return the last hidden states [S, d] at the read positions of segments without it."""
        if self.kept is None or self.route == "padded":
            return hidden_at(self.model, packed, route=self.route)
        packed = packed.behind(self.front)
        if self.route == "lean":
            return lean_states(self.model, packed, context=self.kept)
        cache = copy.copy(self.kept)
        cache.layers = [copy.copy(layer) for layer in self.kept.layers]  # each batch adds its own
        return packed_states(self.model, packed, cache=cache)
