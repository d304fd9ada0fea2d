"""Splits: dev carved from train, rows that would leak dropped and counted, seeded draws."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["DevRule", "Row", "carve", "draw", "drop_repeats", "normal"]

_WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True)
class Row:
    """One item: an id, its text fields, and the name of its label."""

    id: str
    fields: Mapping[str, str]
    label: str

    @property
    def words(self) -> tuple[str, ...]:
        """The words of all fields, lower case, punctuation dropped: what a leak is judged by."""
        return normal(" ".join(self.fields.values()))


@dataclass(frozen=True)
class DevRule:
    """How dev is carved from train when the data have none.

    With `whole`, only rows that are part of no other row are drawn (full sentences among
    fragments), and every training row that is a part of a dev row is dropped.
    """

    rows: int = 500
    seed: int = 0
    whole: bool = False


@dataclass
class Carved:
    """Train and dev as carved, and what was dropped from train, by reason."""

    train: list[Row]
    dev: list[Row]
    dropped: dict[str, int] = field(default_factory=dict)


def normal(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case.

    >>> normal("It's fine , really!")
    ('it', 's', 'fine', 'really')
    """
    return tuple(_WORD.findall(text.lower()))


def carve(train: Sequence[Row], rule: DevRule) -> Carved:
    """Return train and a stratified, seeded dev split; train rows that would leak are dropped."""
    words = [row.words for row in train]
    pool = list(range(len(train)))
    if rule.whole:
        parts = _parts(words)
        seen = Counter(words)
        pool = [i for i in pool if words[i] not in parts and seen[words[i]] == 1]
    chosen = {pool[i] for i in _stratified([train[i].label for i in pool], rule.rows, rule.seed)}
    inside = {span for i in chosen for span in (_spans(words[i]) if rule.whole else [words[i]])}
    keep = [i for i in range(len(train)) if i not in chosen and words[i] not in inside]
    reason = "train rows that are part of a dev row" if rule.whole else "train rows repeated in dev"
    return Carved(
        train=[train[i] for i in keep],
        dev=[train[i] for i in sorted(chosen)],
        dropped={reason: len(train) - len(chosen) - len(keep)},
    )


def drop_repeats(rows: Sequence[Row], held_out: Iterable[Row]) -> list[Row]:
    """Return the rows whose words are not those of a held-out row."""
    held = {row.words for row in held_out}
    return [row for row in rows if row.words not in held]


def draw(labels: Sequence[int], limit: int | None, seed: int) -> np.ndarray:
    """Return the indices of a stratified, seeded draw of `limit` rows, ascending; all if None."""
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    return np.array(_stratified(labels, limit, seed))


def _stratified(labels: Sequence[object], rows: int, seed: int) -> list[int]:
    """Draw rows so that each label keeps its share, rounded by largest remainder."""
    rng = np.random.default_rng([seed, 0x5B])
    groups: dict[object, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        groups[label].append(index)
    rows = min(rows, len(labels))
    exact = {label: rows * len(group) / len(labels) for label, group in groups.items()}
    quota = {label: int(share) for label, share in exact.items()}
    by_rest = sorted(groups, key=lambda label: (quota[label] - exact[label], str(label)))
    for label in by_rest[: rows - sum(quota.values())]:
        quota[label] += 1
    chosen: list[int] = []
    for label in sorted(groups, key=str):
        chosen += rng.permutation(groups[label])[: quota[label]].tolist()
    return sorted(chosen)


def _spans(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield every run of consecutive words, the whole included."""
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            yield words[start:end]


def _parts(words: Sequence[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return the rows that are a part of a longer row, looking up only spans that exist."""
    known = set(words)
    parts: set[tuple[str, ...]] = set()
    for row in known:
        for span in _spans(row):
            if len(span) < len(row) and span in known:
                parts.add(span)
    return parts
