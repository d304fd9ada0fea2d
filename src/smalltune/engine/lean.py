"""Lean: the forward of Llama, Qwen2 and Qwen3 over packed segments, through their own modules.

The loop over layers is written out, so that the last one computes only what is read: keys and
values for every token, all else for the read positions. What a method put in place of a linear
layer, a norm or an MLP is called like the original and must work token by token.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from smalltune.engine.attention import attend
from smalltune.engine.decoder import decoder_of
from smalltune.engine.fused import embedded, linear, norm, own, rotated
from smalltune.engine.layout import Layout, layout_of
from smalltune.engine.packing import Packed
from smalltune.engine.rotation import rotation_moves

__all__ = ["States", "fits", "lean_states"]

WORTH = 0.8

States = list[tuple[Any, Any]]
"""Keys and values [C, kv heads, d] of each layer."""


def fits(model: Any) -> bool:
    """Return whether this forward is the model's own.

    It is not for another architecture, where somebody hooked or replaced a decoder layer or its
    attention, which are never called here, where attention has dropout or a window, and where the
    rotary angles depend on what else is read.
    """
    decoder = decoder_of(model)
    family = (type(decoder).__name__.removesuffix("Model"),)
    if not own(decoder, "Model"):
        return False
    config = model.config
    if set(getattr(config, "layer_types", None) or ()) - {"full_attention"}:
        return False
    if rotation_moves(config) or (config.attention_dropout and decoder.training):
        return False
    return all(
        own(layer, "DecoderLayer", family) and own(layer.self_attn, "Attention", family)
        for layer in decoder.layers
    )


def lean_states(
    model: Any, packed: Packed, *, context: States | None = None, kept: States | None = None
) -> Any:
    """Return the last hidden states [S, d] at the read positions.

    `context` are the keys and values of tokens before every segment; the keys and values of this
    batch are appended to `kept` where it is given.
    """
    decoder = decoder_of(model)
    depth = decoder.config.num_hidden_layers
    layers = decoder.layers[:depth]
    states = embedded(decoder.embed_tokens, packed.ids[None], model.get_output_embeddings())
    tables = decoder.rotary_emb(states, packed.positions[None])
    cos, sin = (table.unsqueeze(2) for table in tables)
    heads = decoder.config.num_attention_heads
    before = context[0][0].shape[0] if context else 0
    layout = layout_of(packed, heads=heads, context=before)
    whole = _Pass(cos, sin, cos, sin, layout)
    last, pruned = whole, len(packed.read) <= WORTH * len(packed.ids)
    if pruned:
        asked = layout_of(packed, heads=heads, context=before, only_read=True)
        read_cos, read_sin = (table.index_select(1, packed.read) for table in (cos, sin))
        last = _Pass(cos, sin, read_cos, read_sin, asked, packed.read)
    for index, layer in enumerate(layers):
        way = last if index == depth - 1 else whole
        front = context[index] if context else None
        run = partial(_layer, layer, way=way, context=front, kept=kept)
        if layer.gradient_checkpointing and layer.training:
            from torch.utils.checkpoint import checkpoint

            states = checkpoint(run, states, use_reentrant=False)
        else:
            states = run(states)
    states = states[0] if pruned else states[0].index_select(0, packed.read)
    return norm(decoder.norm, states)


@dataclass(frozen=True)
class _Pass:
    """What a layer needs to know of a batch: rotations of keys and queries, who looks where.

    `read` are the positions that go on, or None for all.
    """

    cos: Any
    sin: Any
    query_cos: Any
    query_sin: Any
    layout: Layout
    read: Any = None


def _layer(
    layer: Any, states: Any, *, way: _Pass, context: tuple[Any, Any] | None, kept: States | None
) -> Any:
    """Return the states [1, T or S, d] after a decoder layer."""
    attention = layer.self_attn
    shape = (1, -1, attention.head_dim)
    normed = norm(layer.input_layernorm, states)
    keys = linear(attention.k_proj, normed).unflatten(-1, shape[1:])
    values = linear(attention.v_proj, normed).unflatten(-1, shape[1:])
    if way.read is not None:
        states, normed = states.index_select(1, way.read), normed.index_select(1, way.read)
    queries = linear(attention.q_proj, normed).unflatten(-1, shape[1:])
    if hasattr(attention, "q_norm"):
        queries, keys = norm(attention.q_norm, queries), norm(attention.k_norm, keys)
    queries = rotated(queries, way.query_cos, way.query_sin)[0]
    keys, values = rotated(keys, way.cos, way.sin)[0], values[0]
    if kept is not None:
        kept.append((keys, values))
    found = attend(queries, keys, values, way.layout, scale=attention.scaling, context=context)
    states = states + linear(attention.o_proj, found.flatten(1)[None])
    return states + _gated(layer.mlp, norm(layer.post_attention_layernorm, states))


def _gated(mlp: Any, states: Any) -> Any:
    """Return what an MLP makes of the states; one that is not Transformers' own is called."""
    if not own(mlp, "MLP"):
        return mlp(states)
    gate, up = linear(mlp.gate_proj, states), linear(mlp.up_proj, states)
    return linear(mlp.down_proj, mlp.act_fn(gate) * up)
