"""Cutting: where a prompt does not fit, its texts lose their end, and never the prompt its own.

Or their start, where the end of a text says more.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from smalltune.core.errors import StudyError
from smalltune.models.near_cuts import near_cuts

__all__ = ["Cutter", "Fields", "batch", "no_room"]

CHARACTERS = 64  # of a text that are looked at first, for each token that there is room for
AT_ONCE = 2_000_000  # characters handed to a tokeniser, whose own memory is many times theirs

Fields = Mapping[str, str]
"""The texts of a row by name."""


@dataclass(frozen=True)
class Cutter:
    """Makes prompts of at most `room` tokens out of the texts of rows.

    `render` puts the texts of a row into the prompt, which is a text or the turns of a
    conversation; `encode` returns the tokens of prompts. All texts of a row are cut to the same
    number of characters, the largest that fits, so that the longest loses first; those named in
    `uncut`, as a question, stay whole. They keep their first characters, with `keep_end` their last
    ones. The number is found by bisection, and for all rows at once, because a tokeniser is at its
    best with many texts. With `decode` (see `joints_of`), most rows are spared reading all of it at
    each step.

    Of an enormous text only as much is tried as it takes to see that it does not fit: that more
    of a text has no fewer tokens is presumed. What lies beyond is counted and not kept.
    """

    render: Callable[[Fields], Any]
    encode: Callable[[list[Any]], list[list[int]]]
    room: int
    uncut: frozenset[str] = frozenset()
    keep_end: bool = False
    decode: Callable[[list[int]], str] | None = None

    def fit(
        self, rows: Sequence[Fields], names: Sequence[str] = ()
    ) -> tuple[list[list[int]], list[int]]:
        """Return the tokens of each row's prompt, and how many they were before the cut.

        What lies beyond the characters that were tried is counted in pieces of AT_ONCE, so that
        memory is bounded: each border between two may shift the count by a token or so.

        Raises StudyError when a prompt does not fit even without the texts that may be cut, with
        the first such row's name, where `names` has one for each row.
        """
        seen = [min(self._longest(fields), self.room * CHARACTERS) for fields in rows]
        tokens = self._tokens(rows, seen)
        while more := [
            i
            for i, fields in enumerate(rows)
            if len(tokens[i]) <= self.room and seen[i] < self._longest(fields)
        ]:
            for i in more:
                seen[i] *= 4
            again = self._tokens([rows[i] for i in more], [seen[i] for i in more])
            for i, ids in zip(more, again, strict=True):
                tokens[i] = ids
        lengths = [len(ids) for ids in tokens]
        over = [i for i, length in enumerate(lengths) if length > self.room]
        cut = self._cut([rows[i] for i in over], [seen[i] for i in over], [tokens[i] for i in over])
        self._need_all([names[i] for i in over] if names else [], cut)
        for i, shorter in zip(over, cut, strict=True):
            tokens[i] = shorter or []
        for i in over:
            if seen[i] < self._longest(rows[i]):
                lengths[i] += self._beyond(rows[i], seen[i])
        return tokens, lengths

    def _cut(
        self, rows: Sequence[Fields], too_long: Sequence[int], tokens: Sequence[list[int]]
    ) -> list[list[int] | None]:
        """Return the prompts with as many characters as fit; `too_long` ones make the `tokens`.

        None stands where none at all fits.
        """
        near = self._near(rows, too_long, tokens)
        rest = [i for i in range(len(rows)) if i not in near]
        found = self._bisected([rows[i] for i in rest], [too_long[i] for i in rest])
        by_row = {**near, **dict(zip(rest, found, strict=True))}
        return [by_row[i] for i in range(len(rows))]

    def _near(
        self, rows: Sequence[Fields], too_long: Sequence[int], tokens: Sequence[list[int]]
    ) -> dict[int, list[int]]:
        """Return the prompts that were cut by looking at the words around the cut, by place."""
        names = [name for name in rows[0] if name not in self.uncut] if rows else []
        alike = all(row.keys() == rows[0].keys() for row in rows)
        if self.decode is None or self.keep_end or len(names) != 1 or not alike:
            return {}
        (name,) = names

        def read(texts: Mapping[int, str]) -> dict[int, list[int]]:
            made = self.encoded({**rows[i], name: text} for i, text in texts.items())
            return dict(zip(texts, made, strict=True))

        bare = [len(ids) for ids in self.encoded({**row, name: ""} for row in rows)]
        texts = [row[name] for row in rows]
        return near_cuts(texts, tokens, bare, too_long, self.room, self.decode, read)

    def _bisected(self, rows: Sequence[Fields], too_long: Sequence[int]) -> list[list[int] | None]:
        """Return what `_cut` does, by bisection."""
        low, high = [0] * len(rows), [self._longest(fields) for fields in rows]
        best: list[list[int] | None] = [None] * len(rows)
        while still := [i for i in range(len(rows)) if low[i] <= high[i]]:
            middle = {i: (low[i] + high[i]) // 2 for i in still}
            asked = [i for i in still if middle[i] < too_long[i]]
            tried = self._tokens([rows[i] for i in asked], [middle[i] for i in asked])
            fitting = {i: ids for i, ids in zip(asked, tried, strict=True) if len(ids) <= self.room}
            for i in still:
                if i in fitting:
                    low[i], best[i] = middle[i] + 1, fitting[i]
                else:
                    high[i] = middle[i] - 1
        return best

    def _need_all(self, names: Sequence[str], found: Sequence[list[int] | None]) -> None:
        lost = [place for place, ids in enumerate(found) if ids is None]
        if not lost:
            return
        raise no_room([names[place] for place in lost] if names else [], self.uncut, self.room)

    def _longest(self, fields: Fields) -> int:
        return max((len(t) for name, t in fields.items() if name not in self.uncut), default=0)

    def _beyond(self, fields: Fields, start: int) -> int:
        """Return how many tokens the texts add to a prompt after their first characters."""
        empty = {name: text if name in self.uncut else "" for name, text in fields.items()}
        pieces = (
            empty | {name: self._part(text, place + AT_ONCE, place)}
            for name, text in fields.items()
            if name not in self.uncut
            for place in range(start, len(text), AT_ONCE)
        )
        bare, *found = map(len, self.encoded(chain([empty], pieces)))
        return max(0, sum(found) - bare * len(found))

    def _tokens(self, rows: Sequence[Fields], characters: Sequence[int]) -> list[list[int]]:
        return list(
            self.encoded(
                {n: t if n in self.uncut else self._part(t, most) for n, t in fields.items()}
                for fields, most in zip(rows, characters, strict=True)
            )
        )

    def _part(self, text: str, most: int, start: int = 0) -> str:
        """Return the characters of a text from `start` to `most`, counted from the end it keeps."""
        if not self.keep_end:
            return text[start:most]
        return text[max(0, len(text) - most) : len(text) - start]

    def encoded(self, rows: Iterable[Fields]) -> Iterator[list[int]]:
        """Yield the tokens of each row's prompt, uncut, however long it is."""
        few: list[Any] = []
        size = 0
        for fields in rows:
            few.append(self.render(fields))
            size += sum(map(len, fields.values()))
            if size >= AT_ONCE:
                yield from self.encode(few)
                few, size = [], 0
        yield from self.encode(few)


def no_room(names: Sequence[str], uncut: Collection[str], room: int) -> StudyError:
    """Return the error that rows of these names do not fit, with texts of which nothing is cut."""
    which = f"item {names[0]!r}" if names else ""
    which += f" and {len(names) - 1} more" if names[1:] else ""
    with_it = f" with its {' and '.join(sorted(uncut))}" if uncut else ""
    return StudyError(
        f"{which}{': ' if which else ''}the prompt alone{with_it} does not fit into a context "
        f"of {room} tokens: raise max_length where the model's context allows"
        + (", or shorten or drop the row" if uncut else ", or shorten the prompt")
    )


def batch(tokeniser: Any, texts: list[str], *, special: bool = False) -> list[list[int]]:
    """Return the tokens of texts without special ones around them.

    A special token that is spelt out in a text is text like any other; with `special`, which is
    for what a chat template writes, it is that token.

    A tokeniser of the `tokenizers` library is asked directly: masks and the like, which nobody
    reads, take Transformers two fifths of the time.
    """
    backend = getattr(tokeniser, "backend_tokenizer", None)
    if backend is None:
        found: list[list[int]] = tokeniser(
            texts, add_special_tokens=False, split_special_tokens=not special
        )["input_ids"]
        return found
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = not special
    return [found.ids for found in backend.encode_batch_fast(texts, add_special_tokens=False)]
