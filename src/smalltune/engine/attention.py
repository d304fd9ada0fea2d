"""Attention inside packed segments, for our own forward and, registered, for Transformers'.

Transformers' models look their attention up by name. Under the name `NAME` they find one that
takes the packed layout from the keyword argument `layout`, and a mask that is none. What a model
asks for beyond causal attention, such as a window or a cap on the logits, is refused (`Unfit`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from smalltune.core.errors import EngineError
from smalltune.engine.layout import Grid, Layout

__all__ = ["NAME", "Unfit", "attend", "packed_attention"]

NAME = "smalltune_packed"
IGNORED = {"is_causal", "output_attentions", "position_ids", "use_cache"}

_longest: ContextVar[int] = ContextVar("longest")


class Unfit(Exception):
    """The model asks for an attention that is not the plain causal one."""


def attend(
    q: Any, k: Any, v: Any, layout: Layout, *, scale: float, context: tuple[Any, Any] | None = None
) -> Any:
    """Return the attended values [Q, heads, dv] of packed queries.

    `q` [Q, heads, d], `k` [T, kv heads, d] and `v` [T, kv heads, dv] lie segment by segment;
    `context` are keys and values [C, kv heads, ..] that stand before each segment's own. Under
    autocast all of them, and the result, are in its format: rotation in float32 has widened
    queries and keys.
    """
    import torch

    if torch.is_autocast_enabled(q.device.type):
        kind = torch.get_autocast_dtype(q.device.type)
        q, k, v = q.to(kind), k.to(kind), v.to(kind)
        context = None if context is None else (context[0].to(kind), context[1].to(kind))
    kernel = _variable_length(q, v) if layout.plain else None
    if kernel is not None:
        return kernel(
            q.contiguous(),
            k.contiguous(),
            v.contiguous(),
            layout.ends,
            layout.key_ends,
            layout.longest,
            layout.longest,
            scale=scale,
            window_size=(-1, 0),  # causal, aligned at the last token
            enable_gqa=q.shape[1] != k.shape[1],
        )
    done = []
    asked = [block.queries.stop - block.queries.start for block in layout.blocks]
    seen = [block.keys.stop - block.keys.start for block in layout.blocks]
    parts = zip(layout.blocks, q.split(asked), k.split(seen), v.split(seen), strict=True)
    for block, *flat in parts:
        queries = _fill(flat[0], block.queries)
        keys, values = (_fill(states, block.keys) for states in flat[1:])
        if context is not None:
            rows = block.keys.rows
            front = [c.transpose(0, 1)[None].expand(rows, -1, -1, -1) for c in context]
            keys, values = torch.cat((front[0], keys), 2), torch.cat((front[1], values), 2)
        found = torch.nn.functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=block.allowed,
            is_causal=block.allowed is None,
            scale=scale,
            enable_gqa=queries.shape[1] != keys.shape[1],
        )
        done.append(_empty(found, block.queries))
    return done[0] if len(done) == 1 else torch.cat(done)


def _fill(states: Any, grid: Grid) -> Any:
    """Return the grid [rows, heads, width, d] of packed states [stop - start, heads, d]."""
    if grid.cells is not None:
        states = _functions()[0].apply(states, grid.cells, grid.places)
    return states.unflatten(0, (grid.rows, grid.width)).transpose(1, 2)


def _empty(states: Any, grid: Grid) -> Any:
    """Return the packed states [stop - start, heads, d] of a grid [rows, heads, width, d]."""
    flat = states.transpose(1, 2).flatten(0, 1)
    if grid.cells is None:
        return flat
    return _functions()[1].apply(flat, grid.cells, grid.places)


@cache
def _functions() -> tuple[Any, Any]:
    """Return the two maps between a packed row and a grid.

    Each place has one cell, and no gradient reaches a padded cell, so that the gradient of either
    map is a lookup too; autograd would add row by row.
    """
    import torch

    class Fill(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, states: Any, cells: Any, places: Any) -> Any:
            ctx.places = places
            return states.index_select(0, cells)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient.index_select(0, ctx.places), None, None

    class Empty(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, states: Any, cells: Any, places: Any) -> Any:
            ctx.places, ctx.shape = places, states.shape
            return states.index_select(0, places)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient.new_zeros(ctx.shape).index_copy_(0, ctx.places, gradient), None, None

    return Fill, Empty


def _variable_length(q: Any, v: Any) -> Any:
    """Return PyTorch's attention over packed rows themselves, or None where it cannot be used.

    It takes half precision on CUDA devices from Ampere on, through Flash Attention. Not yet run:
    written against PyTorch 2.13, and tested on a CPU with another function in its place.
    """
    import torch

    if not q.is_cuda or q.dtype not in (torch.float16, torch.bfloat16):
        return None
    if q.shape[-1] != v.shape[-1] or q.shape[-1] > 256 or q.shape[-1] % 8:
        return None
    kernel = _kernel()
    return kernel if kernel and torch.cuda.get_device_capability(q.device) >= (8, 0) else None


@cache
def _kernel() -> Any:
    """Return the function if this PyTorch has it and it takes what is asked of it, else None."""
    import inspect

    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    asked = {"window_size", "enable_gqa", "scale"}
    return varlen_attn if asked <= inspect.signature(varlen_attn).parameters.keys() else None


@contextmanager
def packed_attention(model: Any, layout: Layout) -> Iterator[None]:
    """Let a Transformers model attend by `layout`, which its decoder is to be given by that name.

    Where its layers are computed again in the backward pass (gradient checkpointing), the
    attention stays set. Inside, a model that this attention does not fit raises Unfit.
    """
    _register()
    config = model.config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = NAME
    token = _longest.set(layout.longest)
    try:
        yield
    finally:
        _longest.reset(token)
        if not any(getattr(m, "gradient_checkpointing", False) for m in model.modules()):
            config._attn_implementation = before


@cache
def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, _no_mask)


def _attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    *,
    layout: Layout | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **more: Any,
) -> tuple[Any, None]:
    """Attend as Transformers calls it: states [1, heads, T, d], the context's first."""
    if layout is None:
        raise Unfit("the decoder does not hand keyword arguments to its attention")
    if attention_mask is not None or dropout or (sliding_window or layout.longest) < layout.longest:
        raise Unfit("a mask, dropout or a window")
    asked = sorted(name for name, given in more.items() if given is not None)
    if set(asked) - IGNORED:
        raise Unfit(", ".join(asked))
    if more.get("is_causal") is False or not getattr(module, "is_causal", True):
        raise Unfit("attention to what comes later")
    q, k, v = (states[0].transpose(0, 1) for states in (query, key, value))
    front, context = k.shape[0] - q.shape[0], None
    if front != layout.context:
        raise EngineError(f"{front} keys stand before the segments, not {layout.context}")
    if front:
        context, k, v = (k[:front], v[:front]), k[front:], v[front:]
    scale = q.shape[-1] ** -0.5 if scaling is None else scaling
    return attend(q, k, v, layout, scale=scale, context=context)[None], None


def _no_mask(*_: Any, mask_function: Any, local_size: int | None = None, **more: Any) -> None:
    """Return no mask; raise Unfit where a mask would say more than "not what comes later"."""
    from transformers.masking_utils import causal_mask_function

    longest = _longest.get()
    if local_size is not None and local_size >= longest:
        return
    if mask_function is not causal_mask_function:
        raise Unfit("a mask of its own")
