"""Zero-shot prompting: the base as it is."""

from dataclasses import dataclass
from typing import ClassVar

from smalltune.methods import Prompted

__all__ = ["ZeroShot"]


@dataclass(frozen=True)
class ZeroShot(Prompted):
    """Score the label words after the prompt without any training."""

    title: ClassVar[str] = "Zero-shot"
    rationale: ClassVar[str] = (
        "The untouched base, asked through the same prompt, shows what pre-training alone brings "
        "to the task; whatever a trained method adds is counted from here."
    )
    cite: ClassVar[tuple[str, ...]] = ("brown2020gpt3",)
