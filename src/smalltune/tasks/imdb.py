"""IMDb: long film reviews, positive or negative."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from smalltune.kinds.classification import Classification

__all__ = ["IMDb"]


def _labels() -> dict[str, str]:
    return {"0": "bad", "1": "good"}


@dataclass(frozen=True)
class IMDb(Classification):
    """Is a whole film review positive or negative?

    A review that is too long loses its beginning. Dev is carved from train. Training rows that
    occur in test too are dropped and counted.
    """

    labels: Mapping[str, str] = field(default_factory=_labels)
    prompt: str = "{text}\nAll in all it was"
    keep_end: bool = True

    hub: ClassVar[Mapping[str, str | None]] = {"stanfordnlp/imdb": None}
    splits: ClassVar[Mapping[str, str]] = {"train": "train", "test": "test"}
    title: ClassVar[str] = "IMDb"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "none stated; distributed for research"
    link: ClassVar[str] = "https://huggingface.co/datasets/stanfordnlp/imdb"
    citation: ClassVar[str] = "maas2011imdb"
    about: ClassVar[str] = (
        "Whole film reviews by visitors of a film site, half of them positive and half negative; "
        "reviews with middling marks were left out; 25,000 to learn from, and 25,000 to be judged "
        "on. To be chosen where long texts matter: a "
        "review has about 230 words and some have over two thousand, so a short context cuts "
        "many: it keeps the end, where the verdict often stands. Line breaks are left in the text "
        "as HTML. "
        "More than a hundred training reviews occur in the test split too; they are dropped from "
        "train."
    )
