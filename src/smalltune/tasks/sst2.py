"""SST-2: phrases and sentences of film reviews, as distributed with GLUE."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from smalltune.kinds.classification import Classification

__all__ = ["SST2"]


def _labels() -> dict[str, str]:
    return {"0": "bad", "1": "good"}


def _dev() -> dict[str, Any]:
    return {"rows": 500, "whole": True}


@dataclass(frozen=True)
class SST2(Classification):
    """Is a sentence of a film review positive or negative?

    Test is GLUE's validation split, because GLUE keeps the labels of its own test split to itself
    (they are -1). Dev is carved from the full sentences among the training rows, and every
    training row that is a part of one of them is dropped.
    """

    text: str | tuple[str, ...] = "sentence"
    labels: Mapping[str, str] = field(default_factory=_labels)
    dev: Mapping[str, Any] = field(default_factory=_dev)
    prompt: str = "{sentence}\nAll in all it was"

    hub: ClassVar[Mapping[str, str | None]] = {"stanfordnlp/sst2": None, "nyu-mll/glue": "sst2"}
    splits: ClassVar[Mapping[str, str]] = {"train": "train", "test": "validation"}
    title: ClassVar[str] = "SST-2"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "none stated; distributed for research"
    link: ClassVar[str] = "https://huggingface.co/datasets/stanfordnlp/sst2"
    citation: ClassVar[str] = "socher2013sst"
    about: ClassVar[str] = (
        "Sentences and phrases from film reviews, labelled positive or negative, as distributed "
        "with GLUE; 67,349 to learn from, and 872 sentences to be judged on. To be chosen for "
        "comparison: it is much used, with published scores of most models. Nearly all training "
        "rows are "
        "fragments of sentences, about nine words long, while the sentences they are judged on "
        "have about twenty; and many fragments overlap, so that a random dev split would be known "
        "by heart: dev is therefore drawn from full sentences, and their parts leave train. The "
        "test split is GLUE's validation split, because GLUE's own test labels are hidden."
    )
