"""Reviews: the embedded data set, short English reviews written for this project."""

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
    licence: ClassVar[str] = "CC0-1.0"
    link: ClassVar[str] = "src/smalltune/embedded/reviews/README.md"
    about: ClassVar[str] = (
        "Short English reviews over sixteen domains, written one by one for this project, with "
        "negation, irony and mixed feelings among them; balanced; dev and test apart."
    )
