"""Quoted: scores that others published, beside ours, and never as if they were ours."""

from collections.abc import Collection, Sequence

from smalltune.analysis.intervals import Estimate
from smalltune.paper import rounding
from smalltune.paper.escape import Tex, escape
from smalltune.paper.measures import score_name
from smalltune.paper.naming import Names, heading, inline
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.tables import cell, table
from smalltune.paper.view import PublishedView, StudyView

__all__ = ["add_published", "published_name", "published_table"]

COLUMN = r">{\raggedright\arraybackslash}p{0.47\textwidth}"


def add_published(view: StudyView, numbers: Numbers) -> None:
    """Add each quoted value; its origin says that it is quoted, and from where."""
    for place, one in enumerate(view.published):
        metric = view.metric(one.metric)
        what = f"{metric.title} of {one.model} on {one.where}, quoted from {one.citation}"
        source = f"quoted from {one.citation}, not measured here; study file: published.{place}" + (
            f" ({one.note})" if one.note else ""
        )
        value = one.value / 100 if metric.percent else one.value
        text = rounding.quoted(one.value, percent=metric.percent)
        unit = "%" if metric.percent else ""
        numbers.add(Number(published_name(one), value, text, what, unit, source=source))


def published_name(one: PublishedView) -> str:
    """Return the name of a quoted number, such as `publishedAccuracyBertTinySstTwo`."""
    return macro_name("published", one.metric, one.model.lower(), one.task)


def published_table(
    view: StudyView, scores: Sequence[Estimate], numbers: Numbers, known: Collection[str]
) -> Tex | None:
    """Return the quoted values with ours of the same task and metric below them, or None."""
    rows: list[list[str]] = []
    places = dict.fromkeys((one.task, one.metric) for one in view.published)
    for task, metric in places:
        kind = view.metric(metric)
        title = escape(heading(next(t.title for t in view.tasks if t.name == task)))
        unit = r" (\%)" if kind.percent else ""
        quoted = [p for p in view.published if (p.task, p.metric) == (task, metric)]
        rows.append([f"{title}, {escape(inline(kind.title))}{unit}: quoted, not measured here"])
        rows += [_quoted(one, numbers, known) for one in quoted]
        rows.append([f"{title}, {escape(inline(kind.title))}{unit}: this paper"])
        ours = [one for one in scores if (one.task, one.metric) == (task, metric)]
        rows += [_ours(view, one, numbers) for one in ours]
    if not rows:
        return None
    caption = (
        "Published scores beside ours. The quoted values are copied from the cited works and were "
        "not measured here; the last column says on what, and what else differs. They stand for "
        r"orientation: no test compares them with ours. Intervals: \intervalLevel{}, ours only."
    )
    head = ["Model or method", "Score", "Interval", "Scored on"]
    return table("published", caption, f"lrr{COLUMN}", head, rows, wide=True)


def _quoted(one: PublishedView, numbers: Numbers, known: Collection[str]) -> list[str]:
    cite = rf" \citep{{{one.citation}}}" if one.citation in known else ""
    note = f"; {escape(one.note)}" if one.note else ""
    name = f"{escape(one.model)}{cite}"
    return [name, cell(numbers, published_name(one)), "--", f"{escape(one.where)}{note}"]


def _ours(view: StudyView, one: Estimate, numbers: Numbers) -> list[str]:
    name = score_name(Names(view), one)
    model = next((m.title for m in view.models if m.name == one.model), "")
    said = f"{escape(view.method(one.method).title)}" + (f", {escape(model)}" if model else "")
    values = [cell(numbers, word) for word in (name, f"{name}Interval")]
    items = rf"\{macro_name('rows', 'test', one.task)}{{}}"
    return [said, *values, f"our test split, {items} rows"]
