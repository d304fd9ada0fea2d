"""Shown: prompts behind demonstrations, and what demonstrations make likely by themselves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import MethodError
from smalltune.core.plugins import load
from smalltune.data.splits import Row, draw
from smalltune.engine.scoring import label_log_probs
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers
from smalltune.kinds.demonstrations import Demonstrations
from smalltune.models.families import Prompts
from smalltune.stages.bench import Bench, Inputs

__all__ = ["Shown", "calibrated"]

NO_CONTENT = ("N/A", "[MASK]", "")
"""What stands in every column of a question without content, as in Zhao et al. (2021)."""


class Shown:
    """The demonstrations of one job: drawn from its training rows by its seed."""

    def __init__(self, spec: Mapping[str, Any], inputs: Inputs, bench: Bench, answers: Answers):
        """Draw `shots` of the rows that the seed draws from train."""
        self.inputs, self.asked = inputs, spec["asked"]
        self.task = load("smalltune.tasks", spec["task"])(**self.asked["options"])
        self.tokeniser = bench.tokeniser(inputs.sources["model"], self.asked["tokeniser"])
        pool, seed = bench.tokens(inputs, "train"), spec["seed"]
        rows = pool.take(draw(pool.labels.tolist(), spec["limit"], seed))
        lessons = self.task.training(rows, answers)
        written = not answers.names or getattr(self.task, "answered", "") == "written"
        ends = [tokens[-1] for tokens in answers.tokens] if written else []
        shots = spec["method"]["options"]["shots"]
        prompts = Prompts(self.tokeniser, self.asked["chat"])
        self.items = Demonstrations.of(lessons, shots, seed, prompts, ends)
        self.answers = answers

    def before(self, prompts: Segments) -> tuple[Segments, int]:
        """Return the prompts behind the demonstrations, and how many had room for fewer."""
        return self.items.before(prompts, self.asked["room"])

    def bias(self, model: Any) -> NDArray[np.float64]:
        """Return the log-probabilities [C] of the labels after questions without content."""
        path = self.inputs["data"] / "train.jsonl"
        with path.open(encoding="utf-8") as file:
            first = Row.of(json.loads(file.readline()))
        rows = [replace(first, fields=dict.fromkeys(first.fields, text)) for text in NO_CONTENT]
        how = {"length": self.asked["max_length"], "chat": self.asked["chat"]}
        prompts = self.task.encode(rows, self.tokeniser, **how).segments
        found = label_log_probs(model, self.before(prompts)[0], self.answers.tokens)
        return np.asarray(np.log(np.exp(found.astype(np.float64)).mean(0)))


def calibrated(
    rows: Sequence[Mapping[str, Any]], bias: NDArray[np.float64], answers: Answers
) -> list[dict[str, Any]]:
    """Return label predictions with the bias taken off; raises MethodError for other kinds."""
    if not all("log_probs" in row for row in rows):
        raise MethodError(
            "few_shot: only label words can be calibrated: leave out `calibrated`, or name the "
            "tasks with labels in `tasks:`"
        )
    found = []
    for row in rows:
        scores = np.asarray(row["log_probs"]) - bias
        scores -= np.log(np.exp(scores).sum())
        name = answers.names[int(scores.argmax())]
        found.append({**row, "log_probs": [float(f"{v:.7g}") for v in scores], "predicted": name})
    return found
