"""The scores: each method's mean with its interval, and a dot for every single seed."""

import math
from typing import Any

from smalltune.analysis.intervals import Estimate, estimate
from smalltune.analysis.results import Results
from smalltune.core.plugins import load
from smalltune.paper.figures import FEW, canvas, place_title, style, tint, title

__all__ = ["draw"]

ROW = 0.27
FRAME = 0.62


def draw(results: Results, *, metric: str | None = None, split: str = "test") -> Any:
    """Return the figure: one panel per model and task, one row per method, best read downwards.

    Without a `metric`, each task is drawn in its primary one. The bar is the two-level interval,
    the large mark the mean, the small dots the seeds. An interval over FEW seeds or less does not
    stretch a panel: it ends in an arrow where it goes on. A value that is not there leaves its row
    empty.
    """
    if not results.metrics:
        return None
    panels = {
        (model, task): metric or results.primary_of(task)
        for model in (results.models or ("-",))
        for task in results.tasks
        if results.measured(task) and metric in (None, *results.measured(task))
    }
    if not panels:
        return None
    rows = {panel: _estimates(results, *panel, own, split) for panel, own in panels.items()}
    with style():
        figure, axes = canvas([FRAME + ROW * len(rows[panel]) for panel in panels])
        for (panel, own), ax in zip(panels.items(), axes, strict=True):
            _panel(ax, results, rows[panel], own)
            if len(panels) > 1:
                ax.set_title(place_title(results.models, *panel), loc="left")
        return figure


def _estimates(results: Results, model: str, task: str, metric: str, split: str) -> list[Estimate]:
    methods = [
        method
        for method in results.methods
        if any(c in ((model, method, task), ("-", method, task)) for c in results.cells)
    ]
    return [estimate(results.sample(model, method, task, split, metric)) for method in methods]


def _panel(ax: Any, results: Results, rows: list[Estimate], metric: str) -> None:
    kind = load("smalltune.metrics", metric)
    scale = 100 if kind.percent else 1
    left, right = _room(rows)
    for at, one in enumerate(rows):
        look = tint(results.methods, one.method)
        if math.isfinite(one.low):
            ends = [scale * max(one.low, left), scale * min(one.high, right)]
            ax.plot(ends, [at, at], color=look["color"], linewidth=1.6, solid_capstyle="butt")
            for end, mark, cut in ((0, "<", one.low < left), (1, ">", one.high > right)):
                if cut:
                    ax.plot([ends[end]], [at], mark, color=look["color"], markersize=4)
        if one.seeds:
            dots = [scale * value for _, value in one.per_seed]
            ax.scatter(dots, [at + 0.24] * len(dots), s=5, color=look["color"], linewidths=0)
        ax.plot([scale * one.value], [at], linestyle="none", markersize=5, **look)
    ax.set_yticks(range(len(rows)), [title(one.method) for one in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"{kind.title} (%)" if kind.percent else kind.title)


def _room(rows: list[Estimate]) -> tuple[float, float]:
    """Return how far intervals are drawn: beyond all other marks by as much as these span."""
    marks = [one.value for one in rows] + [v for one in rows for _, v in one.per_seed]
    marks += [end for one in rows if not 1 < one.seeds <= FEW for end in (one.low, one.high)]
    known = [value for value in marks if math.isfinite(value)]
    span = max(known, default=0) - min(known, default=0)
    if not span:
        return -math.inf, math.inf
    return min(known) - span, max(known) + span
