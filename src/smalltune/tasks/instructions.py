"""Instruction data of the user's own: alpaca, sharegpt, messages or prompt and completion."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from smalltune.data.instructions import Exchanges
from smalltune.kinds.generation import Generation

__all__ = ["OwnInstructions"]


@dataclass(frozen=True)
class OwnInstructions(Exchanges, Generation):
    """Instruction data of one's own: the study names the files, the columns tell the format.

    It is judged by how likely held-out answers are, and best by other tasks afterwards.
    """

    longest: int = 256

    version: ClassVar[int] = 4
    judged: ClassVar[Literal["text", "likelihood"]] = "likelihood"
    decoding_fields: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ("perplexity",)
    more_metrics: ClassVar[tuple[str, ...]] = ()
