"""Attention whose probabilities are dropped per item, for models that were made with it (GPT-2).

Fused attention never forms the probabilities, so these are formed, which is slow; models without
attention dropout never come here. Used where segments lie in rows, the padded route.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["dropping_attention", "forms_probabilities"]

NAME = "smalltune_dropping"

_masks: ContextVar[tuple[Any, dict[int, str]]] = ContextVar("masks")


@contextmanager
def dropping_attention(model: Any, masks: Any) -> Iterator[None]:
    """Let a model that drops attention probabilities do it by `masks` (`dropout.Dropout`).

    Raises EngineError for a model whose attention cannot be exchanged.
    """
    config = model.config.get_text_config()
    field = _field(config)
    if field is None:
        yield
        return
    if not model._supports_attention_backend:
        raise EngineError(
            f"{field} is above 0 in the model's config.json, and its attention cannot be made to "
            "drop the same whatever else is in the batch. Name a copy of the model's folder as "
            f"the source (`path:`) and set {field} to 0 there"
        )
    _register()
    before = config._attn_implementation
    config._attn_implementation = NAME
    token = _masks.set((masks, {id(module): name for name, module in model.named_modules()}))
    try:
        yield
    finally:
        _masks.reset(token)
        config._attn_implementation = before


def forms_probabilities(model: Any) -> bool:
    """Tell whether a model attends in rows by this attention now."""
    return bool(model.config.get_text_config()._attn_implementation == NAME)


def _field(config: Any) -> str | None:
    """Return the configuration's field that asks for dropout in attention, if it is above 0."""
    for name, value in config.to_dict().items():
        if "att" in name and "drop" in name and isinstance(value, int | float) and value > 0:
            return str(name)
    return None


@cache
def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, eager_mask)


def _attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    dropout: float = 0.0,
    **more: Any,
) -> tuple[Any, None]:
    """Attend as Transformers calls it: states [rows, heads, width, d]; the mask is added."""
    import torch

    groups = query.shape[1] // key.shape[1]
    key, value = (states.repeat_interleave(groups, 1) for states in (key, value))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = query @ key.mT * scale + attention_mask
    shares = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    if dropout:
        masks, names = _masks.get()
        heads = shares.shape[1:2]
        channels = shares.permute(0, 2, 3, 1).flatten(2)
        channels = masks.drop(names[id(module)], dropout, channels)
        shares = channels.unflatten(2, (-1, *heads)).permute(0, 3, 1, 2)
    return (shares @ value).transpose(1, 2), None
