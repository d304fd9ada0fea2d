"""Full fine-tuning: every weight of the base is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.methods import WholeModel

__all__ = ["Full"]


@dataclass(frozen=True)
class Full(WholeModel):
    """Train all parameters of the base."""

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-4}
    title: ClassVar[str] = "Full fine-tuning"
    rationale: ClassVar[str] = (
        "Training every weight is the reference that parameter-efficient methods are measured "
        "against: the most capacity, the most memory, and a whole model to store per task."
    )
    cite: ClassVar[tuple[str, ...]] = ("dodge2020finetuning",)
