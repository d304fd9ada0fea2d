"""Multiple choice on a table of the user's own."""

from dataclasses import dataclass

from smalltune.kinds.multiple_choice import MultipleChoice

__all__ = ["OwnChoices"]


@dataclass(frozen=True)
class OwnChoices(MultipleChoice):
    """A table of one's own: the study names files, question, choices and answer."""
