"""Labels: how the value of a label column is spelt in a study file, and the word it gets."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

__all__ = [
    "MISSING",
    "alike",
    "is_missing",
    "label_words",
    "no_label",
    "said_words",
    "spellings",
    "words_for",
    "written_label",
]

MISSING: Final = ("nan", "null", "<na>", "#n/a")
"""What spreadsheets and data frames write where there is nothing, in lower case."""

_NUMBERS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
_TRUTH: Final = ({"0", "1"}, {"-1", "1"}, {"false", "true"}, {"n", "y"}, {"f", "t"})
_WHOLE: Final = re.compile(r"([+-]?\d+)(\.0*)?")

_ROUND: Final = (
    "\"'`*_()[]{}\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a\u00ab\u00bb\u300a\u300b\u300c"
    "\u300d\u300e\u300f\u3010\u3011\uff08\uff09\u200b\ufeff"
)
"""Quotes, brackets, emphasis and blanks without width: what may stand around a word."""
_CLAUSE: Final = (
    ";:!?\u2026\u2014\u00a1\u00bf\u3001\u3002\uff0c\uff01\uff1f\uff1b\uff1a\u0964\u0965\u060c\u061b"
    "\u061f\u06d4\u1362"
)
"""What ends a sentence or a clause in one of many scripts, even with no blank behind it."""
_STOPS: Final = re.compile(rf"(?<!\d)[{_CLAUSE}]|[{_CLAUSE}](?!\d)")
_SIGN: Final = re.compile(r"([-+~±≈<>≤≥\u2212\u2013])\s+(?=\d)")
_JOINING: Final = frozenset("+#/%=<>")
"""What changes the word before it, even where a blank stands between them."""
_DASHES: Final = frozenset("-\u2212\u2013")
_FIGURE: Final = re.compile(r"[-+~±≈<>≤≥\u2212\u2013.,]*[\d¼½¾]")
_THOUSANDS: Final = re.compile(r"(?<=\d)\s(?=\d{3}(?!\d))")


def spellings(value: Any) -> tuple[str, ...]:
    """Return the ways in which a study file may name a label's value, the usual one first.

    >>> spellings(1.0), spellings(True), spellings("1.0")
    (('1', '1.0'), ('true', 'True'), ('1.0',))
    """
    if isinstance(value, bool):
        return str(value).lower(), str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value)), str(value)
    return (str(value),)


def is_missing(value: Any) -> bool:
    """Tell whether a cell holds no label: nothing, blanks, NaN, null, or a word for them."""
    if isinstance(value, str):
        return not value.strip() or value.strip().lower() in MISSING
    return value is None or bool(value != value)


def no_label(value: Any) -> str:
    """Return what is wrong with a cell that `is_missing`, and what to do about it."""
    if isinstance(value, str) and value.strip():
        return f"holds {value!r}, which is read as no label: rename the class or drop the row"
    return "holds no label: fill it in or drop the row"


def alike(values: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two values that differ only in case or blanks, or None."""
    seen: dict[str, str] = {}
    for value in values:
        other = seen.setdefault(" ".join(value.casefold().split()), value)
        if other != value:
            return other, value
    return None


def words_for(values: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Return a word for each value, no two the same, and whether their meaning had to be guessed.

    Words are the values themselves in lower case. Where they are numbers or true and false, which
    tell a language model nothing, they become no and yes, or the numbers' names.
    """
    plain = {value: _plain(value) for value in values}
    if set(plain.values()) in _TRUTH:
        no = min(plain.values(), key=lambda text: (text not in ("-1", "n", "f", "false"), text))
        return {value: "no" if text == no else "yes" for value, text in plain.items()}, True
    numbers = all(_WHOLE.fullmatch(value.strip()) for value in values)
    words = {value: _number(text) if numbers else text for value, text in plain.items()}
    if len(set(words.values())) < len(words):
        words = {value: " ".join(value.split()) for value in values}
    if len(set(words.values())) < len(words):
        words = {value: value for value in values}
    return words, numbers


def said_words(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case; "" stands where a sentence or a clause ends.

    A word is what stands between blanks, without quotes, brackets, emphasis and the stop behind it.
    All else belongs to it, as the marks of a script without which it would be another word, and the
    sign, the point or the hyphen by which a number or a word is joined to the next characters. A
    sign that stands alone is a word where it may change the one before it: `C ++`, `A -`, `1 / 2`.

    >>> said_words('-1.5 of "spam-free", C++.')
    ('-1.5', 'of', 'spam-free', '', 'c++', '')
    """
    line = _SIGN.sub(r"\1", unicodedata.normalize("NFC", text.lower()))
    found: list[str] = []
    pieces = _STOPS.sub(" . ", _THOUSANDS.sub("\u00b7", line)).split()
    for place, piece in enumerate(pieces, 1):
        word = piece.lstrip(_ROUND + ",").rstrip(_ROUND + ".,")
        dash = bool(word) and {*word} <= _DASHES and place == len(pieces)
        stays = any(map(str.isalnum, word)) or dash or not _JOINING.isdisjoint(word)
        found += [word] if stays else []
        found += [""] if piece.rstrip(_ROUND).endswith((".", ",")) else []
    return tuple(found)


def written_label(text: str, words: Sequence[str]) -> str | None:
    """Return the label word that a text begins with, as whole words.

    None where it begins with none, or where its first line names another label too: who says "yes
    no" or "good or bad" has not answered, and who says "-1", "1.5" or "no-one" has said neither 1
    nor "no". What comes in later lines is no part of the answer. Case does not count, nor does what
    stands around a word (`said_words`). Of two words the longer one counts.

    >>> written_label("Yes, because", ["no", "yes"]), written_label("nothing", ["no", "yes"])
    ('yes', None)
    >>> written_label("good or bad", ["bad", "good"]), written_label("1.5", ["0", "1"])
    (None, None)
    """
    lines = text.strip().splitlines()
    said, found, at = _begun(said_words(lines[0] if lines else "")), list[str](), 0
    bare = {label_words(word): word for word in words}
    longest_first = sorted(bare, key=len, reverse=True)
    while at < len(said):
        here = next((each for each in longest_first if said[at : at + len(each)] == each), ())
        if at == 0 and not here:
            return None
        if here and _goes_on(here, said[at + len(here) :]):
            return None
        found += [bare[here]] if here else []
        at += max(1, len(here))
    return found[0] if len(set(found)) == 1 else None


def _goes_on(label: tuple[str, ...], rest: tuple[str, ...]) -> bool:
    """Tell whether what follows a label makes it another word: a sign, or more of a number."""
    if rest and rest[0] and not any(map(str.isalnum, rest[0])):
        return True
    after = next((word for word in rest if word), "")
    return bool(label[-1].isdecimal() and _FIGURE.match(after))


def label_words(word: str) -> tuple[str, ...]:
    """Return the words by which a written label is known; two labels must differ in them."""
    found = _begun(said_words(word))
    while found and not found[-1]:
        found = found[:-1]
    return found


def _begun(said: tuple[str, ...]) -> tuple[str, ...]:
    while said and not any(map(str.isalnum, said[0])):
        said = said[1:]
    return said


def _plain(value: str) -> str:
    whole = _WHOLE.fullmatch(value.strip())
    return str(int(whole[1])) if whole else " ".join(value.lower().replace("_", " ").split())


def _number(text: str) -> str:
    return _NUMBERS[int(text)] if text.isdecimal() and int(text) < len(_NUMBERS) else text
