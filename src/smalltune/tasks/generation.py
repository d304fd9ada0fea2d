"""Generation on a table of the user's own: summaries, answers, descriptions."""

from dataclasses import dataclass

from smalltune.kinds.generation import Generation

__all__ = ["OwnTexts"]


@dataclass(frozen=True)
class OwnTexts(Generation):
    """A table of one's own: the study names files, text columns, references and prompt."""
