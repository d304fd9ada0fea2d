"""Lines: the text of tokens that a model wrote, and the tokens that end a line of it."""

import re
from collections.abc import Sequence
from typing import Any

__all__ = ["line_ends", "read_text"]

_BREAK = re.compile(r"\s*[\r\n]\s*")
_BREAKS = ("\n", "\r", "\u010a", "\u010d", "<0x0A>", "<0x0D>")
"""How vocabularies spell line breaks: as they are, as byte-level BPE's letters, as bytes."""


def read_text(tokeniser: Any, tokens: Sequence[int], *, line: bool) -> str:
    """Return the text of tokens without blanks around it; with `line` its first line."""
    text = str(
        tokeniser.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    ).strip()
    return text.splitlines()[0].rstrip() if line and text else text


def line_ends(tokeniser: Any) -> list[int]:
    """Return the tokens that are line breaks with blanks at most around them.

    A token that holds a line break after a full stop is none: the stop belongs to the answer, and
    `read_text` takes away what comes after.
    """
    spelt = tokeniser.get_vocab().items()
    some = sorted(i for token, i in spelt if any(mark in token for mark in _BREAKS))
    written = tokeniser.batch_decode([[i] for i in some])
    return [i for i, text in zip(some, written, strict=True) if _BREAK.fullmatch(text)]
