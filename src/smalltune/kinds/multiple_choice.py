"""Multiple choice: a question, and the choice that a model finds likeliest after it.

As lm-evaluation-harness counts: a choice's log-likelihood after the prompt and a space is summed
over its tokens; `accuracy` takes the largest sum where `normalise` is "none" (their acc), the
largest sum over the choice's length where it is "characters" (their acc_norm).
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import StudyError
from smalltune.data.choices import choices_of, letter_of, letters
from smalltune.data.prompted import Prompted
from smalltune.data.splits import Row, chunks
from smalltune.data.tables import column_of
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers, Encoded, Task
from smalltune.models.cutting import Cutter
from smalltune.models.families import Prompts

__all__ = ["MultipleChoice"]

CHUNK = 1000
BORDER = -1
"""Stands before each choice in an item's segment, where no token's number can stand."""
NEVER = -1e9
"""The log-probability, in nats, of a choice that an item does not have."""


@dataclass(frozen=True)
class MultipleChoice(Prompted, Task):
    """Rows with text columns, choices and the right one. Abstract: `tasks/` holds the final class.

    choices     the columns of the choices, or the one column that holds a list of them (`most` is
                the largest number that any row has)
    answer      the column of the right one: its letter, its place counted from `first`, or its text
    answer_is   which of these it is, "letter", "place" or "text", where a value could be read in
                two ways
    normalise   what a choice's log-likelihood is divided by before choices are compared: its
                "characters", "bytes" (of UTF-8) or "tokens", so that a short choice has no
                advantage; or "none". It decides the answer only: a choice's probability, which
                `nll`, `ece` and `brier` judge, is that of its text among the choices' texts

    Where the prompt holds {choices}, they stand there as `A. ...`, one a line, and their letters
    are compared instead of their texts.
    """

    text: str | tuple[str, ...] = "question"
    choices: str | tuple[str, ...] = "choices"
    answer: str = "answer"
    most: int = 4
    first: int = 0
    answer_is: Literal["letter", "place", "text"] | None = None
    normalise: Literal["characters", "bytes", "tokens", "none"] = "characters"

    version: ClassVar[int] = 2
    data_fields: ClassVar[tuple[str, ...]] = (
        "text", "choices", "answer", "most", "first", "answer_is", "id", "group", "dev", "test",
    )  # fmt: skip
    prompt_fields: ClassVar[tuple[str, ...]] = (
        "text",
        "choices",
        "most",
        "prompt",
        "uncut",
        "keep_end",
    )
    decoding_fields: ClassVar[tuple[str, ...]] = ("normalise",)
    later: ClassVar[tuple[str, ...]] = (*Prompted.later, "answer_is")
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1", "nll")
    more_metrics: ClassVar[tuple[str, ...]] = (
        "matthews", "micro_f1", "ece", "ece_scaled", "brier", "invalid_rate",
    )  # fmt: skip
    extra: ClassVar[tuple[str, ...]] = ("choices",)

    def __post_init__(self) -> None:
        """Refuse what leaves nothing to choose."""
        super().__post_init__()
        if not 2 <= self._most <= len(string.ascii_uppercase):
            raise StudyError("multiple choice is among 2 to 26 choices: see `choices` and `most`")

    @property
    def _most(self) -> int:
        return self.most if isinstance(self.choices, str) else len(self.choices)

    @property
    def labels(self) -> dict[str, str]:
        """The letters of the choices."""
        return {letter: letter for letter in self._names}

    @property
    def _names(self) -> list[str]:
        return letters(self._most)

    @property
    def _by_letter(self) -> bool:
        return "{choices}" in self.template

    # Data

    @property
    def _needed(self) -> tuple[str, ...]:
        """The columns that every row must have."""
        listed = (self.choices,) if isinstance(self.choices, str) else self.choices
        given = (self.id, self.group)
        return (*self.columns, *listed, self.answer, *(column for column in given if column))

    def _row(self, raw: Mapping[str, Any], where: str, name: str) -> Row:
        fields = self._texts(raw, where)
        choices = choices_of(raw, self.choices, self._most, where)
        said = column_of(raw, self.answer)
        letter = letter_of(said, choices, self.first, where, self.answer_is)
        group = self._group_of(raw, where)
        return Row(self._named(raw, name), fields, letter, choices=choices, group=group)

    # What a model reads

    def encode(self, rows: Iterable[Row], tokeniser: Any, *, length: int, chat: bool) -> Encoded:
        """Return one segment for each item: its prompt, then each choice after a BORDER.

        A segment's label is the place of the right choice, and its answer begins at the first
        border. `length` holds for the prompt with the longest of its own choices, so that an item
        is read alike whatever stands beside it.
        """
        prompts = Prompts(tokeniser, chat)
        kept: list[NDArray[np.int32]] = []
        begins: list[int] = []
        right: list[int] = []
        lengths: list[int] = []
        truncated = 0
        for few in chunks(rows, CHUNK):
            said = self._said(few, prompts)
            rooms = [_room(row, each, length) for row, each in zip(few, said, strict=True)]
            asked, before = self._fit(few, rooms, prompts)
            for row, ids, choices in zip(few, asked, said, strict=True):
                whole = [*ids, *(i for choice in choices for i in (BORDER, *choice))]
                kept.append(np.array(whole, dtype=np.int32))
                begins.append(len(ids))
                right.append(self._names.index(row.label))
            lengths += before
            truncated += sum(each > room for each, room in zip(before, rooms, strict=True))
        segments = Segments.of(kept, begins, right)
        return Encoded(segments, truncated, len(kept), np.array(lengths, dtype=np.int64))

    def _fit(
        self, rows: Sequence[Row], rooms: Sequence[int], prompts: Prompts
    ) -> tuple[list[list[int]], list[int]]:
        """Return the rows' prompts, each cut to its room, and their lengths before the cut."""
        uncut = frozenset((*self.uncut, *(self.extra if self._by_letter else ())))
        asked: list[list[int]] = [[] for _ in rows]
        before = [0] * len(rows)
        for room in sorted(set(rooms)):
            places = [i for i, each in enumerate(rooms) if each == room]
            cutter = Cutter(self._render, prompts.encode, room, uncut, self.keep_end)
            names = [rows[i].id for i in places]
            found = cutter.fit([self._asked(rows[i]) for i in places], names)
            for i, ids, size in zip(places, *found, strict=True):
                asked[i], before[i] = ids, size
        return asked, before

    def _asked(self, row: Row) -> Mapping[str, str]:
        if not self._by_letter:
            return row.fields
        listed = zip(self._names, row.choices, strict=False)
        return {**row.fields, "choices": "\n".join(f"{name}. {text}" for name, text in listed)}

    def _said(self, rows: Sequence[Row], prompts: Prompts) -> list[list[list[int]]]:
        """Return the tokens of each row's choices as they follow the prompt."""
        texts = [
            self._names[: len(row.choices)] if self._by_letter else row.choices for row in rows
        ]
        flat = prompts.replies(self._stub, [text for each in texts for text in each])
        rest = iter(flat)
        return [[next(rest) for _ in each] for each in texts]

    def answers(self, tokeniser: Any, *, chat: bool) -> Answers:
        """Return the letters; what is compared differs from item to item."""
        return Answers(tuple(self._names), ())

    # Learning and answering

    @staticmethod
    def training(encoded: Segments, answers: Answers) -> Segments:
        """Return the prompts followed by the right choice."""
        whole, begins = [], encoded.answers.tolist()
        for i, place in enumerate(encoded.labels):
            prompt, choices = _parted(encoded[i], begins[i])
            whole.append(np.concatenate([prompt, choices[place]]))
        return Segments.of(whole, begins, encoded.labels.tolist())

    @staticmethod
    def predict(
        model: Any,
        encoded: Segments,
        answers: Answers,
        *,
        decoding: Mapping[str, Any] | None = None,
        tokeniser: Any = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the log-probabilities over the choices, the sums in nats, and the answer.

        `log_probs` are the sums normalised over the choices, with a number for each letter, NEVER
        for one that the item does not have. `predicted` is the choice whose sum over its length is
        the largest, which need not be the likeliest.
        """
        from smalltune.engine.scoring import ending_log_probs

        unit = dict(decoding or {})["normalise"]
        begins = encoded.answers.tolist()
        parts = [_parted(encoded[i], begin) for i, begin in enumerate(begins)]
        prompts = Segments.of([prompt for prompt, _ in parts], begins, encoded.labels.tolist())
        found = ending_log_probs(model, prompts, [choices for _, choices in parts])
        for sums, (_, choices) in zip(found, parts, strict=True):
            scores = sums / [_size(choice, unit, tokeniser) for choice in choices]
            top = sums.max()
            log_probs = np.full(len(answers.names), NEVER)
            log_probs[: len(choices)] = sums - top - np.log(np.exp(sums - top).sum())
            yield {
                "log_probs": [float(f"{v:.7g}") for v in log_probs],
                "sums": [float(f"{v:.9g}") for v in sums],
                "predicted": answers.names[int(np.argmax(scores))],
            }


def _room(row: Row, choices: Sequence[Sequence[int]], length: int) -> int:
    """Return the tokens that are left for a row's prompt before its longest choice."""
    longest = max(map(len, choices))
    if longest >= length:
        raise StudyError(
            f"item {row.id!r}: a choice of {longest} tokens does not fit into {length}: raise "
            "max_length where the model's context allows, or shorten or drop the row"
        )
    return length - longest


def _parted(ids: NDArray[np.int32], begin: int) -> tuple[NDArray[np.int32], list[Any]]:
    """Return the prompt and the choices of an item's segment."""
    rest = ids[begin:]
    borders = np.flatnonzero(rest == BORDER)
    return ids[:begin], [part[1:] for part in np.split(rest, borders)[1:]]


def _size(choice: NDArray[np.int32], unit: str, tokeniser: Any) -> int:
    """Return a choice's length in the unit, its leading space left out; at least 1."""
    if unit in ("none", "tokens"):
        return len(choice) if unit == "tokens" else 1
    text = str(tokeniser.decode(choice.tolist(), clean_up_tokenization_spaces=False)).strip()
    return max(1, len(text) if unit == "characters" else len(text.encode()))
