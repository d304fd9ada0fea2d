"""Classification of the user's own table: CSV, TSV, JSON lines, JSON or Parquet."""

from dataclasses import dataclass
from typing import ClassVar

from smalltune.kinds.classification import Classification

__all__ = ["OwnTable"]


@dataclass(frozen=True)
class OwnTable(Classification):
    """A table of one's own: the study names files, columns, label words and prompt."""

    version: ClassVar[int] = 3
