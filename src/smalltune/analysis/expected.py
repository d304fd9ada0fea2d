"""Expected validation performance: how good the best of n runs of a search is on dev.

Dodge et al. (2019), "Show Your Work", ask what the best of n runs would be, had n been the budget.
Given B scores, sorted, the mean is taken over all choices of n of the runs, which has no bias
(Tang et al. 2020, "Showing Your Work Doesn't Always Work"):

    E[best of n] = sum_i C(i - 1, n - 1) / C(B, n) * v_(i)

The spread is the one of Dodge et al., who draw the n runs anew from the scores with replacement, so
that the best is at most v_(i) with probability (i / B)^n:

    Var[best of n] = sum_i ((i / B)^n - ((i - 1) / B)^n) * (v_(i) - mean)^2

It says how much the best of n hangs on which values were tried, and nothing of seeds: all runs of
a search have one. Both take the runs as drawn alike, so runs that were added where the best lay at
an edge do not belong here; points of a quasi-random search lie more evenly than chance has them.
"""

import math
from collections.abc import Sequence

import numpy as np

from smalltune.metrics import Stats

__all__ = ["best_of", "spread_of_best"]


def best_of(values: Sequence[float], *, higher: bool = True) -> Stats:
    """Return the expected best of n runs for n from 1 to all, [B].

    A run without a score (it diverged) is worse than any: where all n could be such, NaN.
    """
    v, lost = _sorted(values, higher)
    count = len(v)
    found = np.full(count, np.nan)
    for n in range(lost + 1, count + 1):
        weights = [math.comb(i, n - 1) / math.comb(count, n) for i in range(lost, count)]
        found[n - 1] = float(np.dot(weights, v[lost:]))
    return found if higher else -found


def spread_of_best(values: Sequence[float], *, higher: bool = True) -> Stats:
    """Return the standard deviation of the best of n runs drawn with replacement, [B].

    NaN where a run has no score, since every n can then be such runs alone.
    """
    v, lost = _sorted(values, higher)
    count = len(v)
    if lost:
        return np.full(count, np.nan)
    shares = np.arange(count + 1) / count
    found = []
    for n in range(1, count + 1):
        weights = np.diff(shares**n)
        mean = float(np.dot(weights, v))
        found.append(math.sqrt(float(np.dot(weights, (v - mean) ** 2))))
    return np.array(found)


def _sorted(values: Sequence[float], higher: bool) -> tuple[Stats, int]:
    """Return the scores so that more is better, the worst first, and how many are none."""
    signed = np.array([v if higher else -v for v in values], dtype=np.float64)
    signed[~np.isfinite(signed)] = -math.inf
    return np.sort(signed), int(np.sum(signed == -math.inf))
