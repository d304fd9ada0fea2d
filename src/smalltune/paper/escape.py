r"""Escaping: text from data, models and study files becomes LaTeX that prints it and does nothing.

Nothing that comes from outside reaches LaTeX unescaped: every command character is replaced by
the command that prints it, ligatures are broken (two hyphens stay two hyphens), and a character
that pdfLaTeX's T1 fonts do not have becomes a visible placeholder with its code point, such as
`[U+1F600]` for an emoji or `[U+05E9]` for a Hebrew letter. Long words may break anywhere, so that
no text overflows its column. `Tex` marks text that is LaTeX already.
"""

import unicodedata

__all__ = ["PLACEHOLDER", "SPECIALS", "Tex", "escape", "identifier", "link"]

WORD = 24  # a longer stretch of letters gets places where it may break,
STEP = 8  # one after so many characters
STRAIGHT = r"\textquotesingle{}"  # in names and code; prose has a typographic apostrophe
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
    "'": r"\textquoteright{}",
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
    r"""Return LaTeX that prints a name or path in typewriter; it may break after a separator.

    What goes on without a separator, such as a digest, may break after every 8th character.
    """
    pieces, since = [], 0
    plain = unicodedata.normalize("NFC", str(text))
    step = STEP if len(plain) > WORD else WORD
    for character in plain:
        printed = STRAIGHT if character == "'" else _character(character)
        pieces.append(" " if character.isspace() else printed)
        since += 1
        if character in "/_-.:@=,+ " or since == step:
            pieces.append(r"\allowbreak{}")
            since = 0
    return Tex(r"\texttt{" + "".join(pieces) + "}")


def link(address: str) -> Tex:
    """Return a link to an address on the web; anything else is printed as a name."""
    if address.startswith(("https://", "http://")) and not set(address) & set('\\{}^ "<>`|'):
        safe = address.replace("%", r"\%").replace("#", r"\#").replace("~", r"\string~")
        return Tex(rf"\url{{{safe}}}")
    return identifier(address)


def _word(word: str) -> str:
    """Return a word; a stretch of it without a hyphen that is too long may break anywhere."""
    pieces, start = [], 0
    long = any(len(part) > WORD for part in word.split("-"))
    for place, character in enumerate(word):
        printed = _character(character)
        if character == "-" and word[place + 1 : place + 2].isdigit():
            printed = r"\mbox{-}"  # no line ends within SST-2
        start = place + 1 if character == "-" else start
        inside = place > start and (place - start) % STEP == 0
        if place and (printed.startswith(PLACEHOLDER) or (long and inside)):
            pieces.append(r"\allowbreak{}")
        pieces.append(printed)
    return "".join(pieces)


def _character(character: str) -> str:
    if character in SPECIALS:
        return SPECIALS[character]
    if character in LETTERS or (character.isascii() and character.isprintable()):
        return character
    return rf"{PLACEHOLDER}{{U+{ord(character):04X}}}"
