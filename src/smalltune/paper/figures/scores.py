"""The scores: each method's mean with its interval, and a dot for every single seed."""

import math
from typing import Any

from smalltune.analysis.intervals import Estimate, estimate
from smalltune.analysis.results import Results
from smalltune.core.plugins import load
from smalltune.paper.figures import canvas, place_title, style, tint, title

__all__ = ["draw"]

ROW = 0.27
FRAME = 0.62


def draw(results: Results, *, metric: str | None = None, split: str = "test") -> Any:
    """Return the figure: one panel per model and task, one row per method, best read downwards.

    Without a `metric`, each task is drawn in its primary one. The bar is the two-level interval,
    the large mark the mean, the small dots the seeds. A value that is not there leaves its row
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
    for at, one in enumerate(rows):
        look = tint(results.methods, one.method)
        if math.isfinite(one.low):
            ends = [scale * one.low, scale * one.high]
            ax.plot(ends, [at, at], color=look["color"], linewidth=1.6, solid_capstyle="butt")
        if one.seeds:
            dots = [scale * value for _, value in one.per_seed]
            ax.scatter(dots, [at + 0.24] * len(dots), s=5, color=look["color"], linewidths=0)
        ax.plot([scale * one.value], [at], linestyle="none", markersize=5, **look)
    ax.set_yticks(range(len(rows)), [title(one.method) for one in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"{kind.title} (%)" if kind.percent else kind.title)
