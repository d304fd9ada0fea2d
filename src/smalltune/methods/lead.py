"""Lead: the first sentences of a text as its summary."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods import Copied

__all__ = ["Lead"]

SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+")


@dataclass(frozen=True)
class Lead(Copied):
    """Answer with the first `sentences` of the item's first column, nothing else."""

    sentences: int = 3

    title: ClassVar[str] = "Lead"
    rationale: ClassVar[str] = (
        "News say first what matters most, so the first sentences are a summary that many models "
        "do not better; whoever summarises has to be held against them."
    )
    cite: ClassVar[tuple[str, ...]] = ("see2017pointer",)

    def __post_init__(self) -> None:
        """Refuse an empty answer; raises MethodError."""
        if self.sentences < 1:
            raise MethodError(f"sentences must be at least 1, not {self.sentences}")

    def text(self, fields: Mapping[str, str]) -> str:
        """Return the beginning of the first column."""
        first = next(iter(fields.values()), "").strip()
        ends = [found.start() for found in SENTENCE.finditer(first)]
        return first[: ends[self.sentences - 1]] if len(ends) >= self.sentences else first
