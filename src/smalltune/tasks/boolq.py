"""BoolQ: yes or no to a question, after a passage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from smalltune.kinds.classification import Classification

__all__ = ["BoolQ"]


def _labels() -> dict[str, str]:
    return {"false": "no", "true": "yes"}


@dataclass(frozen=True)
class BoolQ(Classification):
    """Is the answer to a question yes or no, by a passage of an encyclopedia?

    Test is the validation split, because the labels of the test split are not public. Dev is carved
    from train by passage; training rows whose passage is in test are dropped and counted. A prompt
    that is too long loses the end of its passage, never the question.
    """

    text: str | tuple[str, ...] = ("passage", "question")
    label: str = "answer"
    labels: Mapping[str, str] = field(default_factory=_labels)
    group: str | None = "passage"
    uncut: tuple[str, ...] = ("question",)
    prompt: str = "{passage}\nQuestion: {question}?\nAnswer:"

    hub: ClassVar[Mapping[str, str | None]] = {"google/boolq": None}
    splits: ClassVar[Mapping[str, str]] = {"train": "train", "test": "validation"}
    title: ClassVar[str] = "BoolQ"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "CC BY-SA 3.0"
    link: ClassVar[str] = "https://huggingface.co/datasets/google/boolq"
    citation: ClassVar[str] = "clark2019boolq"
    about: ClassVar[str] = (
        "Questions that people typed into a search engine and that yes or no answers, each with a "
        "paragraph of Wikipedia that holds the answer; 9,427 to learn from and 3,270 to be judged "
        "on. To be chosen where a text has to be understood and not only its mood: the questions "
        "ask for inference, and word counts are of no help. 62 % of the answers are yes, so that "
        "accuracy must be read beside the majority's. Several questions share a passage; those "
        "whose passage is in test leave train. A model that was trained on Wikipedia has read the "
        "passages."
    )
