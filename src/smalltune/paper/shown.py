"""Shown: where a model saw fewer solved items than were asked for, in numbers and a sentence."""

from smalltune.analysis.fewer import Fewer
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import Names, enumerate_words, inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.view import StudyView

__all__ = ["add_shown", "shown_fewer"]


def add_shown(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add how many answers on test had fewer solved items, and of how many."""
    for one in results.fewer("test"):
        where = f"of {one.method} on test of {one.task}"
        for word, value, what in (
            ("shownFewer", one.short, f"answers {where} with fewer solved items than asked for"),
            ("shownOf", one.answers, f"answers {where}, all its runs"),
        ):
            name, text = _name(view, one, word), rounding.count(value)
            numbers.add(Number(name, value, text, what, keys=one.keys, trials=one.trials))


def shown_fewer(view: StudyView, results: Results) -> Tex:
    """Return the sentence on answers that had fewer solved items; nothing where all had theirs."""
    said = []
    for one in results.fewer("test"):
        where = f"{escape(view.task(one.task).title)}"
        where += f" with {escape(_model(view, one))}" if len(view.models) > 1 else ""
        who = escape(inline(view.method(one.method).title))
        said.append(
            Tex(
                rf"\{_name(view, one, 'shownFewer')}{{}} of the \{_name(view, one, 'shownOf')}{{}} "
                rf"answers of {who} to the test rows of {where}"
            )
        )
    if not said:
        return Tex("")
    return Tex(
        "Where the solved items do not all have room before a prompt in what a model reads, the "
        "first ones are left out, and where there are fewer training rows, they are fewer. Fewer "
        f"than asked for were shown in {enumerate_words(said)}."
    )


def _model(view: StudyView, one: Fewer) -> str:
    return next((m.title for m in view.models if m.name == one.model), one.model)


def _name(view: StudyView, one: Fewer, word: str) -> str:
    return Names(view).of(word, one.method, task=one.task, model=one.model)
