"""Select: the scores of tuning runs on dev to the one choice that the final runs use."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import EngineError
from smalltune.core.store import write_json
from smalltune.stages.bench import Bench, Inputs

__all__ = ["select"]

VERSION = 1


def select(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write choice.json: the best candidate's options.

    Of equal ones that with the lower `ties` is taken, a measure of which lower is better, where the
    spec names one; else the first.
    """
    count, ties = len(spec["candidates"]), spec.get("ties")
    facts = [json.loads((inputs[str(i)] / "facts.json").read_text()) for i in range(count)]
    values = [each["values"][spec["metric"]] for each in facts]
    sign = 1 if spec["better"] == "higher" else -1
    order = [_rank(sign * value) for value in values]
    second = [_rank(-each["values"][ties]) if ties else 0.0 for each in facts]
    best = max(range(count), key=lambda i: (order[i], second[i]))
    if order[best] == -math.inf:
        raise EngineError("no candidate of the tuning has a score")
    choice = {
        "index": best,
        "options": spec["candidates"][best],
        "metric": spec["metric"],
        "value": values[best],
        "values": values,
    }
    write_json(out / "choice.json", choice)


def _rank(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
