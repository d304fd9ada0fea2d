from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["Asker"]


@dataclass(frozen=True)
class Asker:
    """Declares what a method that only asks the base declares."""

    version: ClassVar[int] = 1
    uses_model: ClassVar[bool] = True
    uses_rows: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    title: ClassVar[str] = "Asker"
    rationale: ClassVar[str] = "To be planned."
    cite: ClassVar[tuple[str, ...]] = ()

    def options(self) -> dict[str, Any]:
        return {}
