"""Classification as a language model sees it: a prompt, then the word of the right label.

A label's score is the log-likelihood of its word after the prompt, normalised over the labels.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import DataError, StudyError
from smalltune.data.labels import alike, is_missing, no_label, spellings
from smalltune.data.remarks import remarks
from smalltune.data.splits import DevRule, Row, carve, chunks, drop_repeats
from smalltune.data.tables import read_rows
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers, Encoded, Splits, Task
from smalltune.models.cutting import Cutter
from smalltune.models.families import Prompts

__all__ = ["Classification"]

_PLACE = re.compile(r"\{\w+\}")
SHOWN = 10
CHUNK = 1000


@dataclass(frozen=True)
class Classification(Task):
    """Rows with text columns and a label column. Abstract: `tasks/` holds the final classes.

    `labels` maps each value of the label column to the word that stands for it. Without a dev
    file, `dev` says how dev is carved from train. Train rows that repeat a dev or test row are
    dropped and counted.
    """

    text: str | tuple[str, ...] = "text"
    label: str = "label"
    labels: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None
    dev: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = ""

    version: ClassVar[int] = 2
    data_fields: ClassVar[tuple[str, ...]] = ("text", "label", "labels", "id", "dev")
    prompt_fields: ClassVar[tuple[str, ...]] = ("text", "labels", "prompt")
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1", "nll")

    def __post_init__(self) -> None:
        """Refuse a prompt without its text columns or two labels with one word."""
        held = {found for found in self._places.findall(self.template)}
        if held != set(self.columns) or _PLACE.search(self._places.sub("", self.template)):
            wanted = ", ".join(f"{{{c}}}" for c in self.columns)
            raise StudyError(f"the prompt {self.prompt!r} must hold exactly {wanted}")
        words = list(self.labels.values())
        if len(set(words)) < len(words):
            raise StudyError(f"two labels have the same word: {', '.join(map(str, words))}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The text columns."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)

    @property
    def template(self) -> str:
        """The prompt, or the text columns and the word "Label:" where the study gives none."""
        return self.prompt or "\n".join(f"{{{c}}}" for c in self.columns) + "\nLabel:"

    @property
    def _places(self) -> re.Pattern[str]:
        """Where the template names a text column; a column's name may hold any character."""
        return re.compile(r"\{(" + "|".join(re.escape(c) for c in self.columns) + r")\}")

    # Data

    def split(self, files: Mapping[str, Sequence[Path]]) -> Splits:
        """Read the files; drop train rows that would leak; carve dev where there is none.

        What occurs in test leaves train first, so that a carved dev does not hold it either.
        """
        rows = {role: self._read(files[role], role) for role in self.roles if role in files}
        dropped: dict[str, int] = {}
        notes: list[str] = []
        whole = False
        for role in ("test", "dev"):
            if role not in rows:
                whole = self._carve(rows, files["train"][0], dropped, notes)
                continue
            kept = drop_repeats(rows["train"], rows[role])
            if not kept:
                raise DataError(
                    f"{files['train'][0]}: every row of it is repeated in {role}, which leaves "
                    "none to train on: are they one file?"
                )
            if len(kept) < len(rows["train"]):
                dropped[f"train rows repeated in {role}"] = len(rows["train"]) - len(kept)
            rows["train"] = kept
        for role in ("train", "dev"):
            if not rows[role]:
                raise DataError(f"{files.get(role, files['train'])[0]}: the {role} split is empty")
        notes += remarks(rows, list(self.labels.values()), parts=whole)
        return Splits(rows["train"], rows["dev"], rows["test"], dropped, notes)

    def _carve(
        self, rows: dict[str, list[Row]], path: Path, dropped: dict[str, int], notes: list[str]
    ) -> bool:
        """Take dev out of train; tell whether only whole texts were taken."""
        rule = DevRule(**self.dev)
        if rule.rows >= len(rows["train"]):
            raise DataError(
                f"{path}: dev wants {rule.rows} of {len(rows['train'])} rows and "
                "leaves none to train on: lower `dev: {rows: ...}` in the study"
            )
        carved = carve(rows["train"], rule)
        rows |= {"train": carved.train, "dev": carved.dev}
        dropped |= carved.dropped
        if len(carved.dev) < rule.rows:
            notes.append(
                f"dev holds {len(carved.dev)} rows and not {rule.rows}: no more rows of train are "
                "part of no other row"
            )
        return rule.whole

    def _read(self, paths: Sequence[Path], role: str) -> list[Row]:
        rows: list[Row] = []
        first: dict[str, str] = {}
        for path in paths:
            for where, raw in read_rows(path):
                if not rows and self._hidden(raw) and self._all_hidden(paths):
                    raise DataError(
                        f"{paths[0]}: the labels of the {role} split are hidden (each is "
                        f"{raw[self.label]!r}), so it cannot be used: name another split "
                        "under `splits:`, such as validation"
                    )
                row = self._row(raw, where if rows else str(path), where, f"{role}-{len(rows) + 1}")
                if self.id and first.setdefault(row.id, where) != where:
                    before = first[row.id].removeprefix(f"{path}, ")
                    raise DataError(f"{where}: the id {row.id!r} is that of {before} too")
                rows.append(row)
        if not rows:
            raise DataError(f"{paths[0]}: the {role} split is empty")
        return rows

    def _all_hidden(self, paths: Sequence[Path]) -> bool:
        """Tell whether no row of a split shows its label, as in the test splits of benchmarks."""
        return all(self._hidden(raw) for path in paths for _, raw in read_rows(path))

    def _hidden(self, raw: Mapping[str, Any]) -> bool:
        value = raw.get(self.label, "")
        named = any(each in self.labels for each in spellings(value))
        return value is None or ("-1" in spellings(value) and not named)

    def _row(self, raw: Mapping[str, Any], table: str, where: str, name: str) -> Row:
        for column in (*self.columns, self.label, *([self.id] if self.id else [])):
            if column not in raw:
                raise DataError(
                    f"{table}: no column {column!r}; the columns are: {_shown(map(str, raw))}"
                )
        fields = {column: raw[column] for column in self.columns}
        for column, text in fields.items():
            if not isinstance(text, str) or not text.strip():
                raise DataError(
                    f"{where}: the column {column!r} holds no text: fill it in or drop the row"
                )
        return Row(str(raw[self.id]) if self.id else name, fields, self._label(raw, where))

    def _label(self, raw: Mapping[str, Any], where: str) -> str:
        """Return the word of a row's label; a number may be written as 1 or 1.0, true as True."""
        value = raw[self.label]
        named = next((each for each in spellings(value) if each in self.labels), None)
        if named is not None:
            return self.labels[named]
        if is_missing(value):
            raise DataError(f"{where}: the column {self.label!r} {no_label(value)}")
        near = next((each for each in self.labels if alike((each, str(value)))), None)
        hint = f". Did you mean {near!r}? Write it alike in the file and in the study"
        raise DataError(
            f"{where}: the label {value!r} is not among the study's labels: "
            f"{_shown(self.labels)}{hint if near else ''}"
        )

    # What a model reads

    def encode(self, rows: Iterable[Row], tokeniser: Any, *, length: int, chat: bool) -> Encoded:
        """Return the prompts; a text that is too long loses its end, never the prompt's."""
        answers = self.answers(tokeniser, chat=chat)
        room = length - max((len(t) for t in answers.tokens), default=0)
        place = {name: index for index, name in enumerate(answers.names)}
        cutter = Cutter(self._render, Prompts(tokeniser, chat).encode, room)
        kept: list[NDArray[np.int32]] = []
        lengths: list[int] = []
        labels: list[int] = []
        for few in chunks(rows, CHUNK):
            encoded, before = cutter.fit([row.fields for row in few])
            kept += [np.array(ids, dtype=np.int32) for ids in encoded]
            lengths += before
            labels += [place[row.label] for row in few]
        segments = Segments.of(kept, [len(ids) for ids in kept], labels)
        truncated = sum(length > room for length in lengths)
        return Encoded(segments, truncated, len(labels), np.array(lengths, dtype=np.int64))

    def answers(self, tokeniser: Any, *, chat: bool) -> Answers:
        """Return the labels' words as the tokens that follow the prompt."""
        words = tuple(self.labels.values())
        tokens = Prompts(tokeniser, chat).answers(self._places.sub("a", self.template), words)
        if len(set(tokens)) < len(tokens):
            raise StudyError(
                f"this tokeniser cannot tell the label words apart: {', '.join(words)}"
            )
        return Answers(words, tokens)

    def _render(self, fields: Mapping[str, str]) -> str:
        return self._places.sub(lambda found: fields[found[1]], self.template)

    # Learning and answering

    @staticmethod
    def training(encoded: Segments, answers: Answers) -> Segments:
        """Return the prompts followed by the words of their labels."""
        return encoded.followed_by(answers.tokens, encoded.labels.tolist())

    @staticmethod
    def predict(model: Any, encoded: Segments, answers: Answers) -> Iterator[dict[str, Any]]:
        """Yield log-probabilities over the labels and the most likely one."""
        from smalltune.engine.scoring import label_log_probs

        for row in label_log_probs(model, encoded, answers.tokens):
            name = answers.names[int(np.argmax(row))]
            yield {"log_probs": [float(f"{v:.7g}") for v in row], "predicted": name}


def _shown(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more
