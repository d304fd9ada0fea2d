from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.methods import Range

__all__ = ["Trainer"]


@dataclass(frozen=True)
class Trainer:
    """Declares what a method that trains a model declares."""

    rank: int = 8
    target: str | tuple[str, ...] = "all"
    share: float = 0.5

    version: ClassVar[int] = 1
    uses_model: ClassVar[bool] = True
    uses_rows: ClassVar[bool] = True
    trains: ClassVar[bool] = True
    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 0.002}
    title: ClassVar[str] = "Trainer"
    rationale: ClassVar[str] = "To be planned."
    cite: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError("the rank must be at least 1")

    @classmethod
    def ranges(cls) -> dict[str, Range]:
        return {"learning_rate": Range(2e-5, 0.2), "rank": Range(2, 16, whole=True)}

    def options(self) -> dict[str, Any]:
        return {"rank": self.rank, "target": self.target, "share": self.share}
