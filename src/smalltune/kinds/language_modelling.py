"""Language modelling: predict every next token of running text; judged in bits per byte."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import DataError
from smalltune.data.documents import documents
from smalltune.data.splits import Row, chunks
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers, Encoded, Splits, Task
from smalltune.models.cutting import batch
from smalltune.models.families import bounds

__all__ = ["LanguageModelling"]


@dataclass(frozen=True)
class LanguageModelling(Task):
    """Documents in as many files as the study names: JSON lines, tables or plain text.

    In plain text (`.txt`) a document is what stands between two blank lines.

    Files named train, dev and test are the splits, all three. Otherwise a document is held out by
    the hash of its text, so the choice does not depend on the order of rows or files: `held_out` is
    the share that goes to dev, and the same share to test. A document that occurs twice counts
    once, in the files' case where it is held out. A held-out document keeps its first `longest`
    characters. Abstract: `tasks/` holds the final classes.
    """

    text: str = "text"
    held_out: float = 0.01
    longest: int = 20_000

    version: ClassVar[int] = 2
    asks: ClassVar[bool] = False
    data_fields: ClassVar[tuple[str, ...]] = ("text", "held_out", "longest")
    prompt_fields: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ("bits_per_byte",)
    more_metrics: ClassVar[tuple[str, ...]] = ("perplexity",)
    roles: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def odd_roles(cls, roles: Collection[str]) -> str:
        """Return what is wrong where only one of dev and test has files, or others stand beside.

        Their documents would be parted by hash, and so come to be trained on.
        """
        there, splits = set(roles), {"train", "dev", "test"}
        if not {"dev", "test"} & there or there == splits:
            return ""
        odd = min(splits ^ there)
        return (
            "running text has files of train, dev and test, or files of other names of which a "
            f"part is held out: {'there are none of' if odd in splits else 'rename'} {odd!r}"
        )

    def look(self, files: Mapping[str, Sequence[Path]]) -> Mapping[str, Row]:
        """Refuse data by the first document of each role; no row says more than that."""
        for role, paths in files.items():
            next(self._documents(role, paths), None)
        return {}

    def split(self, files: Mapping[str, Sequence[Path]]) -> Splits:
        """Read the documents of all files; drop repeated ones; hold out by document."""
        if odd := self.odd_roles(files):
            raise DataError(f"{files[min(files)][0]}: {odd}")
        given = "test" in files
        parts: dict[str, list[Row]] = {"train": [], "dev": [], "test": []}
        seen: set[str] = set()
        repeated = 0
        roles = ("test", "dev", "train") if given else sorted(files)
        for role in roles:
            for name, text in self._documents(role, files[role]):
                digest = hashlib.sha256(text.encode()).hexdigest()
                if digest in seen:
                    repeated += 1
                    continue
                seen.add(digest)
                split = role if given else self._place(digest)
                kept = text if split == "train" else text[: self.longest]
                parts[split].append(Row(name, {"text": kept}, ""))
        for split, rows in parts.items():
            if not rows:
                raise DataError(_empty(split, files, given))
        dropped = {"repeated documents": repeated}
        return Splits(parts["train"], parts["dev"], parts["test"], dropped)

    def _documents(self, role: str, paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
        """Yield the id and the text of each document, counted through the files."""
        before = 0
        for path in paths:
            number = 0
            for number, text in documents(path, self.text):
                yield f"{role}-{before + number}", text
            before += number

    def _place(self, digest: str) -> str:
        share = int(digest[:8], 16) / 0x100000000
        if share < self.held_out:
            return "test"
        return "dev" if share < 2 * self.held_out else "train"

    def encode(self, rows: Iterable[Row], tokeniser: Any, *, length: int, chat: bool) -> Encoded:
        """Return the documents in pieces of `length` tokens, the end token between documents.

        A piece starts where the one before ended and repeats its last token, so that every token
        but a document's first is predicted exactly once. A document that spells the end token is
        not cut there.
        """
        begin, end = bounds(tokeniser)
        pieces: list[NDArray[np.int32]] = []
        owners: list[int] = []
        owner = 0
        for few in chunks(rows, 64):
            texts = [row.fields["text"] for row in few]
            for ids in batch(tokeniser, texts):
                stream = np.array([begin, *ids, end], dtype=np.int32)
                for start in range(0, len(stream) - 1, length - 1):
                    pieces.append(stream[start : start + length])
                    owners.append(owner)
                owner += 1
        segments = Segments.of(pieces, [1] * len(pieces), owners)
        return Encoded(segments, 0, owner, segments.lengths)

    def answers(self, tokeniser: Any, *, chat: bool) -> Answers:
        """Return nothing: the text is its own answer."""
        return Answers((), ())

    @staticmethod
    def training(encoded: Segments, answers: Answers) -> Segments:
        """Return the pieces as they are."""
        return encoded

    @staticmethod
    def predict(model: Any, encoded: Segments, answers: Answers) -> Iterator[dict[str, Any]]:
        """Yield the log-likelihood of each document in nats, and how many tokens were predicted."""
        from smalltune.engine.scoring import log_likelihoods

        documents = int(encoded.labels.max()) + 1
        predicted = encoded.lengths - encoded.answers
        tokens = np.bincount(encoded.labels, weights=predicted, minlength=documents)
        totals = [0.0] * documents
        for owner, value in zip(encoded.labels, log_likelihoods(model, encoded), strict=True):
            totals[owner] += value
        for total, count in zip(totals, tokens, strict=True):
            yield {"log_probs": [float(f"{total:.9g}")], "tokens": int(count), "predicted": ""}


def _empty(split: str, files: Mapping[str, Sequence[Path]], given: bool) -> str:
    """Return that no document is in a split, and how one comes there."""
    first = files[split if given else min(files)][0]
    way = "a file with documents of its own" if given else "more documents or a larger held_out"
    return f"{first}: the {split} split is empty: give {way}"
