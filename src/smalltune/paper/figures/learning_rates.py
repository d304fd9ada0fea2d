"""The learning rates that tuning tried: the score of each on dev, and which one was chosen."""

import math
from collections.abc import Sequence
from typing import Any

from smalltune.analysis.results import Results
from smalltune.analysis.tuning import Tuned, TuningRun
from smalltune.core.plugins import load
from smalltune.paper.figures import (
    LINES,
    canvas,
    label_feet,
    legend_below,
    named,
    panels,
    style,
    tint,
)

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
    found = panels(one for one in results.tuning if _rates(one) >= ENOUGH)
    if not found:
        return None
    with style():
        figure, axes = canvas([2.1] * len(found))
        for own, ax in zip(found.values(), axes, strict=True):
            _panel(ax, named(results), own)
        label_feet(axes, "Learning rate")
        legend_below(figure, axes, results.models, list(found))
        return figure


def _panel(ax: Any, names: Sequence[str], searches: Sequence[Tuned]) -> None:
    kind = load("smalltune.metrics", searches[0].metric)
    scale = 100 if kind.percent else 1
    for one in searches:
        runs = sorted(_runs(one), key=lambda run: float(run.options[RATE]))
        look = tint(names, one.method)
        line = LINES[list(names).index(one.method) % len(LINES)]
        at = [(run.options[RATE], scale * run.score) for run in runs]
        ax.plot(*zip(*at, strict=True), linestyle=line, linewidth=0.9, label=one.method, **look)
        beyond = [place for place, run in zip(at, runs, strict=True) if run.extended]
        chosen = [place for place, run in zip(at, runs, strict=True) if run.chosen]
        for x, y in beyond:
            ax.plot([x], [y], linestyle="none", markerfacecolor="white", **look)
        for x, y in chosen:
            ring = {"markersize": 9, "markerfacecolor": "none", "markeredgewidth": 0.9}
            ax.plot([x], [y], "o", color="black", **ring)
    _decades(ax)
    ax.set_ylabel(f"{kind.title} (%)" if kind.percent else kind.title)


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
