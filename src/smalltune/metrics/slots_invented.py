"""Invented facts: how much a text says that it was not to say."""

from typing import ClassVar

from smalltune.measures.slots import Errors
from smalltune.metrics._slots import SlotMetric

__all__ = ["SlotsInvented"]


class SlotsInvented(SlotMetric):
    """The facts invented or said with a wrong value, over the facts asked for.

    See `slot_error_rate`; a wrong value counts both here and in `slots_missing`.
    """

    name: ClassVar[str] = "slots_invented"
    title: ClassVar[str] = "Invented facts"

    @staticmethod
    def counted(found: Errors) -> int:
        """Return the facts made up, or said with a wrong value."""
        return len(found.wrong) + len(found.invented)
