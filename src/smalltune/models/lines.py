"""Lines: the text of tokens that a model wrote, and the tokens that end a line of it."""

import re
from collections.abc import Sequence
from typing import Any

__all__ = ["has_words", "line_ends", "read_answer", "read_text", "thought_of"]

_BREAK = re.compile(r"\s*[\r\n]\s*")
_OPEN, _CLOSE = "<think>", "</think>"
_BREAKS = ("\n", "\r", "\u010a", "\u010d", "<0x0A>", "<0x0D>")
"""How vocabularies spell line breaks: as they are, as byte-level BPE's letters, as bytes."""


def read_text(tokeniser: Any, tokens: Sequence[int], *, line: bool, chat: bool = False) -> str:
    """Return the text of tokens without blanks around it; with `line` its first line."""
    return read_answer(tokeniser, tokens, line=line, chat=chat)[0]


def read_answer(
    tokeniser: Any, tokens: Sequence[int], *, line: bool, chat: bool = False
) -> tuple[str, bool]:
    """Return what `read_text` does, and with `line` whether that line is over.

    The token of a line break need not be one of `line_ends`: it may hold a full stop too. In a chat
    a block of reasoning before the answer is left out.
    """
    text = str(
        tokeniser.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    ).lstrip()
    if chat:
        text = text.removeprefix(thought_of(text))
    if not line or not text:
        return text.rstrip(), False
    first = text.splitlines(keepends=True)[0]
    return first.rstrip(), first != first.splitlines()[0]


def thought_of(text: str) -> str:
    """Return the block of reasoning that a text begins with, also one without its end; mostly "".

    >>> thought_of("<think>Hm.</think> yes"), thought_of("<think>Hm."), thought_of("yes")
    ('<think>Hm.</think> ', '<think>Hm.', '')
    """
    if not text.lstrip().startswith(_OPEN):
        return ""
    _, closed, rest = text.partition(_CLOSE)
    return text[: len(text) - len(rest.lstrip())] if closed else text


def has_words(text: str) -> bool:
    """Tell whether a text holds a letter or a figure of any script, and so may be an answer."""
    return any(character.isalnum() for character in text)


def line_ends(tokeniser: Any) -> list[int]:
    """Return the tokens that are line breaks with blanks at most around them.

    A token that holds a line break after a full stop is none: the stop belongs to the answer, and
    `read_text` takes away what comes after.
    """
    spelt = tokeniser.get_vocab().items()
    some = sorted(i for token, i in spelt if any(mark in token for mark in _BREAKS))
    written = tokeniser.batch_decode([[i] for i in some])
    return [i for i, text in zip(some, written, strict=True) if _BREAK.fullmatch(text)]
