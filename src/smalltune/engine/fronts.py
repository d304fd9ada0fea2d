"""Fronts: virtual tokens that a method puts before every segment, computed once for a batch.

What stands before every segment is the same for all of them, so only its keys and values are
needed, and these once: a segment's own tokens attend to them and count their positions from the
front's end. That is what a row of virtual tokens before each text gives, without the row.

A front is computed without dropout, also in training: what is dropped depends on the item
(`engine.dropout`), and a front stands before all of them. The texts behind it do meet dropout.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smalltune.core.errors import MethodError
from smalltune.engine.decoder import decoder_of
from smalltune.engine.lean import States

__all__ = ["Front", "as_cache", "fed_by", "front_of", "keys_after", "plain_cache", "put", "take"]

NAME = "smalltune_front"


class Front:
    """What a method puts before every segment; its parameters are the model's while it is there.

    A concrete front is a `torch.nn.Module` as well. `length` is in tokens.
    """

    length: int

    @abstractmethod
    def states(self, model: Any) -> States:
        """Return keys and values [length, kv heads, d] of every layer, keys already rotated."""


def front_of(model: Any) -> Any:
    """Return the front that a method put before a model's segments, or None."""
    return getattr(model, NAME, None)


def put(model: Any, front: Any) -> None:
    """Put a front before all segments; raises MethodError for a model that keeps no keys."""
    plain_cache(model)
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if room is not None and front.length >= room:
        raise MethodError(f"{front.length} virtual tokens fill the model's context of {room}")
    setattr(model, NAME, front)


def take(model: Any) -> None:
    """Take the front away again."""
    delattr(model, NAME)


def plain_cache(model: Any) -> Any:
    """Return an empty cache; raises MethodError where a layer keeps anything but all keys."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    kinds = {type(layer).__name__ for layer in cache.layers}
    if kinds - {"DynamicLayer"}:
        raise MethodError(
            f"virtual tokens need a model that attends to all tokens before, and a "
            f"{type(model).__name__} does not in every layer: choose `lora`"
        )
    return cache


def as_cache(model: Any, states: States, rows: int = 1) -> Any:
    """Return a Transformers cache that begins with a front, for a batch of so many rows."""
    cache = plain_cache(model)
    for place, pair in enumerate(states):
        keys, values = (each.transpose(0, 1)[None].expand(rows, -1, -1, -1) for each in pair)
        cache.update(keys, values, place)
    return cache


def keys_after(model: Any, embeddings: Any) -> States:
    """Return the keys and values of every layer after embeddings [P, d] at the first positions."""
    cache = plain_cache(model)
    decoder = decoder_of(model)
    with _steady(decoder):
        decoder(inputs_embeds=embeddings[None], past_key_values=cache, use_cache=True)
    return [
        (layer.keys[0].transpose(0, 1), layer.values[0].transpose(0, 1)) for layer in cache.layers
    ]


def fed_by(model: Any) -> int:
    """Return how many tokens a model is fed for its front, such as prompt tuning's embeddings.

    None without a front, and none for one whose keys and values are themselves its parameters.
    """
    import torch

    front, fed = front_of(model), 0
    if front is None:
        return 0

    def count(decoder: Any, args: Any, given: Any) -> None:
        nonlocal fed
        fed += given["inputs_embeds"].shape[1]

    hook = decoder_of(model).register_forward_pre_hook(count, with_kwargs=True)
    try:
        with torch.no_grad():
            front.states(model)
    finally:
        hook.remove()
    return fed


@contextmanager
def _steady(decoder: Any) -> Iterator[None]:
    """Let nothing be dropped meanwhile, and no layer be computed twice.

    Transformers keeps no keys where one is. Gradients are as ever.
    """
    training = [module for module in decoder.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
