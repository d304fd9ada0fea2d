"""rsLoRA: LoRA whose scale falls with the root of the rank (Kalajdzievski, 2023)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.methods._peft import LowRank

__all__ = ["RsLoRA"]


@dataclass(frozen=True)
class RsLoRA(LowRank):
    """Add (alpha / sqrt(rank)) B A, so that large ranks learn as fast as small ones."""

    alpha: float = 8.0

    title: ClassVar[str] = "rsLoRA"
    rationale: ClassVar[str] = (
        "LoRA divides its update by the rank, which slows large ranks down; divided by the root of "
        "the rank instead, the size of the update does not depend on it."
    )
    cite: ClassVar[tuple[str, ...]] = ("kalajdzievski2023rslora",)

    def more(self) -> dict[str, Any]:
        """Let PEFT scale by the root of the rank."""
        return {"use_rslora": True}
