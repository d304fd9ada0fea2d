"""Examples: a table of test items and how often each method got them right."""

import math
from collections import Counter

from smalltune.analysis.results import Results
from smalltune.analysis.samples import Example, choose
from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import Names, heading
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.tables import table
from smalltune.paper.view import StudyView

__all__ = ["example_table"]

LONGEST = 330  # characters of an item's text
NARROW = 12  # characters of a column's head
METHODS = 7  # columns that fit on a page
HEADINGS = {
    "disagreement": "Where the methods disagree most",
    "all wrong": "What most runs of every method get wrong",
    "random": "Drawn at random",
}


def example_table(
    view: StudyView, results: Results, numbers: Numbers, *, each: int = 2
) -> Tex | None:
    """Return the table of the first model and task that have predictions, or None.

    The shares of right runs become numbers, so that they can be traced like all others.
    """
    for task in view.tasks:
        for model in results.models or ("-",):
            found = choose(results, model, task.name, each=each)
            if found:
                return _table(view, results, numbers, found, task.name, model)
    return None


def _table(
    view: StudyView,
    results: Results,
    numbers: Numbers,
    found: tuple[Example, ...],
    task: str,
    model: str,
) -> Tex:
    methods = [m for m in view.methods if m.name in found[0].right][:METHODS]
    runs = _runs(results, task, model)
    rows: list[list[str]] = []
    for place, one in enumerate(found, 1):
        if not rows or one.kind != found[place - 2].kind:
            rows.append([rf"\emph{{{escape(HEADINGS.get(one.kind, one.kind))}}}"])
        texts = " / ".join(escape(text, limit=LONGEST) for text in one.fields.values())
        shares = []
        for method in methods:
            name = Names(view).of("example", str(place), method.name, task=task, model=model)
            shares.append(_share(numbers, name, one, method.name, runs[method.name]))
        rows.append([rf"{texts}\vspace{{2pt}}", str(escape(one.gold)), *shares])
    heads = [str(escape(_short(m.title, m.name))) for m in methods]
    title = next(t.title for t in view.tasks if t.name == task)
    caption = (
        f"Test items of {escape(title)} with the number of runs in which each method gave the "
        "right label. Characters that the fonts do not have are shown by their code points."
    )
    columns = r">{\raggedright\arraybackslash}p{0.5\textwidth}l" + "c" * len(methods)
    return table("examples", caption, columns, ["Text", "Gold", *heads], rows, wide=True)


def _short(title: str, name: str) -> str:
    """Return a title that fits into a narrow column, or else the name."""
    return title if len(title) <= NARROW else heading(name.replace("_", " "))


def _share(numbers: Numbers, name: str, one: Example, method: str, runs: int) -> str:
    right = one.right[method]
    text = "--" if math.isnan(right) else f"{round(right * runs)}/{runs}"
    what = f"runs of {method} that gave the right label of item {one.id} ({one.kind})"
    return numbers.add(Number(macro_name(name), right, text, what, keys=one.keys))


def _runs(results: Results, task: str, model: str) -> Counter[str]:
    """Return how many stored runs each method has on the test split of a task."""
    return Counter(
        trial.method
        for trial, split in results.stored()
        if split == "test" and trial.task == task and trial.model in (model, "-")
    )
