"""Appendix: the environment of the runs, and each trial with its keys."""

from collections.abc import Mapping
from typing import Any

from smalltune.analysis.records import TrialRecord
from smalltune.analysis.results import Results
from smalltune.paper.escape import Tex, escape, identifier
from smalltune.paper.facts import made_by
from smalltune.paper.naming import Names, enumerate_words, inline
from smalltune.paper.numbers import Numbers, macro_name
from smalltune.paper.tables import cell, table
from smalltune.paper.view import StudyView

__all__ = ["environment_table", "mixture_lines", "provenance_tables", "signature_lines"]

KEY = 8  # hexadecimal digits of a key that are printed; numbers.json holds all 64
ROWS = 44  # rows of a table that fit on a page


def environment_table(view: StudyView, results: Results) -> Tex:
    """Return the software that the lock pins or the runs recorded, and the machine."""
    made = made_by(results)
    packages: Mapping[str, str] = made.get("packages") or view.environment
    machine: Mapping[str, Any] = made.get("machine") or {}
    rows = [["Python", str(escape(made.get("python") or "--"))]]
    rows += [[str(escape(name)), str(escape(version))] for name, version in packages.items()]
    rows += [
        ["Platform", str(escape(str(machine.get("platform") or "--").split("-with-")[0]))],
        ["Processor", str(escape(machine.get("cpu") or "--"))],
        ["Cores", r"\machineCores"],
        ["Memory", r"\machineMemory"],
        ["Device", str(escape(made.get("device") or "--"))],
    ]
    caption = "Environment of the runs, as recorded with the first trial."
    return table("environment", caption, "ll", ["", "Version or kind"], rows)


def mixture_lines(results: Results) -> tuple[Tex, ...]:
    """Return what differs between the runs and could move a number, one line each."""
    return tuple(escape(line) for line in results.mixed)


def signature_lines(view: StudyView, results: Results) -> tuple[Tex, ...]:
    """Return how libraries counted the measures of test, one line for each way."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for task in view.tasks:
        stored = [t for t, split in results.stored() if split == "test" and t.task == task.name]
        for metric, signature in (
            results.scored(stored[0], "test").signatures.items() if stored else ()
        ):
            tasks.setdefault((metric, signature), []).append(task.title)
    several = len(view.tasks) > 1
    return tuple(
        Tex(
            escape(view.metric(metric).title)
            + (f" on {enumerate_words(titles)}" if several else "")
            + f": {identifier(signature)}"
        )
        for (metric, signature), titles in tasks.items()
    )


def provenance_tables(view: StudyView, results: Results, numbers: Numbers) -> Tex:
    """Return each trial with its score and the keys of its artifacts."""
    tables = []
    order = [method.name for method in view.methods]
    trials = sorted(results.trials, key=lambda t: (t.task, t.model, order.index(t.method)))
    columns = ["Seed"] * bool(view.seeded) + ["Score"]
    columns += ["Training"] * any(trial.train for trial in trials) + ["Score's key"]
    trained = "its training and of " if "Training" in columns else ""
    for start in range(0, len(trials), ROWS):
        part = trials[start : start + ROWS]
        rows: list[list[str]] = []
        before = ""
        for trial in part:
            title = str(escape(view.method(trial.method).title))
            where = _where(view, trial)
            heading = f"{where}{title}"
            found = _trial(view, trial, numbers)
            rows.append([heading if heading != before else "", *(found[c] for c in columns)])
            before = heading
        number = "" if start == 0 else f"-{start // ROWS + 1}"
        caption = (
            f"Provenance: each trial with {_metric(view)} on test and the first digits of "
            rf"the keys of {trained}its score in the store. The file \texttt{{numbers.json}} "
            "names the keys behind every number of this paper."
            if start == 0
            else "Provenance, continued."
        )
        align = "l" + "".join("r" if c in ("Seed", "Score") else "l" for c in columns)
        tables.append(table(f"provenance{number}", caption, align, ["Method", *columns], rows))
    return Tex("\n".join(tables))


def _trial(view: StudyView, trial: TrialRecord, numbers: Numbers) -> dict[str, str]:
    names = Names(view)
    primary = view.primary_of(trial.task)
    base = names.of(primary, trial.method, task=trial.task, model=trial.model)
    seed = "--" if trial.seed is None else str(trial.seed)
    own = base if trial.seed is None else macro_name(base, "seed", str(trial.seed))
    train = str(identifier(trial.train[:KEY])) if trial.train else "--"
    score = trial.score.get("test")
    return {
        "Seed": seed,
        "Score": cell(numbers, own),
        "Training": train,
        "Score's key": str(identifier(score[:KEY])) if score else "--",
    }


def _where(view: StudyView, trial: TrialRecord) -> str:
    parts = [trial.task] * (len(view.tasks) > 1)
    parts += [trial.model] * (len(view.models) > 1 and trial.model != "-")
    return f"{escape(', '.join(parts))}: " if parts else ""


def _metric(view: StudyView) -> str:
    metrics = dict.fromkeys(view.primary_of(task.name) for task in view.tasks)
    if len(metrics) > 1:
        return "its task's primary score"
    return f"its {escape(inline(view.metric(next(iter(metrics))).title))}"
