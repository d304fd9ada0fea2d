"""What the bases are worth on a task: full fine-tuning beside training from scratch."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from curves import panels

__all__ = ["section", "told"]

POINTS = 0.04
BEST = 0.78
"""What the project aims at: this much gained by each base, and this accuracy by the best."""

LEVEL = 0.05
"""The p below which a difference counts as reliable."""


def told(results: Any) -> dict[str, Any]:
    """Return what the report says of the study's results; undefined numbers are None.

    `items` are the numbers of rows by which is judged; `tried` are the runs that chose the learning
    rates, with their scores on dev.
    """
    from smalltune.analysis.contrasts import declared
    from smalltune.analysis.intervals import estimates

    found = [e for e in estimates(results) if e.metric == results.primary]
    arms = []
    for one in sorted(found, key=lambda e: results.models.index(e.model)):
        trials = [t for t in results.trials if (t.model, t.method) == (one.model, one.method)]
        common = {key: _common(results, trials, key) for key in ("learning_rate", "steps")}
        arms.append({**_interval(one), "method": one.method, "seeds": one.seeds, **common})
    gains = [
        {**_interval(c.estimate), "a": c.a, "b": c.b, "verdict": c.verdict, "least": c.smallest_p}
        for c in declared(results)
    ]
    missing = sorted({gap.trial for gap in results.missing})
    return {
        "metric": results.primary,
        "arms": arms,
        "gains": gains,
        "tried": _tried(results),
        "items": {split: _items(results, split) for split in ("dev", "test")},
        "curves": _curves(results),
        "missing": missing,
    }


def section(kept: Mapping[str, Any], figure: Path, command: str) -> str:
    """Return the section of the report and draw the losses; `command` runs what is missing."""
    parts = [_table(kept), _aims(kept), _searched(kept)]
    if kept["curves"]:
        order = dict.fromkeys(one["model"] for one in kept["arms"])
        shown = {model: kept["curves"][model] for model in order if model in kept["curves"]}
        panels(shown, figure, "Loss (nats per answer)")
        parts.append(f"![Losses of fine-tuning, means over seeds]({figure.name})\n")
    if kept["missing"]:
        parts.append(
            f"Missing: {len(kept['missing'])} trials ({kept['missing'][0]}, ...): {command}\n"
        )
    return "\n".join(parts)


def _table(kept: Mapping[str, Any]) -> str:
    rows = [
        f"| {one['model']} | {one['method']} | {_percent(one)} | {one['seeds']} | "
        f"{one['learning_rate']} | {one['steps']} |"
        for one in kept["arms"]
    ]
    gains = [
        f"| {one['model']} | {one['a']} - {one['b']} | {_percent(one)} | {one['verdict']} |"
        for one in kept["gains"]
    ]
    head = f"| base | method | {kept['metric']} in % | seeds | learning rate | steps |\n"
    return (
        f"{head}|---|---|---|---:|---:|---:|\n" + "\n".join(rows) + "\n\n"
        "| base | difference | points | verdict of the exact test and the interval |\n"
        "|---|---|---|---|\n" + "\n".join(gains) + "\n\n"
        f"In brackets: 95 % intervals over seeds and {kept['items']['test']:,} test items."
        f"{_least(kept)}\n"
    )


def _least(kept: Mapping[str, Any]) -> str:
    """Return that no difference can be called reliable, where the seeds are too few for it."""
    least = min((one["least"] for one in kept["gains"]), default=0.0)
    if least < LEVEL:
        return ""
    return (
        f" The exact test over the seeds\ncannot give a p below {least:g} here, so no difference "
        "can be called reliable, wherever its interval lies."
    )


def _aims(kept: Mapping[str, Any]) -> str:
    """Return how the results stand to what the project aims at."""
    gains = [one["value"] for one in kept["gains"] if one["value"] is not None]
    enough = sum(gain >= POINTS for gain in gains)
    reached = max(one["value"] for one in kept["arms"])
    return (
        f"Aim: at least {100 * POINTS:.0f} points gained by each base (so for {enough} of "
        f"{len(kept['gains'])}), and {100 * BEST:.0f} % by the best base "
        f"({'reached' if reached >= BEST else 'not reached'}: {100 * reached:.1f} %).\n"
    )


def _items(results: Any, split: str) -> int:
    """Return how many rows of a split are scored; dev's are those that chose."""
    return int(results.data_facts(results.tasks[0])["splits"][split]["rows"])


def _tried(results: Any) -> list[dict[str, Any]]:
    """Return the runs of every search: what was tried, its score on dev, whether it was chosen."""
    return [
        {
            "model": search.model,
            "method": search.method,
            "learning_rate": run.options["learning_rate"],
            "score": None if math.isnan(run.score) else float(run.score),
            "chosen": run.chosen,
        }
        for search in results.tuning
        for run in search.runs
    ]


def _searched(kept: Mapping[str, Any]) -> str:
    """Return the scores on dev of each learning rate that was tried; nothing without a search."""
    if not kept["tried"]:
        return ""
    rows, ends = [], dict.fromkeys((one["method"] for one in kept["tried"]), 0)
    arms = dict.fromkeys((one["model"], one["method"]) for one in kept["tried"])
    for model, method in arms:
        runs = [one for one in kept["tried"] if (one["model"], one["method"]) == (model, method)]
        rates = [one["learning_rate"] for one in runs]
        chosen = [one["learning_rate"] for one in runs if one["chosen"]]
        ends[method] += bool({min(rates), max(rates)} & set(chosen))
        cells = (f"{one['learning_rate']:g}: {_mark(one)}" for one in runs)
        rows.append(f"| {model} | {method} | {', '.join(cells)} |")
    at_ends = ", ".join(f"{method} {n}" for method, n in ends.items())
    return (
        f"What was tried: learning rates of each arm, with one seed and {kept['items']['dev']:,} "
        "dev rows (the\nchosen one in bold), and the optimiser of the pre-training (below). Its "
        "schedule, the order of\nits text and a longer one were not varied. Arms whose choice lies "
        f"at an end of the rates that were\ntried ({at_ends}) may do better beyond "
        "it, and the gains may be others then.\n\n"
        f"| base | method | learning rate: {kept['metric']} on dev in % |\n|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _mark(run: Mapping[str, Any]) -> str:
    shown = "not run" if run["score"] is None else f"{100 * run['score']:.1f}"
    return f"**{shown}**" if run["chosen"] else shown


def _curves(results: Any) -> dict[str, dict[str, Sequence[float]]]:
    """Return by base and method the losses by step, means over the seeds."""
    curves: dict[str, dict[str, Sequence[float]]] = {}
    for model, method, _ in sorted(results.cells, key=lambda c: results.models.index(c[0])):
        ids = [t.id for t in results.trials if (t.model, t.method) == (model, method)]
        logs = [[row["loss"] for row in results.training_log(id)] for id in ids]
        logs = [log for log in logs if log]
        if logs:
            shortest = min(map(len, logs))
            means = np.mean([log[:shortest] for log in logs], axis=0)
            curves.setdefault(model, {})[method] = means.round(4).tolist()
    return curves


def _common(results: Any, trials: Sequence[Any], name: str) -> str:
    """Return a setting or a count that the stored trials share; all values where they differ."""
    costs: Mapping[str, Any] = {c.trial: c for c in results.costs}
    found = [
        results.settings(t).get(name) if name != "steps" else costs[t.id].steps for t in trials
    ]
    known = [value for value in found if value is not None and not np.isnan(value)]
    return ", ".join(dict.fromkeys(f"{value:g}" for value in known)) or "-"


def _interval(found: Any) -> dict[str, Any]:
    numbers = {name: getattr(found, name) for name in ("value", "low", "high")}
    return {
        "model": found.model,
        **{name: None if math.isnan(x) else float(x) for name, x in numbers.items()},
    }


def _percent(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return "-"
    ends = "" if one["low"] is None else f" [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"
    return f"{100 * one['value']:.1f}{ends}"
