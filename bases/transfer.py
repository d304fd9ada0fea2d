"""What the bases are worth on a task: full fine-tuning beside the same architecture from scratch,
as far as the study's results are stored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from curves import draw

from smalltune.core.errors import SmalltuneError

__all__ = ["transfer"]

POINTS = 0.04
BEST = 0.78
"""What the project aims at: this much gained by each base, and this accuracy by the best."""


def transfer(study: Path, figure: Path) -> str:
    """Return the section of the report and draw the losses; says so when nothing is stored."""
    import smalltune as st

    command = f"`smalltune run studies/{study.name}`"
    try:
        results = st.load(study).results()
    except SmalltuneError as error:
        return f"Not run yet: {command} (now: {error})\n"
    if not any(True for _ in results.stored()):
        return f"Not run yet: {command}\n"
    lines = [_table(results), _aims(results), _curves(results, figure)]
    if results.missing:
        trials = sorted({gap.trial for gap in results.missing})
        lines.append(f"Missing: {len(trials)} trials ({trials[0]}, ...): {command}\n")
    return "\n".join(lines)


def _table(results: Any) -> str:
    from smalltune.analysis.contrasts import declared
    from smalltune.analysis.intervals import estimates

    rows = []
    found = [e for e in estimates(results) if e.metric == results.primary]
    for one in sorted(found, key=lambda e: results.models.index(e.model)):
        trials = [t for t in results.trials if (t.model, t.method) == (one.model, one.method)]
        rate, steps = (_common(results, trials, name) for name in ("learning_rate", "steps"))
        score = _percent(one.value, one.low, one.high)
        rows.append(f"| {one.model} | {one.method} | {score} | {one.seeds} | {rate} | {steps} |")
    gains = [
        f"| {c.estimate.model} | {c.a} - {c.b} | "
        f"{_percent(c.estimate.value, c.estimate.low, c.estimate.high)} | {c.verdict} |"
        for c in declared(results)
    ]
    head = f"| base | method | {results.primary} in % | seeds | learning rate | steps |\n"
    return (
        f"{head}|---|---|---|---:|---:|---:|\n" + "\n".join(rows) + "\n\n"
        "| base | difference | points | verdict of the exact test and the interval |\n"
        "|---|---|---|---|\n" + "\n".join(gains) + "\n\n"
        "In brackets: 95 % intervals over seeds and test items.\n"
    )


def _aims(results: Any) -> str:
    """Return how the results stand to what the project aims at."""
    from smalltune.analysis.contrasts import declared
    from smalltune.analysis.intervals import estimates

    gains = {c.estimate.model: c.estimate.value for c in declared(results)}
    best = {e.model: e.value for e in estimates(results) if e.metric == results.primary}
    enough = sum(gain >= POINTS for gain in gains.values())
    reached = max(best.values())
    return (
        f"Aim: at least {100 * POINTS:.0f} points gained by each base (so for {enough} of "
        f"{len(gains)}), and {100 * BEST:.0f} % by the best base "
        f"({'reached' if reached >= BEST else 'not reached'}: {100 * reached:.1f} %).\n"
    )


def _curves(results: Any, figure: Path) -> str:
    curves: dict[str, Sequence[float]] = {}
    for model, method, _ in results.cells:
        ids = [t.id for t in results.trials if (t.model, t.method) == (model, method)]
        logs = [[row["loss"] for row in results.training_log(id)] for id in ids]
        logs = [log for log in logs if log]
        if logs:
            shortest = min(map(len, logs))
            curves[f"{model}, {method}"] = np.mean([log[:shortest] for log in logs], axis=0)
    if not curves:
        return ""
    draw(curves, figure, "Training loss (nats per answer)")
    return f"![Losses of fine-tuning, means over seeds]({figure.name})\n"


def _common(results: Any, trials: Sequence[Any], name: str) -> str:
    """Return a setting or a count that the stored trials share; all values where they differ."""
    costs: Mapping[str, Any] = {c.trial: c for c in results.costs}
    found = [
        results.settings(t).get(name) if name != "steps" else costs[t.id].steps for t in trials
    ]
    known = [value for value in found if value is not None and not np.isnan(value)]
    return ", ".join(dict.fromkeys(f"{value:g}" for value in known)) or "-"


def _percent(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "-"
    ends = "" if np.isnan(low) else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * value:.1f}{ends}"
