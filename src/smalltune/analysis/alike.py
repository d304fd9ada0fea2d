"""Alike: what must be the same of two scores before they are set beside each other."""

from smalltune.analysis.records import Scored
from smalltune.core.errors import DataError
from smalltune.metrics import Metric

__all__ = ["check_metric", "same_items"]


def check_metric(id: str, split: str, scored: Scored, metric: str, kind: type[Metric]) -> None:
    """Raise DataError where a trial's score lacks a metric, or has it from another version."""
    if metric not in scored.stats:
        held = ", ".join(scored.stats)
        raise DataError(f"{id}: the {split} score has no {metric!r}, only {held}: run")
    if scored.versions[metric] != kind.version:
        raise DataError(
            f"{id}: {metric} on {split} was scored by version {scored.versions[metric]} "
            f"of the metric, this is version {kind.version}: run the study again"
        )


def same_items(a: str, left: Scored, b: str, right: Scored, split: str) -> None:
    """Raise DataError where two trials, `a` and `b`, were scored on different items."""
    if left.ids == right.ids and left.gold == right.gold:
        return
    pairs = zip(left.ids, left.gold, right.ids, right.gold, strict=False)
    rows = ((i, j) for i, g, j, h in pairs if (i, g) != (j, h))
    here, there = next(rows, (f"{len(left.ids)} items", f"{len(right.ids)} items"))
    raise DataError(
        f"{a} and {b} were not scored on the same {split} items (first difference: {here!r} and "
        f"{there!r}), so they cannot be compared: run the study again"
    )
