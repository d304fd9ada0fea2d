"""The budget of tuning: how good the best of so many runs is expected to be on dev."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from smalltune.analysis.expected import best_of, spread_of_best
from smalltune.analysis.results import Results
from smalltune.analysis.tuning import Tuned
from smalltune.paper.figures._searches import draw_searches, look_of

__all__ = ["draw"]

ENOUGH = 3
"""Runs of a search below which it has no curve."""

APART = 0.05
"""How far the bars of two methods stand apart, in runs."""


def draw(results: Results) -> Any:
    """Return the figure: one panel per model and task, one line per method that was tuned.

    The runs are those of the budget, without any beyond an edge. The bar is one standard deviation
    of the best of n, cut to the scores that were seen. None where no search has ENOUGH runs.
    """
    found = (one for one in results.tuning if len(_scores(one)) >= ENOUGH)
    return draw_searches(results, found, _panel, foot="Runs of the search")


def _panel(ax: Any, names: Sequence[str], searches: Sequence[Tuned], scale: float) -> None:
    most = 0
    for place, one in enumerate(searches):
        scores, higher = _scores(one), one.better == "higher"
        best = scale * best_of(scores, higher=higher)
        spread = scale * spread_of_best(scores, higher=higher)
        runs = np.arange(1, len(scores) + 1)
        look = look_of(names, one.method)
        ax.plot(runs, best, **look)
        seen = [scale * value for value in scores if math.isfinite(value)]
        ends = np.clip([best - spread, best + spread], min(seen), max(seen))
        ax.vlines(
            runs + APART * (place - (len(searches) - 1) / 2), *ends, color=look["color"],
            linewidth=0.8,
        )  # fmt: skip
        most = max(most, len(scores))
    ax.set_xticks(range(1, most + 1, max(1, most // 8)))


def _scores(one: Tuned) -> list[float]:
    """Return the scores of the budget's runs on dev; [] while one is missing or none is a number.

    A run that diverged is among them, as NaN.
    """
    runs = [run for run in one.runs if not run.extended]
    there = all(run.cost.parts for run in runs)
    scores = [run.score for run in runs]
    return scores if there and any(map(math.isfinite, scores)) else []
