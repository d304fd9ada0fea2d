"""Missing facts: the share of facts that a text does not say."""

from typing import ClassVar

from smalltune.measures.slots import Errors
from smalltune.metrics._slots import SlotMetric

__all__ = ["SlotsMissing"]


class SlotsMissing(SlotMetric):
    """The facts missing or said with a wrong value, over all facts; see `slot_error_rate`."""

    name: ClassVar[str] = "slots_missing"
    title: ClassVar[str] = "Missing facts"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def counted(found: Errors) -> int:
        """Return the facts not said, or said with a wrong value."""
        return len(found.missing) + len(found.wrong)
