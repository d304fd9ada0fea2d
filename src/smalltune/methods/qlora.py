"""QLoRA: LoRA on a base that lies in four bits a number (Dettmers et al., 2023)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.core.plugins import nearest
from smalltune.methods._peft import LowRank
from smalltune.models.targets import Targets

__all__ = ["QLoRA"]

BITS = ("nf4", "fp4")


@dataclass(frozen=True)
class QLoRA(LowRank):
    """Add LoRA's update to linear layers that are rounded to four bits and frozen.

    `bits` says which 16 values there are: "nf4", quantiles of a normal distribution, or "fp4";
    with `double` the scales of blocks are rounded too. Products are in the study's `dtype`.
    """

    bits: str = "nf4"
    double: bool = True

    needs: ClassVar[Mapping[str, str]] = {"bitsandbytes": "4bit"}
    title: ClassVar[str] = "QLoRA"
    rationale: ClassVar[str] = (
        "The frozen base takes most of the memory of LoRA: rounded to four bits its linear layers "
        "take an eighth of what they take in float32, and the update learns on top of the rounding."
    )
    cite: ClassVar[tuple[str, ...]] = ("dettmers2023qlora",)

    def __post_init__(self) -> None:
        """Refuse a format that is none; raises MethodError."""
        super().__post_init__()
        if self.bits not in BITS:
            raise MethodError(f"no format {self.bits!r}. {nearest(self.bits, BITS)}")

    def quantised(self) -> str:
        """Return the format of the base's linear layers."""
        return self.bits + ("-double" if self.double else "")

    def attach(self, model: Any) -> None:
        """Put the update in; raises MethodError for a base that is not in four bits."""
        from smalltune.engine.quantised import is_quantised

        if not is_quantised(model):
            raise MethodError("qlora: the base is not in four bits (`engine.quantised.quantise`)")
        super().attach(model)

    def targets(self, model: Any) -> Targets:
        """Return what is adapted; raises MethodError for a mixture, whose experts stay wide."""
        found = super().targets(model)
        if found.parameters:
            raise MethodError(
                "qlora: the fused experts of a mixture, most of its weights, are not held in four "
                "bits: choose `lora`"
            )
        return found

    def merge(self, model: Any) -> None:
        """Widen the base to float32, its numbers as they were rounded, and add what was trained."""
        from smalltune.engine.quantised import widen

        widen(model)
        super().merge(model)
