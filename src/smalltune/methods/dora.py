"""DoRA: direction by LoRA, magnitude apart (Liu et al., 2024)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.methods._peft import LowRank

__all__ = ["DoRA"]


@dataclass(frozen=True)
class DoRA(LowRank):
    """Turn the rows of W + (alpha / rank) B A to unit length and train a length for each.

    In a mixture the attention alone is adapted: PEFT has no DoRA for stacked experts.
    """

    experts: ClassVar[bool] = False
    title: ClassVar[str] = "DoRA"
    rationale: ClassVar[str] = (
        "Full fine-tuning changes the direction and the length of a weight in other proportions "
        "than LoRA does; DoRA trains the two apart, at the cost of a norm in each forward."
    )
    cite: ClassVar[tuple[str, ...]] = ("liu2024dora",)

    def more(self) -> dict[str, Any]:
        """Let PEFT train a magnitude for each output."""
        return {"use_dora": True}

    def parameters(self, model: Any) -> int:
        """Return LoRA's count and one length for each row of each target."""
        rows = (model.get_submodule(name).weight.shape[0] for name in self.targets(model).modules)
        return super().parameters(model) + int(sum(rows))
