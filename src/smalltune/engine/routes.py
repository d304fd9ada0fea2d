"""Routes: the ways through a decoder, and which one a model can take.

"lean"    our own loop over the model's modules (`engine.lean`)
"packed"  Transformers' forward over one packed row, with our attention (`engine.attention`)
"padded"  Transformers' forward over right-padded rows, with its own attention

The route is read off the model as it stands, so that attaching or detaching a method needs no
flag. What acts token by token may be put anywhere. What adds tokens or mixes them hooks the
decoder itself (`decoder_of(model).register_forward_pre_hook`) and with that takes the padded
route, where it finds a segment in each row; tokens that it adds in front are not read.
"""

import inspect
from typing import Any
from weakref import WeakKeyDictionary

from smalltune.core.errors import EngineError
from smalltune.engine import lean
from smalltune.engine.attention import Unfit, packed_attention
from smalltune.engine.decoder import decoder_of
from smalltune.engine.dropped_attention import forms_probabilities
from smalltune.engine.fused import hooked
from smalltune.engine.layout import layout_of
from smalltune.engine.packing import Packed, pack_prompts
from smalltune.engine.rotation import still_until
from smalltune.engine.segments import Segments

__all__ = ["packed_states", "padded_states", "route_of"]

SPANS = ("sliding_window", "attention_chunk_size")
CAUSAL = {"full_attention", "sliding_attention", "chunked_attention"}
ROUNDING = 1e-3

_packs: "WeakKeyDictionary[Any, tuple[int, bool]]" = WeakKeyDictionary()


def route_of(model: Any, longest: int = 0) -> str:
    """Return the fastest route that gives a model's own hidden states.

    `longest` is the longest segment with what stands before it: where the model's attention
    reaches less far, or its rotary angles are others from some length on, only the padded route
    is right. So it is in training where attention drops probabilities.
    """
    if lean.fits(model):
        return "lean"
    config = model.config.get_text_config()
    reach = [getattr(config, name, None) or longest for name in SPANS]
    if longest > min(*reach, still_until(config)):
        return "padded"
    if decoder_of(model).training and forms_probabilities(model):
        return "padded"
    return "packed" if _takes_packed(model) else "padded"


def packed_states(model: Any, packed: Packed, *, cache: Any = None) -> Any:
    """Return the last hidden states [S, d] by the packed route.

    `cache` is a Transformers cache of tokens before every segment; this batch's are appended to
    it. Raises Unfit for a model with another attention than the plain causal one.
    """
    context = 0 if cache is None else cache.get_seq_length()
    heads = model.config.get_text_config().num_attention_heads
    layout = layout_of(packed, heads=heads, context=context)
    seen = packed.ids.new_ones(1, context + len(packed.ids))
    with packed_attention(model, layout):
        states = decoder_of(model)(
            input_ids=packed.ids[None],
            attention_mask=seen,  # or the mask is searched for in the positions
            position_ids=packed.positions[None],
            past_key_values=cache,
            use_cache=cache is not None,
            layout=layout,
        ).last_hidden_state
    return states[0].index_select(0, packed.read)


def padded_states(model: Any, packed: Packed, *, cache: Any = None) -> Any:
    """Return the last hidden states [S, d] by the padded route.

    `cache` is a Transformers cache of what stands before each row, in as many rows.

    No attention mask is passed: padding is on the right and the model is causal. Raises
    EngineError for branches, which only a mask could tell apart.
    """
    import torch

    if packed.branches is not None:
        raise EngineError("the padded route has no branches: give each ending its own segment")
    device = packed.ids.device
    lengths = torch.tensor(packed.lengths, device=device)
    owners = torch.arange(len(lengths), device=device).repeat_interleave(lengths)
    grid = packed.ids.new_zeros(len(lengths), max(packed.lengths))
    grid[owners, packed.positions] = packed.ids
    given = {"use_cache": cache is not None, "past_key_values": cache}
    states = decoder_of(model)(input_ids=grid, **given).last_hidden_state
    return states[:, -grid.shape[1] :][packed.owners, packed.positions[packed.read]]


def _takes_packed(model: Any) -> bool:
    """Return whether the packed route is right for a model, from a trial that is kept."""
    decoder = decoder_of(model)
    accepted = inspect.signature(decoder.forward).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
    supported = getattr(decoder, "_supports_attention_backend", False)
    if not (supported and open_ended and "position_ids" in accepted) or hooked(decoder):
        return False
    layers = set(getattr(model.config.get_text_config(), "layer_types", None) or CAUSAL)
    if getattr(model, "_is_stateful", False) or layers - CAUSAL:
        return False
    shape = hash(tuple(type(module) for module in decoder.modules()))
    known = _packs.get(model)
    if known is None or known[0] != shape:
        _packs[model] = known = (shape, _tried(model))
    return known[1]


def _tried(model: Any) -> bool:
    """Return whether a segment in a packed row gives what it gives alone, whatever is before it.

    So a model that mixes tokens in a way of its own, or counts positions itself, is found out
    without a list of such models.
    """
    import torch

    weight = model.get_input_embeddings().weight
    device = weight.device.type

    def states(way: Any, *texts: list[int]) -> Any:
        tokens = [[place % weight.shape[0] for place in text] for text in texts]
        rows = Segments.of(tokens, [0] * len(texts), [0] * len(texts))
        return way(model, pack_prompts(rows, range(len(texts)), device))[-1]

    text, one, other = [7, 13, 5, 11, 3, 2, 8], [3, 1, 4, 1, 5], [9, 2, 6, 5, 3]
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        with torch.no_grad(), torch.autocast(device, enabled=False):
            first, second = (states(packed_states, before, text) for before in (one, other))
            alone = states(padded_states, text)
    except (Unfit, TypeError):
        return False
    finally:
        for module in training:
            module.training = True
    size, rounding = alone.abs().max(), 16 * torch.finfo(alone.dtype).eps
    same = (first - second).abs().max() <= rounding * size
    return bool(same and (first - alone).abs().max() <= ROUNDING * size)
