"""Classification as a language model sees it: a prompt, then the word of the right label.

A label's score is the log-likelihood of its word after the prompt, normalised over the labels.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from smalltune.core.errors import DataError, StudyError
from smalltune.data.splits import DevRule, Row, carve, drop_repeats
from smalltune.data.tables import read_table
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers, Encoded, Splits, Task

__all__ = ["Classification"]

_PLACE = re.compile(r"\{\w+\}")


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

    version: ClassVar[int] = 1
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

    def split(self, files: Mapping[str, Path]) -> Splits:
        """Read the files; carve dev where there is none; drop train rows that would leak."""
        rows = {role: self._read(files[role], role) for role in files}
        dropped: dict[str, int] = {}
        if "dev" not in rows:
            rule = DevRule(**self.dev)
            if rule.rows >= len(rows["train"]):
                raise DataError(
                    f"{files['train']}: dev wants {rule.rows} of {len(rows['train'])} rows and "
                    "leaves none to train on: lower `dev: {rows: ...}` in the study"
                )
            carved = carve(rows["train"], rule)
            rows |= {"train": carved.train, "dev": carved.dev}
            dropped |= carved.dropped
        for role in ("dev", "test"):
            kept = drop_repeats(rows["train"], rows[role])
            if len(kept) < len(rows["train"]):
                reason = f"train rows repeated in {role}"
                dropped[reason] = dropped.get(reason, 0) + len(rows["train"]) - len(kept)
            rows["train"] = kept
        for role in ("train", "dev", "test"):
            if not rows[role]:
                raise DataError(f"{files.get(role, files['train'])}: the {role} split is empty")
        return Splits(rows["train"], rows["dev"], rows["test"], dropped)

    def _read(self, path: Path, role: str) -> list[Row]:
        rows = []
        for number, raw in enumerate(read_table(path), 1):
            missing = [c for c in (*self.columns, self.label) if c not in raw]
            if missing:
                has = ", ".join(map(str, raw))
                raise DataError(f"{path}: no column {missing[0]!r}; the columns are: {has}")
            rows.append(self._row(raw, f"{path}, row {number}", f"{role}-{number}"))
        if not rows:
            raise DataError(f"{path}: the {role} split is empty")
        first: dict[str, int] = {}
        for number, row in enumerate(rows, 1):
            if first.setdefault(row.id, number) != number:
                raise DataError(
                    f"{path}, row {number}: the id {row.id!r} is that of row {first[row.id]} too"
                )
        return rows

    def _row(self, raw: Mapping[str, Any], where: str, name: str) -> Row:
        value = raw[self.label]
        if str(value) not in self.labels:
            known = ", ".join(self.labels)
            raise DataError(
                f"{where}: the label {value!r} is not among the study's labels: {known}"
            )
        fields = {column: raw[column] for column in self.columns}
        for column, text in fields.items():
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"{where}: the column {column!r} holds no text")
        return Row(str(raw[self.id]) if self.id else name, fields, self.labels[str(value)])

    # What a model reads

    def encode(self, rows: Sequence[Row], tokeniser: Any, *, length: int, chat: bool) -> Encoded:
        """Return the prompts; a text that is too long loses its end, never the prompt's."""
        answers = self.answers(tokeniser, chat=chat)
        room = length - max((len(t) for t in answers.tokens), default=0)
        place = {name: index for index, name in enumerate(answers.names)}
        prompts = [self._render(row.fields, tokeniser, chat) for row in rows]
        encoded = tokeniser(prompts, add_special_tokens=not chat)["input_ids"] if prompts else []
        truncated = 0
        for index, ids in enumerate(encoded):
            if len(ids) > room:
                encoded[index] = self._cut(rows[index], tokeniser, room, chat)
                truncated += 1
        return Encoded(
            Segments.of(encoded, [len(ids) for ids in encoded], [place[r.label] for r in rows]),
            truncated,
        )

    def answers(self, tokeniser: Any, *, chat: bool) -> Answers:
        """Return the labels' words as the tokens that follow the prompt."""
        words = tuple(self.labels.values())
        tail = "" if chat else self._places.split(self.template)[-1]
        before = tokeniser(tail, add_special_tokens=False)["input_ids"]
        tokens = []
        for word in words:
            text = word if chat or tail.endswith((" ", "\n")) else f" {word}"
            whole = tokeniser(tail + text, add_special_tokens=False)["input_ids"]
            alone = tokeniser(text, add_special_tokens=False)["input_ids"]
            follows = whole[: len(before)] == before
            tokens.append(tuple(whole[len(before) :] if follows else alone))
        if len(set(tokens)) < len(tokens):
            raise StudyError(
                f"this tokeniser cannot tell the label words apart: {', '.join(words)}"
            )
        return Answers(words, tuple(tokens))

    def _render(self, fields: Mapping[str, str], tokeniser: Any, chat: bool) -> str:
        text = self._places.sub(lambda found: fields[found[1]], self.template)
        if not chat:
            return text
        turn = [{"role": "user", "content": text}]
        return str(tokeniser.apply_chat_template(turn, add_generation_prompt=True, tokenize=False))

    def _cut(self, row: Row, tokeniser: Any, room: int, chat: bool) -> list[int]:
        """Return the longest prompt that fits when the longest field keeps only its beginning."""
        longest = max(row.fields, key=lambda name: len(row.fields[name]))
        low, high, best = 0, len(row.fields[longest]), None
        while low <= high:
            middle = (low + high) // 2
            fields = {**row.fields, longest: row.fields[longest][:middle]}
            text = self._render(fields, tokeniser, chat)
            ids = tokeniser(text, add_special_tokens=not chat)["input_ids"]
            if len(ids) <= room:
                low, best = middle + 1, ids
            else:
                high = middle - 1
        if best is None:
            raise StudyError(f"the prompt alone does not fit into a context of {room} tokens")
        return list(best)

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
