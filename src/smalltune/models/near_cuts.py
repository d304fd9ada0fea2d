"""Near cuts: where a long text must be cut, found by reading a few words around the place.

Bisection reads a whole prompt at each of its dozen steps. How many tokens a prompt has, though, is
decided at its far end by the last words only: what stands before a space is read the same whatever
follows. So one prompt a little too long is read whole, and after that only its last words, whose
difference in tokens is that of the prompts. The steps are those of the bisection, so the place is
the same; the caller reads the prompts on both sides of it whole, and bisects where they disagree.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Near", "near_cuts"]

MARGIN = 64  # characters on either side of the estimate
WIDEST = 8  # characters of a token, more than most have


@dataclass
class Near:
    """A stretch of a text, from a space that surely fits to an end that surely does not.

    `base` is added to the tokens of a prompt with a part of the stretch alone.
    """

    start: int
    end: int
    base: int = 0


def near_cuts(
    texts: Sequence[str],
    prompts: Sequence[Sequence[int]],
    frames: Sequence[tuple[int, int]],
    too_long: Sequence[int],
    room: int,
    decode: Callable[[list[int]], str],
    sizes: Callable[[Mapping[int, str]], Mapping[int, int]],
) -> dict[int, int]:
    """Return by its place how many characters of a text fit, where that could be found.

    `prompts` are tokens of prompts with `too_long` characters of the texts, `frames` the tokens and
    characters of the prompts without them. `sizes` returns how many tokens a row's prompt has with
    a given text, by the rows' places.
    """
    near = {}
    for i, (text, ids, (bare, around)) in enumerate(zip(texts, prompts, frames, strict=True)):
        middle = len(decode(list(ids[: max(0, room - bare)])))
        start = text.rfind(" ", 0, max(0, middle - around - MARGIN))
        end = min(middle + around + MARGIN + WIDEST * bare, too_long[i])
        if 0 < start < end:
            near[i] = Near(start, end)
    whole = sizes({i: texts[i][: one.end] for i, one in near.items()})
    parts = sizes({i: texts[i][one.start : one.end] for i, one in near.items()})
    for i, one in list(near.items()):
        one.base = whole[i] - parts[i]
        if whole[i] <= room or one.base + frames[i][0] > room:
            del near[i]
    return _bisected(texts, near, room, sizes)


def _bisected(
    texts: Sequence[str],
    near: Mapping[int, Near],
    room: int,
    sizes: Callable[[Mapping[int, str]], Mapping[int, int]],
) -> dict[int, int]:
    """Return how many characters fit, asking only for parts of the stretches."""
    low, high = dict.fromkeys(near, 0), {i: len(texts[i]) for i in near}
    while still := [i for i in near if low[i] <= high[i]]:
        middles = {i: (low[i] + high[i]) // 2 for i in still}
        inside = {i: at for i, at in middles.items() if near[i].start < at < near[i].end}
        read = sizes({i: texts[i][near[i].start : at] for i, at in inside.items()})
        for i, at in middles.items():
            if near[i].base + read[i] <= room if i in inside else at <= near[i].start:
                low[i] = at + 1
            else:
                high[i] = at - 1
    return high
