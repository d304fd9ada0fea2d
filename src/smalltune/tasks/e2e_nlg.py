"""E2E: facts about a restaurant, put into a sentence or two."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from smalltune.kinds.generation import Generation

__all__ = ["E2E"]


@dataclass(frozen=True)
class E2E(Generation):
    """What would one say of a restaurant with these facts?

    The rows of one set of facts (a meaning representation) are never in two splits, and in dev and
    test they are one item with all their texts as references.
    """

    text: str | tuple[str, ...] = "meaning_representation"
    reference: str | tuple[str, ...] = "human_reference"
    prompt: str = "{meaning_representation}\nDescription:"
    longest: int = 128
    stop: Literal["end", "line"] = "line"

    metrics: ClassVar[tuple[str, ...]] = (
        "slot_error_rate", "bleu", "rougeL", "chrf", "invalid_rate", "unended_rate",
    )  # fmt: skip
    more_metrics: ClassVar[tuple[str, ...]] = (
        "slots_missing", "slots_invented", "length_ratio", "distinct_1", "distinct_2",
    )  # fmt: skip
    hub: ClassVar[Mapping[str, str | None]] = {"tuetschek/e2e_nlg": None}
    splits: ClassVar[Mapping[str, str]] = {
        "train": "train", "dev": "validation", "test": "test",
    }  # fmt: skip
    title: ClassVar[str] = "E2E NLG"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "CC BY-SA 4.0"
    link: ClassVar[str] = "https://huggingface.co/datasets/tuetschek/e2e_nlg"
    citation: ClassVar[str] = "novikova2017e2e"
    about: ClassVar[str] = (
        "Sets of three to eight facts about invented restaurants and what crowd workers made of "
        "them; 42,061 texts of 4,862 sets to learn from, 547 sets for dev and 630 to be judged on, "
        "with some eight texts each. To be chosen for small models: eight kinds of facts, few "
        "words, and a text can be held against its facts one by one. Three texts in ten leave a "
        "fact out, turn one round or add one, as the slot error rate counts, so that a model "
        "that says everything is further from them than one that imitates them. The test's sets "
        "of facts do not occur in train."
    )
