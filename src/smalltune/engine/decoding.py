"""Lean decoding for the Llama and Qwen families: no work that does not change the next token.

What is left out against the library's way, with the same numbers up to rounding:

padding     a batch's prompts are read packed (`engine.lean`), with the last layer pruned
prefix      what all prompts begin with is read once, and its keys are kept once
copies      keys and values stay where they were written (`engine.buffers`), whatever the beams do
logits      are made where a token is chosen, a piece of the vocabulary at a time
rows        when a prompt is done, the last one of the batch moves into its place

The model's own modules, or what a method put in their place, compute everything but attention and
the rotary embedding.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.buffers import Buffer
from smalltune.engine.caches import Best, Texts
from smalltune.engine.choosing import Wanted, best_of_head
from smalltune.engine.decoder import decoder_of
from smalltune.engine.fused import linear
from smalltune.engine.head import head_of
from smalltune.engine.lean import States, fits, lean_states
from smalltune.engine.packing import pack_prompts
from smalltune.engine.prefixes import Prefix
from smalltune.engine.segments import Segments

__all__ = ["LeanCache", "decodes_lean"]

AT_ONCE = 1024
"""Tokens of prompts that are read at a time on a CPU, so that its cache holds what they need."""


def decodes_lean(model: Any) -> bool:
    """Return whether `LeanCache` gives a model's own next tokens."""
    return fits(model)


class LeanCache:
    """A model's layers, read one after the other over a buffer of keys and values."""

    mixes = True

    def __init__(self, model: Any, prefix: Prefix):
        """Set up for prompts that all begin with `prefix`, which is computed and may be empty."""
        import torch

        self.model, self.decoder, self.prefix = model, decoder_of(model), prefix
        self.head, self.wanted = head_of(model), Wanted(1)
        config = self.decoder.config
        self.layers = self.decoder.layers[: config.num_hidden_layers]
        attention, vector = self.layers[0].self_attn, next(_vectors(model))
        self.device, self.dim, dtype = vector.device, attention.head_dim, vector.dtype
        if torch.is_autocast_enabled(self.device.type):
            dtype = torch.get_autocast_dtype(self.device.type)
        self.buffer = Buffer(
            len(self.layers), config.num_attention_heads, attention.num_key_value_groups,
            self.dim, attention.scaling, dtype, self.device,
        )  # fmt: skip
        if prefix.kept is not None:
            self.buffer.share(prefix.kept)

    def held(self, lengths: NDArray[np.int64], beams: int, longest: int) -> NDArray[np.int64]:
        """Return the positions that each prompt takes up: itself once, and each beam's tokens."""
        return lengths - self.prefix.length + beams * longest

    def begin(self, prompts: Texts, beams: int, longest: int, wanted: Wanted) -> Best:
        """Read the prompts of a batch, shortest first; return the next tokens wanted [n, c]."""
        import torch

        self.wanted, skip = wanted, self.prefix.length
        nothing = [0] * len(prompts)
        whole = Segments.of(prompts, nothing, nothing)
        self.buffer.lay_out((whole.lengths - skip).tolist(), beams, longest)
        states = []
        for rows in self._parts(whole.lengths - skip):
            batch = np.arange(rows.start, rows.stop)
            packed = pack_prompts(whole, batch, self.device.type, skip=skip)
            kept: States = []
            behind, context = packed.behind(self.prefix.front), self.prefix.kept
            states.append(lean_states(self.model, behind, context=context, kept=kept))
            self.buffer.write(rows, packed.positions - skip, kept)
        return best_of_head(self.head, torch.cat(states), wanted)

    def step(self, tokens: Any, parents: Any) -> Best:
        """Read one token per beam [n, beams]; return the next tokens wanted [n * beams, c]."""
        places = self.buffer.follow(parents)
        states = self.decoder.embed_tokens(tokens.flatten())
        angles = self._angles(states, places)
        for index, layer in enumerate(self.layers):
            attention = layer.self_attn
            x = layer.input_layernorm(states)
            query = self._heads(linear(attention.q_proj, x))
            key = self._heads(linear(attention.k_proj, x))
            value = self._heads(linear(attention.v_proj, x))
            if hasattr(attention, "q_norm"):
                query, key = attention.q_norm(query), attention.k_norm(key)
            query, key = _turned(query, *angles), _turned(key, *angles)
            found = self.buffer.read(index, query, key, value)
            states = states + linear(attention.o_proj, found)
            states = states + layer.mlp(layer.post_attention_layernorm(states))
        return best_of_head(self.head, self.decoder.norm(states), self.wanted)

    def keep(self, rows: Any) -> None:
        """Keep the prompts at `rows` of the batch."""
        self.buffer.keep(rows)

    def _angles(self, states: Any, places: Any) -> tuple[Any, Any]:
        """Return cosines and sines [T, 1, D] of places [T], the first half of the sines negated."""
        import torch

        cos, sin = self.decoder.rotary_emb(states, places[None])
        low, high = sin[0, :, None].chunk(2, dim=-1)
        return cos[0, :, None], torch.cat((-low, high), dim=-1)

    def _heads(self, states: Any) -> Any:
        """Return the heads [T, heads, D] of a projection [T, heads * D]."""
        return states.view(len(states), -1, self.dim)

    def _parts(self, lengths: NDArray[np.int64]) -> Iterator[slice]:
        """Yield the rows of the prompts that are read together."""
        size = AT_ONCE if self.device.type == "cpu" else int(lengths.sum())
        pieces = (np.cumsum(lengths) - 1) // size
        starts = np.flatnonzero(np.diff(pieces, prepend=-1)).tolist()
        for start, stop in zip(starts, [*starts[1:], len(lengths)], strict=True):
            yield slice(start, stop)


def _vectors(model: Any) -> Iterator[Any]:
    """Yield the parameters that are never held in another format than the states'."""
    return (parameter for parameter in model.parameters() if parameter.dim() == 1)


def _turned(states: Any, cos: Any, sin: Any) -> Any:
    """Return queries or keys [T, heads, D] turned by their angles, without a gradient."""
    return (states * cos).addcmul_(states.roll(states.shape[-1] // 2, -1), sin)
