"""Calibration error after temperature scaling: what one number fitted on dev does not mend."""

from typing import ClassVar

from smalltune.metrics._calibration import CalibrationError

__all__ = ["ScaledCalibrationError"]


class ScaledCalibrationError(CalibrationError):
    """The calibration error of `ece`, of probabilities at a temperature (Guo et al. 2017).

    The temperature is the one under which the gold labels of dev are most likely; it changes no
    answer. Judged on dev itself it is fitted on what it judges. An item whose labels have no
    probabilities (see `calibration.weighed`) is left out, of dev as well; NaN where all are.
    """

    name: ClassVar[str] = "ece_scaled"
    title: ClassVar[str] = "Expected calibration error, temperature scaled"
    judges: ClassVar[str] = "scaled labels"
    fitted: ClassVar[bool] = True
