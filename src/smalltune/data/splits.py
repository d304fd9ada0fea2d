"""Splits: dev carved from train, rows that would leak dropped and counted, seeded draws."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import numpy as np

__all__ = [
    "Carved",
    "DevRule",
    "Parts",
    "Row",
    "Splits",
    "carve",
    "chunks",
    "draw",
    "drop_repeats",
    "normal",
]

_WORD = re.compile(r"\w+", re.UNICODE)
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One item: an id, its text fields, and the name of its label.

    `references` are the texts that would be a right answer, best first, where an answer is free
    text; `choices` are the texts among which the label, a letter, chooses. `group` names what the
    item belongs to (an article, a dialogue): a group stays in one split. `turns` are role and text
    of what was said before the answer, where the item is a conversation.
    """

    id: str
    fields: Mapping[str, str]
    label: str
    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    group: str = ""
    turns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Row":
        """Return the row that `stored` wrote."""
        lists = {name: tuple(stored[name]) for name in ("references", "choices") if name in stored}
        turns = tuple((role, text) for role, text in stored.get("turns", ()))
        return cls(**{**stored, **lists, "turns": turns})

    @property
    def stored(self) -> dict[str, Any]:
        """The row as JSON; what most rows lack is left out where it is empty."""
        line = {"id": self.id, "fields": self.fields, "label": self.label}
        more: dict[str, Any] = {"references": self.references, "choices": self.choices}
        more |= {"group": self.group, "turns": self.turns}
        return line | {name: value for name, value in more.items() if value}

    @property
    def words(self) -> tuple[str, ...]:
        """The words of all fields, lower case, punctuation dropped: what a leak is judged by."""
        return normal(self._text)

    @cached_property
    def key(self) -> str:
        """The words, one space between two; the text itself where it holds none, as `:-)`."""
        return " ".join(self.words) or self._text.strip()

    @property
    def _text(self) -> str:
        return " ".join(self.fields.values())


@dataclass(frozen=True)
class DevRule:
    """How dev is carved from train when the data have none, or test likewise.

    With `whole`, only rows that are part of no other row are drawn (full sentences among
    fragments), and every training row that is a part of a dev row is dropped.
    """

    rows: int = 500
    seed: int = 0
    whole: bool = False


@dataclass
class Splits:
    """The rows of train, dev and test, what was dropped on the way, and remarks for the reader."""

    train: list[Row]
    dev: list[Row]
    test: list[Row]
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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


def carve(train: Sequence[Row], rule: DevRule, role: str = "dev") -> Carved:
    """Return train and a stratified, seeded dev split; train rows that would leak are dropped.

    `role` is what the split is called where it is not dev.
    """
    keys = [row.key for row in train]
    pool = list(range(len(train)))
    if rule.whole:
        seen = Counter(keys)
        parts = Parts(seen)
        once = [i for i in pool if seen[keys[i]] == 1 and _WORD.search(keys[i])]
        pool = [i for i in once if not parts.hold(keys[i], longer=True)]
    chosen = {pool[i] for i in _stratified([train[i].label for i in pool], rule.rows, rule.seed)}
    dev = {keys[i] for i in chosen}
    inside = Parts(dev).hold if rule.whole else dev.__contains__
    keep = [i for i in range(len(train)) if i not in chosen and not inside(keys[i])]
    reason = f"train rows repeated in {role}"
    if rule.whole:
        reason = f"train rows that are part of a {role} row"
    return Carved(
        train=[train[i] for i in keep],
        dev=[train[i] for i in sorted(chosen)],
        dropped={reason: len(train) - len(chosen) - len(keep)},
    )


def drop_repeats(rows: Sequence[Row], held_out: Iterable[Row]) -> list[Row]:
    """Return the rows whose words are not those of a held-out row."""
    held = {row.key for row in held_out}
    return [row for row in rows if row.key not in held]


class Parts:
    """Texts that can be asked whether another one is a run of their words.

    Only the texts that hold the rarest of its words are looked through, so that neither memory
    nor time grows with the square of a text's length.
    """

    def __init__(self, keys: Iterable[str]):
        """Take the texts as `Row.key` writes them."""
        self._texts = [f" {key} " for key in dict.fromkeys(keys)]
        self._where: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(self._texts):
            for word in set(text.split()):
                self._where[word].append(index)

    def hold(self, key: str, *, longer: bool = False) -> bool:
        """Tell whether `key` is a part of one of the texts; with `longer`, of one it is not."""
        places = [self._where.get(word, ()) for word in set(key.split())]
        part = f" {key} "
        return any(
            part in self._texts[index] and not (longer and part == self._texts[index])
            for index in min(places, key=len, default=())
        )


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`, the last one shorter."""
    rest = iter(items)
    while few := list(islice(rest, size)):
        yield few


def draw(labels: Sequence[int], limit: int | None, seed: int) -> np.ndarray:
    """Return the indices of a stratified, seeded draw of `limit` rows, ascending; all if None.

    With more labels than rows to draw, as where each document is its own, no label could keep its
    share: the rows are drawn without looking at labels.
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    if len(set(labels)) > limit:
        return np.sort(np.random.default_rng([seed, 0x5B]).permutation(len(labels))[:limit])
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
