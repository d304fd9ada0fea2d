"""Alpaca: instructions and their answers, written by a language model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from smalltune.data.instructions import Exchanges
from smalltune.kinds.generation import Generation

__all__ = ["Alpaca"]


def _dev() -> dict[str, Any]:
    return {"rows": 500}


def _test() -> dict[str, Any]:
    return {"rows": 500}


PROMPT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
)


@dataclass(frozen=True)
class Alpaca(Exchanges, Generation):
    """What is a helpful answer to an instruction?

    There is one split: test and dev are carved from it, rows of the same words staying together.
    """

    dev: Mapping[str, Any] = field(default_factory=_dev)
    test: Mapping[str, Any] = field(default_factory=_test)
    prompt: str = PROMPT
    longest: int = 256

    judged: ClassVar[Literal["text", "likelihood"]] = "likelihood"
    decoding_fields: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ("perplexity",)
    more_metrics: ClassVar[tuple[str, ...]] = ()
    hub: ClassVar[Mapping[str, str | None]] = {"tatsu-lab/alpaca": None}
    splits: ClassVar[Mapping[str, str]] = {"train": "train", "test": "train"}
    title: ClassVar[str] = "Alpaca"
    language: ClassVar[str] = "English"
    licence: ClassVar[str] = "CC BY-NC 4.0"
    link: ClassVar[str] = "https://huggingface.co/datasets/tatsu-lab/alpaca"
    citation: ClassVar[str] = "taori2023alpaca"
    about: ClassVar[str] = (
        "52,002 instructions with answers, both written by a language model (text-davinci-003) "
        "from 175 examples by people. To be chosen as training material: it turns a base model "
        "into one that answers. What it is worth shows on other tasks; here the held-out answers' "
        "perplexity is told. The answers were not checked: some are wrong, some empty (dropped and "
        "counted), arithmetic and sums are often mistaken, and the licence of the model that "
        "wrote them forbids commercial use."
    )
