"""Caches: keys and values of what was read, so that a token more costs one position of forward.

A cache reads a batch of prompts and then one token per running beam at a time. `LibraryCache`
works for every causal model of Transformers, with the model's own forward and cache; `LeanCache`
(`engine.decoding`) is the short way for the Llama and Qwen families.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import EngineError
from smalltune.engine.choosing import Wanted, best_of_logits
from smalltune.engine.decoder import decoder_of
from smalltune.engine.fronts import as_cache, front_of
from smalltune.engine.fused import hooked
from smalltune.engine.rotation import rotation_moves

__all__ = ["Best", "Cache", "LibraryCache", "Texts"]

POSITIONAL = ("DynamicLayer", "DynamicSlidingWindowLayer", "DummyLayer")
"""Transformers' cache layers that hold one entry per position, so that padding can be masked."""

Texts = Sequence[NDArray[np.int32]]
Best = tuple[Any, Any]
"""Log-probabilities in float64 and tokens, best first."""


class Cache(Protocol):
    """What was read of a batch of prompts.

    With `mixes`, prompts of different lengths may be in one batch.
    """

    mixes: bool
    device: Any

    def held(self, lengths: NDArray[np.int64], beams: int, longest: int) -> NDArray[np.int64]:
        """Return how many positions each prompt [n] takes up with `longest` tokens added."""

    def begin(self, prompts: Texts, beams: int, longest: int, wanted: Wanted) -> Best:
        """Read the prompts of a batch, shortest first; return the next tokens wanted [n, c]."""

    def step(self, tokens: Any, parents: Any) -> Best:
        """Read the last token of each beam [n, beams], which continues the beam `parents`.

        Return the next tokens wanted [n * beams, c].
        """

    def keep(self, rows: Any) -> None:
        """Keep the prompts at `rows` [m] of the batch; nearly all of them are where they were."""


class LibraryCache:
    """The model's own forward and cache.

    Prompts of different lengths are padded on the left and masked. Where a model would see the
    padding all the same (a recurrent state, rotary angles that depend on the longest row, no
    `position_ids`), only prompts of one length go together. A model that takes no
    `past_key_values`, or whose decoder has a hook, which may put tokens in front, reads the whole
    text again for each token.
    """

    def __init__(self, model: Any):
        """Find out what the model's forward takes."""
        self.model = model
        self.device = next(model.parameters()).device
        takes = inspect.signature(model.forward).parameters
        self.caches = "past_key_values" in takes and not hooked(decoder_of(model))
        self.mixes = self.caches and {"attention_mask", "position_ids"} <= set(takes)
        self.mixes = self.mixes and _sees_no_padding(model.config)
        self.extra = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self.front = front_of(model)
        if self.front and not self.mixes:
            raise EngineError(
                f"a {type(model).__name__} does not write behind virtual tokens: choose `lora`"
            )

    def held(self, lengths: NDArray[np.int64], beams: int, longest: int) -> NDArray[np.int64]:
        """Return the positions that each prompt takes up: every beam has a copy of it."""
        return (lengths + longest) * beams

    def begin(self, prompts: Texts, beams: int, longest: int, wanted: Wanted) -> Best:
        """Read the prompts of a batch, shortest first; return the next tokens wanted [n, c]."""
        import torch

        width = max(len(p) for p in prompts)
        ids = np.zeros((len(prompts), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :], mask[row, width - len(prompt) :] = prompt, 1
        self.cache = None
        if self.front:
            states = self.front.states(self.model)
            self.cache = as_cache(self.model, states, len(prompts))
            mask = np.pad(mask, ((0, 0), (self.front.length, 0)), constant_values=1)
        self.ids = torch.from_numpy(ids).to(self.device)
        self.mask = None if mask.all() else torch.from_numpy(mask).to(self.device)
        self.rows = torch.arange(len(prompts), device=self.device)
        self.beams, self.wanted = 1, wanted
        return self._read(self.ids)

    def step(self, tokens: Any, parents: Any) -> Best:
        """Read one token per beam; copies the cache where beams change places."""
        import torch

        rows = (self.rows[:, None] * self.beams + parents).flatten()
        if not torch.equal(rows, torch.arange(len(self.ids), device=self.device)):
            self.ids = self.ids[rows]
            self.mask = None if self.mask is None else self.mask[rows]
            if self.cache is not None:
                self.cache.reorder_cache(rows)
        self.rows = torch.arange(len(tokens), device=self.device)
        self.beams = tokens.shape[1]
        last = tokens.reshape(-1, 1)
        self.ids = torch.cat((self.ids, last), dim=1)
        if self.mask is not None:
            self.mask = torch.cat((self.mask, torch.ones_like(last)), dim=1)
        return self._read(self.ids if self.cache is None else last)

    def keep(self, rows: Any) -> None:
        """Keep the prompts at `rows`; the cache is copied with the next step."""
        self.rows = self.rows[rows]

    def _read(self, ids: Any) -> Best:
        given: dict[str, Any] = dict(self.extra)
        if self.mask is not None:
            positions = (self.mask.cumsum(1) - 1).clamp(min=0)
            given |= {"attention_mask": self.mask, "position_ids": positions[:, -ids.shape[1] :]}
        if self.caches:
            given |= {"past_key_values": self.cache, "use_cache": True}
        found = self.model(input_ids=ids, **given)
        self.cache = found.past_key_values if self.caches else None
        if self.caches and not hasattr(self.cache, "reorder_cache"):
            raise EngineError(
                f"{type(self.model).__name__} keeps what it has read in a form that cannot follow "
                "beams: generation is not possible with this family"
            )
        return best_of_logits(found.logits[:, -1], self.wanted)


def _sees_no_padding(config: Any) -> bool:
    """Say whether masked padding on the left changes nothing for a model."""
    from transformers import DynamicCache

    if rotation_moves(config.get_text_config()):
        return False
    return all(type(layer).__name__ in POSITIONAL for layer in DynamicCache(config=config).layers)
