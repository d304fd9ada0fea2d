"""LoRA: low-rank updates of frozen matrices (Hu et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from smalltune.methods._peft import LowRank

__all__ = ["LoRA"]


@dataclass(frozen=True)
class LoRA(LowRank):
    """Add to each target matrix W the update (alpha / rank) B A, with A random and B zero."""

    version: ClassVar[int] = 2
    title: ClassVar[str] = "LoRA"
    rationale: ClassVar[str] = (
        "Low-rank updates of the frozen matrices train a small share of the weights, can be "
        "merged into the base at no cost in inference, and are widely used."
    )
    cite: ClassVar[tuple[str, ...]] = ("hu2022lora",)
