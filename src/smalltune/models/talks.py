"""Talks: where a conversation does not fit, its oldest exchanges go first, and text only then.

An exchange is a user's turn and what follows it up to the user's next one. The system's text and
the last exchange, which ends with the question, stay. Where these two do not fit, the system's text
is cut so that the question stays whole; where the question alone does not fit, the longer of the
two is cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from smalltune.models.cutting import Cutter, Fields, no_room

__all__ = ["Talks", "shorter"]

Turns = tuple[tuple[str, str], ...]
"""Role and text of each turn, in order."""

SYSTEM = "system"


def shorter(turns: Turns) -> list[Turns]:
    """Return a conversation whole, then without its first exchange, its first two, and so on.

    >>> shorter((("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c")))[1:]
    [(('system', 's'), ('user', 'c'))]
    """
    system = tuple(turn for turn in turns if turn[0] == SYSTEM)
    said = [turn for turn in turns if turn[0] != SYSTEM]
    starts = [i for i, (role, _) in enumerate(said) if role == "user" and i > 0]
    return [turns, *((*system, *said[start:]) for start in starts)]


@dataclass(frozen=True)
class Talks:
    """Makes prompts of at most `room` tokens out of conversations.

    `render` puts turns into a prompt, `encode` returns the tokens of prompts, and `keep_end` and
    `decode` are as a Cutter has them. With `whole`, text is never cut.
    """

    render: Callable[[Turns], Any]
    encode: Callable[[list[Any]], list[list[int]]]
    room: int
    whole: bool = False
    keep_end: bool = False
    decode: Callable[[list[int]], str] | None = None

    def fit(
        self, talks: Sequence[Turns], names: Sequence[str]
    ) -> tuple[list[list[int]], list[int], int, int]:
        """Return the tokens of each prompt, how many they were uncut, and two counts of rows.

        The first counts those that lost exchanges, the second those that lost text: a row may be
        in either, or in both.

        Raises StudyError, with the name of the first such row, when not even the system's text
        and the last exchange fit and text may not be cut, or the prompt's own words do not.
        """
        tokens = self._read(talks)
        lengths = [len(ids) for ids in tokens]
        over = [i for i, length in enumerate(lengths) if length > self.room]
        ladders = {i: shorter(talks[i]) for i in over}
        steps = self._steps(ladders)
        last = [i for i in over if i not in steps]
        for i, (_, ids) in steps.items():
            tokens[i] = ids
        if last and self.whole:
            raise no_room([names[i] for i in last], ("instruction",), self.room)
        cut = self._cut([ladders[i][-1] for i in last], [names[i] for i in last])
        for i, ids in zip(last, cut, strict=True):
            tokens[i] = ids
        lost = sum(len(ladders[i]) > 1 for i in over)
        return tokens, lengths, lost, len(last)

    def _steps(self, ladders: dict[int, list[Turns]]) -> dict[int, tuple[int, list[int]]]:
        """Return by row the fewest exchanges to leave out and the tokens; no row that never fits.

        By bisection over all rows at once: fewer turns have no more tokens.
        """
        low = dict.fromkeys(ladders, 1)
        high = {i: len(ladder) - 1 for i, ladder in ladders.items()}
        best: dict[int, tuple[int, list[int]]] = {}
        while still := [i for i in ladders if low[i] <= high[i]]:
            middle = {i: (low[i] + high[i]) // 2 for i in still}
            read = self._read([ladders[i][middle[i]] for i in still])
            for i, ids in zip(still, read, strict=True):
                if len(ids) <= self.room:
                    high[i], best[i] = middle[i] - 1, (middle[i], ids)
                else:
                    low[i] = middle[i] + 1
        return best

    def _cut(self, talks: Sequence[Turns], names: Sequence[str]) -> list[list[int]]:
        """Return the tokens of conversations of one exchange, of which text has to be cut."""
        rows = [_named(turns) for turns in talks]
        bare = list(self._cutter().encoded({**row, SYSTEM: ""} for row in rows if SYSTEM in row))
        fits = iter(len(ids) <= self.room for ids in bare)
        kept = [SYSTEM in row and next(fits) for row in rows]
        found: list[list[int]] = [[] for _ in rows]
        for keeps in (True, False):
            some = [i for i, each in enumerate(kept) if each is keeps]
            uncut = frozenset(name for i in some for name in rows[i] if name != SYSTEM)
            cutter = self._cutter(uncut if keeps else frozenset())
            read = cutter.fit([rows[i] for i in some], [names[i] for i in some])[0] if some else []
            for i, ids in zip(some, read, strict=True):
                found[i] = ids
        return found

    def _cutter(self, uncut: frozenset[str] = frozenset()) -> Cutter:
        def render(fields: Fields) -> Any:
            return self.render(tuple((name.rpartition(" ")[2], t) for name, t in fields.items()))

        return Cutter(render, self.encode, self.room, uncut, self.keep_end, self.decode)

    def _read(self, talks: Sequence[Turns]) -> list[list[int]]:
        return list(self._cutter().encoded(_named(turns) for turns in talks))


def _named(turns: Turns) -> dict[str, str]:
    """Return the texts of turns by name: `system` for the system's, place and role of others."""
    system = [turn for turn in turns if turn[0] == SYSTEM]
    said = [turn for turn in turns if turn[0] != SYSTEM]
    return dict(system) | {f"{place} {role}": text for place, (role, text) in enumerate(said)}
