"""Qualitative tables: items to read and errors to count, as rows that any program opens.

What the paper shows of them fits on a page; here is more of the same, chosen by the same rules
(see `samples` and `errors`).
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from smalltune.analysis.errors import categories
from smalltune.analysis.results import Results
from smalltune.analysis.samples import RIGHT, Example, choose

__all__ = ["EACH", "as_csv", "error_rows", "example_rows"]

EACH = 20
"""Items of each kind (disagreement, hardest, random) and model and task."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def example_rows(results: Results, split: str = "test", each: int = EACH) -> list[dict[str, Any]]:
    """Return a row per chosen item and method, items of one kind one after the other.

    `chosen` says why (disagreement, hardest, random), `asked` holds the item's texts, `right` its
    label or references. `value` is what the item is worth to the method by `measure`: "right" is
    the share of its runs with the right label, else it is the metric of this item alone. `answers`
    are its runs' labels with their shares, `wrote` is the text of its first run.
    """
    return [
        _row(model, task, example, method, value)
        for model, task in _asked(results)
        for example in choose(results, model, task, each=each, split=split)
        for method, value in example.value.items()
    ]


def error_rows(
    results: Results, languages: Mapping[str, str], split: str = "test"
) -> list[dict[str, Any]]:
    """Return a row per category of errors and method: `count` of `of`, and the `value`.

    Where `measure` names a metric, `value` is its value over `of` items and there is no count;
    else it is the share. `languages` are those of the tasks: negation is looked for in English.
    """
    return [
        {
            "task": task,
            "model": model,
            "group": one.group,
            "category": one.name,
            "what": one.what.format(*one.numbers) if one.numbers else one.what,
            "method": method,
            "measure": one.metric or "share",
            "value": found.value,
            "count": found.count,
            "of": found.of,
        }
        for model, task in _asked(results)
        for one in categories(results, model, task, language=languages.get(task, ""), split=split)
        for method, found in one.cells.items()
    ]


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV, the columns of the first row; what is not defined is empty.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    file = io.StringIO()
    if rows:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([[_cell(value) for value in row.values()] for row in rows])
    return file.getvalue()


def _asked(results: Results) -> Iterator[tuple[str, str]]:
    for task in results.tasks:
        for model in results.models or ("-",):
            yield model, task


def _row(model: str, task: str, one: Example, method: str, value: float) -> dict[str, Any]:
    right: Iterable[str] = one.references or (one.gold,)
    answers = one.said.get(method, {}) if one.metric == RIGHT else {}
    return {
        "task": task,
        "model": model,
        "chosen": one.kind,
        "item": one.id,
        "asked": "\n".join((*one.fields.values(), *one.choices)),
        "right": "\n".join(right),
        "method": method,
        "measure": one.metric,
        "value": value,
        "answers": ", ".join(
            f"{name or 'none'} {_short(share)}" for name, share in answers.items()
        ),
        "wrote": one.text.get(method, ""),
    }


def _short(share: float) -> str:
    return f"{share:.2f}".rstrip("0").rstrip(".")


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULAS) else text
