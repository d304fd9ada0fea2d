"""The learning rates that tuning tried: the score of each on dev, and which one was chosen."""

import math
from collections.abc import Sequence
from typing import Any

from smalltune.analysis.results import Results
from smalltune.analysis.tuning import Tuned, TuningRun
from smalltune.paper.figures import tint
from smalltune.paper.figures._searches import draw_searches, look_of

__all__ = ["draw"]

RATE = "learning_rate"
RAISED = str.maketrans(
    "-0123456789",
    "\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ZERO}\N{SUPERSCRIPT ONE}\N{SUPERSCRIPT TWO}"
    "\N{SUPERSCRIPT THREE}\N{SUPERSCRIPT FOUR}\N{SUPERSCRIPT FIVE}\N{SUPERSCRIPT SIX}"
    "\N{SUPERSCRIPT SEVEN}\N{SUPERSCRIPT EIGHT}\N{SUPERSCRIPT NINE}",
)
ENOUGH = 3
"""Learning rates with a score below which a search has no line."""


def draw(results: Results) -> Any:
    """Return the figure: one panel per model and task, one line per method whose rate was tuned.

    A hollow mark lies beyond the values of the budget, the ring marks what was chosen. None where
    no search has scores of ENOUGH rates.
    """
    found = (one for one in results.tuning if _rates(one) >= ENOUGH)
    return draw_searches(results, found, _panel, foot="Learning rate")


def _panel(ax: Any, names: Sequence[str], searches: Sequence[Tuned], scale: float) -> None:
    for one in searches:
        runs = sorted(_runs(one), key=lambda run: float(run.options[RATE]))
        at = [(run.options[RATE], scale * run.score) for run in runs]
        ax.plot(*zip(*at, strict=True), linewidth=0.9, **look_of(names, one.method))
        beyond = [place for place, run in zip(at, runs, strict=True) if run.extended]
        chosen = [place for place, run in zip(at, runs, strict=True) if run.chosen]
        for x, y in beyond:
            hollow = tint(names, one.method)
            ax.plot([x], [y], linestyle="none", markerfacecolor="white", **hollow)
        for x, y in chosen:
            ring = {"markersize": 9, "markerfacecolor": "none", "markeredgewidth": 0.9}
            ax.plot([x], [y], "o", color="black", **ring)
    _decades(ax)


def _decades(ax: Any) -> None:
    """Make the axis logarithmic, with a power of ten at each decade: names are no formulas here."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(numticks=7))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))


def _power(value: float) -> str:
    """Return a power of ten as it is written: `0.001` is `10` with a raised `-3`."""
    return "10" + str(round(math.log10(value))).translate(RAISED)


def _runs(one: Tuned) -> list[TuningRun]:
    """Return the runs that have a learning rate and a score."""
    return [run for run in one.runs if RATE in run.options and math.isfinite(run.score)]


def _rates(one: Tuned) -> int:
    return len({run.options[RATE] for run in _runs(one)})
