"""Language modelling on text of one's own, split by document."""

from dataclasses import dataclass

from smalltune.kinds.language_modelling import LanguageModelling

__all__ = ["OwnText"]


@dataclass(frozen=True)
class OwnText(LanguageModelling):
    """Text of one's own: the study names the files."""
