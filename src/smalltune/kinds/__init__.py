"""Kinds: what can be asked of a language model. The rooms above ask it on data (`tasks/`).

A task is a frozen dataclass. Its fields in `data_fields` decide the splits, those in
`prompt_fields` decide what a model reads, those in `decoding_fields` how it writes; each group is
part of the key of its own stage, so that another prompt does not split the data again and another
number of beams does not train again.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.data.splits import Row, Splits
from smalltune.engine.segments import Segments

__all__ = ["Answers", "Encoded", "Splits", "Task"]


@dataclass(frozen=True)
class Answers:
    """What can be answered: names [C] of the labels and the tokens of each one's word.

    Where the answer is free text there are no names, and the tokens are those that end it, the one
    that is learned first.
    """

    names: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Encoded:
    """The segments of one split and how many texts had to be cut to fit the context.

    `rows` is the number of rows they come from; `lengths` [segments] holds the lengths in tokens
    before anything was cut (of an enormous text, the length of the beginning that was looked at).
    `counts` are more that a reader should know, by name.
    """

    segments: Segments
    truncated: int
    rows: int
    lengths: NDArray[np.int64]
    counts: Mapping[str, int] = field(default_factory=dict)


class Task(ABC):
    """A task: where its rows come from, how a model reads them, how its answers are judged.

    The classes here are abstract; those in `tasks/` are final. Raise `version` when the same
    fields would give other answers. The fields in `later` came after answers had been stored:
    where they are empty they are no part of a key, so that those answers are still found.

    `asks` says that an item is a question with an answer, which may be shown before another,
    `one_prompt` that an item is one prompt, at whose end its label is to be said.

    `metrics` are those by which it is scored where a study names none, the first being the usual
    one; `more_metrics` those that a study may name beside them.

    A named task says where its rows come from and what they are: `files` for data that come with
    the package; `hub` for ids of data sets on the hub, each with its configuration (None is the
    default one), the first being the usual source, and `splits` for what a role is called there.
    A study may say otherwise in every point.
    """

    version: ClassVar[int] = 1
    asks: ClassVar[bool] = True
    one_prompt: ClassVar[bool] = False
    data_fields: ClassVar[tuple[str, ...]]
    prompt_fields: ClassVar[tuple[str, ...]]
    decoding_fields: ClassVar[tuple[str, ...]] = ()
    later: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]]
    more_metrics: ClassVar[tuple[str, ...]] = ()
    roles: ClassVar[tuple[str, ...]] = ("train", "dev", "test")
    files: ClassVar[Mapping[str, str]] = {}
    hub: ClassVar[Mapping[str, str | None]] = {}
    splits: ClassVar[Mapping[str, str]] = {}
    title: ClassVar[str] = ""
    language: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    link: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    about: ClassVar[str] = ""

    def data_options(self) -> dict[str, Any]:
        """Return the fields that decide the splits, as JSON."""
        return self._fields(self.data_fields)

    def prompt_options(self) -> dict[str, Any]:
        """Return the fields that decide what a model reads, as JSON."""
        return self._fields(self.prompt_fields)

    def decoding_options(self) -> dict[str, Any]:
        """Return the fields that decide how a model writes its answer, as JSON; mostly none."""
        return self._fields(self.decoding_fields)

    @property
    def talks(self) -> bool:
        """Whether a row may be a conversation whose turns a chat template writes."""
        return False

    @property
    def ended(self) -> bool:
        """Whether the token that ends an answer is learned, or read to stop."""
        return False

    @property
    def usual_metrics(self) -> tuple[str, ...]:
        """The metrics that score the task where a study names none."""
        return self.metrics

    def _fields(self, names: Sequence[str]) -> dict[str, Any]:
        fields: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return {n: fields[n] for n in names if fields[n] or n not in self.later}

    @classmethod
    def odd_roles(cls, roles: Collection[str]) -> str:
        """Return what is wrong with data of these roles together, beside one that is missing."""
        return ""

    @abstractmethod
    def look(self, files: Mapping[str, Sequence[Path]]) -> Mapping[str, Row]:
        """Return the first row of each role, before anything is run; none where it is dropped.

        Raises DataError where a column is missing or holds what the task cannot read.
        """

    def first_rows(self, files: Sequence[Path], role: str, most: int) -> list[Row]:
        """Return the first rows of a role that are not dropped; none where rows need no look."""
        return []

    @abstractmethod
    def split(self, files: Mapping[str, Sequence[Path]]) -> Splits:
        """Return the splits made from the data files: role to its files, in order.

        A role's rows are counted through all its files. Raises DataError naming file and row
        when the data cannot be used.
        """

    @abstractmethod
    def encode(self, rows: Iterable[Row], tokeniser: Any, *, length: int, chat: bool) -> Encoded:
        """Return the rows as segments of at most `length` tokens."""

    @abstractmethod
    def answers(self, tokeniser: Any, *, chat: bool) -> Answers:
        """Return the label names and the tokens of their words, or what ends a free text."""

    @staticmethod
    @abstractmethod
    def training(encoded: Segments, answers: Answers) -> Segments:
        """Return what is learned from: the prompts followed by their answers."""

    @staticmethod
    @abstractmethod
    def predict(model: Any, encoded: Segments, answers: Answers) -> Iterator[dict[str, Any]]:
        """Yield one prediction per item, in order, without its id: raw scores and the answer.

        Where there are `decoding_fields`, it takes their values as `decoding` and a `tokeniser`
        too, by keyword.
        """
