"""Export: the results as files that any other program reads.

`scores.parquet`, `summary.json`, `examples.csv` and `errors.csv` hold answers only, so the same
answers give the same bytes; times and memory, which never repeat, stand apart in `costs.parquet`,
and those of tuning runs beside their answers in `tuning.parquet`.
"""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from smalltune.analysis.chances import unsure
from smalltune.analysis.changes import change_rows, changes, stored_elsewhere
from smalltune.analysis.contrasts import Contrast, declared
from smalltune.analysis.costs import Cost
from smalltune.analysis.intervals import estimates
from smalltune.analysis.qualitative import as_csv, error_rows, example_rows
from smalltune.analysis.records import Scored, TrialRecord
from smalltune.analysis.results import Results
from smalltune.analysis.tables import contrast_rows
from smalltune.analysis.tuning import Tuned
from smalltune.core.store import disk_errors

__all__ = ["summary", "write"]

NONE: Mapping[str, str] = {}


def write(
    results: Results, folder: Path | str, languages: Mapping[str, str] = NONE
) -> tuple[Path, ...]:
    """Write scores.parquet, costs.parquet, summary.json, examples.csv, errors.csv; return them.

    Where hyperparameters were searched for, tuning.parquet too: one row per tuning run.

    scores.parquet has one row per trial, split and item: model, method, task, seed, split, item,
    gold, predicted, and a column per metric with the item's statistics: a number where there is
    one, else a list (macro-F1: true positives, false positives and false negatives per label).
    Of texts, gold is the first reference; predicted is "" where there was no valid answer. Where
    what was trained for a task answered another one too, the split is "also" and that one's name.
    The CSVs are for reading (see `qualitative`); `languages` are those of the tasks.
    """
    folder = Path(folder)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _parquet(folder / "scores.parquet", _score_table(results))
        _parquet(folder / "costs.parquet", _cost_table(results.costs))
        tables = ["scores.parquet", "costs.parquet"]
        (folder / "tuning.parquet").unlink(missing_ok=True)
        if results.tuning:
            _parquet(folder / "tuning.parquet", _tuning_table(results))
            tables.append("tuning.parquet")
        texts = {
            "summary.json": _text(summary(results)),
            "examples.csv": as_csv(example_rows(results)),
            "errors.csv": as_csv(error_rows(results, languages)),
        }
        for name, text in texts.items():
            _whole(folder / name, partial(Path.write_text, data=text, encoding="utf-8"))
    return tuple(folder / name for name in (*tables, *texts))


def summary(results: Results) -> dict[str, Any]:
    """Return estimates and contrasts as JSON, with their keys and what is missing; NaN is null.

    `learning` has each trained trial's loss on dev beside the base's, and whether it has learned.
    `tuning` has the budget of each method, without its seconds, and what each search chose, with
    the number of other runs that dev's items do not tell from it (`unsure`, see `chances`). A
    contrast has as `tuning_trials` how many runs its two sides were tuned with there. `also` has
    the answers to other tasks (see `changes`), and `shown_fewer` where solved items had no room
    (see `fewer`), each only where there are any.
    """
    dev_and_test = [e for split in results.splits for e in estimates(results, split)]
    contrasts = [
        {
            **row,
            "differences": [list(pair) for pair in one.differences],
            "tuning_trials": [_tried(results, one, method) for method in (one.a, one.b)],
        }
        for found in [declared(results)]
        for row, one in zip(contrast_rows(found), found, strict=True)
    ]
    also = change_rows(changes(results))
    short = [{"split": s, **asdict(one)} for s in results.splits for one in results.fewer(s)]
    plain = {
        "study": results.study,
        "complete": results.complete,
        "missing": [asdict(gap) for gap in results.missing],
        "estimates": [asdict(one) for one in dev_and_test],
        "contrasts": contrasts,
        **({"also": also} if also else {}),
        **({"shown_fewer": short} if short else {}),
        "learning": [asdict(one) for one in results.learning],
        "tuning": {
            "budgets": _budgets(results),
            "searches": [_search(results, s) for s in results.tuning],
        },
    }
    cleaned: dict[str, Any] = _defined(plain)
    return cleaned


def _score_table(results: Results) -> Any:
    import pyarrow as pa

    parts = []
    for trial, split in results.stored():
        scored = results.scored(trial, split)
        groups = results.groups(trial.task, split, scored.ids)
        parts.append(_scored(trial, split, scored, groups))
    for trial, other, scored in stored_elsewhere(results):
        groups = results.groups(other, trial.also[other]["split"], scored.ids)
        parts.append(_scored(trial, f"also {other}", scored, groups))
    return pa.concat_tables(parts, promote_options="default") if parts else pa.table({})


def _scored(trial: TrialRecord, split: str, scored: Scored, groups: Sequence[str]) -> Any:
    import pyarrow as pa

    many = len(scored.ids)
    columns: dict[str, Any] = {
        name: pa.array([value] * many, pa.string())
        for name, value in (
            ("trial", trial.id),
            ("model", trial.model),
            ("method", trial.method),
            ("task", trial.task),
        )
    }
    columns["seed"] = pa.array([trial.seed] * many, pa.int64())
    columns["split"] = pa.array([split] * many, pa.string())
    columns["item"] = pa.array(scored.ids, pa.string())
    if groups:
        columns["group"] = pa.array([group.lstrip("\0") for group in groups], pa.string())
    columns["gold"] = pa.array([str(label) for label in scored.gold], pa.string())
    columns["predicted"] = pa.array([str(label) for label in scored.predicted], pa.string())
    for name, stats in scored.stats.items():
        single = stats.shape[1] == 1
        columns[name] = pa.array(stats[:, 0]) if single else pa.array(list(stats))
    return pa.table(columns)


def _cost_table(costs: Sequence[Cost]) -> Any:
    import pyarrow as pa

    types: dict[Any, Any] = {str: pa.string(), float: pa.float64(), int | None: pa.int64()}
    columns = {
        field.name: pa.array(
            [getattr(cost, field.name) for cost in costs],
            types.get(field.type, pa.list_(pa.string())),
        )
        for field in fields(Cost)
    }
    return pa.table(columns)


def _tuning_table(results: Results) -> Any:
    """Return one row per tuning run: what it tried (`options` as JSON), its score and its cost."""
    import pyarrow as pa

    rows = [(one, run) for one in results.tuning for run in one.runs]
    told = {
        "place": ([run.trial for _, run in rows], pa.int64()),
        "options": ([json.dumps(run.options, sort_keys=True) for _, run in rows], pa.string()),
        "learning_rate": ([run.options.get("learning_rate") for _, run in rows], pa.float64()),
        "metric": ([one.metric for one, _ in rows], pa.string()),
        "score": ([run.score for _, run in rows], pa.float64()),
        "chosen": ([run.chosen for _, run in rows], pa.bool_()),
        "extended": ([run.extended for _, run in rows], pa.bool_()),
    }
    table = _cost_table([run.cost for _, run in rows])
    for at, (name, (values, kind)) in enumerate(told.items(), 5):  # after trial, ..., seed
        table = table.add_column(at, name, pa.array(values, kind))
    return table


def _budgets(results: Results) -> list[dict[str, Any]]:
    clocks = ("seconds", "cpu_seconds", "energy_joules")
    return [{n: v for n, v in asdict(b).items() if n not in clocks} for b in results.budgets]


def _search(results: Results, one: Tuned) -> dict[str, Any]:
    chosen = one.chosen
    return {
        **{name: value for name, value in vars(one).items() if name != "runs"},
        "runs": len(one.runs),
        "extended": one.extended,
        "chosen": chosen and {"place": chosen.trial, "options": dict(chosen.options),
                              "score": chosen.score},
        "unsure": unsure(results, one),
        "keys": one.keys,
    }  # fmt: skip


def _tried(results: Results, one: Contrast, method: str) -> int:
    """Return how many runs a method was tuned with where a contrast stands; 0 is none."""
    at = one.estimate
    return sum(
        len(each.runs)
        for each in results.tuning
        if (each.method, each.task) == (method, at.task) and each.model in (at.model, "-")
    )


def _parquet(path: Path, table: Any) -> None:
    import pyarrow.parquet

    _whole(path, lambda draft: pyarrow.parquet.write_table(table, draft, compression="zstd"))


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file so that it is whole or absent."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        write(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _text(value: Any) -> str:
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return f"{text}\n"


def _defined(value: Any) -> Any:
    """Return the value with null for every number that is not one, all through it."""
    if isinstance(value, dict):
        return {name: _defined(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
