r"""Elsewhere: what training on one task did to the answers to others; forgetting is a case of it.

Each trained thing that was asked another task too is set beside the base as it is, on the same
items, in the other task's own measure. A sentence (`\elsewhereFullReviews`) says on which side of
zero the interval of the difference lies; no interval, no word. None of these scores is among the
results proper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smalltune.analysis.changes import Change, changes
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.escape import Tex, escape
from smalltune.paper.measures import interval_text
from smalltune.paper.moved import UNCORRECTED, add_difference, side, sides
from smalltune.paper.naming import Names, inline
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.tables import cell, place_heading, table, zero_note
from smalltune.paper.view import StudyView

__all__ = ["Elsewhere", "add_elsewhere", "elsewhere_sentences", "elsewhere_table"]


@dataclass(frozen=True)
class Elsewhere:
    """A change in the other task's primary measure, the task learned, and its number's name."""

    change: Change
    learned: str
    name: str

    @property
    def place(self) -> tuple[str, str, str]:
        """The task that was learned, the model, and the method."""
        return self.learned, self.change.after.model, self.change.after.method


def add_elsewhere(view: StudyView, results: Results, numbers: Numbers) -> tuple[Elsewhere, ...]:
    """Add scores, differences, intervals and sentences; nothing where test was not asked."""
    found = {
        one.after.keys: one  # the same thing asked the same task in trials of two tasks: once
        for one in changes(results)
        if one.after.split == "test" and one.after.metric == view.primary_of(one.after.task)
    }
    made = [_add(view, one, numbers) for one in found.values()]
    made.sort(key=lambda one: [task.name for task in view.tasks].index(one.learned))
    for (task, model, method), own in _grouped(made).items():
        known = [one for one in own if one.change.difference]
        if known:
            name = Names(view).of("elsewhere", method, task=task, model=model)
            lies = {one.change.after.task: _side(one) for one in known}
            what = f"other tasks by the interval of {method} trained on {task} minus the base"
            keys = tuple(dict.fromkeys(k for one in known for k in _keys(one)))
            said = rf"{_sentence(view, known, lies)}\xspace"
            numbers.add(Number(name, lies, said, what, keys=keys, body=True))
    return tuple(made)


def elsewhere_sentences(view: StudyView, made: Sequence[Elsewhere]) -> tuple[Tex, ...]:
    """Return the macro of each sentence."""
    names = Names(view)
    return tuple(
        Tex(rf"\{names.of('elsewhere', method, task=task, model=model)}")
        for (task, model, method), own in _grouped(made).items()
        if any(one.change.difference for one in own)
    )


def elsewhere_table(view: StudyView, made: Sequence[Elsewhere], numbers: Numbers) -> Tex | None:
    """Return both scores, their difference and its interval for each other task."""
    if not made:
        return None
    names, rows = Names(view), []
    before = ""
    for one in made:
        task, model, method = one.place
        at = one.change.after
        if (heading := place_heading(view, task, model)) != before:
            rows.append([f"Trained on {heading}"])
            before = heading
        base = view.base.name if view.base else ""
        told = names.of(at.metric, base, task=at.task, model=model)
        rows.append(
            [
                str(escape(view.method(method).title)),
                str(escape(view.task(at.task).title)),
                str(escape(view.metric(at.metric).title)),
                cell(numbers, told) if one.change.before else "--",
                cell(numbers, one.name),
                cell(numbers, f"{one.name}Change"),
                cell(numbers, f"{one.name}ChangeInterval"),
            ]
        )
    caption = (
        "What else changed: trained models asked other tasks too, on test: the base as it is, the "
        r"trained model, and their difference with its \intervalLevel{} interval (percentage "
        "points for what is given in percent). A dash: the study does not ask the base that task. "
        f"{UNCORRECTED}"
        f"{zero_note(numbers, [f'{one.name}ChangeInterval' for one in made])}"
    )
    head = ["", "Asked", "Measure", "Before", "After", "Difference", "Interval"]
    return table("elsewhere", caption, "lllrrrr", head, rows, wide=True)


def _add(view: StudyView, one: Change, numbers: Numbers) -> Elsewhere:
    at, metric = one.after, view.metric(one.after.metric)
    learned = view.method(at.method).on or one.task
    name = Names(view).of("also", at.method, at.task, "after", task=learned, model=at.model)
    what = f"{metric.title} of {at.method}, trained on {learned}, on test of {at.task}"
    low, value, high = (
        rounding.score(number, percent=metric.percent) for number in (at.low, at.value, at.high)
    )
    unit = "%" if metric.percent else ""
    numbers.add(Number(name, at.value, value, what, unit, at.keys))
    numbers.add(
        Number(
            macro_name(name, "interval"),
            [at.low, at.high],
            interval_text(low, high),
            f"95 % interval of: {what}",
            unit,
            at.keys,
        )
    )
    if one.difference:
        less = f"{what}, minus the base as it is"
        add_difference(numbers, f"{name}Change", one.difference, metric, less)
    return Elsewhere(one, learned, name)


def _grouped(made: Sequence[Elsewhere]) -> dict[tuple[str, str, str], list[Elsewhere]]:
    found: dict[tuple[str, str, str], list[Elsewhere]] = {}
    for one in made:
        found.setdefault(one.place, []).append(one)
    return found


def _side(one: Elsewhere) -> str:
    return side(one.change.difference, one.change.better) if one.change.difference else "none"


def _keys(one: Elsewhere) -> tuple[str, ...]:
    return one.change.difference.keys if one.change.difference else ()


def _sentence(view: StudyView, known: Sequence[Elsewhere], lies: Mapping[str, str]) -> Tex:
    task, model, method = known[0].place
    told = {m.name: m.title for m in view.models}
    with_model = f" with {escape(told.get(model, model))}" if len(view.models) > 1 else ""
    found = [(view.task(name).title, where) for name, where in lies.items()]
    title, trained = escape(view.method(method).title), escape(view.task(task).title)
    assert view.base is not None
    base = escape(inline(view.base.title))
    return Tex(
        f"{title}, trained on {trained}{with_model}: the interval of its difference to {base} "
        f"{sides(found)}."
    )
