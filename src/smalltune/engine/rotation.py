"""Rotation: whether the rotary angles of a token depend on the texts that are read with it."""

import math
from collections.abc import Iterator
from typing import Any

__all__ = ["rotation_moves", "still_until"]

MOVING = ("dynamic", "longrope")
"""Rotary embeddings whose angles depend on the longest row of the batch."""


def rotation_moves(config: Any) -> bool:
    """Return whether a token's rotary angles depend on the longest text of its batch."""
    return still_until(config) < math.inf


def still_until(config: Any) -> float:
    """Return the longest text, in tokens, up to which all angles are as for a short one."""
    return min((_original(config, each) for each in _rotations(config)), default=math.inf)


def _rotations(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the rotations that move; some models have one kind for each type of layer."""
    given = getattr(config, "rope_parameters", None) or {}
    for each in (given, *(each for each in given.values() if isinstance(each, dict))):
        if each.get("rope_type") in MOVING:
            yield each


def _original(config: Any, rotation: dict[str, Any]) -> int:
    """Return the length that a model was made for, beyond which its angles are others."""
    if rotation["rope_type"] == "dynamic":
        return int(config.max_position_embeddings)
    return int(rotation.get("original_max_position_embeddings") or config.max_position_embeddings)
