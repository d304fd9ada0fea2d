"""Reviews: the embedded data set, short English reviews written for smalltune."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from smalltune.kinds.classification import Classification

__all__ = ["Reviews"]


def _labels() -> dict[str, str]:
    return {"positive": "good", "negative": "bad"}


@dataclass(frozen=True)
class Reviews(Classification):
    """Is a review of a film, a cafe, a plumber ... positive or negative?"""

    labels: Mapping[str, str] = field(default_factory=_labels)
    id: str | None = "id"
    prompt: str = "{text}\nAll in all it was"

    version: ClassVar[int] = 1
    files: ClassVar[Mapping[str, str]] = {
        role: f"embedded:reviews/{role}.jsonl" for role in ("train", "dev", "test")
    }
    title: ClassVar[str] = "Reviews"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "CC0-1.0"
    link: ClassVar[str] = "src/smalltune/embedded/reviews/README.md"
    about: ClassVar[str] = (
        "Short English reviews over sixteen domains, smalltune's own and published with it alone: "
        "written for it one by one by a large language model, with negation, irony and mixed "
        "feelings among them; balanced; 544 to learn from, 96 for dev and 256 to be judged on, no "
        "eight words shared. To be chosen for a first look that needs nothing but the package. One "
        "hand wrote them all, so that spelling is clean and verdicts are clear, and 256 items do "
        "not rank methods that differ by a few points."
    )
