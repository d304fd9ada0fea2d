"""Generation: a prompt, then a text that the model writes; judged against reference texts.

Summaries, answers found in a passage, facts put into words. What is learned is the reference and
the token that ends it; the prompt is only read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import DataError, StudyError
from smalltune.data.cells import no_text
from smalltune.data.prompted import NOTHING, Prompted
from smalltune.data.references import expand, first, merge
from smalltune.data.splits import Row, chunks
from smalltune.data.tables import column_of, has_column
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers, Encoded, Task
from smalltune.models.cutting import Cutter
from smalltune.models.families import Prompts
from smalltune.models.lines import has_words, line_ends, read_answer
from smalltune.models.near_cuts import joints_of
from smalltune.models.talks import Talks

__all__ = ["QUESTION_METRICS", "Generation"]

CHUNK = 1000

QUESTION_METRICS = ("token_f1", "exact_match", "invalid_rate", "unended_rate")
"""What answers out of a passage are scored by, the usual one first (Rajpurkar et al., 2016)."""


@dataclass(frozen=True)
class Generation(Prompted, Task):
    """Rows with text columns and reference texts. Abstract: `tasks/` holds the final classes.

    reference       the columns of the references, the first in every row, others where a file has
                    them; a cell is a text or a list of texts, and `answers.text` names one within
                    another
    learn           which references are learned from: "each" or the "first" of a row
    merge           whether rows of dev and test with the same texts are one item with the
                    references of all; false where each row counts, as in SQuAD's own evaluation
    longest         tokens of an answer with its end: the prompt is cut so that they have room, in
                    training as in the test, and a longer reference is learned up to there
    extractive      says that an answer is a part of the text. Texts are cut at their end whether
                    the answer stands there or not, since nothing else is known when a model is
                    asked; rows whose answer is cut away are counted, and left out of training
    judged          whether the model's own text is judged, or how likely the reference is to it
    beams, length_penalty
                    how the answer is searched for; one beam is greedy decoding
    stop            "end" reads until the model ends its answer, "line" also stops after a line

    In train each reference that is learned from is a row of its own. Rows without a text or a
    reference are dropped and counted. Rows of the same texts, or of one `group`, are never in two
    splits.
    """

    reference: str | tuple[str, ...] = "reference"
    learn: Literal["each", "first"] = "each"
    merge: bool = True
    longest: int = 64
    extractive: bool = False
    beams: int = 1
    length_penalty: float = 1.0
    stop: Literal["end", "line"] = "end"

    version: ClassVar[int] = 2
    judged: ClassVar[Literal["text", "likelihood"]] = "text"
    data_fields: ClassVar[tuple[str, ...]] = (
        "text", "reference", "learn", "merge", "id", "group", "dev", "test",
    )  # fmt: skip
    prompt_fields: ClassVar[tuple[str, ...]] = (
        "text", "prompt", "uncut", "keep_end", "longest", "extractive",
    )  # fmt: skip
    decoding_fields: ClassVar[tuple[str, ...]] = ("longest", "beams", "length_penalty", "stop")
    metrics: ClassVar[tuple[str, ...]] = ("rougeL", "chrf", "invalid_rate", "unended_rate")
    more_metrics: ClassVar[tuple[str, ...]] = (
        "rouge1", "rouge2", "rougeLsum", "bleu", "exact_match", "token_f1", "slot_error_rate",
        "slots_missing", "slots_invented",
        "length_ratio", "distinct_1", "distinct_2",
    )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Every answer has an end."""
        return True

    @property
    def usual_metrics(self) -> tuple[str, ...]:
        """Where an answer is a part of the text, by what answers to questions are scored by."""
        return QUESTION_METRICS if self.extractive else self.metrics

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be."""
        super().__post_init__()
        if self.longest < 2 or self.beams < 1:
            raise StudyError(
                "longest must be at least 2 (a token and the end) and beams at least 1"
            )

    # Data

    @property
    def _references(self) -> tuple[str, ...]:
        return (self.reference,) if isinstance(self.reference, str) else tuple(self.reference)

    @property
    def _needed(self) -> tuple[str, ...]:
        """The columns that every row must have."""
        given = (self.id, self.group)
        return (*self.columns, self._references[0], *(column for column in given if column))

    @property
    def _in_groups(self) -> bool:
        return True

    def _row(self, raw: Mapping[str, Any], where: str, name: str) -> Row | str:
        fields = {column: column_of(raw, column) for column in self.columns}
        for column, text in fields.items():
            if text is not None and not isinstance(text, str):
                raise DataError(f"{where}: {no_text(column, text)}")
        references = self._answers_of(raw, where)
        if not references or not all(text and text.strip() for text in fields.values()):
            return NOTHING
        group = self._group_of(raw, where)
        return Row(self._named(raw, name), fields, "", tuple(references), group=group)

    def _answers_of(self, raw: Mapping[str, Any], where: str) -> list[str]:
        """Return the references of a row, each once, in their order."""
        said: dict[str, None] = {}
        for column in self._references:
            value = column_of(raw, column) if has_column(raw, column) else None
            for text in value if isinstance(value, list) else [value]:
                if text is not None and not isinstance(text, str):
                    raise DataError(f"{where}: {no_text(column, text)}")
                if text and text.strip():
                    said.setdefault(text.strip())
        return list(said)

    def _settled(self, role: str, rows: list[Row]) -> list[Row]:
        if role != "train":
            return merge(rows) if self.merge else rows
        return expand(rows) if self.learn == "each" else first(rows)

    # What a model reads

    def encode(self, rows: Iterable[Row], tokeniser: Any, *, length: int, chat: bool) -> Encoded:
        """Return prompts followed by their first reference and the end.

        A segment's label is 1 where the answer was cut out of an extractive prompt, else 0.
        """
        prompts, room = Prompts(tokeniser, chat), length - self.longest
        if room < 1:
            raise StudyError(
                f"longest: {self.longest} tokens of answer leave no room for a prompt in "
                f"{length}: lower it, or raise max_length where the model's context allows"
            )
        cutter = Cutter(
            self._render,
            prompts.encode,
            room,
            frozenset(self.uncut),
            self.keep_end,
            joints_of(tokeniser),
        )
        end = prompts.ends[0]
        kept: list[NDArray[np.int32]] = []
        begins: list[int] = []
        lost: list[int] = []
        lengths: list[int] = []
        short, fewer_turns, texts_cut, talks = 0, 0, 0, False
        for few in chunks(rows, CHUNK):
            asked, before, fewer, cut = self._fit(few, cutter, chat=chat)
            said = prompts.replies(self._stub, [row.references[0] for row in few])
            for row, ids, reply, whole in zip(few, asked, said, before, strict=True):
                answer = [*reply, end][: self.longest]
                short += len(reply) >= self.longest
                kept.append(np.array([*ids, *answer], dtype=np.int32))
                begins.append(len(ids))
                lost.append(int(whole > room and self._lost(row, tokeniser.decode(ids))))
            lengths += before
            fewer_turns += fewer
            texts_cut += cut
            talks |= any(row.turns for row in few)
        truncated = sum(each > room for each in lengths)
        counts = {"answers_cut": short} | ({"answers_lost": sum(lost)} if self.extractive else {})
        counts |= {"turns_dropped": fewer_turns, "texts_cut": texts_cut} if talks else {}
        segments = Segments.of(kept, begins, lost)
        return Encoded(segments, truncated, len(kept), np.array(lengths, dtype=np.int64), counts)

    def _fit(
        self, rows: Sequence[Row], cutter: Cutter, *, chat: bool
    ) -> tuple[list[list[int]], list[int], int, int]:
        """Return the tokens of each prompt, their number uncut, and two counts of rows.

        They are those that lost exchanges of a conversation and those that lost text.
        """
        plain = [row for row in rows if not row.turns]
        spoken = [row for row in rows if row.turns]
        talks = Talks(
            lambda turns: self._talk(turns, chat=chat),
            cutter.encode,
            cutter.room,
            "instruction" in self.uncut,
            self.keep_end,
            cutter.decode,
        )
        asked, before = cutter.fit([row.fields for row in plain], [row.id for row in plain])
        names = [row.id for row in spoken]
        said, sizes, fewer, cut = talks.fit([row.turns for row in spoken], names)
        cut += sum(size > cutter.room for size in before)
        first, second = zip(asked, before, strict=True), zip(said, sizes, strict=True)
        found = [next(second if row.turns else first) for row in rows]
        return [ids for ids, _ in found], [size for _, size in found], fewer, cut

    def _talk(self, turns: tuple[tuple[str, str], ...], *, chat: bool) -> Any:
        """Return the prompt of a conversation; only instruction data hold some."""
        return turns

    def _lost(self, row: Row, seen: str) -> bool:
        """Tell whether none of an extractive item's answers is in what is left of its prompt."""
        there = " ".join(seen.split())
        return self.extractive and not any(" ".join(r.split()) in there for r in row.references)

    def answers(self, tokeniser: Any, *, chat: bool) -> Answers:
        """Return no names, and the tokens that end an answer."""
        return Answers((), tuple((end,) for end in Prompts(tokeniser, chat).ends))

    # Learning and answering

    @staticmethod
    def training(encoded: Segments, answers: Answers) -> Segments:
        """Return the prompts with their answers, without those whose answer was cut away."""
        return (
            encoded.take(np.flatnonzero(encoded.labels == 0)) if encoded.labels.any() else encoded
        )

    @classmethod
    def predict(
        cls,
        model: Any,
        encoded: Segments,
        answers: Answers,
        *,
        decoding: Mapping[str, Any] | None = None,
        tokeniser: Any = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the text that the model writes, whether it ended it, and its log-probability.

        `decoding` holds the task's `decoding_options`; the references are not looked at. A text
        without a word (nothing, dots, blanks) is no answer: `predicted` is None then. A text whose
        line is over has `ended` where a line is asked for. In a chat a block of reasoning before
        the answer, which may have many lines, is no part of the text (`thoughts`).

        Where the kind is `judged` by likelihood nothing is written: yield the log-likelihood of the
        first reference with its end, in nats, and its tokens.
        """
        if cls.judged == "likelihood":
            yield from cls.likelihoods(model, encoded)
            return
        from smalltune.engine.generation import Decoding, generate

        options = dict(decoding or {})
        line, chat = options.pop("stop") == "line", bool(options.pop("thoughts", ""))
        ends = [tokens[0] for tokens in answers.tokens]
        stops = [*ends, *(line_ends(tokeniser) if line and not chat else [])]
        prompts = Segments.of(
            [encoded[i][:begin] for i, begin in enumerate(encoded.answers)],
            encoded.answers.tolist(),
            encoded.labels.tolist(),
        )
        for said in generate(model, prompts, Decoding(**options), ends=stops):
            text, over = read_answer(tokeniser, said.tokens, line=line, chat=chat)
            yield {
                "text": text,
                "ended": said.ended or over,
                "log_prob": float(f"{said.log_prob:.7g}"),
                "predicted": text if has_words(text) else None,
            }

    @staticmethod
    def likelihoods(model: Any, encoded: Segments) -> Iterator[dict[str, Any]]:
        """Yield the log-likelihood of each first reference with its end, and its tokens."""
        from smalltune.engine.scoring import log_likelihoods

        sizes = encoded.lengths - encoded.answers
        for value, size in zip(log_likelihoods(model, encoded), sizes, strict=True):
            yield {"log_probs": [float(f"{value:.9g}")], "tokens": int(size), "predicted": ""}
