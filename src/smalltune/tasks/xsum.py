"""XSum: news articles and the one sentence that introduces them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from smalltune.tasks._summaries import Summaries

__all__ = ["XSum"]


@dataclass(frozen=True)
class XSum(Summaries):
    """What is a news article about, in one sentence?

    An article that is too long loses its end.
    """

    text: str | tuple[str, ...] = "document"
    reference: str | tuple[str, ...] = "summary"
    prompt: str = "{document}\nIn one sentence:"
    longest: int = 64
    stop: Literal["end", "line"] = "line"

    hub: ClassVar[Mapping[str, str | None]] = {"EdinburghNLP/xsum": None}
    title: ClassVar[str] = "XSum"
    licence: ClassVar[str] = "none stated; the articles are their publisher's own"
    link: ClassVar[str] = "https://huggingface.co/datasets/EdinburghNLP/xsum"
    citation: ClassVar[str] = "narayan2018xsum"
    about: ClassVar[str] = (
        "Articles of the BBC, each with its introductory sentence as the summary; 204,045 to learn "
        "from, 11,332 for dev and 11,334 to be judged on. To be chosen where a summary must be "
        "written and not copied: the first sentence was taken out of the article, and little of "
        "the summary's wording is left in it. For the same reason many summaries say what the "
        "article does not (a first name, a place), which teaches a model to invent; overlap "
        "with the reference does not see that. Some articles are empty or hold only a notice; the "
        "empty ones are dropped and counted."
    )
