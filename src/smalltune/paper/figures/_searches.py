"""Searches: what the figures of tuning share: a panel per model and task, a line per method."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from smalltune.analysis.results import Results
from smalltune.analysis.tuning import Tuned
from smalltune.core.plugins import load
from smalltune.paper.figures import LINES, canvas, label_feet, legend_below, style, tint

__all__ = ["draw_searches", "look_of"]

HEIGHT = 2.1
"""Inches: one panel."""

Panel = Callable[[Any, Sequence[str], Sequence[Tuned], float], None]
"""Draws searches on axes, given all methods' names and what a score is multiplied by."""


def draw_searches(results: Results, searches: Iterable[Tuned], panel: Panel, *, foot: str) -> Any:
    """Return a figure with a panel for the searches of each model and task; None without any.

    `foot` is what the horizontal axes show; the vertical one is the metric that tuning went by.
    """
    found: dict[tuple[str, str], list[Tuned]] = {}
    for one in searches:
        found.setdefault((one.model, one.task), []).append(one)
    if not found:
        return None
    # Methods of which nothing but tuning is known yet count too.
    names = tuple(dict.fromkeys((*results.methods, *(one.method for one in results.tuning))))
    with style():
        figure, axes = canvas([HEIGHT] * len(found))
        for own, ax in zip(found.values(), axes, strict=True):
            kind = load("smalltune.metrics", own[0].metric)
            panel(ax, names, own, 100.0 if kind.percent else 1.0)
            ax.set_ylabel(f"{kind.title} (%)" if kind.percent else kind.title)
        label_feet(axes, foot)
        legend_below(figure, axes, results.models, list(found))
        return figure


def look_of(names: Sequence[str], method: str) -> dict[str, Any]:
    """Return a method's colour, marker, line and label."""
    line = LINES[list(names).index(method) % len(LINES)]
    return {**tint(names, method), "linestyle": line, "label": method}
