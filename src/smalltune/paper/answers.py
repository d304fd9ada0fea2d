"""Answers: how often each method gives each label on test, and whether it says anything else.

A method that always gives one label has that label's share as its accuracy, which no score by
itself tells. A run is asked by itself: one that always says yes and one that always says no make
half and half together.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from smalltune.analysis.records import Scored
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.counts import label_names
from smalltune.paper.escape import Tex, escape
from smalltune.paper.floors import FLOOR
from smalltune.paper.naming import Names, grouped, inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.tables import cell, table
from smalltune.paper.tuning_words import places
from smalltune.paper.view import StudyView, TaskView

__all__ = ["ALWAYS", "Answers", "add_answers", "answer_tables", "one_sided"]

ALWAYS = 0.98
"""The share of answers from which a method is said to give (nearly) always the same label."""

MOST = 6
"""Labels that a table has columns for; of more only the most frequent ones."""

INVALID = "no valid answer"
"""What stands in the place of a label where the output was none."""


@dataclass(frozen=True)
class Answers:
    """What one method answered on the test split of a task, all its seeds together.

    `shares` holds the share of each label of the task among the answers; `name` is the number of
    the most frequent label's share. `always` are the labels of the runs that (nearly) always give
    the same one, a run each; `runs` is the name of the number that says how many these are of all.
    """

    model: str
    method: str
    task: str
    shares: dict[str, float]
    name: str
    always: tuple[str, ...]
    runs: str

    @property
    def top(self) -> str:
        """The label that is given most often."""
        return max(self.shares, key=lambda label: self.shares[label])


def add_answers(view: StudyView, results: Results, numbers: Numbers) -> tuple[Answers, ...]:
    """Add each label's share among a method's answers on test; return them by cell of the study."""
    made = []
    for task in view.tasks if "test" in results.splits else ():
        if not task.labels:
            continue
        stored = [t for t, split in results.stored() if split == "test" and t.task == task.name]
        if stored:
            _gold(view, task, results.scored(stored[0], "test"), numbers)
        some = any("" in results.scored(trial, "test").predicted for trial in stored)
        known = [*task.labels.values(), *[INVALID] * some]
        for model, method in dict.fromkeys((t.model, t.method) for t in stored):
            trials = [t for t in stored if (t.model, t.method) == (model, method)]
            runs = [results.scored(trial, "test") for trial in trials]
            ids = tuple(trial.id for trial in trials)
            made.append(_answers(view, task, model, method, runs, ids, known, numbers))
    return tuple(made)


def _gold(view: StudyView, task: TaskView, run: Scored, numbers: Numbers) -> None:
    names, counts = Names(view), Counter(run.gold)
    for label, word in label_names([*task.labels.values()]).items():
        share = counts[label] / counts.total()
        what = f"share of label {label!r} on test of {task.name}, as the data have it"
        name, text = names.of("gold", word, task=task.name), rounding.score(share, percent=True)
        numbers.add(Number(name, share, text, what, "%", (run.key,)))


def _answers(
    view: StudyView,
    task: TaskView,
    model: str,
    method: str,
    runs: Sequence[Scored],
    trials: tuple[str, ...],
    known: Sequence[str],
    numbers: Numbers,
) -> Answers:
    counts = Counter(label or INVALID for run in runs for label in run.predicted)
    words = label_names([*known, *counts])
    shares = {label: counts[label] / counts.total() for label in words}

    def add(share: float, said: str, *name: str) -> str:
        what = f"share of {said} among the answers of {method} on test of {task.name}, all its runs"
        id = Names(view).of(*name, method, task=task.name, model=model)
        text, keys = rounding.score(share, percent=True), tuple(run.key for run in runs)
        numbers.add(Number(id, share, text, what, "%", keys, trials))
        return id

    for label, share in shares.items():
        add(share, f"label {label!r}", "answers", words[label])
    top = add(max(shares.values()), "the most frequent answer", "topAnswer")
    always = tuple(label for run in runs for label in [_always(run)] if label)
    name = Names(view).of("oneLabelRuns", method, task=task.name, model=model)
    said = f"runs of {method} on {task.name} that (nearly) always give the same label on test, of"
    text, keys = f"{len(always)} of {len(runs)}", tuple(run.key for run in runs)
    numbers.add(Number(name, len(always), text, f"{said} {len(runs)}", "", keys, trials))
    return Answers(model, method, task.name, shares, top, always, name)


def _always(run: Scored) -> str:
    """Return the label that a run (nearly) always gives, or nothing."""
    label, most = Counter(label or INVALID for label in run.predicted).most_common(1)[0]
    return label if most >= ALWAYS * len(run.predicted) else ""


def one_sided(view: StudyView, answers: Sequence[Answers]) -> tuple[Tex, ...]:
    """Return what is said of methods that (nearly) always give the same label, in some run.

    A sentence each or, where these are many, one for each task and answer. The majority baseline is
    left out: it does so by definition.
    """
    found = [
        one
        for one in answers
        if view.method(one.method).method != FLOOR and (one.always or one.shares[one.top] >= ALWAYS)
    ]
    if groups := grouped(found, lambda one: (one.task, _gives(one))):
        return tuple(_together(view, task, gives, own) for (task, gives), own in groups.items())
    return tuple(_alone(view, one) for one in found)


def _gives(one: Answers) -> str:
    """Return the labels that runs (nearly) always give, as they are quoted."""
    labels = [one.top] if one.shares[one.top] >= ALWAYS else dict.fromkeys(one.always)
    return " or ".join(map(_quoted, labels))


def _together(view: StudyView, task: str, gives: str, own: Sequence[Answers]) -> Tex:
    """Return the sentence on all methods that (nearly) always give the same answer to a task."""
    where = places(view, [(one.method, "", one.model) for one in own])
    start = f"On {escape(view.task(task).title)}, runs of the following (nearly) always give"
    if gives == INVALID:
        return Tex(f"{start} {INVALID}: {where}.")
    what = "such scores tell little more than how frequent a label is"
    return Tex(f"{start} the answer {gives}: {where}; {what}.")


def _alone(view: StudyView, one: Answers) -> Tex:
    """Return the sentence on one method on one task."""
    who = f"{escape(inline(view.method(one.method).title))}{_model(view, one)}"
    where = escape(view.task(one.task).title)
    if one.shares[one.top] < ALWAYS:
        if set(one.always) == {INVALID}:
            return Tex(
                rf"On {where}, {who} (nearly) always gives {INVALID} in \{one.runs}{{}} runs."
            )
        gives = rf"gives (nearly) every item the same answer in \{one.runs}{{}} runs"
        what = "whose scores tell little more than how frequent that label is"
        return Tex(rf"On {where}, {who} {gives} ({_gives(one)}), {what}.")
    what = (
        "gives no valid answer."
        if one.top == INVALID
        else f"answers {_gives(one)}, so that its score tells little more than how frequent that "
        "label is."
    )
    return Tex(rf"On \{one.name}{{}} of the test rows of {where}, {who} {what}")


def _quoted(label: str) -> Tex:
    return Tex(label if label == INVALID else f"``{escape(label)}''")


def answer_tables(view: StudyView, answers: Sequence[Answers], numbers: Numbers) -> dict[str, Tex]:
    """Return by its name each task's table with the share of each label among the answers."""
    made: dict[str, Tex] = {}
    for task in view.tasks:
        name = "answers" if not made else f"answers-{len(made) + 1}"
        found = _table(view, task, name, answers, numbers)
        if found:
            made[name] = found
    return made


def _table(
    view: StudyView, task: TaskView, name: str, answers: Sequence[Answers], numbers: Numbers
) -> Tex | None:
    here = [one for one in answers if one.task == task.name]
    if not here:
        return None
    found = [label for one in here for label in one.shares]
    names, words = Names(view), label_names([*task.labels.values(), *found])
    shown = list(words)
    caption = (
        f"Answers on test of {escape(task.title)}: share of each label among what a method "
        r"answers in all its runs, and in the data (\%); and how many of the runs (nearly) always "
        "give the same."
    )
    if len(words) > MOST:
        gold = {
            label: numbers[names.of("gold", words[label], task=task.name)].value
            for label in task.labels.values()
        }
        shown = sorted(gold, key=lambda label: -gold[label])[: MOST - 1]
        caption += f" Of {cell(numbers, names.of('labels', task=task.name))} labels, the most "
        caption += "frequent in the data."

    def row(said: str, first: str, *more: str, model: str = "") -> list[str]:
        named = [names.of(first, words[s], *more, task=task.name, model=model) for s in shown]
        return [said, *(cell(numbers, name) for name in named)]

    rows = [[*row("The data", "gold"), ""]]
    for one in here:
        title = f"{escape(view.method(one.method).title)}{_model(view, one)}"
        runs = cell(numbers, one.runs)
        rows.append([*row(title, "answers", one.method, model=one.model), runs])
    heads = ["", *(str(escape(label, limit=16)) for label in shown), "One only"]
    return table(name, caption, "l" + "r" * (len(heads) - 1), heads, rows)


def _model(view: StudyView, one: Answers) -> str:
    several = len(view.models) > 1 and one.model != "-"
    title = next((m.title for m in view.models if m.name == one.model), one.model)
    return f" with {escape(title)}" if several else ""
