"""Exact tests: could the seeds alone have given a difference, and how many questions were asked?

The sign-flip test: under the null each seed's difference is as likely to have the other sign
(Fisher 1935), so p is a count over 2^n patterns and is at least 2^(1-n): five seeds can never reach
.05. With several declared contrasts the p-values are corrected together after Holm (1979).

A worked example. Six seeds give the differences .02 .03 .01 .04 .02 .03: only the pattern observed
and its mirror image reach a sum of .15, so p = 2/64 = .031, which is also the smallest p that six
seeds can give. Turn one sign: .02 .03 -.01 .04 .02 .03 sums to .13; the patterns at least as far
out are all plus, this one, and their mirrors: p = 4/64 = .0625.
"""

import math
from collections.abc import Sequence

import numpy as np

from smalltune.metrics import Stats

__all__ = ["holm", "sign_flip", "smallest_p"]

NAN = float("nan")


def sign_flip(differences: Sequence[float] | Stats) -> float:
    """Return the exact two-sided p of the sign-flip test of paired differences; n = 1 is NaN.

    Counts, of all 2^n sign patterns, those whose sum is at least as far from zero as the one
    observed. Beyond 20 differences the two halves' sums are sorted and matched, which stays exact.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return NAN
    half = len(values) // 2
    left, right = _sums(values[:half]), np.sort(_sums(values[half:]))
    reach = abs(values.sum()) - 1e-9 * np.abs(values).sum()  # ties must count as ties
    if reach <= 0:
        return 1.0
    above = len(right) - np.searchsorted(right, reach - left, side="left")
    return float(2 * above.sum() / 2.0 ** len(values))


def smallest_p(n: int) -> float:
    """Return the least p that the sign-flip test can give with n differences: 2^(1-n)."""
    return 2.0 ** (1 - n) if n > 1 else NAN


def holm(ps: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number after Holm; NaN stays NaN and counts as one."""
    order = sorted(range(len(ps)), key=lambda i: (math.isnan(ps[i]), ps[i]))
    adjusted, highest = list(ps), 0.0
    for rank, i in enumerate(order):
        if not math.isnan(ps[i]):
            highest = max(highest, min(1.0, (len(ps) - rank) * ps[i]))
            adjusted[i] = highest
    return adjusted


def _sums(values: Stats) -> Stats:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
