"""Tokens: rows to what a model reads, once per task, prompt and tokeniser."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.data.splits import Row
from smalltune.kinds import Encoded
from smalltune.stages.bench import Bench, Inputs

__all__ = ["tokens"]

VERSION = 2
BINS = 40


def tokens(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write <split>.safetensors, labels.json (names and tokens of the label words), facts.json.

    The facts count rows, the texts that were cut, and `tokens` as kept, with answers and choices,
    `longest` being the longest such segment; `mean` and `lengths` are of the prompts before the
    cut, in tokens, the last bin of the histogram reaching to the longest. A kind may count more
    (see `Encoded.counts`).
    """
    asked = spec["task"]
    task = load("smalltune.tasks", asked["kind"])(**asked["options"])
    tokeniser = bench.tokeniser(inputs.sources["model"], spec["tokeniser"])
    answers = task.answers(tokeniser, chat=spec["chat"])
    facts = {}
    for split in ("train", "dev", "test"):
        rows = _rows(inputs["data"] / f"{split}.jsonl")
        encoded = task.encode(rows, tokeniser, length=spec["max_length"], chat=spec["chat"])
        encoded.segments.save(out / f"{split}.safetensors")
        facts[split] = _facts(encoded)
    write_json(out / "labels.json", {"names": answers.names, "tokens": answers.tokens})
    write_json(out / "facts.json", {"splits": facts})


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield Row.of(json.loads(line))


def _facts(encoded: Encoded) -> dict[str, Any]:
    """Return sizes, and the lengths in tokens before any was cut as a histogram."""
    lengths = encoded.lengths
    width = max(1, math.ceil(float(np.quantile(lengths, 0.995)) / BINS))
    inner = np.arange(0, BINS * width, width)
    edges = np.append(inner[inner <= lengths.max()], int(lengths.max()) + 1)
    counts, _ = np.histogram(lengths, edges)
    return {
        "rows": encoded.rows,
        "tokens": int(encoded.segments.starts[-1]),
        "longest": int(encoded.segments.lengths.max()),
        "truncated": encoded.truncated,
        "mean": float(lengths.mean()),
        "lengths": {"edges": edges.tolist(), "counts": counts.tolist()},
        **encoded.counts,
    }
