"""Categories: tables of where and how the methods fail, one for each task, by fixed rules."""

from collections.abc import Mapping, Sequence

from smalltune.analysis.errors import Category, Cell, categories
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.escape import Tex, escape
from smalltune.paper.examples import short_title
from smalltune.paper.naming import Names
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.tables import cell, table
from smalltune.paper.view import StudyView, TaskView

__all__ = ["category_tables"]

NARROW = 3
"""Methods that a table in one column of the paper has room for."""

FIRST = "errors"
"""The first table's name; the others are named after it."""

HEADINGS = {
    "form": "Form of the answers",
    "slots": "Facts, of those to be said",
    "source": "Copied and added content",
    "length": "{} by words of the item",
    "negation": "{} by negation words in the item",
    "confusion": "The label said most, of all answers; labels taken for another, of their items",
    "choice": "Choices taken, of all answers",
}


def category_tables(view: StudyView, results: Results, numbers: Numbers) -> dict[str, Tex]:
    """Return by its name the table of each task; what is counted becomes numbers."""
    made: dict[str, Tex] = {}
    for task in view.tasks:
        found = {
            model: categories(results, model, task.name, language=task.language)
            for model in results.models or ("-",)
        }
        if any(found.values()):
            name = FIRST if not made else f"{FIRST}-{len(made) + 1}"
            made[name] = _table(view, results, numbers, task, name, found)
    return made


def _table(
    view: StudyView,
    results: Results,
    numbers: Numbers,
    task: TaskView,
    name: str,
    found: Mapping[str, Sequence[Category]],
) -> Tex:
    methods = [m for m in view.methods if any(m.name in c.cells for o in found.values() for c in o)]
    rows: list[list[str]] = []
    for model, own in found.items():
        title = next((m.title for m in view.models if m.name == model), model)
        if len(found) > 1 and own:
            rows.append([rf"\textbf{{{escape(title)}}}"])
        for place, one in enumerate(own):
            if place == 0 or own[place - 1].group != one.group:
                rows.append([rf"\emph{{{_heading(view, one)}}}"])
            words = ("errors", one.group, one.name)
            cells = []
            for method in methods:
                id = Names(view).of(*words, method.name, task=task.name, model=model)
                if method.name in one.cells:
                    what = f"{_plain(one)}, {method.name} on test of {task.name}"
                    numbers.add(_number(view, id, one, one.cells[method.name], what))
                cells.append(cell(numbers, id))
            rows.append([_said(view, results, numbers, task, one), *cells])
    how = (
        r"counted by fixed rules over all runs of a method: $a$/$b$ is $a$ of $b$. Scores are "
        "means over the runs, in percent where the measure is. A dash: does not apply."
    )
    said = how if name == FIRST else rf"counted as in Table~\ref{{tab:{FIRST}}}."
    caption = f"Errors on test of {escape(task.title)}, {said}"
    head = ["", *(str(escape(short_title(m.title, m.name))) for m in methods)]
    wide = len(methods) > NARROW
    first = "l" if wide else r">{\raggedright\arraybackslash\hangindent=1.5em}p{0.56\linewidth}"
    return table(name, caption, first + "r" * len(methods), head, rows, wide=wide)


def _heading(view: StudyView, one: Category) -> str:
    title = view.metric(one.metric).title if one.metric else ""
    return str(escape(HEADINGS[one.group].format(title)))


def _plain(one: Category) -> str:
    what = one.what.format(*one.numbers) if one.numbers else one.what
    return f"{one.metric} over test items {what}" if one.metric else what


def _said(
    view: StudyView, results: Results, numbers: Numbers, task: TaskView, one: Category
) -> str:
    """Return the words of a category with its numbers as macros; of items, how many there are."""
    keys = tuple(sorted({t.data for t in results.trials if t.task == task.name and t.data}))

    def number(value: int, what: str, *words: str) -> Tex:
        name = Names(view).of("errors", one.group, one.name, *words, task=task.name)
        numbers.add(Number(name, value, rounding.count(value), what, keys=keys))
        return Tex(rf"\{name}{{}}")

    parts = one.what.split("{}") if one.numbers else [one.what]
    said = _spaced(parts[0])
    for place, (value, part) in enumerate(zip(one.numbers, parts[1:], strict=True), 1):
        what = f"words that part the test items of {task.name} into thirds"
        said += number(value, what, "bound", str(place)) + _spaced(part)
    if one.metric:
        of = next(iter(one.cells.values())).of
        what = f"test items of {task.name}: {_plain(one)}"
        said += f" ($n$ = {number(of, what, 'items')})"
    return rf"\quad {said}"


def _number(view: StudyView, id: str, one: Category, found: Cell, what: str) -> Number:
    if found.count is not None:
        text = f"{rounding.count(found.count)}/{rounding.count(found.of)}"
        return Number(id, found.value, text, what, keys=found.keys, trials=found.trials)
    metric = view.metric(one.metric)
    text = rounding.score(found.value, percent=metric.percent)
    unit = "%" if metric.percent else ""
    return Number(id, found.value, text, what, unit, found.keys, found.trials)


def _spaced(text: str) -> str:
    """Return plain words as LaTeX with the spaces at their ends."""
    return " " * text[:1].isspace() + escape(text) + " " * (len(text) > 1 and text[-1].isspace())
