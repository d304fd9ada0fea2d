"""Cells: what is wrong with one, and what to do about it, in the same words wherever it is met."""

from collections.abc import Mapping
from typing import Any

from smalltune.core.plugins import nearest

__all__ = ["brief", "no_column", "no_text", "shown"]

SHOWN = 10
LONGEST = 60
"""Characters of a cell that a message shows."""


def shown(names: Any) -> str:
    """Return the first names, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more


def brief(value: Any) -> str:
    """Return a value as a message shows it."""
    said = repr(value)
    return said if len(said) < LONGEST else f"{said[:LONGEST]}..."


def no_column(row: Mapping[str, Any], name: str) -> str:
    """Return that a row lacks a column, which there are, and the nearest of them.

    Of `answers.text` the row may have `answers`, and no text in it.
    """
    head, _, rest = name.partition(".")
    if head != name and head in row:
        return (
            f"no column {name!r}: {head!r} holds {brief(row[head])}, and not an object with "
            f"{rest!r} in it. Name another column, or drop the row"
        )
    there = [str(column) for column in row]
    if not there:
        return f"no column {name!r}: the row is empty. Fill it in or drop it"
    near = nearest(name, there)
    hint = f". {near}" if near.startswith("Did") else ""
    return f"no column {name!r}; the columns are: {shown(there)}{hint}"


def no_text(column: str, value: Any) -> str:
    """Return what is wrong with a cell that must hold a text."""
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return f"the column {column!r} holds no text: fill it in or drop the row"
    made = "write it as one text" if isinstance(value, list | Mapping) else "write it in quotes"
    return (
        f"the column {column!r} holds {brief(value)}, which is no text: {made}, or name another "
        "column"
    )
