"""The pilot that chose the optimiser: what is kept of its results, and the report's table."""

from collections.abc import Mapping
from typing import Any

__all__ = ["table", "told"]


def told(results: Any) -> dict[str, Any]:
    """Return each arm's optimiser, learning rate and score on dev by base (None: not run)."""
    from smalltune.analysis.intervals import estimate

    arms = []
    for method in results.methods:
        trials = [t for t in results.trials if t.method == method]
        asked = next((s for t in trials if (s := results.settings(t))), {})
        scores = {}
        for model in results.models:
            sample = results.sample(model, method, results.tasks[0], "dev", results.primary)
            scores[model] = estimate(sample).value if sample.seeds else None
        rate = {key: asked.get(key) for key in ("optimiser", "learning_rate", "steps")}
        arms.append({**rate, "scores": scores})
    return {"models": list(results.models), "metric": results.primary, "arms": arms}


def table(kept: Mapping[str, Any]) -> str:
    """Return a row for each arm, a column for each base."""
    rows = []
    for arm in kept["arms"]:
        scores = (arm["scores"][model] for model in kept["models"])
        cells = [f"{score:.3f}" if score is not None else "not run" for score in scores]
        shown = f"| {arm['optimiser'] or '-'} | {arm['learning_rate'] or '-'} "
        rows.append(f"{shown}| {' | '.join(cells)} |")
    head = f"| optimiser | learning rate | {' | '.join(kept['models'])} |\n"
    rule = f"|---|---:|{'---:|' * len(kept['models'])}\n"
    steps = ", ".join(dict.fromkeys(f"{arm['steps']:,}" for arm in kept["arms"] if arm["steps"]))
    return f"Bits per byte on dev after {steps} steps, one seed:\n\n{head}{rule}" + (
        "\n".join(rows) + "\n"
    )
