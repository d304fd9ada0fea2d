"""Summaries: what the tasks share that ask for one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from smalltune.kinds.generation import Generation

__all__ = ["Summaries"]


@dataclass(frozen=True)
class Summaries(Generation):
    """A text and summaries of it, with splits of their own on the hub. Abstract."""

    metrics: ClassVar[tuple[str, ...]] = (
        "rougeL",
        "rouge1",
        "rouge2",
        "invalid_rate",
        "unended_rate",
    )
    more_metrics: ClassVar[tuple[str, ...]] = (
        "rougeLsum", "bleu", "chrf", "length_ratio", "distinct_1", "distinct_2",
    )  # fmt: skip
    splits: ClassVar[Mapping[str, str]] = {"train": "train", "dev": "validation", "test": "test"}
    language: ClassVar[str] = "English"
