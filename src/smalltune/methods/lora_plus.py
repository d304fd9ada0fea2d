"""LoRA+: LoRA whose two matrices learn at different rates (Hayou et al., 2024)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods._peft import LowRank

__all__ = ["LoRAPlus"]


@dataclass(frozen=True)
class LoRAPlus(LowRank):
    """Add LoRA's update (alpha / rank) B A, and train B at `ratio` times the rate of A.

    The authors advise a ratio of 16 and a search over the rate, which is A's, alone.
    """

    ratio: float = 16.0

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 5e-4}
    title: ClassVar[str] = "LoRA+"
    rationale: ClassVar[str] = (
        "In wide models LoRA's two matrices cannot both learn well at one rate, as B begins at "
        "zero and A does not; a greater rate for B costs nothing."
    )
    cite: ClassVar[tuple[str, ...]] = ("hayou2024loraplus",)

    def __post_init__(self) -> None:
        """Refuse what is no ratio; raises MethodError."""
        super().__post_init__()
        if self.ratio <= 0:
            raise MethodError(f"ratio must be above 0, not {self.ratio:g}")

    def factor(self, name: str) -> float:
        """Return `ratio` for the matrices B."""
        return self.ratio if ".lora_B." in name else 1.0
