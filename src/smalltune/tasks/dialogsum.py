"""DialogSum: everyday conversations and what was said in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from smalltune.tasks._summaries import Summaries

__all__ = ["DialogSum"]


@dataclass(frozen=True)
class DialogSum(Summaries):
    """What was said in a conversation between two persons?

    A test dialogue has three summaries by three persons; they are its references, whether the file
    holds them in columns or in rows. A dialogue that is too long loses its end.
    """

    text: str | tuple[str, ...] = "dialogue"
    reference: str | tuple[str, ...] = ("summary", "summary2", "summary3")
    id: str | None = "id"
    prompt: str = "{dialogue}\nSummary:"
    longest: int = 96
    stop: Literal["end", "line"] = "line"

    hub: ClassVar[Mapping[str, str | None]] = {"knkarthick/dialogsum": None}
    title: ClassVar[str] = "DialogSum"
    licence: ClassVar[str] = "CC BY-NC-SA 4.0"
    link: ClassVar[str] = "https://huggingface.co/datasets/knkarthick/dialogsum"
    citation: ClassVar[str] = "chen2021dialogsum"
    about: ClassVar[str] = (
        "Conversations of daily life with a summary of a sentence or three; 12,460 to learn from, "
        "500 for dev and 500 to be judged on, these with three summaries each. To be chosen for "
        "summaries that fit a short context (some 130 words) and have several references. Who "
        "speaks must be kept apart: speakers are written #Person1# and #Person2#, in the summary "
        "as well unless a name is said. Many dialogues come from language textbooks, so they are "
        "tidier than talk is, and some differ in a few words only."
    )
