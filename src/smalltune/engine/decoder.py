"""The decoder of a causal model: the module that makes hidden states of tokens, without the head.

Transformers' `get_decoder()` goes by the names of attributes. For a few families that is the model
itself (Llama 4's text model) or its output layer (the ModernBERT decoder).
"""

import inspect
from functools import cache
from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["decoder_of"]


def decoder_of(model: Any) -> Any:
    """Return the module inside a model that makes hidden states of tokens.

    That is the first of `get_decoder()`, `base_model` and `model` that is not the model itself and
    reads tokens. Raises EngineError where none does.
    """
    found: Any
    for found in (model.get_decoder(), model.base_model, getattr(model, "model", None)):
        if found is not None and found is not model and _reads_tokens(found.__class__):
            return found
    raise EngineError(
        f"a {type(model).__name__} has no decoder that makes hidden states of tokens by itself, "
        "without which it can be neither trained nor asked: choose a model of another family"
    )


@cache
def _reads_tokens(kind: Any) -> bool:
    return "input_ids" in inspect.signature(kind.forward).parameters
