"""Ranges: between which values a hyperparameter is searched."""

from dataclasses import dataclass

from smalltune.core.errors import MethodError

__all__ = ["Range"]


@dataclass(frozen=True)
class Range:
    """Values between two bounds in which a hyperparameter is searched, evenly in its logarithm.

    With `whole` they are whole numbers; without `log` the values themselves are even.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no range; raises MethodError."""
        if not self.low < self.high or (self.log and self.low <= 0):
            raise MethodError(f"no range from {self.low:g} to {self.high:g}")

    def at(self, share: float) -> float | int:
        """Return the value at a share in [0, 1) of the way from `low` to `high`."""
        if self.log:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + share * (self.high - self.low)
        return round(value) if self.whole else self.rounded(value)

    @staticmethod
    def rounded(value: float) -> float:
        """Return a value with three significant digits: what a paper can print is what is run."""
        return float(f"{value:.3g}")
