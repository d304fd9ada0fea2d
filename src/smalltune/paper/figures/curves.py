"""The training curves: the loss over the steps, its median over seeds and their whole range."""

from typing import Any

import numpy as np

from smalltune.analysis.results import Results
from smalltune.paper.figures import (
    LINES,
    canvas,
    label_feet,
    legend_below,
    logarithmic,
    style,
    tint,
)

__all__ = ["draw"]

POINTS = 40


def draw(results: Results) -> Any:
    """Return the figure: one panel per model and task, one line per method that is trained.

    Steps are put into at most 40 equal bins, and a seed's loss in a bin is the mean of its
    batches there. The band spans the lowest and the highest seed. None when nothing was trained.
    """
    found: dict[tuple[str, str], dict[str, list[Any]]] = {}
    for trial in results.trials:
        log = results.training_log(trial.id)
        if log:
            panel = found.setdefault((trial.model, trial.task), {})
            curve = np.array([(row["step"], row["loss"]) for row in log], dtype=np.float64)
            panel.setdefault(trial.method, []).append(curve)
    if not found:
        return None
    with style():
        figure, axes = canvas([2.1] * len(found))
        for curves, ax in zip(found.values(), axes, strict=True):
            _panel(ax, results, curves)
        label_feet(axes, "Step")
        legend_below(figure, axes, results.models, list(found))
        return figure


def _panel(ax: Any, results: Results, curves: dict[str, list[Any]]) -> None:
    for method, seeds in curves.items():
        steps, losses = _binned(seeds)
        colour = tint(results.methods, method)["color"]
        dashes = LINES[results.methods.index(method) % len(LINES)]
        middle = np.nanmedian(losses, axis=0)
        ax.plot(steps, middle, color=colour, linestyle=dashes, label=method)
        if len(seeds) > 1:
            low, high = np.nanmin(losses, axis=0), np.nanmax(losses, axis=0)
            ax.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    if all(line.get_ydata().min() > 0 for line in ax.lines):
        logarithmic(ax)
    ax.set_ylabel("Training loss")


def _binned(seeds: list[Any]) -> tuple[Any, Any]:
    """Return bin centres [b] and losses [seeds, b]; a seed that stopped early ends in NaN."""
    last = max(curve[:, 0].max() for curve in seeds)
    first = min(curve[:, 0].min() for curve in seeds)
    bins = int(min(POINTS, max(len(curve) for curve in seeds)))
    edges = np.linspace(first, last, bins + 1)
    losses = np.full((len(seeds), bins), np.nan)
    for row, curve in enumerate(seeds):
        place = np.clip(np.searchsorted(edges, curve[:, 0], side="right") - 1, 0, bins - 1)
        counts = np.bincount(place, minlength=bins)
        sums = np.bincount(place, weights=curve[:, 1], minlength=bins)
        losses[row, counts > 0] = sums[counts > 0] / counts[counts > 0]
    seen = np.isfinite(losses).any(axis=0)
    return ((edges[:-1] + edges[1:]) / 2)[seen], losses[:, seen]
