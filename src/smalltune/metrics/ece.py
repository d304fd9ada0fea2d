"""Expected calibration error: how far confidence and accuracy lie apart."""

from typing import ClassVar

from smalltune.metrics._calibration import CalibrationError

__all__ = ["ExpectedCalibrationError"]


class ExpectedCalibrationError(CalibrationError):
    """The mean over items of |accuracy - confidence| in the item's bin (Naeini et al. 2015).

    There are 15 bins with equally many items each, not of equal width: where a model is nearly
    always sure, bins of equal width are nearly all empty (Nguyen and O'Connor 2015; Nixon et al.
    2019). The bins are those of the items that were scored and stay when items are left out, so
    that the value is a function of means: the sum over bins of |mean of right - confidence|. It
    is biased upwards when a bin holds few items. An item whose labels have no probabilities (see
    `calibration.weighed`) is left out; NaN where all are.
    """

    name: ClassVar[str] = "ece"
    title: ClassVar[str] = "Expected calibration error"
