"""The tables of scores: every method on dev and test, one table for tasks of the same metrics."""

from collections.abc import Sequence

from smalltune.analysis.intervals import Estimate
from smalltune.paper.escape import Tex, escape
from smalltune.paper.measures import score_name
from smalltune.paper.naming import Names, enumerate_words, inline
from smalltune.paper.numbers import Numbers, macro_name
from smalltune.paper.tables import cell, place_heading, table
from smalltune.paper.view import MetricView, StudyView, TaskView

__all__ = ["score_names", "score_tables"]

COVERS = {
    ("seeds", "items"): "seeds and test items",
    ("items",): "test items only",
    ("seeds",): "seeds only",
    (): "nothing",
}


def score_names(view: StudyView) -> list[str]:
    """Return the names of the tables of scores, for `\\ref{tab:...}`."""
    return ["scores", *(f"scores-{place}" for place in range(2, len(_groups(view)) + 1))]


def score_tables(view: StudyView, scores: Sequence[Estimate], numbers: Numbers) -> Tex:
    """Return the main tables: one for the tasks that are scored by the same metrics."""
    named = zip(score_names(view), _groups(view), strict=True)
    return Tex("\n".join(_score_table(view, scores, numbers, name, own) for name, own in named))


def _groups(view: StudyView) -> list[list[TaskView]]:
    """Return the tasks, those together that have the same metrics and primary one."""
    groups: dict[tuple[str, ...], list[TaskView]] = {}
    for task in (task for task in view.tasks if task.met):
        groups.setdefault(tuple(m.name for m in view.metrics_of(task.name)), []).append(task)
    return list(groups.values())


def _score_table(
    view: StudyView,
    scores: Sequence[Estimate],
    numbers: Numbers,
    name: str,
    tasks: Sequence[TaskView],
) -> Tex:
    """Return test and dev scores of each method on some tasks, with the intervals."""
    names = Names(view)
    main, *others = view.metrics_of(tasks[0].name)
    own = {task.name for task in tasks}
    test = [one for one in scores if one.metric == main.name and one.task in own]
    judged = _judged(names, scores, numbers)
    head = ["Method", *judged, r"\intervalLevel{} interval"]
    head += [_title(m.title) for m in others] + ["Seeds"] * bool(view.seeded)
    rows: list[list[str]] = []
    places = _places(view, test)
    several = len(view.tasks) > 1 or len(places) > 1
    alone = " A dash under seeds: the method draws nothing at random here and ran once."
    alone = alone if 0 < len(view.seeded) < len(view.methods) else ""
    for place in places:
        here = [one for one in test if one.task == place[0] and one.model in (place[1], "-")]
        if several:
            rows.append([place_heading(view, *place)])
        for one in here:
            base = score_name(names, one)
            with_others = [
                cell(numbers, names.of(m.name, one.method, task=one.task, model=one.model))
                for m in others
            ]
            seeds = str(rf"\cell{{\{base}Seeds}}") if one.seeds else "--"
            method = str(escape(view.method(one.method).title))
            scored = [cell(numbers, f"{base}{word}") for word in (*judged.values(), "Interval")]
            rows.append([method, *scored, *with_others, seeds][: len(head)])
    return table(
        name,
        f"Scores by method{_percent([main, *others])}. {', '.join(judged).capitalize()} and "
        f"interval: {escape(inline(main.title))}. {_covers(view, test)}{alone}",
        "l" + "r" * (len(head) - 1),
        head,
        rows,
        wide=len(head) > 7,
    )


def _judged(names: Names, scores: Sequence[Estimate], numbers: Numbers) -> dict[str, str]:
    """Return the splits that the tables tell, each with how its numbers' names end.

    Dev is left out where it has no scores at all, as in a study that does not judge it.
    """
    bases = [score_name(names, one) for one in scores]
    told = {"Dev": "Dev", "Test": ""}
    if any(base in numbers for base in bases) and not any(f"{b}Dev" in numbers for b in bases):
        del told["Dev"]
    return told


def _percent(metrics: Sequence[MetricView]) -> str:
    """Return which measures are printed times 100."""
    times = [inline(metric.title) for metric in metrics if metric.percent]
    if not times:
        return ""
    return (
        "; all in percent"
        if len(times) == len(metrics)
        else f"; in percent: {enumerate_words(times)}"
    )


def _covers(view: StudyView, test: Sequence[Estimate]) -> str:
    """Return which chance the intervals cover, and how many items and seeds there are."""
    both = [one for one in test if one.levels == ("seeds", "items")]
    single = [one for one in test if one.levels == ("items",)]
    seeds = ("paired " if view.paired else "") + "seeds"
    said = rf"Means over \seedsCount{{}} {seeds}; intervals" if both else "Intervals"
    said += " cover " + ("seeds and test items" if both else COVERS[("items",)])
    if both and single:
        said += ", for methods without seeds the test items alone"
    tasks = dict.fromkeys(one.task for one in test)
    items = ", ".join(
        rf"$n$ = \{macro_name('rows', 'test', t)} test items"
        + (f" of {escape(view.task(t).title)}" * (len(tasks) > 1))
        for t in tasks
    )
    return f"{said} ({items})." if items else ""


def _places(view: StudyView, test: Sequence[Estimate]) -> list[tuple[str, str]]:
    """Return the pairs of task and model that have scores; without models the model is "-"."""
    found = dict.fromkeys((one.task, one.model) for one in test)
    with_model = [place for place in found if place[1] != "-"]
    return with_model if view.models else list(found)


def _title(title: str) -> str:
    short = {"Negative log-likelihood": "NLL"}.get(title, title)
    return str(escape(short))
