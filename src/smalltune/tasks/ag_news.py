"""AG News: short news items in four sections."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from smalltune.kinds.classification import Classification

__all__ = ["AGNews"]


def _labels() -> dict[str, str]:
    return {"0": "world", "1": "sports", "2": "business", "3": "technology"}


@dataclass(frozen=True)
class AGNews(Classification):
    """Does a news item belong to world, sports, business or technology?

    Dev is carved from train. Training rows that occur in test too are dropped and counted.
    """

    labels: Mapping[str, str] = field(default_factory=_labels)
    prompt: str = "{text}\nThis is news about"

    hub: ClassVar[Mapping[str, str | None]] = {"fancyzhx/ag_news": None}
    splits: ClassVar[Mapping[str, str]] = {"train": "train", "test": "test"}
    title: ClassVar[str] = "AG News"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "non-commercial use, for research"
    link: ClassVar[str] = "https://huggingface.co/datasets/fancyzhx/ag_news"
    citation: ClassVar[str] = "zhang2015charcnn"
    about: ClassVar[str] = (
        "Title and first lines of news items from the web in four sections of equal size; 120,000 "
        "to learn from, and 7,600 to be judged on. To be chosen for a task of topics and not of "
        "moods, with many rows of some forty words. Single words give most sections away, so a "
        "linear model on word counts is hard to beat, and some items would fit two sections. The "
        "texts hold leftovers of HTML such as #39; for an apostrophe. Some items occur in both "
        "train and test; they are dropped from train."
    )
