"""Slot error rate: the share of facts that a text leaves out, turns round or makes up."""

from typing import ClassVar

from smalltune.measures.slots import Errors
from smalltune.metrics._slots import SlotMetric

__all__ = ["SlotErrorRate"]


class SlotErrorRate(SlotMetric):
    """All errors over all facts: missing, wrong and invented ones count one each (Wen et al. 2015).

    A wrong value is one error, as in Dusek et al. (2019), not a missing and an invented fact. How a
    text says a fact is decided by the rules of `measures/slots.py`, which know neither grammar nor
    sense: E2E's own references get 8 to 10 %, nearly all of it facts that their writers left out.

    They are not the patterns of Dusek et al., which give the 4,693 texts of E2E's test 11.6 % where
    these give 8.8 %, and the same errors to 81 % of the texts. Most of the others say a price or
    whom a place suits in words that those do not know ("medium prices", "don't bring your kids"),
    or call "restaurant" what is none, which is no error here. `tests/metrics/e2e_slots.json`
    holds 49 of these texts as both judge them; no person's judgement stands behind either. A text
    may invent more than it was to say, so the rate can pass 100 %.
    """

    name: ClassVar[str] = "slot_error_rate"
    title: ClassVar[str] = "Slot error rate"

    @staticmethod
    def counted(found: Errors) -> int:
        """Return the errors of every kind."""
        return found.count
