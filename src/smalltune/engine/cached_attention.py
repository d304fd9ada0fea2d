"""Attention to cached keys, from one position of each beam."""

from typing import Any

__all__ = ["attend_cached"]


def attend_cached(query: Any, keys: Any, values: Any, mask: Any, prefix: Any, scale: float) -> Any:
    """Return what queries [n, beams, heads, D] read, in the same shape.

    `keys` and `values` are [n, key/value heads, positions, D]; the beams of a prompt and the query
    heads that share a key/value head read them together. `mask` [n, 1, beams * groups, positions]
    says what each query sees and is added to its scores; None if all is seen. `prefix` is None, or
    keys and values [key/value heads, P, D] that come before those of all `n` prompts.
    """
    import torch

    n, beams, heads, dim = query.shape
    split = (n, beams, keys.shape[1], heads // keys.shape[1], dim)
    together = query.view(split).transpose(1, 2).reshape(n, keys.shape[1], -1, dim)
    if prefix is None:
        found = torch.nn.functional.scaled_dot_product_attention(
            together, keys, values, attn_mask=mask, scale=scale
        )
    else:
        found = _after_prefix(together, keys, values, mask, prefix, scale)
    found = found.view(n, split[2], beams, split[3], dim).transpose(1, 2)
    return found.reshape(query.shape)


def _after_prefix(query: Any, keys: Any, values: Any, mask: Any, prefix: Any, scale: float) -> Any:
    """Attend to a prefix, in one product for all prompts, and to each prompt's own keys.

    Queries are [n, key/value heads, m, D].
    """
    import torch

    n, heads, each, dim = query.shape
    shared = prefix[0].shape[1]
    flat = query.transpose(0, 1).reshape(heads, n * each, dim)
    far = (flat @ prefix[0].transpose(1, 2)).view(heads, n, each, shared).transpose(0, 1)
    near = query @ keys.transpose(2, 3)
    scores = torch.cat((far, near), dim=-1).float() * scale
    if mask is not None:
        scores[..., shared:] += mask
    weights = scores.softmax(dim=-1).to(values.dtype)
    flat = weights[..., :shared].transpose(0, 1).reshape(heads, n * each, shared) @ prefix[1]
    return weights[..., shared:] @ values + flat.view(heads, n, each, dim).transpose(0, 1)
