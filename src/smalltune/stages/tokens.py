"""Tokens: rows to what a model reads, once per task, prompt and tokeniser."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.data.splits import Row
from smalltune.stages.bench import Bench, Inputs

__all__ = ["tokens"]

VERSION = 1


def tokens(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write <split>.safetensors, labels.json (names and tokens of the label words), facts.json."""
    asked = spec["task"]
    task = load("smalltune.tasks", asked["kind"])(**asked["options"])
    tokeniser = bench.tokeniser(inputs.sources["model"], spec["tokeniser"])
    answers = task.answers(tokeniser, chat=spec["chat"])
    facts = {}
    for split in ("train", "dev", "test"):
        lines = (inputs["data"] / f"{split}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        rows = [Row(**json.loads(line)) for line in lines]
        encoded = task.encode(rows, tokeniser, length=spec["max_length"], chat=spec["chat"])
        encoded.segments.save(out / f"{split}.safetensors")
        facts[split] = {
            "rows": len(rows),
            "tokens": int(encoded.segments.starts[-1]),
            "longest": int(encoded.segments.lengths.max()),
            "truncated": encoded.truncated,
        }
    write_json(out / "labels.json", {"names": answers.names, "tokens": answers.tokens})
    write_json(out / "facts.json", {"splits": facts})
