"""Evidence: what a person needs to see of a table before agreeing to the columns of a task."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from smalltune.core.plural import plural

if TYPE_CHECKING:
    from smalltune.data.profile import Column, Columns, Table

__all__ = ["evidence"]

SHOWN = 12
WIDE = 60

KINDS = {
    "generation": "generation, a text to be written for each text",
    "instructions": "instructions with their answers, judged by held-out answers",
    "language_modelling": "language modelling, every token predicted from those before it",
    "multiple_choice": "multiple choice, one of each row's own choices",
}
"""What is asked, where it is not one of a few labels."""


def evidence(table: "Table", chosen: "Columns") -> Iterator[str]:
    """Yield what a person needs to see before agreeing to the columns."""
    roles = {_column(table, name): role for name, role in chosen.roles.items()}
    yield f"{table.path}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')}"
    if chosen.kind in KINDS:
        yield f"task: {KINDS[chosen.kind]}"
    names = sorted(table.columns, key=lambda name: name not in roles)[:SHOWN]
    wide = max(5, *map(len, roles.values())) if roles else 5
    width = max(len(_shown(name, 24)) for name in names)
    for name in names:
        about = _about(table.columns[name], roles.get(name, ""))
        yield f"  {roles.get(name, '-'):{wide}}  {_shown(name, 24):{width}}  {about}"
    if len(table.columns) > SHOWN:
        yield f"  and {len(table.columns) - SHOWN} more columns"
    for number, row in enumerate(table.samples, 1):
        yield f"row {number}"
        for name in _read(table, chosen):
            yield f"  {_shown(name, 24):{width}}  {_shown(str(row.get(name)), WIDE)}"


def _read(table: "Table", chosen: "Columns") -> list[str]:
    """Return the columns that a task reads; those of instruction data are all that there are."""
    named = [_column(table, name) for name, role in chosen.roles.items() if role != "id"]
    return list(dict.fromkeys(named)) or list(table.columns)[:SHOWN]


def _column(table: "Table", name: str) -> str:
    """Return the table's column: `answers` of `answers.text`."""
    return name if name in table.columns else name.partition(".")[0]


def _about(column: "Column", role: str) -> str:
    values = column.values
    if role in ("text", "target", "choice") and not column.nested:
        return f"{column.mean:.0f} characters on average"
    if values and (role in ("label", "answer") or len(values) <= SHOWN):
        few = ", ".join(f"{_shown(value, 20)} {rows}" for value, rows in values.most_common(6))
        return f"{plural(len(values), 'value')}: {few}" + (", ..." if len(values) > 6 else "")
    kind = "all different" if column.unique and column.filled else "many values"
    return f"{kind}, such as {_shown(column.first, 30)}" if column.filled else "empty"


def _shown(text: str, width: int) -> str:
    """Return a text on one line, cut to a width, with nothing in it that a terminal would obey."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * width]).split())
    return line if len(line) <= width else line[: width - 3] + "..."
