"""Features: what the last layer holds at the end of each prompt."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.fitting import in_batches
from smalltune.engine.packing import pack_prompts
from smalltune.engine.prefixes import prefix_of
from smalltune.engine.segments import Segments

__all__ = ["BUDGET", "last_states"]

BUDGET = 2048
"""Tokens per batch, counted after padding."""


def last_states(model: Any, prompts: Segments) -> NDArray[np.float32]:
    """Return the last hidden states [n, d] at the last token of n prompts."""
    import torch

    found = np.zeros((len(prompts), model.get_input_embeddings().weight.shape[1]), np.float32)
    device = next(model.parameters()).device.type
    with torch.inference_mode():
        longest = int(prompts.lengths.max(initial=0))
        prefix = prefix_of(model, prompts, longest, longest=longest)

        def ask(batch: NDArray[np.int64]) -> None:
            packed = pack_prompts(prompts, batch, device, skip=prefix.length)
            found[list(packed.items)] = prefix.hidden_at(packed).float().cpu().numpy()

        in_batches(prompts.lengths - prefix.length, BUDGET, ask)
    return found
