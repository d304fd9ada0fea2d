from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["Reader"]


@dataclass(frozen=True)
class Reader:
    """Declares what a method without a model declares."""

    strength: float = 1.0

    version: ClassVar[int] = 1
    uses_model: ClassVar[bool] = False
    uses_rows: ClassVar[bool] = True
    trains: ClassVar[bool] = False
    title: ClassVar[str] = "Reader"
    rationale: ClassVar[str] = "To be planned."
    cite: ClassVar[tuple[str, ...]] = ()

    def options(self) -> dict[str, Any]:
        return {"strength": self.strength}
