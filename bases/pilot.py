"""The pilot that chose the optimiser: what is kept of its results, and the report's table."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["table", "told"]


def told(results: Any) -> dict[str, Any]:
    """Return each arm's optimiser, learning rate and score on dev by base (None: not run).

    `behind` is by base what an arm is worse than the best one, with its 95 % interval over the dev
    documents, paired by document.
    """
    arms = []
    scored = {model: _scored(results, model) for model in results.models}
    for method in results.methods:
        trials = [t for t in results.trials if t.method == method]
        asked = next((s for t in trials if (s := results.settings(t))), {})
        rate = {key: asked.get(key) for key in ("optimiser", "learning_rate", "steps")}
        scores = {model: each.get(method, (None, None))[0] for model, each in scored.items()}
        behind = {model: each.get(method, (None, None))[1] for model, each in scored.items()}
        arms.append({**rate, "scores": scores, "behind": behind})
    return {"models": list(results.models), "metric": results.primary, "arms": arms}


def _scored(results: Any, model: str) -> dict[str, tuple[float, list[float]]]:
    """Return by arm its score and [difference, low, high] to the best arm; the lower the better."""
    from smalltune.analysis.contrasts import contrast
    from smalltune.analysis.intervals import estimate

    found = {}
    for method in results.methods:
        sample = results.sample(model, method, results.tasks[0], "dev", results.primary)
        if sample.seeds:
            found[method] = (estimate(sample).value, sample)
    if not found:
        return {}
    _, best = min(found.values(), key=lambda each: each[0])
    apart = {method: contrast(sample, best).estimate for method, (_, sample) in found.items()}
    return {m: (found[m][0], [e.value, e.low, e.high]) for m, e in apart.items()}


def table(kept: Mapping[str, Any], taken: str) -> str:
    """Return a row for each arm, two columns for each base; `taken` says what the bases took."""
    rows = []
    for arm in kept["arms"]:
        cells = [_cell(arm["scores"][m], arm["behind"][m]) for m in kept["models"]]
        shown = f"| {arm['optimiser'] or '-'} | {arm['learning_rate'] or '-'} "
        rows.append(f"{shown}| {' | '.join(cells)} |")
    named = " | ".join(f"{model} | behind the best" for model in kept["models"])
    head = f"| optimiser | learning rate | {named} |\n"
    rule = f"|---|---:|{'---:|---|' * len(kept['models'])}\n"
    steps = ", ".join(dict.fromkeys(f"{arm['steps']:,}" for arm in kept["arms"] if arm["steps"]))
    return (
        f"Bits per byte on dev after {steps} steps, one seed; in brackets 95 % intervals over the\n"
        f"dev documents, paired by document. {taken}\n\n{head}{rule}" + "\n".join(rows) + "\n"
    )


def _cell(score: float | None, behind: Sequence[float] | None) -> str:
    if score is None or behind is None:
        return "not run | -"
    value, low, high = behind
    return f"{score:.3f} | " + (f"{value:.4f} [{low:.4f}, {high:.4f}]" if value else "best")
