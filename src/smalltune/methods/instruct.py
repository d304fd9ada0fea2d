"""Instruct: a base learns to answer instructions, and is then asked whatever the study asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.methods import WholeModel

__all__ = ["Instruct"]


@dataclass(frozen=True)
class Instruct(WholeModel):
    """Train on instruction data, which the study names by `on`; the loss is on the answers alone.

    All weights are trained, or by `with` as another method does it.
    """

    instructs: ClassVar[bool] = True
    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-4}
    title: ClassVar[str] = "Instruction tuning"
    rationale: ClassVar[str] = (
        "A base that has learned to answer instructions may do tasks that it was never trained "
        "on, and may be a better start for those that it is trained on; what that is worth is "
        "seen by asking it as it is, and by training it on."
    )
    cite: ClassVar[tuple[str, ...]] = ("wei2022flan",)
