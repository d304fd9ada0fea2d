"""The declared contrasts: each seed's paired difference, and the mean with its interval."""

import math
from typing import Any

from smalltune.analysis.contrasts import Contrast, declared
from smalltune.analysis.results import Results
from smalltune.core.plugins import load
from smalltune.paper.figures import COLOURS, canvas, place, style, title

__all__ = ["draw"]

ROW = 0.42
FRAME = 0.62
MINUS = "\N{MINUS SIGN}"
LONG = 18  # letters of a contrast that stand in one line


def draw(results: Results, *, split: str = "test") -> Any:
    """Return the figure: one panel per metric, one row per contrast, zero as a line.

    The small dots are the seeds, the bar the two-level interval; the grey band spans the effects
    too small to matter, where the study says which. None when no contrast is declared.
    """
    panels: dict[str, list[Contrast]] = {}
    for one in declared(results, split) if results.metrics else ():
        panels.setdefault(one.estimate.metric, []).append(one)
    if not panels:
        return None
    with style():
        figure, axes = canvas([FRAME + ROW * len(rows) for rows in panels.values()])
        for (metric, rows), ax in zip(panels.items(), axes, strict=True):
            _panel(ax, rows, metric)
        return figure


def _panel(ax: Any, rows: list[Contrast], metric: str) -> None:
    kind = load("smalltune.metrics", metric)
    scale = 100 if kind.percent else 1
    sesoi = rows[0].sesoi
    if sesoi:
        ax.axvspan(-scale * sesoi, scale * sesoi, color="#eeeeee", linewidth=0, zorder=0)
    ax.axvline(0, color="black", linewidth=0.8)
    for at, one in enumerate(rows):
        found = one.estimate
        if math.isfinite(found.low):
            ends = [scale * found.low, scale * found.high]
            ax.plot(ends, [at, at], color=COLOURS[0], linewidth=1.8, solid_capstyle="butt")
        dots = [scale * value for _, value in one.differences]
        ax.scatter(dots, [at + 0.22] * len(dots), s=7, color=COLOURS[1], linewidths=0, zorder=3)
        ax.plot([scale * found.value], [at], "o", color=COLOURS[0], markersize=5)
    ax.set_yticks(range(len(rows)), [_name(one, rows) for one in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    unit = " (percentage points)" if kind.percent else ""
    ax.set_xlabel(f"{kind.title}: difference{unit}")


def _name(one: Contrast, rows: list[Contrast]) -> str:
    """Return the contrast's name, with task and model where the rows differ in them."""
    found = [row.estimate for row in rows]
    a, b = title(one.a), title(one.b)
    places = [f"{a} {MINUS} {b}"] if len(a + b) < LONG else [a, f"{MINUS} {b}"]
    if len({row.task for row in found}) > 1:
        places.append(place(one.estimate.task))
    if len({row.model for row in found}) > 1:
        places.append(place(one.estimate.model))
    return "\n".join(places)
