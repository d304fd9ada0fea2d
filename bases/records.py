"""Records: what is kept of a training beside its weights, in records/NAME.json.

A store is large and stays where the training ran. Its record is small, belongs to the repository,
and is all that cards and report read.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smalltune.core.disk import write_json
from smalltune.core.keys import key_of

__all__ = ["BASES", "HERE", "Record", "keep", "kept", "question"]

HERE = Path(__file__).parent
BASES = ("micro-llama", "micro-qwen", "micro-deepseek")


@dataclass(frozen=True)
class Record:
    """A training and its evaluation on the held-out test documents.

    `key`, `tokens` and `score` are the keys of the training, of the tokens that it read and of the
    score; `length` is the greatest number of tokens at a time, `losses` has one value (nats per
    token) a step, `bits` and `bytes` one a document of `items`. `cpu_seconds` are the
    processor's, over all attempts: what else the machine did meanwhile does not count.
    """

    name: str
    key: str
    spec: dict[str, Any]
    config: dict[str, Any]
    counts: dict[str, int]
    length: int
    facts: dict[str, Any]
    cpu_seconds: float
    made: dict[str, Any]
    losses: list[float]
    tokens: str
    documents: dict[str, int]
    shards: list[str]
    licence: str
    items: list[str]
    bits: list[float]
    bytes: list[float]
    score: str

    @property
    def speed(self) -> float:
        """Tokens per second of one processor core."""
        return float(self.facts["tokens"]) / self.cpu_seconds

    def sample(self) -> Any:
        """Return bits and bytes of every held-out document, as the analysis holds them."""
        from smalltune.analysis.records import Sample
        from smalltune.core.plugins import load

        return Sample(
            model=self.name,
            method=self.spec["method"]["name"],
            task="text",
            split="test",
            metric=load("smalltune.metrics", "bits_per_byte"),
            stats=np.array([self.bits, self.bytes], dtype=np.float64).T[None],
            seeds=(self.spec["seed"],),
            items=tuple(self.items),
            keys=(self.score,),
            gaps=(),
        )


def keep(record: Record, root: Path) -> Path:
    """Write a record into `root`/records and return its file."""
    path = root / "records" / f"{record.name}.json"
    path.parent.mkdir(exist_ok=True)
    write_json(path, {**asdict(record), "losses": [round(loss, 4) for loss in record.losses]})
    return path


def kept(root: Path) -> list[Record]:
    """Return the records that `root` has, in the order of BASES."""
    paths = [root / "records" / f"{name}.json" for name in BASES]
    return [Record(**json.loads(path.read_text())) for path in paths if path.is_file()]


def question(record: Record) -> str:
    """Return the key of what the yardsticks of a base depend on: the text, and what it saw of it.

    Bases that were trained alike have one key, for they saw the same tokens.
    """
    spec = record.spec
    return key_of(
        {
            "tokens": record.tokens,
            "drawn": [spec["limit"], spec["seed"], spec["training"]["batch_size"]],
            "steps": record.facts["steps"],
        }
    )
