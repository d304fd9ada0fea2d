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
    """Write choice.json: the best candidate's options; of equal ones the first is taken."""
    values = []
    for index in range(len(spec["candidates"])):
        facts = json.loads((inputs[str(index)] / "facts.json").read_text())
        values.append(facts["values"][spec["metric"]])
    sign = 1 if spec["better"] == "higher" else -1
    order = [sign * v if math.isfinite(v) else -math.inf for v in values]
    best = max(range(len(order)), key=order.__getitem__)
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
