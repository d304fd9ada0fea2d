r"""Escaping: text from data, models and study files becomes LaTeX that prints it and does nothing.

Nothing that comes from outside reaches LaTeX unescaped: every command character is replaced by
the command that prints it, ligatures are broken (two hyphens stay two hyphens), and a character
that pdfLaTeX's T1 fonts do not have becomes a visible placeholder with its code point, such as
`[U+1F600]` for an emoji or `[U+05E9]` for a Hebrew letter. Long words may break anywhere, so that
no text overflows its column. `Tex` marks text that is LaTeX already.
"""

import unicodedata

__all__ = ["Tex", "escape", "identifier"]

WORD = 14  # a longer word gets places where it may break
PLACEHOLDER = r"\unprintable"  # paper.tex defines it: small typewriter in square brackets
SPECIALS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\`{}",
    "'": r"\textquotesingle{}",
    "-": r"-{}",
    ",": r",{}",
    "\u2013": r"\textendash{}",
    "\u2014": r"\textemdash{}",
    "\u2018": r"\textquoteleft{}",
    "\u2019": r"\textquoteright{}",
    "\u201c": r"\textquotedblleft{}",
    "\u201d": r"\textquotedblright{}",
    "\u201e": r"\quotedblbase{}",
    "\u201a": r"\quotesinglbase{}",
    "\u2026": r"\textellipsis{}",
    "\u20ac": r"\texteuro{}",
    "\u2022": r"\textbullet{}",
    "\u2122": r"\texttrademark{}",
    "\u00ab": r"\guillemotleft{}",
    "\u00bb": r"\guillemotright{}",
    "\u00b0": r"\textdegree{}",
    "\u00b1": r"\textpm{}",
    "\u00b5": r"\textmu{}",
    "\u00d7": r"\texttimes{}",
    "\u00f7": r"\textdiv{}",
    "\u2212": r"\textminus{}",
}
# What T1 fonts hold besides ASCII: Latin-1's letters and signs, and part of Latin Extended-A.
LETTERS = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ"
    "ĂăĄąĆćČčĎďĐđĘęĚěĞğĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
    "¡¢£¤¥§©®¿"
)


class Tex(str):
    """Text that is LaTeX already and is written as it stands."""

    __slots__ = ()


def escape(text: object, *, limit: int | None = None) -> Tex:
    r"""Return LaTeX that prints a text as it is; `limit` cuts it after so many characters.

    For example `50%_` becomes `50\%\_`. White space of any kind becomes one space.
    """
    if isinstance(text, Tex):
        return text
    plain = unicodedata.normalize("NFC", str(text))
    if limit is not None and len(plain) > limit:
        plain = plain[:limit].rstrip() + "\u2026"
    return Tex(" ".join(_word(word) for word in plain.split()))


def identifier(text: object) -> Tex:
    r"""Return LaTeX that prints a name or path in typewriter and may break after a separator."""
    pieces = []
    for character in unicodedata.normalize("NFC", str(text)):
        pieces.append(" " if character.isspace() else _character(character))
        if character in "/_-.:@=,+":
            pieces.append(r"\allowbreak{}")
    return Tex(r"\texttt{" + "".join(pieces) + "}")


def _word(word: str) -> str:
    pieces = []
    long = len(word) > WORD
    for place, character in enumerate(word):
        printed = _character(character)
        if place and (printed.startswith(PLACEHOLDER) or (long and place % 4 == 0)):
            pieces.append(r"\allowbreak{}")
        pieces.append(printed)
    return "".join(pieces)


def _character(character: str) -> str:
    if character in SPECIALS:
        return SPECIALS[character]
    if character in LETTERS or (character.isascii() and character.isprintable()):
        return character
    return rf"{PLACEHOLDER}{{U+{ord(character):04X}}}"
