"""References: the right answers of items whose answer is free text, one or several of each."""

from collections.abc import Sequence
from dataclasses import replace

from smalltune.data.splits import Row

__all__ = ["expand", "first", "merge"]


def expand(rows: Sequence[Row]) -> list[Row]:
    """Return one row for each reference, `train-3` becoming `train-3-1`, `train-3-2` where several.

    So that a limit on rows counts what is learned from.
    """
    found = []
    for row in rows:
        several = len(row.references) > 1
        for number, text in enumerate(row.references, 1):
            name = f"{row.id}-{number}" if several else row.id
            found.append(replace(row, id=name, references=(text,)))
    return found


def first(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with only their first reference."""
    return [replace(row, references=row.references[:1]) for row in rows]


def merge(rows: Sequence[Row]) -> list[Row]:
    """Return one row for all that hold the same texts, with the references of each, in order.

    It is called what the first of them is. Data sets list an input once for each of its references
    (E2E), or hold them in columns (DialogSum): items are counted the same way after this.
    """
    found: dict[tuple[tuple[str, str], ...], Row] = {}
    for row in rows:
        texts = tuple(row.fields.items())
        first = found.setdefault(texts, row)
        if first is not row:
            both = tuple(dict.fromkeys((*first.references, *row.references)))
            found[texts] = replace(first, references=both)
    return list(found.values())
