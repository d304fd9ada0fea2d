"""Figures: one file each, with one function `draw(results) -> Figure`, found by its file name.

A figure reads results and nothing else, and its bytes repeat: no dates, a fixed order of everything
drawn, fonts embedded as TrueType (Type 42) so that text stays text. `draw` returns None when the
study has nothing for it, and the paper then leaves it out.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

__all__ = [
    "BOTH", "COLOURS", "FEW", "LINES", "WIDTH", "canvas", "label_feet", "legend_below",
    "logarithmic", "place", "place_title", "save", "style", "tint", "title", "titled",
]  # fmt: skip

WIDTH = 3.3
"""Inches: one column of a two-column paper."""

BOTH = 6.9
"""Inches: both columns."""

HIGH = 7.0
"""Inches: the most that a figure with its caption leaves to be read on a page."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which people with any common colour blindness can tell apart."""

FEW = 3
"""Up to so many seeds, an interval over them may be far wider than all that was seen."""

MARKS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
SETTINGS: Any = {  # names of Matplotlib's own
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "axes.unicode_minus": True,
    "figure.constrained_layout.use": True,
    "font.family": ["STIXGeneral", "DejaVu Sans"],  # the paper's Times; then what it lacks
    "font.size": 8,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.fontsize": 7.5,
    "mathtext.fontset": "stix",
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "path.simplify": False,
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a method's name is text, never a formula
    "text.usetex": False,
    "xtick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7.5,
    "ytick.major.width": 0.6,
}


TITLES: ContextVar[Mapping[str, str]] = ContextVar("TITLES", default={})  # noqa: B039
PLACES: ContextVar[Mapping[str, str]] = ContextVar("PLACES", default={})  # noqa: B039


@contextlib.contextmanager
def titled(titles: Mapping[str, str], places: Mapping[str, str] | None = None) -> Iterator[None]:
    """Draw inside this with titles for the names of methods: `lora` becomes `LoRA`.

    `places` are those of tasks and models.
    """
    before = TITLES.set(titles), PLACES.set(places or {})
    try:
        yield
    finally:
        TITLES.reset(before[0])
        PLACES.reset(before[1])


def title(name: str) -> str:
    """Return what the paper calls a method; outside of a paper that is its name."""
    return TITLES.get().get(name, name)


def place(name: str) -> str:
    """Return what the paper calls a task or a model; outside of a paper that is its name."""
    return PLACES.get().get(name, name)


def place_title(models: Sequence[str], model: str, task: str) -> str:
    """Return what stands above a panel: the task, and the model where there are several."""
    model, task = place(model), place(task)
    return f"{model}, {task}" if len(models) > 1 and model != "-" else task


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw and save inside this: Matplotlib's defaults, then ours, whatever the user has set."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def canvas(heights: Sequence[float], width: float = WIDTH) -> tuple[Any, list[Any]]:
    """Return a Figure and its axes one above the other, each this many inches high.

    Panels that would be higher than a page stand side by side, over both columns of the paper, and
    are made lower where even that is too high. The figure belongs to no pyplot window, so nothing
    is left open and no display is needed.
    """
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    columns = 1 if sum(heights) <= HIGH else 2 if sum(heights) <= 2 * HIGH else 3
    columns = min(columns, len(heights))
    rows = [max(heights[at : at + columns]) for at in range(0, len(heights), columns)]
    figure = Figure(figsize=(width if columns == 1 else BOTH, min(sum(rows), HIGH)))
    FigureCanvasPdf(figure)
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=rows).ravel().tolist()
    for empty in axes[len(heights) :]:
        empty.set_axis_off()
    return figure, axes[: len(heights)]


def label_feet(axes: Sequence[Any], text: str) -> None:
    """Label the horizontal axis of each panel that has no panel below it."""
    columns = axes[0].get_subplotspec().get_gridspec().ncols
    for ax in axes[-columns:]:
        ax.set_xlabel(text)


def logarithmic(ax: Any) -> None:
    """Make the axis logarithmic, so that small losses late in training can be told apart."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def legend_below(
    figure: Any, axes: Sequence[Any], models: Sequence[str], places: Sequence[tuple[str, str]]
) -> None:
    """Title each panel by its model and task, and name what is drawn once, below them all."""
    marks: dict[str, Any] = {}
    for ax, at in zip(axes, places, strict=True):
        if len(places) > 1:
            ax.set_title(place_title(models, *at), loc="left")
        handles, names = ax.get_legend_handles_labels()
        marks |= dict(zip(names, handles, strict=True))
    figure.legend(
        marks.values(),
        [title(name) for name in marks],
        loc="outside lower center",
        ncols=min(len(marks), 2 if figure.get_figwidth() <= WIDTH else 4),
    )


def tint(names: Sequence[str], name: str) -> dict[str, Any]:
    """Return colour and marker of a name by its place in `names`, the same in every figure."""
    at = list(names).index(name)
    return {"color": COLOURS[at % len(COLOURS)], "marker": MARKS[at % len(MARKS)]}


def save(figure: Any, path: Path | str) -> Path:
    """Write a figure as PDF (or PNG, by the path's ending) with the same bytes every time."""
    path = Path(path)
    fixed = {
        ".pdf": {"Creator": "smalltune", "Producer": "Matplotlib", "CreationDate": None},
        ".png": {"Software": "smalltune"},
    }
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with style():
        figure.savefig(draft, dpi=200, metadata=fixed.get(path.suffix))
    draft.replace(path)
    return path
