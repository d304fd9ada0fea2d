"""Probed: a classifier on the states of a frozen base, fitted and asked in one step."""

from collections.abc import Mapping
from typing import Any

from smalltune.data.splits import draw
from smalltune.engine.features import last_states
from smalltune.stages.bench import Bench, Inputs

__all__ = ["probed"]


def probed(
    method: Any, model: Any, spec: Mapping[str, Any], inputs: Inputs, bench: Bench
) -> list[dict[str, Any]]:
    """Return a prediction for each item of the split, from states of the rows the seed draws."""
    names = bench.answers(inputs).names
    pool, asked = bench.tokens(inputs, "train"), bench.tokens(inputs, spec["split"])
    rows = pool.take(draw(pool.labels.tolist(), spec["limit"], spec["seed"] or 0))
    states, wanted = last_states(model, rows), last_states(model, asked)
    scores = method.log_probs(states, rows.labels.tolist(), len(names), wanted)
    return [
        {"log_probs": [float(f"{v:.7g}") for v in row], "predicted": names[int(row.argmax())]}
        for row in scores
    ]
