"""Groups: rows that belong together (an article, a dialogue, a set of facts) stay in one split.

A row without a named group belongs with the rows of the same words.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from smalltune.core.errors import StudyError
from smalltune.data.splits import Carved, DevRule, Row

__all__ = ["carve_groups", "drop_groups", "group_name"]

LONGEST = 60  # characters of a group's name; a longer one, as a passage, is named by its hash


def group_name(value: str) -> str:
    """Return a short name for a group: the value, or a hash of one that is a text."""
    text = " ".join(value.split())
    return text if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()[:16]


def drop_groups(rows: Sequence[Row], held_out: Iterable[Row]) -> list[Row]:
    """Return the rows whose group, where they have one, no held-out row belongs to."""
    held = {row.group for row in held_out if row.group}
    return [row for row in rows if row.group not in held]


def carve_groups(train: Sequence[Row], rule: DevRule, role: str = "dev") -> Carved:
    """Return train without, and the held-out rows of, whole groups in a seeded order.

    A group is taken while there are fewer than `rule.rows` rows, so that the last one may bring
    some more; of a group that would leave no other in train nothing is taken. Labels are not looked
    at: their shares are those that the groups happen to bring. Train rows with the words of a
    held-out row are dropped.

    Raises StudyError for `whole`, which is a rule for rows, and for rows that are all one group.
    """
    if rule.whole:
        raise StudyError(f"{role}: `whole` and `group` cannot be together")
    names = [row.group or f"\0{row.key}" for row in train]
    sizes = Counter(names)
    order = np.random.default_rng([rule.seed, 0x6B]).permutation(len(sizes))
    if len(sizes) < 2:
        raise StudyError(f"{role}: all rows are one group, so none can be held out")
    groups = list(sizes)
    taken: set[str] = set()
    count = 0
    for index in order[:-1]:
        if count >= rule.rows:
            break
        taken.add(groups[index])
        count += sizes[groups[index]]
    held = {row.key for row, name in zip(train, names, strict=True) if name in taken}
    kept = [row for row, n in zip(train, names, strict=True) if n not in taken]
    apart = [row for row in kept if row.key not in held]
    reason = f"train rows repeated in {role}"
    return Carved(
        train=apart,
        dev=[row for row, name in zip(train, names, strict=True) if name in taken],
        dropped={reason: len(kept) - len(apart)} if len(apart) < len(kept) else {},
    )
