"""Classification as a language model sees it: a prompt, then the word of the right label.

A label's score is the log-likelihood of its word after the prompt, normalised over the labels. Or
the model writes, and what it writes is a label only if it begins with the word of one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import DataError, StudyError
from smalltune.data.cells import brief, shown
from smalltune.data.labels import (
    alike,
    is_missing,
    label_words,
    no_label,
    spellings,
    written_label,
)
from smalltune.data.prompted import Prompted
from smalltune.data.splits import Row, chunks
from smalltune.data.tables import read_rows
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers, Encoded, Task
from smalltune.models.cutting import Cutter
from smalltune.models.families import Prompts
from smalltune.models.lines import read_text
from smalltune.models.near_cuts import joints_of

__all__ = ["Classification"]

CHUNK = 1000
READ = "first line, whole, signs apart"
"""How a label is found in what is written: part of the keys of written labels alone."""

MORE = 4
"""Tokens that may be written beyond a label's word, to see whether the word ends there."""


@dataclass(frozen=True)
class Classification(Prompted, Task):
    """Rows with text columns and a label column. Abstract: `tasks/` holds the final classes.

    `labels` maps each value of the label column to the word that stands for it. `answered` says how
    a model answers: its label is "chosen", the likeliest of the words, or "written", what it writes
    by itself, greedily. What is learned is then the word and the token that ends it. A text that
    does not begin with a label's word, or whose first line also names another label, is no answer:
    it is wrong and counted by `invalid_rate`, and no label has a probability.
    """

    label: str = "label"
    labels: Mapping[str, str] = field(default_factory=dict)
    answered: Literal["chosen", "written"] = "chosen"

    version: ClassVar[int] = 2
    one_prompt: ClassVar[bool] = True
    data_fields: ClassVar[tuple[str, ...]] = (
        "text", "label", "labels", "id", "group", "dev", "test",
    )  # fmt: skip
    prompt_fields: ClassVar[tuple[str, ...]] = ("text", "labels", "prompt", "uncut", "keep_end")
    decoding_fields: ClassVar[tuple[str, ...]] = ("answered",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1", "nll")
    more_metrics: ClassVar[tuple[str, ...]] = (
        "matthews", "micro_f1", "ece", "ece_scaled", "brier", "invalid_rate",
    )  # fmt: skip
    ending: ClassVar[str] = "Label:"

    def __post_init__(self) -> None:
        """Refuse a prompt without its text columns or two labels with one word.

        Written words are told apart by their letters and figures, so they must hold some.
        """
        super().__post_init__()
        words = list(self.labels.values())
        if len(set(words)) < len(words):
            raise StudyError(f"two labels have the same word: {', '.join(map(str, words))}")
        bare = {label_words(word) for word in words}
        if self.answered == "written" and (len(bare) < len(words) or () in bare):
            raise StudyError(
                "answered: written tells words apart by letters and figures, not by case or what "
                f"stands around them, and so cannot tell {', '.join(words)}: give the labels other "
                "words"
            )

    @property
    def ended(self) -> bool:
        """A label that is written has an end, one that is chosen has none."""
        return self.answered == "written"

    def prompt_options(self) -> dict[str, Any]:
        """Return what a model reads, and how it answers where it has to learn an end."""
        written = {"answered": self.answered} if self.answered == "written" else {}
        return super().prompt_options() | written

    def decoding_options(self) -> dict[str, Any]:
        """Return how a label is written and read; nothing where it is chosen, as it always was."""
        if self.answered == "chosen":
            return {}
        return super().decoding_options() | {"read": READ, "beyond": MORE}

    # Data

    @property
    def _names(self) -> list[str]:
        return list(self.labels.values())

    @property
    def _needed(self) -> tuple[str, ...]:
        """The columns that every row must have."""
        given = (self.id, self.group)
        return (*self.columns, self.label, *(column for column in given if column))

    def _look(self, paths: Sequence[Path], raw: Mapping[str, Any], role: str) -> None:
        """Refuse a split whose labels are hidden, as in the test splits of benchmarks."""
        super()._look(paths, raw, role)
        if self._hidden(raw) and all(self._hidden(r) for path in paths for _, r in read_rows(path)):
            raise DataError(
                f"{paths[0]}: the labels of the {role} split are hidden (each is "
                f"{raw[self.label]!r}), so it cannot be used: name another split "
                "under `splits:`, such as validation"
            )

    def _hidden(self, raw: Mapping[str, Any]) -> bool:
        value = raw.get(self.label, "")
        named = any(each in self.labels for each in spellings(value))
        return value is None or ("-1" in spellings(value) and not named)

    def _row(self, raw: Mapping[str, Any], where: str, name: str) -> Row:
        fields = self._texts(raw, where)
        label = self._label(raw, where)
        return Row(self._named(raw, name), fields, label, group=self._group_of(raw, where))

    def _label(self, raw: Mapping[str, Any], where: str) -> str:
        """Return the word of a row's label; a number may be written as 1 or 1.0, true as True."""
        value = raw[self.label]
        named = next((each for each in spellings(value) if each in self.labels), None)
        if named is not None:
            return self.labels[named]
        if is_missing(value):
            raise DataError(f"{where}: the column {self.label!r} {no_label(value)}")
        near = next((each for each in self.labels if alike((each, str(value)))), None)
        hint = (
            f"Did you mean {near!r}? Write it alike in the file and in the study"
            if near
            else "Give it a word under `labels:`, or drop the row"
        )
        raise DataError(
            f"{where}: the label {brief(value)} is not among the study's labels: "
            f"{shown(self.labels)}. {hint}"
        )

    # What a model reads

    def encode(self, rows: Iterable[Row], tokeniser: Any, *, length: int, chat: bool) -> Encoded:
        """Return the prompts; a text that is too long loses its end, never the prompt's."""
        answers = self.answers(tokeniser, chat=chat)
        room = length - max((len(t) for t in answers.tokens), default=0)
        place = {name: index for index, name in enumerate(answers.names)}
        encode = Prompts(tokeniser, chat).encode
        cutter = Cutter(
            self._render, encode, room, frozenset(self.uncut), self.keep_end, joints_of(tokeniser)
        )
        kept: list[NDArray[np.int32]] = []
        lengths: list[int] = []
        labels: list[int] = []
        for few in chunks(rows, CHUNK):
            encoded, before = cutter.fit([row.fields for row in few], [row.id for row in few])
            kept += [np.array(ids, dtype=np.int32) for ids in encoded]
            lengths += before
            labels += [place[row.label] for row in few]
        segments = Segments.of(kept, [len(ids) for ids in kept], labels)
        truncated = sum(length > room for length in lengths)
        return Encoded(segments, truncated, len(labels), np.array(lengths, dtype=np.int64))

    def answers(self, tokeniser: Any, *, chat: bool) -> Answers:
        """Return the labels' words as the tokens behind the prompt, written ones with an end."""
        words, prompts = tuple(self.labels.values()), Prompts(tokeniser, chat)
        tokens = prompts.answers(self._stub, words)
        if len(set(tokens)) < len(tokens):
            raise StudyError(
                f"this tokeniser cannot tell the label words apart: {', '.join(words)}"
            )
        if self.answered == "written":
            tokens = tuple((*each, prompts.ends[0]) for each in tokens)
        return Answers(words, tokens)

    # Learning and answering

    @staticmethod
    def training(encoded: Segments, answers: Answers) -> Segments:
        """Return the prompts followed by the words of their labels."""
        return encoded.followed_by(answers.tokens, encoded.labels.tolist())

    @staticmethod
    def predict(
        model: Any,
        encoded: Segments,
        answers: Answers,
        *,
        decoding: Mapping[str, Any] | None = None,
        tokeniser: Any = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield log-probabilities over the labels and the most likely one.

        Where labels are written, yield the text, whether it ended, its log-probability and the
        label that it is, None where it is none.
        """
        from smalltune.engine.scoring import label_log_probs

        how = dict(decoding or {})
        if how.get("answered") == "written":
            yield from _written(model, encoded, answers, tokeniser, how)
            return
        for row in label_log_probs(model, encoded, answers.tokens):
            name = answers.names[int(np.argmax(row))]
            yield {"log_probs": [float(f"{v:.7g}") for v in row], "predicted": name}


def _written(
    model: Any, prompts: Segments, answers: Answers, tokeniser: Any, how: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Let a model write `beyond` tokens more than the longest label word with its end has.

    In a chat a block of reasoning before the label is no part of the text (`thoughts`).
    """
    from smalltune.engine.generation import Decoding, generate

    longest = max(len(tokens) for tokens in answers.tokens) + how.get("beyond", MORE)
    learnt, eos = answers.tokens[0][-1], tokeniser.eos_token_id
    ends = list(dict.fromkeys([learnt, *([] if eos is None else [int(eos)])]))
    for said in generate(model, prompts, Decoding(longest=longest), ends=ends):
        text = read_text(tokeniser, said.tokens, line=False, chat="thoughts" in how)
        yield {
            "text": text,
            "ended": said.ended,
            "log_prob": float(f"{said.log_prob:.7g}"),
            "predicted": written_label(text, answers.names),
        }
