"""Limits: fewer rows of dev or test than there are, drawn once for a whole study."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from smalltune.data.splits import Row, draw

__all__ = ["limited"]


def limited(rows: Sequence[Row], most: int, seed: int) -> list[Row]:
    """Return at most `most` rows in their order, the same for the same seed.

    Each label keeps its share. Where rows belong to groups, these are taken whole in a seeded
    order, as long as they fit; a first group that is larger than the limit is taken all the same,
    so that something is left.
    """
    if most >= len(rows):
        return list(rows)
    if any(row.group for row in rows):
        return _in_groups(rows, most, seed)
    places = {label: place for place, label in enumerate(sorted({row.label for row in rows}))}
    kept = draw([places[row.label] for row in rows], most, seed)
    return [rows[place] for place in kept.tolist()]


def _in_groups(rows: Sequence[Row], most: int, seed: int) -> list[Row]:
    names = [row.group or f"\0{row.id}" for row in rows]
    sizes = Counter(names)
    groups = list(sizes)
    taken: set[str] = set()
    count = 0
    for place in np.random.default_rng([seed, 0x7C]).permutation(len(groups)).tolist():
        if taken and count + sizes[groups[place]] > most:
            continue
        taken.add(groups[place])
        count += sizes[groups[place]]
    return [row for row, name in zip(rows, names, strict=True) if name in taken]
