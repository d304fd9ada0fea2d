"""Readme: the bundle's README.md, from the study and the numbers of its paper."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from smalltune.analysis.results import Results
from smalltune.paper.asking import asking
from smalltune.paper.counts import data_facts
from smalltune.paper.naming import Names
from smalltune.paper.numbers import plain
from smalltune.paper.settings import settled
from smalltune.paper.templates import environment
from smalltune.paper.view import MethodView, MetricView, StudyView, TaskView

__all__ = ["readme", "templates"]

ACTIVE = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})


class Raw(str):
    """Text that stands in backquotes, where Markdown is not active."""

    __slots__ = ()


def readme(view: StudyView, results: Results, numbers: Mapping[str, Any], *, pdf: bool) -> str:
    """Return the text of README.md; `numbers` are the records of numbers.json."""
    names = Names(view)

    def number(*words: str, task: str = "", model: str = "") -> str:
        return _printed(numbers, names.of(*words, task=task, model=model))

    def printed(name: str) -> str | None:
        return str(numbers[name]["printed"]) if name in numbers else None

    claims = [n for n in numbers if n.startswith("claim")]
    text: str = templates().get_template("README.md.j2").render(
        view=view,
        n=number,
        known=lambda *words, task: names.of(*words, task=task) in numbers,
        asked=[plain(line, printed) for line in asking(view, trains=False)],
        numbers={name: record["printed"] for name, record in numbers.items()},
        raw=lambda text: Raw(str(text).replace("`", "'").replace("\n", " ")),
        pdf=pdf,
        texts=view.text is not None and any(view.text.glob("*.tex")),
        outside=_outside,
        left_out=lambda task: data_facts(results, task.name).get("dropped", {}).items(),
        settings=_settings,
        complete=results.complete,
        scores=_scores(view, results, numbers),
        claims=[numbers[name]["printed"] for name in sorted(claims)],
        lock=view.lock.get("date"),
        mixed=results.mixed,
    )  # fmt: skip
    return text


@cache
def templates() -> Any:
    """Return the templates of the folder `submission/`; what they print is escaped for Markdown."""
    return environment("submission", _markdown)


def _markdown(value: Any) -> str:
    """Return a value as Markdown that prints it: one line, nothing active."""
    if isinstance(value, Raw):
        return str(value)
    text = "" if value is None else " ".join(str(value).split())
    return text.translate(ACTIVE)


def _scores(view: StudyView, results: Results, numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each table of scores, its metrics and rows: tasks of the same metrics together."""
    names = Names(view)
    groups: dict[tuple[MetricView, ...], list[dict[str, Any]]] = {}
    for model, method, task in results.cells:
        metrics = view.metrics_of(task)
        ids = [names.of(m.name, method, task=task, model=model) for m in metrics]
        values = [
            f"{_printed(numbers, name)} ({_printed(numbers, name + 'Interval')})" for name in ids
        ]
        row = {"task": task, "model": model, "method": method, "values": values}
        groups.setdefault(metrics, []).append(row)
    return [{"metrics": metrics, "rows": rows} for metrics, rows in groups.items()]


def _printed(numbers: Mapping[str, Any], name: str) -> str:
    return str(numbers[name]["printed"]) if name in numbers else "--"


def _settings(method: MethodView) -> dict[str, Any]:
    return {name.replace("_", " "): value for name, value in settled(method).items()}


def _outside(task: TaskView) -> bool:
    """Tell whether files of a task are the user's own: not in the archive, nor on the hub."""
    return any(not path.startswith(("embedded:", "hub:")) for path in task.files.values())
