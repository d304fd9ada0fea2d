"""Figures of training losses; the same losses give the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smalltune.paper.figures import COLOURS, LINES, canvas, label_feet, logarithmic, save, style

__all__ = ["draw", "panels", "smooth"]

POINTS = 200
HEIGHT = 2.6
WIDTH = 5.0


def smooth(losses: Sequence[float], points: int = POINTS) -> tuple[NDArray[np.float64], ...]:
    """Return steps and losses of at most `points` means over equally many steps each."""
    parts = np.array_split(np.asarray(losses, dtype=np.float64), min(points, len(losses)))
    ends = np.cumsum([len(part) for part in parts])
    middles = ends - np.array([len(part) - 1 for part in parts]) / 2
    return middles, np.array([part.mean() for part in parts])


def draw(curves: Mapping[str, Sequence[float]], path: Path, label: str) -> None:
    """Write a PNG of losses by step, one line for each name; `label` says what a loss is of."""
    with style():
        figure, (axis,) = canvas([HEIGHT], WIDTH)
        for number, (name, losses) in enumerate(curves.items()):
            line = LINES[number // len(COLOURS) % len(LINES)]
            colour = COLOURS[number % len(COLOURS)]
            axis.plot(*smooth(losses), label=name, color=colour, linestyle=line)
        axis.set_xlabel("Training steps")
        axis.set_ylabel(label)
        if len(curves) > 1:
            axis.legend(loc="best")
    save(figure, path)


def panels(curves: Mapping[str, Mapping[str, Sequence[float]]], path: Path, label: str) -> None:
    """Write a PNG with a panel for each name, logarithmic in the loss, and its lines inside."""
    with style():
        figure, axes = canvas([HEIGHT / 1.3] * len(curves), WIDTH)
        for (name, lines), axis in zip(curves.items(), axes, strict=True):
            for number, (each, losses) in enumerate(lines.items()):
                colour, dashes = COLOURS[number % len(COLOURS)], LINES[number % len(LINES)]
                axis.plot(*smooth(losses), label=each, color=colour, linestyle=dashes)
            axis.set_title(name, loc="left")
            logarithmic(axis)
            axis.set_ylabel(label)
            axis.legend(loc="best")
        label_feet(axes, "Training steps")
    save(figure, path)
