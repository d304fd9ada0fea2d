"""CNN/DailyMail: news articles and their highlights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from smalltune.tasks._summaries import Summaries

__all__ = ["CNNDailyMail"]


@dataclass(frozen=True)
class CNNDailyMail(Summaries):
    """What are the main points of a news article?

    An article that is too long loses its end, which news can best do without.
    """

    text: str | tuple[str, ...] = "article"
    reference: str | tuple[str, ...] = "highlights"
    prompt: str = "{article}\nSummary:"
    longest: int = 160

    hub: ClassVar[Mapping[str, str | None]] = {"abisee/cnn_dailymail": "3.0.0"}
    title: ClassVar[str] = "CNN/DailyMail"
    licence: ClassVar[str] = "Apache 2.0 as distributed; the articles are their publishers' own"
    link: ClassVar[str] = "https://huggingface.co/datasets/abisee/cnn_dailymail"
    citation: ClassVar[str] = "see2017pointer"
    about: ClassVar[str] = (
        "Articles of two news sites with the points that their editors set above them, some three "
        "sentences; 287,113 to learn from, 13,368 for dev and 11,490 to be judged on, names left "
        "in. To be chosen for long inputs (some 780 words) and summaries near to the text's own "
        "words: the first three sentences are a baseline that is hard to beat. Highlights stand "
        "one a line and are not always a coherent text; some say what the article does not. Some "
        "articles are empty or occur twice; they are dropped and counted. A short context cuts "
        "nearly all of them."
    )
