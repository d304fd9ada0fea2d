"""SQuAD 1.1: the answer to a question, out of a passage, written by the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from smalltune.kinds.generation import QUESTION_METRICS, Generation

__all__ = ["SQuAD"]


def _dev() -> dict[str, Any]:
    return {"rows": 1000}


def _test() -> dict[str, Any]:
    return {"rows": 2000}


@dataclass(frozen=True)
class SQuAD(Generation):
    """What is the answer to a question, as words of a passage?

    Articles are never in two splits. With the hub's files test is the validation split and dev is
    carved from train; where train and test are one file, as where there is only the validation
    split, its articles are parted in three by `test` and `dev`. In training the first of several
    answers is learned. A prompt that is too long loses the end of its passage, never the question,
    whether or not the answer stands there (see `extractive`).
    """

    text: str | tuple[str, ...] = ("context", "question")
    reference: str | tuple[str, ...] = "answers.text"
    learn: Literal["each", "first"] = "first"
    merge: bool = False
    id: str | None = "id"
    group: str | None = "title"
    dev: Mapping[str, Any] = field(default_factory=_dev)
    test: Mapping[str, Any] = field(default_factory=_test)
    uncut: tuple[str, ...] = ("question",)
    prompt: str = "{context}\nQuestion: {question}\nAnswer:"
    longest: int = 48
    extractive: bool = True
    stop: Literal["end", "line"] = "line"

    metrics: ClassVar[tuple[str, ...]] = QUESTION_METRICS
    more_metrics: ClassVar[tuple[str, ...]] = ("length_ratio",)
    hub: ClassVar[Mapping[str, str | None]] = {"rajpurkar/squad": None}
    splits: ClassVar[Mapping[str, str]] = {"train": "train", "test": "validation"}
    title: ClassVar[str] = "SQuAD 1.1"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "CC BY-SA 4.0"
    link: ClassVar[str] = "https://huggingface.co/datasets/rajpurkar/squad"
    citation: ClassVar[str] = "rajpurkar2016squad"
    about: ClassVar[str] = (
        "Questions that crowd workers asked about paragraphs of Wikipedia, each answered by some "
        "words of the paragraph; 87,599 to learn from, and 10,570 of 48 articles to be judged on, "
        "these with three answers or more, of which equal ones count once. To be chosen for "
        "reading and copying: the answer is short, stands in the text, and can be judged without "
        "doubt, by exact match and by the words in common. The questions were written with the "
        "paragraph in sight and share its words, so that overlap finds many answers. A model that "
        "writes is not bound to the passage, and its text is judged as it is. Every question has "
        "an answer here."
    )
