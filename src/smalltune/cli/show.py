"""Showing: plans, reports, locks and results as lines and tables for a terminal."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from smalltune.cli.verbs import terminal
from smalltune.core.plugins import load
from smalltune.core.plural import plural

if TYPE_CHECKING:
    from smalltune.analysis.results import Results
    from smalltune.api import Study
    from smalltune.planning.lock import Lock
    from smalltune.planning.status import TrialStatus

__all__ = ["lock_lines", "plan_record", "print_plan", "print_results"]


def lock_lines(lock: "Lock") -> Iterator[str]:
    """Yield what a lock pins, a line each."""
    for name, model in lock.models.items():
        size = f", {model.parameters:,} parameters" if model.parameters else ""
        yield f"model {name}: {model.ref}{size}, {model.digest[:12]}"
    for name, task in lock.tasks.items():
        for role, files in task.files.items():
            for file in files:
                yield f"data {name}/{role}: {file.path}, {file.bytes:,} bytes, {file.sha256[:12]}"
    yield f"dtype: {lock.dtype}"


def plan_record(study: "Study", found: list["TrialStatus"]) -> dict[str, Any]:
    """Return a plan with its state as JSON; `opened` counts the readings of each test split."""
    from smalltune.analysis.openings import opened
    from smalltune.planning.pairs import left_out
    from smalltune.planning.status import tally

    return {
        "study": study.name,
        "store": str(study.store.root),
        "states": tally(found),
        "left_out": [f"{method}/{task}" for method, task, _ in left_out(study.spec)],
        "trials": [{"id": t.id, "state": t.state, "reason": t.reason} for t in found],
        "jobs": {stage: counts for stage, *counts in _jobs(study)},
        "opened": {task: asdict(one) for task, one in opened(study.results()).items()},
    }


def print_plan(study: "Study", found: list["TrialStatus"]) -> None:
    """Print the trials of each model, method and task by state, and the jobs by stage."""
    from rich.table import Table

    from smalltune.planning.pairs import left_out
    from smalltune.planning.status import STATES, tally

    rows: dict[str, Counter[str]] = {}
    for one in found:
        rows.setdefault(one.id.rpartition("/")[0], Counter())[one.state] += 1
    console, table = terminal(), Table("trials", *STATES, box=None)
    for name, counts in rows.items():
        table.add_row(name, *(str(counts[state] or "") for state in STATES))
    console.print(table)
    jobs = ", ".join(f"{stage} {stored}/{total}" for stage, stored, total in _jobs(study))
    for method, task, why in left_out(study.spec):
        console.print(f"not planned: {method} on {task}: {why}", soft_wrap=True)
    states = ", ".join(f"{count} {state}" for state, count in tally(found).items() if count)
    console.print(f"{plural(len(found), 'trial')}: {states}")
    console.print(f"jobs stored: {jobs}")
    for one in found:
        if one.state in ("failed", "stale"):
            console.print(f"{one.id}: {one.state}: {one.reason}")


def print_results(study: "Study", results: "Results", split: str | None = None) -> None:
    """Print the scores on a split, the declared contrasts, and how often test was opened.

    Without a split: test, or dev for a study that leaves test closed.
    """
    from smalltune.analysis.openings import opened

    console = terminal()
    split = split or ("test" if "test" in results.splits else "dev")
    _print_scores(console, results, split)
    _print_contrasts(console, results, split)
    _print_changes(console, results)
    for task, one in opened(results).items():
        console.print(f"test of {task}: {one.words}", soft_wrap=True)
    for short in results.fewer(split):
        console.print(
            f"{short.model}/{short.method}/{short.task}: {short.short:,} of {short.answers:,} "
            f"answers on {split} saw fewer solved items than asked for: too little room, or rows",
            soft_wrap=True,
        )
    for each in results.learning:
        if each.reason:
            console.print(f"{each.trial}: {each.status}: {each.reason}", soft_wrap=True)
    for line in _foretold(results):
        console.print(line, soft_wrap=True)
    if results.missing:
        console.print(
            f"missing: {plural(len(results.missing), 'score')}: smalltune run {study.folder}",
            soft_wrap=True,
        )


def _foretold(results: "Results") -> Iterator[str]:
    """Yield how the forecasts stand against what was measured, a line for each kind."""
    from smalltune.analysis.foretold import WORDS, accuracies

    for one in accuracies(results.costs, results.trials):
        yield (
            f"forecast {WORDS[one.what]}: {one.median:.2f} times the actual one, median over "
            f"{plural(len(one.trials), 'trial')} (from {one.low:.2f} to {one.high:.2f})"
        )


def _print_scores(console: Any, results: "Results", split: str) -> None:
    """Print a table for each group of tasks that are scored by the same metrics."""
    from rich.table import Table

    from smalltune.analysis.tables import scores, text

    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in scores(results, split):
        groups.setdefault(tuple(row["estimates"]), []).append(row)
    for place, (metrics, rows) in enumerate(groups.items()):
        if place:
            console.print()
        table = Table("task", "model", "method", "seeds", *metrics, box=None)
        percent = {name: load("smalltune.metrics", name).percent for name in metrics}
        for row in rows:
            cells = [text(row["estimates"][m], percent=percent[m]) for m in metrics]
            names = (row["task"], row["model"], row["method"], str(row["seeds"] or "-"))
            table.add_row(*names, *cells)
        console.print(table)


def _print_contrasts(console: Any, results: "Results", split: str) -> None:
    from rich.table import Table

    from smalltune.analysis.contrasts import declared
    from smalltune.analysis.tables import contrast_rows, text

    found = declared(results, split)
    if not found:
        return
    table = Table("contrast", "task", "model", "metric", "difference", "p", "verdict", box=None)
    for one, row in zip(found, contrast_rows(found), strict=True):
        metric = load("smalltune.metrics", row["metric"])
        said = text(one.estimate, percent=metric.percent)
        p = row["p_adjusted"]
        p_text = f"{p:.3f}" if isinstance(p, float) and p == p else "-"
        cells = (row["contrast"], row["task"], row["model"], row["metric"], said, p_text)
        table.add_row(*cells, str(row["verdict"]))
    console.print()
    console.print(table)


def _print_changes(console: Any, results: "Results") -> None:
    """Print what was trained for one task and answered another one too, beside the base."""
    from rich.table import Table

    from smalltune.analysis.changes import changes
    from smalltune.analysis.tables import DASH, text

    found = changes(results)
    if not found:
        return
    head = ("task", "asked too", "model", "method", "metric", "before", "after", "difference")
    table = Table(*head, box=None)
    for one in found:
        at, metric = one.after, load("smalltune.metrics", one.after.metric)
        told = [
            text(each, percent=metric.percent) if each else DASH
            for each in (one.before, at, one.difference)
        ]
        table.add_row(one.task, at.task, at.model, at.method, at.metric, *told)
    console.print()
    console.print(table)


def _jobs(study: "Study") -> list[tuple[str, int, int]]:
    """Return for each stage how many of its jobs are stored and how many there are."""
    stored: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for job in study.plan().jobs():
        total[job.stage] += 1
        stored[job.stage] += study.store.known(job.key)
    return [(stage, stored[stage], total[stage]) for stage in total]
