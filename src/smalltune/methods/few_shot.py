"""Few-shot prompting: solved items before the question, with or without calibration."""

from dataclasses import dataclass
from typing import ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods import Prompted

__all__ = ["FewShot"]


@dataclass(frozen=True)
class FewShot(Prompted):
    """Ask the base behind `shots` solved items of train, drawn by the seed, balanced over labels.

    With `calibrated` the labels' probabilities are divided by those that the same demonstrations
    give to questions without content (Zhao et al., 2021, section 5): what the demonstrations make
    likely in any case no longer counts.
    """

    shots: int = 4
    calibrated: bool = False

    uses_rows: ClassVar[bool] = True
    draws: ClassVar[bool] = True
    title: ClassVar[str] = "Few-shot"
    rationale: ClassVar[str] = (
        "A few solved items before the question are the cheapest way to tell a base what is "
        "wanted; which items these are is drawn by the seed, as it changes the answer."
    )
    cite: ClassVar[tuple[str, ...]] = ("brown2020gpt3", "zhao2021calibrate")

    def __post_init__(self) -> None:
        """Refuse a negative number of demonstrations, and none; raises MethodError."""
        if self.shots < 1:
            raise MethodError(f"shots must be at least 1, not {self.shots}: `zero_shot` has none")
