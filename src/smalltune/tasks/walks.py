"""Walks: the embedded data-to-text set, facts about invented walks put into words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from smalltune.kinds.generation import Generation

__all__ = ["Walks"]


@dataclass(frozen=True)
class Walks(Generation):
    """What would one say of a walk with these facts?

    In dev and test the texts of one set of facts are the references of one item.
    """

    text: str | tuple[str, ...] = "facts"
    reference: str | tuple[str, ...] = "text"
    id: str | None = "id"
    prompt: str = "{facts}\nDescription:"
    longest: int = 128
    stop: Literal["end", "line"] = "line"

    metrics: ClassVar[tuple[str, ...]] = (
        "slot_error_rate",
        "bleu",
        "chrf",
        "invalid_rate",
        "unended_rate",
    )
    more_metrics: ClassVar[tuple[str, ...]] = (
        "slots_missing", "slots_invented", "rougeL", "length_ratio", "distinct_1", "distinct_2",
    )  # fmt: skip
    files: ClassVar[Mapping[str, str]] = {
        role: f"embedded:walks/{role}.jsonl" for role in ("train", "dev", "test")
    }
    title: ClassVar[str] = "Walks"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "CC0-1.0"
    link: ClassVar[str] = "src/smalltune/embedded/walks/README.md"
    about: ClassVar[str] = (
        "Sets of three to eight facts about invented walks and short texts that say them, "
        "smalltune's own and published with it alone: put together by a program from wordings "
        "written for it; 400 texts of 200 sets to learn from, 40 sets for dev and 100 to be judged "
        "on, these with three texts each. To be chosen for a first look at data-to-text that needs "
        "nothing but the package. Every text says its facts and nothing else, which text by people "
        "does not."
    )
