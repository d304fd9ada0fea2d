"""Score: predictions and gold answers to statistics per item; means are taken later.

What a metric judges it declares, and each kind of that is made once, by a function below; the head
of `metrics/__init__.py` says from which parts of the two files.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.measures import calibration
from smalltune.metrics import Gold, Likelihood
from smalltune.stages.bench import Bench, Inputs

__all__ = ["score"]

VERSION = 1
OPENS = "split"


def score(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write scores.jsonl (one row per item with each metric's statistics) and facts.json.

    Where a library made a value, its signature stands in the facts. A metric that is fitted on dev
    needs the input `dev`, the predictions of the same trial on dev.
    """
    items = _Items.read(inputs["data"] / f"{spec['split']}.jsonl", inputs["predictions"])
    dev = None
    if "dev" in inputs.folders:
        dev = _Items.read(inputs["data"] / "dev.jsonl", inputs["dev"])
    stats, values, signatures = {}, {}, {}
    for name in spec["metrics"]:
        metric = load("smalltune.metrics", name)
        stats[name] = metric.items(*JUDGED[metric.judges](items, dev))
        values[name] = float(metric.combine(stats[name].mean(axis=0)))
        if signature := metric.signature(items.gold):
            signatures[name] = signature
    with (out / "scores.jsonl").open("w", encoding="utf-8") as file:
        for index, (row, prediction) in enumerate(zip(items.rows, items.predictions, strict=True)):
            line = {
                "id": row["id"],
                "gold": row["label"] or "".join(row.get("references", ())[:1]),
                "predicted": prediction["predicted"] or "",
                "stats": {name: stats[name][index].tolist() for name in stats},
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    facts = {"split": spec["split"], "metrics": spec["metrics"], "values": values}
    write_json(out / "facts.json", facts | ({"signatures": signatures} if signatures else {}))


@dataclass(frozen=True)
class _Items:
    """The rows of a split, what was predicted for each, and the names that were allowed."""

    rows: Sequence[Mapping[str, Any]]
    predictions: Sequence[Mapping[str, Any]]
    names: Sequence[str]

    @classmethod
    def read(cls, data: Path, predicted: Path) -> "_Items":
        """Read both files; raises EngineError unless they hold the same items in one order."""
        rows, predictions = _lines(data), _lines(predicted / "predictions.jsonl")
        if [row["id"] for row in rows] != [p["id"] for p in predictions]:
            raise EngineError("predictions and data are not about the same items")
        return cls(rows, predictions, json.loads((predicted / "labels.json").read_text())["names"])

    @cached_property
    def gold(self) -> list[Gold]:
        """What each item asks for."""
        return [
            Gold(row["id"], tuple(row.get("references", ())), row["label"], row["fields"])
            for row in self.rows
        ]

    @cached_property
    def labels(self) -> list[int]:
        """The positions of the gold labels in `names`."""
        return [self.names.index(row["label"]) for row in self.rows]

    @cached_property
    def log_probs(self) -> NDArray[np.float64]:
        """The nats of every name for every item; NaN in all where there is no valid answer.

        A model that writes gives its answer all the weight.
        """
        return np.array([self._weights(p) for p in self.predictions]).reshape(-1, len(self.names))

    @cached_property
    def answers(self) -> NDArray[np.float64]:
        """The answer of every item, with all the weight; NaN in all where there is no valid one.

        It need not be the likeliest name: a task may compare by something else (see `normalise`).
        """
        return np.array([self._sure(p) for p in self.predictions]).reshape(-1, len(self.names))

    @property
    def ended(self) -> list[bool]:
        """Whether each text that was written came to its end."""
        if any("ended" not in p for p in self.predictions):
            raise EngineError(
                "the predictions do not say whether they ended, as where nothing is written: leave "
                "out the metrics of endings"
            )
        return [bool(p["ended"]) for p in self.predictions]

    @property
    def valid(self) -> list[bool]:
        """Whether each output is an answer that the task allows."""
        if any("text" not in p for p in self.predictions):
            return [not np.isnan(p["log_probs"]).any() for p in self.predictions]
        return [p["predicted"] is not None for p in self.predictions]

    def _weights(self, prediction: Mapping[str, Any]) -> list[float]:
        return list(prediction.get("log_probs") or self._sure(prediction))

    def _sure(self, prediction: Mapping[str, Any]) -> list[float]:
        said = prediction["predicted"]
        broken = np.isnan(prediction.get("log_probs") or [0.0]).any()
        if said not in self.names or broken:
            return [np.nan] * len(self.names)
        return [0.0 if name == said else -np.inf for name in self.names]


def _labels(items: _Items, dev: _Items | None) -> tuple[Any, ...]:
    return items.labels, items.log_probs, items.names


def _answered_labels(items: _Items, dev: _Items | None) -> tuple[Any, ...]:
    return items.labels, items.answers, items.names


def _scaled_labels(items: _Items, dev: _Items | None) -> tuple[Any, ...]:
    if dev is None:
        raise EngineError("a metric is fitted on dev, and this job has no predictions of dev")
    degree = calibration.temperature(dev.labels, dev.log_probs, len(dev.names))
    return items.labels, calibration.scaled(items.log_probs, degree), items.names


def _texts(items: _Items, dev: _Items | None) -> tuple[Any, ...]:
    return [p["text"] for p in items.predictions], items.gold


def _likelihoods(items: _Items, dev: _Items | None) -> tuple[Any, ...]:
    asked = ((one.references[:1] or one.fields.values()) for one in items.gold)
    sizes = [sum(len(text.encode()) for text in texts) for texts in asked]
    return (
        [
            Likelihood(p["log_probs"][0], size, p.get("tokens", np.nan))
            for p, size in zip(items.predictions, sizes, strict=True)
        ],
    )


def _validity(items: _Items, dev: _Items | None) -> tuple[Any, ...]:
    return (items.valid,)


def _endings(items: _Items, dev: _Items | None) -> tuple[Any, ...]:
    return (items.ended,)


JUDGED: Mapping[str, Callable[[_Items, _Items | None], tuple[Any, ...]]] = {
    "answered labels": _answered_labels,
    "endings": _endings,
    "labels": _labels,
    "likelihoods": _likelihoods,
    "scaled labels": _scaled_labels,
    "texts": _texts,
    "validity": _validity,
}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
