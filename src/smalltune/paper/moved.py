r"""Moved: how far training moves each task from what the base does by itself.

Only in a study without declared contrasts, which describes and judges nothing. Each trained method
is set beside the base as it is, in each task's own measure, with the interval of the difference; a
sentence (`\movedTasksFull`) lists the tasks whose interval excludes zero, and those where it does
not; where there are many, one for each task and model (`\movedMethodsReviews`) lists the methods.
The intervals are not corrected for their number, and the text says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from smalltune.analysis.contrasts import Contrast, contrast
from smalltune.analysis.intervals import Estimate
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.claims import where
from smalltune.paper.escape import Tex, escape
from smalltune.paper.measures import interval_text
from smalltune.paper.naming import MANY, Names, enumerate_words, heading, inline
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.tables import cell, place_heading, table, zero_note
from smalltune.paper.view import MethodView, MetricView, StudyView

__all__ = [
    "UNCORRECTED", "Move", "add_difference", "add_moves", "moved_sentences", "moved_table", "side",
    "sides",
]  # fmt: skip

UNCORRECTED = "These intervals stand each for itself and are not corrected for their number."


@dataclass(frozen=True)
class Move:
    """A trained method (`method`) minus the base as it is (`base`) on one task of one model.

    `better` is the measure's good direction; `name` is that of the difference's number.
    """

    method: MethodView
    base: MethodView
    difference: Estimate
    better: str
    name: str

    @property
    def where(self) -> str:
        """Where the interval lies (see `side`)."""
        return side(self.difference, self.better)


def side(difference: Estimate, better: str) -> str:
    """Return where an interval lies: "good" or "bad" side of zero, "off" it, "on" it or "none"."""
    low, high = difference.low, difference.high
    if not (math.isfinite(low) and math.isfinite(high)):
        return "none"
    if low <= 0 <= high:
        return "on"
    if better == "neither":
        return "off"
    return "good" if (low > 0) == (better == "higher") else "bad"


def add_moves(
    view: StudyView, results: Results, contrasts: Sequence[Contrast], numbers: Numbers
) -> tuple[Move, ...]:
    """Add differences, intervals and sentences; nothing where there are declared `contrasts`."""
    base = view.base
    if contrasts or base is None or "test" not in results.splits:
        return ()
    made = []
    for method in (m for m in view.methods if m.trains and m.keeps_base):
        for model, name, task in results.cells:
            if name == method.name and (model, base.name, task) in results.cells:
                found = _move(view, results, numbers, method, base, model, task)
                made += [found] if found else []
    for (method_name, model), own in _grouped(made).items():
        said = _sentence(view, own)
        keys = tuple(dict.fromkeys(key for one in own for key in one.difference.keys))
        name = Names(view).of("movedTasks", method_name, model=model)
        what = f"tasks by the interval of {method_name} minus {base.name}"
        value = {one.difference.task: one.where for one in own}
        numbers.add(Number(name, value, rf"{said}\xspace", what, keys=keys, body=True))
    for (task, model), own in _cells(made).items():
        name = Names(view).of("movedMethods", task=task, model=model)
        keys = tuple(dict.fromkeys(key for one in own for key in one.difference.keys))
        value = {one.method.name: one.where for one in own}
        told = f"methods by the interval of their score minus {base.name}'s on {task}"
        text = rf"{_of_methods(view, own)}\xspace"
        numbers.add(Number(name, value, text, told, keys=keys, body=True))
    return tuple(made)


def moved_sentences(view: StudyView, moves: Sequence[Move]) -> tuple[Tex, ...]:
    """Return the macro of each sentence, of a method or, of many, of a task and model."""
    names = Names(view)
    if cells := _cells(moves):
        macros = [names.of("movedMethods", task=task, model=model) for task, model in cells]
        return (*(Tex(rf"\{macro}") for macro in macros), Tex(UNCORRECTED))
    return tuple(
        Tex(rf"\{names.of('movedTasks', method, model=model)}") for method, model in _grouped(moves)
    )


def moved_table(view: StudyView, moves: Sequence[Move], numbers: Numbers) -> Tex | None:
    """Return both scores, their difference and its interval, for each task or for each method."""
    if not moves:
        return None
    rows: list[list[str]] = []
    if cells := _cells(moves):
        for (task, model), own in cells.items():
            rows.append([place_heading(view, task, model)])
            rows += [_row(view, one, escape(one.method.title), numbers) for one in own]
    else:
        for own in (groups := _grouped(moves)).values():
            if len(groups) > 1:
                rows.append([_who(view, own[0])])
            for one in own:
                title = escape(heading(view.task(one.difference.task).title))
                rows.append(_row(view, one, title, numbers))
    caption = (
        "What training changes in each task's primary measure, on test: the base as it is, the "
        r"trained method, and their difference with its \intervalLevel{} interval (percentage "
        f"points for what is given in percent). {UNCORRECTED}"
        f"{zero_note(numbers, [f'{one.name}Interval' for one in moves])}"
    )
    trained = "Trained" if len(_grouped(moves)) > 1 else str(escape(moves[0].method.title))
    head = ["", "Measure", str(escape(moves[0].base.title)), trained, "Difference", "Interval"]
    return table("moved", caption, "llrrrr", head, rows, wide=True)


def _who(view: StudyView, one: Move) -> str:
    several = len(view.models) > 1
    known = {m.name: m.title for m in view.models}
    model = known.get(one.difference.model, one.difference.model)
    return escape(one.method.title) + (f", {escape(model)}" if several else "")


def _row(view: StudyView, one: Move, title: str, numbers: Numbers) -> list[str]:
    at, names = one.difference, Names(view)
    scores = [
        cell(numbers, names.of(at.metric, m.name, task=at.task, model=at.model))
        for m in (one.base, one.method)
    ]
    measure = str(escape(view.metric(at.metric).title))
    return [title, measure, *scores, *(cell(numbers, n) for n in (one.name, f"{one.name}Interval"))]


def _move(
    view: StudyView,
    results: Results,
    numbers: Numbers,
    method: MethodView,
    base: MethodView,
    model: str,
    task: str,
) -> Move | None:
    metric = view.metric(view.primary_of(task))
    sides = [results.sample(model, m.name, task, "test", metric.name) for m in (method, base)]
    if not all(side.items for side in sides):
        return None
    at = contrast(*sides).estimate
    name = Names(view).of("moved", method.name, task=task, model=model)
    what = f"{metric.title} of {method.name} minus {base.name} on test of {task}"
    add_difference(numbers, name, at, metric, what)
    return Move(method, base, at, metric.better, name)


def add_difference(
    numbers: Numbers, name: str, at: Estimate, metric: MetricView, what: str
) -> None:
    """Add a difference and, with `Interval` behind its name, its interval."""
    low, high = (rounding.bound(end, percent=metric.percent) for end in (at.low, at.high))
    value = rounding.difference(at.value, percent=metric.percent)
    unit = "points" if metric.percent else ""
    numbers.add(Number(name, at.value, value, what, unit, at.keys))
    said, both = f"95 % interval of: {what}", [at.low, at.high]
    numbers.add(
        Number(macro_name(name, "interval"), both, interval_text(low, high), said, unit, at.keys)
    )


def _cells(moves: Sequence[Move]) -> dict[tuple[str, str], list[Move]]:
    """Return the moves by task and model, where a sentence for each method would be too many."""
    found: dict[tuple[str, str], list[Move]] = {}
    for one in moves if len(_grouped(moves)) > MANY else ():
        found.setdefault((one.difference.task, one.difference.model), []).append(one)
    return found


def _grouped(moves: Sequence[Move]) -> dict[tuple[str, str], list[Move]]:
    """Return the moves by method and model."""
    found: dict[tuple[str, str], list[Move]] = {}
    for one in moves:
        found.setdefault((one.method.name, one.difference.model), []).append(one)
    return found


_SAID = {
    "good": "lies on the good side of zero for {}",
    "bad": "lies on the bad side of zero for {}",
    "off": "excludes zero for {}, of whose measure neither side is good",
    "on": "holds zero for {}",
    "none": "is not defined for {}",
}


def _sentence(view: StudyView, moves: Sequence[Move]) -> Tex:
    """Return on which side of zero the interval of each task lies, or that it holds zero."""
    one = moves[0]
    model = ""
    if len(view.models) > 1:
        known = {m.name: m.title for m in view.models}
        model = f" with {escape(known.get(one.difference.model, one.difference.model))}"
    lies = sides([(view.task(m.difference.task).title, m.where) for m in moves])
    titles = [escape(inline(m.title)) for m in (one.method, one.base)]
    start = f"The interval of {titles[0]} minus {titles[1]}{model}"
    return Tex(f"{start} {lies}. {UNCORRECTED}")


def _of_methods(view: StudyView, moves: Sequence[Move]) -> Tex:
    """Return on which side of zero the interval of each method lies, on one task and model."""
    lies = sides([(inline(one.method.title), one.where) for one in moves])
    base = escape(inline(moves[0].base.title))
    return Tex(f"On {where(view, moves[0].difference)} the interval of score minus {base} {lies}.")


def sides(found: Sequence[tuple[str, str]]) -> Tex:
    """Return on which side of zero the interval lies for which titles, from (title, `side`)."""
    parts = []
    for place, said in _SAID.items():
        titles = [title for title, one in found if one == place]
        parts += [said.format(enumerate_words(titles))] * bool(titles)
    return Tex("; it ".join(parts))
