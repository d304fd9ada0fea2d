from dataclasses import dataclass
from typing import ClassVar

from fake.trainer import Trainer as _Trainer

__all__ = ["Merger"]


@dataclass(frozen=True)
class Merger(_Trainer):
    """A trainer whose weights can become the model's own."""

    title: ClassVar[str] = "Merger"

    def merge(self, model) -> None:
        """Say that it can."""
