"""Demonstrations: solved items of train before a prompt (few-shot; Brown et al., 2020).

Drawn by a seed, as many of each label as can be, so that no label is favoured by being shown more
often (Zhao et al., 2021, found that it is). All is done on tokens, so that it serves every kind.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.segments import Segments
from smalltune.models.families import Prompts

__all__ = ["Demonstrations", "chosen"]

Tokens = NDArray[np.int32]


def chosen(labels: Sequence[int], k: int, seed: int) -> list[int]:
    """Return the places of k rows drawn by a seed, in a drawn order, balanced over labels.

    Each label has k over the number of labels, rounded down; which of them have one more is drawn.
    A label with fewer rows leaves its share to the others.
    """
    rng = np.random.default_rng([seed, 0x5D])
    rows: dict[int, list[int]] = defaultdict(list)
    for place in rng.permutation(len(labels)).tolist():
        rows[labels[place]].append(place)
    turns = [rows[label] for label in rng.permutation(sorted(rows)).tolist()]
    found: list[int] = []
    while len(found) < min(k, len(labels)):
        found += [each.pop() for each in turns if each][: k - len(found)]
    return [found[i] for i in rng.permutation(len(found))]


@dataclass(frozen=True)
class Demonstrations:
    """Solved items as tokens, to be put before prompts; `opening` is what begins every prompt.

    `wanted` is how many were asked for; there may be fewer rows to draw from.
    """

    items: tuple[Tokens, ...]
    opening: tuple[int, ...]
    wanted: int = 0

    @classmethod
    def of(
        cls, lessons: Segments, k: int, seed: int, prompts: Prompts, ends: Sequence[int] = ()
    ) -> "Demonstrations":
        """Draw k of `lessons`, what a task's `training` made of train.

        The opening is written once and not before each item; an item's end token, one of `ends`,
        becomes a blank line, and in a chat the end of the assistant's turn and the beginning of the
        user's next one. A block of reasoning that the template closes before the answer to come
        does not stand in an earlier turn.
        """
        opening, gap = prompts.frame
        first = tuple(opening)
        items = []
        for place in chosen(lessons.labels.tolist(), k, seed):
            asked = int(lessons.answers[place])
            ids = _bare(_answered(lessons[place], asked, prompts.thought), first)
            ids = ids[:-1] if len(ids) and int(ids[-1]) in ends else ids
            items.append(np.append(ids, gap).astype(np.int32))
        return cls(tuple(items), first, k)

    def before(self, prompts: Segments, room: int) -> tuple[Segments, int]:
        """Return each prompt behind the demonstrations, and how many had fewer than were wanted.

        No prompt gets longer than `room` tokens, its answer not counted: where all do not fit, the
        first ones are left out. Where an answer begins moves along.
        """
        whole: list[Tokens] = []
        begins: list[int] = []
        short = 0
        for i, begin in enumerate(prompts.answers.tolist()):
            own = _bare(prompts[i], self.opening)
            left = room - begin
            shown: list[Tokens] = []
            for item in reversed(self.items):
                if len(item) > left:
                    break
                shown.insert(0, item)
                left -= len(item)
            short += len(shown) < max(self.wanted, len(self.items))
            head = np.array(self.opening if len(own) < len(prompts[i]) else (), dtype=np.int32)
            whole.append(np.concatenate([head, *shown, own]))
            begins.append(begin + sum(map(len, shown)))
        return Segments.of(whole, begins, prompts.labels.tolist()), short


def _answered(ids: Tokens, begin: int, thought: Sequence[int]) -> Tokens:
    """Return a segment without the tokens of a thought before the answer, which begins there."""
    start = begin - len(thought)
    if not thought or ids[start:begin].tolist() != list(thought):
        return ids
    return np.concatenate([ids[:start], ids[begin:]])


def _bare(ids: Tokens, first: Sequence[int]) -> Tokens:
    """Return a segment without the opening, where it has it."""
    begins = len(first) and ids[: len(first)].tolist() == list(first)
    return ids[len(first) :] if begins else ids
