"""Tables: booktabs tables whose cells are the macros of numbers.tex, never digits of their own."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence

from smalltune.analysis.contrasts import Contrast
from smalltune.analysis.results import Results
from smalltune.paper.escape import Tex, escape
from smalltune.paper.measures import contrast_name
from smalltune.paper.naming import Names, enumerate_words, heading, inline
from smalltune.paper.numbers import Numbers, macro_name
from smalltune.paper.view import MODEL_FACTS, StudyView

__all__ = [
    "cell", "contrast_table", "cost_table", "floating", "model_table", "place_heading", "table",
    "tabular", "zero_note",
]  # fmt: skip

Rows = Iterable[Sequence[str]]
_SIGNED_ZERO = re.compile(r"\$[+-]\$0(?:\.0+)?(?![.\d])")
PAGE = 50
"""Rows that fit on a page under a caption, the space above headings counted in."""

ACROSS = 12
"""Columns beside the first that can be read on a page."""


def table(
    name: str, caption: str, columns: str, head: Sequence[str], rows: Rows, *, wide: bool = False
) -> Tex:
    """Return a floating table; a row of one cell is a heading over all columns.

    A table that is wider than its column is made smaller (`\\fittable` in paper.tex); one of more
    rows or columns than a page holds is continued in further tables, before a heading where there
    are any.
    """
    parts = [
        tabular(some, own, page)
        for some, own, across in _across(columns, head, rows)
        for page in _pages(across)
    ]
    made = []
    for number, part in enumerate(parts, 1):
        first = number == 1
        own = name if first else f"{name}-page-{number}"
        said = caption if first else rf"Continues Table~\ref{{tab:{name}}}."
        made.append(floating(own, said, part, wide=wide))
    return Tex("\n".join(made))


def _across(
    columns: str, head: Sequence[str], rows: Rows
) -> Iterator[tuple[str, Sequence[str], Rows]]:
    """Yield the table in parts of at most ACROSS columns beside the first, which is in each.

    `columns` with more than a letter for each column are left as they are.
    """
    count = math.ceil((len(head) - 1) / ACROSS)
    if count < 2 or len(columns) != len(head):
        yield columns, head, rows
        return
    rows, each = list(rows), math.ceil((len(head) - 1) / count)
    for start in range(1, len(head), each):
        at = slice(start, start + each)
        cut = [row if len(row) == 1 else [row[0], *row[at]] for row in rows]
        yield columns[0] + columns[at], [head[0], *head[at]], cut


def _pages(rows: Rows) -> list[list[Sequence[str]]]:
    """Return the rows in parts of at most PAGE, about as long as each other.

    A block under one heading stays together where a page holds it.
    """
    blocks: list[list[Sequence[str]]] = []
    for row in rows:
        if not blocks or len(row) == 1 or len(blocks[-1]) >= PAGE:
            blocks.append([])
        blocks[-1].append(row)
    left = sum(map(len, blocks))
    even = math.ceil(left / max(1, math.ceil(left / PAGE)))
    pages: list[list[Sequence[str]]] = [[]]
    for block in blocks:
        long = len(pages[-1])
        full = (long >= even and long + left > PAGE) or long + len(block) > PAGE
        if pages[-1] and full:
            pages.append([])
        pages[-1] += block
        left -= len(block)
    return pages


def tabular(columns: str, head: Sequence[str], rows: Rows) -> str:
    """Return the table itself, as wide as its column at most."""
    lines = []
    for row in rows:
        if len(row) == 1:
            heading = rf"\multicolumn{{{len(head)}}}{{@{{}}l}}{{{row[0]}}} \\"
            lines += [r"\addlinespace", heading]
        else:
            lines.append(" & ".join(row) + r" \\")
    body = "\n".join(lines).removeprefix("\\addlinespace\n")
    return (
        f"\\begin{{lrbox}}{{\\tablebox}}\n\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n"
        f"\\toprule\n{' & '.join(head)} \\\\\n\\midrule\n{body}\n\\bottomrule\n"
        "\\end{tabular}\n\\end{lrbox}\n\\fittable\n"
    )


def floating(name: str, caption: str, inside: str, *, wide: bool = False) -> Tex:
    """Return what is inside as a float with a caption above it, called `tab:<name>`."""
    star = "*" if wide else ""
    return Tex(
        f"\\begin{{table{star}}}[tb]\n\\centering\n\\caption{{{caption}}}\n"
        f"\\label{{tab:{name}}}\n\\footnotesize\\setlength{{\\tabcolsep}}{{3.5pt}}\n"
        f"{inside}\\end{{table{star}}}\n"
    )


def cell(numbers: Numbers, name: str) -> str:
    """Return a number without its unit, or a dash where there is no such number."""
    return rf"\cell{{\{name}}}" if name in numbers else "--"


def zero_note(numbers: Numbers, names: Iterable[str]) -> str:
    """Return how to read an end of an interval that rounds to zero, where one of these has one."""
    texts = [numbers[name].text for name in names if name in numbers]
    if not any(_SIGNED_ZERO.search(text) for text in texts):
        return ""
    return " An end that rounds to zero keeps the sign of the side on which it lies."


def contrast_table(view: StudyView, contrasts: Sequence[Contrast], numbers: Numbers) -> Tex:
    """Return each declared contrast with its interval, p-values and verdict."""
    rows: list[list[str]] = []
    place = ""
    exact = not all(math.isnan(one.p) for one in contrasts)
    unpaired = " A dash: too few seeds are paired for an exact test." if exact else ""
    for one in contrasts:
        metric = view.metric(one.estimate.metric)
        where = place_heading(view, one.estimate.task, one.estimate.model)
        before, place = place, f"{where}, {escape(inline(metric.title))}"
        if place != before:
            rows.append([place])
        a, b = (escape(view.method(m).title) for m in (one.a, one.b))
        names = [("difference",), ("difference", "interval"), *[("p",)] * exact, ("pItems",)]
        found = [cell(numbers, contrast_name(view, one, *name)) for name in names]
        rows.append([rf"{a} $-$ {b}", *found])
    seeds = "paired seeds" if view.paired else "seeds"
    paired = not any(math.isnan(one.p) for one in contrasts)
    caption = (
        rf"Declared contrasts: mean difference over \seedsCount{{}} {seeds} with its "
        r"\intervalLevel{} interval over seeds and test items (percentage points for "
        "what is given in percent), the exact two-sided sign-flip $p$ over seeds, and the $p$ of "
        r"the interval, over seeds and items. With \seedsCount{} seeds the exact $p$ cannot be "
        rf"smaller than \{contrast_name(view, contrasts[0], 'pSmallest')}."
        if paired
        else r"Declared contrasts: difference with its \intervalLevel{} interval over what "
        "varies (percentage points for what is given in percent) and the $p$ of the interval."
        f"{unpaired}"
    )
    spans = [contrast_name(view, one, "difference", "interval") for one in contrasts]
    caption += zero_note(numbers, spans)
    last = "Seeds and items $p$" if exact else "$p$"
    head = ["Contrast", "Diff.", "Interval", *["Exact $p$"] * exact, last]
    return table("contrasts", caption, "l" + "r" * (len(head) - 1), head, rows)


def cost_table(view: StudyView, results: Results, numbers: Numbers) -> Tex:
    """Return what a trial of each method costs."""
    names = Names(view)
    trains = any(method.trains for method in view.methods)
    size = {"trainable": "Trainable", "trainableShare": r"Share (\%)"} if trains else {}
    time = {"trainTime": "Training" if trains else "Time", "cpuTime": "CPU"}
    head = ["Method", *size.values(), *time.values(), "Memory (MB)"]
    rows: list[list[str]] = []
    places = [(task, model) for task in results.tasks for model in results.models or ("-",)]
    for task, model in places:
        if len(places) > 1:
            rows.append([place_heading(view, task, model)])
        for own, method, at in results.cells:
            if at != task or own not in (model, "-"):
                continue

            def number(word: str, method: str = method, task: str = task, own: str = own) -> str:
                return names.of(word, method, task=task, model=own)

            times = [_with_unit(numbers, number(word)) for word in time]
            sizes = [cell(numbers, number(word)) for word in size]
            title = str(escape(view.method(method).title))
            rows.append([title, *sizes, *times, cell(numbers, number("peakMemory"))])
    which = (
        "trainable parameters and their share, wall time of the training loop (for methods "
        "without a language model, of fitting and predicting together)"
        if trains
        else "wall time of fitting and predicting together"
    )
    caption = (
        f"Cost of one trial, mean over its trials: {which}, CPU time, and the highest memory "
        f"of a process. CPU time is processor time of {'training and ' * trains}all predictions, "
        f"with the loading of models and data. {_before(view)}Workers share the machine, so wall "
        "time can exceed it. A dash: not applicable."
    )
    return table("costs", caption, "l" + "r" * (len(head) - 1), head, rows)


def _before(view: StudyView) -> str:
    """Return which methods' training counts that of another, or nothing."""
    after = [inline(method.title) for method in view.methods if method.after]
    if not after:
        return ""
    return f"Training of what others start from is counted in: {enumerate_words(after)}. "


def model_table(view: StudyView, numbers: Numbers) -> Tex:
    """Return size and architecture of each base model."""
    head = ["", *(str(escape(model.title)) for model in view.models)]
    rows = []
    for fact, said in MODEL_FACTS.items():
        values = [cell(numbers, macro_name("model", fact, m.name)) for m in view.models]
        if any(value != "--" for value in values):
            rows.append([said.capitalize(), *values])
    which = "models, from their" if len(view.models) > 1 else "model, from its"
    caption = f"Size and architecture of the base {which} configuration and weights."
    return table("models", caption, "l" + "r" * len(view.models), head, rows)


def place_heading(view: StudyView, task: str, model: str) -> str:
    """Return a task's title as a heading, with the model's where there are several."""
    title = next((t.title for t in view.tasks if t.name == task), task)
    several = len(view.models) > 1 and model != "-"
    said = next((m.title for m in view.models if m.name == model), model)
    return str(escape(heading(title))) + (f", {escape(said)}" if several else "")


def _with_unit(numbers: Numbers, name: str) -> str:
    return rf"\{name}" if name in numbers else "--"
