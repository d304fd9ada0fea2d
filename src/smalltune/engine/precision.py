"""Precision: in which number format a model computes. Weights and optimiser stay in float32."""

from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["precision"]


def precision(dtype: str, device: str) -> Any:
    """Return the context in which a forward pass runs: plain float32 or bfloat16 autocast.

    Raises EngineError for bfloat16 on a CUDA device without it.
    """
    import torch

    if dtype == "float32":
        return torch.autocast(device, enabled=False)
    if device == "cuda" and not torch.cuda.is_bf16_supported():
        raise EngineError("this GPU has no bfloat16: set `dtype: float32` and lock again")
    return torch.autocast(device, dtype=torch.bfloat16)
