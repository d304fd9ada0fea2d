"""Chances: had a search chosen another of its runs, would dev's items tell the difference?"""

import math

import numpy as np

from smalltune.analysis.intervals import interval, shares, spread
from smalltune.analysis.results import Results
from smalltune.analysis.tuning import Tuned, TuningRun
from smalltune.core.plugins import load
from smalltune.metrics import Metric, Stats

__all__ = ["unsure"]


def unsure(results: Results, search: Tuned) -> int | None:
    """Return how many other runs of a search are not reliably worse on dev than the chosen one.

    None while nothing is chosen. A run counts where the interval of its difference from the chosen
    one, paired over dev's items (their groups, where they have any), holds zero. The chosen run is
    the best of several, which flatters it, so the count is rather too small than too large. It is
    the chance of dev's items alone: all runs have one seed. A run without a finite score is worse.
    """
    chosen = search.chosen
    if chosen is None:
        return None
    others = [run for run in search.runs if not run.chosen]
    return sum(_alike(results, search, chosen, run) for run in others)


@np.errstate(invalid="ignore")  # an infinite loss has no difference: NaN, and no interval
def _alike(results: Results, search: Tuned, chosen: TuningRun, other: TuningRun) -> bool:
    if not math.isfinite(other.score):
        return False
    kind: type[Metric] = load("smalltune.metrics", search.metric)
    best, rest = (results.read_score(run.key) for run in (chosen, other))
    groups = results.groups(search.task, "dev", best.ids)

    def values(stats: Stats) -> tuple[Stats, Stats]:
        return kind.combine(stats.mean(axis=0)[None]), shares(stats[None], kind.combine, groups)

    (a, a_parts), (b, b_parts) = values(best.stats[kind.name]), values(rest.stats[kind.name])
    parts = a_parts - b_parts
    low, high = interval(float((a - b)[0]), spread(a - b, parts), parts.shape[1])
    return not (low > 0 or high < 0)
