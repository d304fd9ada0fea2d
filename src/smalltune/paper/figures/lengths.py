"""The lengths: how many tokens the prompts of each split have, and where they are cut."""

from itertools import pairwise
from typing import Any

from smalltune.analysis.records import TokenFacts
from smalltune.analysis.results import Results
from smalltune.paper.figures import COLOURS, LINES, canvas, label_feet, legend_below, style

__all__ = ["draw"]

SPLITS = ("train", "dev", "test")
NEAR = 2
"""How far beyond the lengths, in their multiples, an end or the cut is still drawn."""


def draw(results: Results) -> Any:
    """Return the figure: one panel per model and task, the density of lengths for each split.

    Density, because the last bin is wide: it reaches to the longest prompt. None where no lengths
    were kept.
    """
    found: dict[tuple[str, str], TokenFacts] = {}
    for task in results.tasks:
        for model in results.models:
            facts = results.token_facts(task, model)
            if facts and all("lengths" in facts.splits.get(split, {}) for split in SPLITS):
                found[model, task] = facts
    if not found:
        return None
    with style():
        figure, axes = canvas([1.7] * len(found))
        for facts, ax in zip(found.values(), axes, strict=True):
            _panel(ax, facts)
        label_feet(axes, "Tokens")
        legend_below(figure, axes, results.models, list(found))
        return figure


def _panel(ax: Any, facts: TokenFacts) -> None:
    right = 0.0
    for at, split in enumerate(SPLITS):
        edges, counts = (facts.splits[split]["lengths"][name] for name in ("edges", "counts"))
        rows = sum(counts) or 1
        widths = [high - low for low, high in pairwise(edges)]
        shares = [100 * n / rows / width for n, width in zip(counts, widths, strict=True)]
        look = {"color": COLOURS[at % len(COLOURS)], "linestyle": LINES[at % len(LINES)]}
        ax.stairs(shares, edges, baseline=None, label=split, linewidth=1.1, **look)
        ordinary = edges[-1] if len(edges) < 3 or edges[-1] < NEAR * edges[-2] else edges[-2]
        right = max(right, float(ordinary))
    if facts.limit is not None and facts.limit < NEAR * right:
        ax.axvline(facts.limit, color="black", linewidth=0.9, linestyle=":", label="cut")
        right = max(right, 1.04 * facts.limit)
    ax.set_xlim(0, right)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("Share (%) per token")
