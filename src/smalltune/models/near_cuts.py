"""Near cuts: where a long text must be cut, found by reading a few words around the place.

Bisection reads a whole prompt at each of its dozen steps. How many tokens a prompt has, though, is
decided at its far end by the last words only. Where no token of a vocabulary holds a space behind
something else, what stands before a single space is read the same whatever follows, and what stands
behind it whatever comes before: a joint. So one prompt that is too long is read whole, a joint is
looked for in its tokens a little before the place, and after that only what stands behind the joint
is read. The steps are those of the bisection, and so is the cut.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["joints_of", "near_cuts"]

MARGIN = 32  # characters on either side of the estimate
BACK = 48  # tokens before the estimate among which a joint is looked for
ANCHOR = "x"  # stands before the joint where the text before it is left out

_CROSSING = re.compile("[^\\s\u0120\u2581\u010a\u0109\u010d][ \u0120\u2581]")
"""A space behind something else, spelt as itself, as byte-level BPE's letter, or as a bar."""

Decode = Callable[[list[int]], str]


@dataclass
class Near:
    """A joint in a text and its prompt: `kept` tokens come before it, `marks` follow it.

    `end` is a place that surely does not fit, `before` how many tokens stand before the joint where
    only what is behind it is read, `cut` the tokens of the longest prompt so far that fits.
    """

    joint: int
    end: int
    kept: list[int]
    marks: list[int]
    before: int = 0
    cut: list[int] = field(default_factory=list)

    def whole(self, part: list[int]) -> list[int]:
        """Return the tokens of a prompt, given those of what is behind its joint."""
        return self.kept + part[self.before :]


def joints_of(tokeniser: Any) -> Decode | None:
    """Return `decode` of a tokeniser whose texts have joints at their spaces, else None."""
    crossing = any(_CROSSING.search(token) for token in tokeniser.get_vocab())
    decode: Decode = tokeniser.decode
    return None if crossing else decode


def near_cuts(
    texts: Sequence[str],
    prompts: Sequence[list[int]],
    bare: Sequence[int],
    too_long: Sequence[int],
    room: int,
    decode: Decode,
    read: Callable[[Mapping[int, str]], Mapping[int, list[int]]],
) -> dict[int, list[int]]:
    """Return by its place the tokens of each prompt that was cut, where a joint could be found.

    `prompts` are tokens of prompts with `too_long` characters of the texts, `bare` the numbers of
    tokens of the prompts without them. `read` returns the tokens of a row's prompt with a given
    text, by the rows' places.
    """
    near = {}
    for i, (text, ids, size) in enumerate(zip(texts, prompts, bare, strict=True)):
        found = _near(text, ids, room - size, decode)
        if found is not None:
            beyond = len(decode(ids[room - size : room]))  # as many tokens as the prompt alone has
            found.end = min(found.end + beyond + MARGIN, too_long[i])
            near[i] = found
    parts = read({i: ANCHOR + texts[i][one.joint : one.end] for i, one in near.items()})
    for i, one in list(near.items()):
        places = _places(parts[i], one.marks)
        one.before = places[0] if len(places) == 1 else len(parts[i])
        if len(one.whole(parts[i])) <= room:
            del near[i]
    _bisect(texts, near, room, read)
    return {i: one.cut for i, one in near.items() if one.cut}


def _near(text: str, ids: list[int], estimate: int, decode: Decode) -> Near | None:
    """Return the last joint at least MARGIN characters before the token `estimate`, or None.

    The words behind it must stand in the text once only, so that the place is certain, and the word
    before it must have room for every byte of it, so that a cut within it surely fits.
    """
    for start in range(estimate - 1, max(0, estimate - BACK), -1):
        words = decode(ids[start:estimate])
        if len(words) < MARGIN or not words[0] == " " != words[1]:
            continue
        joint = text.find(words)
        if joint > 0 and text.rfind(words) == joint and not text[joint - 1].isspace():
            before = text[:joint].rsplit(None, 1)[-1]
            if len(before.encode()) <= estimate - start:
                return Near(joint, joint + len(words), ids[:start], ids[start:estimate])
    return None


def _places(ids: Sequence[int], marks: Sequence[int]) -> list[int]:
    """Return the places at which `marks` stand in `ids`."""
    return [i for i in range(len(ids) - len(marks) + 1) if ids[i : i + len(marks)] == marks]


def _bisect(
    texts: Sequence[str],
    near: Mapping[int, Near],
    room: int,
    read: Callable[[Mapping[int, str]], Mapping[int, list[int]]],
) -> None:
    """Find how many characters fit, reading only what is behind the joints."""
    low, high = dict.fromkeys(near, 0), {i: len(texts[i]) for i in near}
    while still := [i for i in near if low[i] <= high[i]]:
        middles = {i: (low[i] + high[i]) // 2 for i in still}
        inside = {i: at for i, at in middles.items() if near[i].joint + 1 < at < near[i].end}
        parts = read({i: ANCHOR + texts[i][near[i].joint : at] for i, at in inside.items()})
        for i, at in middles.items():
            fits = at <= near[i].joint + 1
            if i in inside:
                ids = near[i].whole(parts[i])
                fits = len(ids) <= room
                near[i].cut = ids if fits else near[i].cut
            if fits:
                low[i] = at + 1
            else:
                high[i] = at - 1
