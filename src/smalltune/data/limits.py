"""Limits: fewer rows of dev or test than there are, drawn once for a whole study."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from smalltune.data.splits import Row, draw

__all__ = ["VERSION", "limited"]

VERSION = 2
"""Part of the keys of limited splits: it rises when other rows would be drawn."""


def limited(rows: Sequence[Row], most: int, seed: int) -> list[Row]:
    """Return at most `most` rows in their order, the same for the same seed.

    Each label keeps its share. Where rows belong to groups, these are taken whole as long as they
    fit, so labels keep their shares only roughly (a rare one rather more); a first group that is
    larger than the limit is taken all the same, so that something is left.
    """
    if most >= len(rows):
        return list(rows)
    if any(row.group for row in rows):
        return _in_groups(rows, most, seed)
    places = {label: place for place, label in enumerate(sorted({row.label for row in rows}))}
    kept = draw([places[row.label] for row in rows], most, seed)
    return [rows[place] for place in kept.tolist()]


def _in_groups(rows: Sequence[Row], most: int, seed: int) -> list[Row]:
    """Take the groups in a seeded order, always the next one with the label that lacks most.

    That is the label of which the least share is taken yet, the one that is next in the order
    where several are. With more labels than rows to draw no label could keep its share, and the
    order alone decides.
    """
    names = [row.group or f"\0{row.id}" for row in rows]
    labels = [row.label for row in rows]
    if len(set(labels)) > most:
        labels = [""] * len(rows)
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for name, label in zip(names, labels, strict=True):
        groups[name][label] += 1
    listed = list(groups)
    seeded = np.random.default_rng([seed, 0x7C]).permutation(len(listed))
    order = [listed[place] for place in seeded.tolist()]
    waiting: dict[str, list[int]] = defaultdict(list)
    for place in reversed(range(len(order))):
        for label in groups[order[place]]:
            waiting[label].append(place)
    whole, kept, taken = Counter(labels), Counter[str](), set[str]()
    while waiting:
        label = min(waiting, key=lambda one: (kept[one] / whole[one], waiting[one][-1]))
        name = order[waiting[label].pop()]
        if not waiting[label]:
            del waiting[label]
        if name not in taken and (not taken or kept.total() + groups[name].total() <= most):
            taken.add(name)
            kept.update(groups[name])
    return [row for row, name in zip(rows, names, strict=True) if name in taken]
