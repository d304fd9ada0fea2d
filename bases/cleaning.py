"""Cleaning: from the raw text of an article or a novel to paragraphs of plain English prose.

What goes, and why. Headings, tables, lists, formulas and reference sections are no sentences, and
a small model spends its few parameters on sentences. Paragraphs with holes, where a template of
the encyclopaedia vanished ("weighs between , and can"), with remains of markup, broken characters
or much of another script go whole, since what is left of them is wrong. Line breaks that only
wrap a printed page are undone. Quotation marks and dashes take one form each, the one that most
of the novels and the evaluation sets have.
"""

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["article", "novel"]

APPENDIX = re.compile(
    r"(REFERENCES|EXTERNAL LINKS|SEE ALSO|NOTES|FURTHER READING|BIBLIOGRAPHY|SOURCES|FOOTNOTES|"
    r"GALLERY|CITATIONS|WORKS CITED|NOTES AND REFERENCES|REFERENCES AND NOTES|LITERATURE)"
)
QUOTES = {'"': "\u201c\u201d\u201e\u00ab\u00bb\u2033", "'": "\u2018\u2019\u201a\u2032"}
HYPHENS = {"-": "\u2010\u2011\u2012\u2013\u2212", "...": "\u2026", " ": "\x0c"}
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
SIGNS = str.maketrans(
    {sign: plain for plain, signs in (QUOTES | HYPHENS).items() for sign in signs}
    | dict.fromkeys(INVISIBLE, "")
)
DASH = re.compile(r"\s*(?:—|―|--+)\s*")
BRACKETS = re.compile(
    r"\s*\((?:[\s;,:]|or|and)*\)|\s*\[\d+\]|\s*\[(?:citation|clarification) needed\]"
)
OPENED = re.compile(r"([(\[])[\s;,:]+")
FOREIGN = re.compile(r"\s*\([^()]*[^\W\d_\u0000-\u024f\u1e00-\u1eff][^()]*\)")
OTHER = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff]")
HOLE = re.compile(r"\s[,;.](?:\s|$)|[(\[]\s*[)\]]|\b(?:the|a|an) (?:of|and|or|to|in)\b|,,")
REMAINS = re.compile(
    r"\{\{|\}\}|\[\[|\]\]|https?:|www\.|<[a-z/!]|\|\||formula_\d|\\[a-z]+\{|\w+=[\"\w]|"
    r"[\ufffd\x00-\x08\x0e-\x1f\x7f-\x9f]|â€|Ã[^A-Z]"
)
ENDS = re.compile(r"[.!?][\"')\]]*$|[.!?,;:-][\"']$|[:;-]$")
FULL = re.compile(r"[.!?][\"')\]]*$")
LETTERS = 0.75
SCRIPT = 0.01
SHORTEST = 40
NOTE = re.compile(r"\[(?:Illustration|Footnote|Sidenote|Transcriber)[^\]]*\]")
EMPHASIS = re.compile(r"\b_|_\b")
WRAPPED = 110


def article(text: str) -> list[str]:
    """Return the prose paragraphs of an encyclopaedia article, one a line in `text`.

    Headings are lines without a small letter; sections of references and links go with their
    headings.
    """
    kept, skipping = [], False
    for line in text.split("\n"):
        line = line.strip()
        if not re.search(r"[a-z]", line):
            if re.search(r"[A-Z]", line):
                skipping = APPENDIX.fullmatch(line) is not None
            continue
        if skipping or line[0] in "*#!|{}:;" or len(line) < SHORTEST or REMAINS.search(line):
            continue
        line = _plain(FOREIGN.sub("", line))
        if FULL.search(line) and not HOLE.search(line) and _readable(line):
            kept.append(line)
    return kept


def novel(text: str) -> list[str]:
    """Return the prose paragraphs of a novel, whose lines may be wrapped as on a printed page."""
    kept = []
    for paragraph in _unwrapped(NOTE.sub("", text)):
        line = _plain(EMPHASIS.sub("", paragraph))
        spoken = re.search(r"[a-z]", line) and ENDS.search(line)
        if spoken and not REMAINS.search(line) and _readable(line):
            kept.append(line)
    return kept


def _plain(line: str) -> str:
    line = unicodedata.normalize("NFC", line).translate(SIGNS)
    line = OPENED.sub(r"\1", BRACKETS.sub("", DASH.sub(" - ", line)))
    return " ".join(line.split())


def _readable(line: str) -> bool:
    """Say whether most of a line is letters and spaces, and hardly any of another script."""
    letters = sum(character.isalpha() or character == " " for character in line)
    return letters >= LETTERS * len(line) and len(OTHER.findall(line)) <= SCRIPT * len(line)


def _unwrapped(text: str) -> Iterator[str]:
    """Yield paragraphs, without the line breaks that only wrap a page.

    In a book of short lines a break is a wrap if the next line's first word did not fit any more,
    or if no sentence ends there; a blank line is none. In a book of long lines, whose paragraphs
    are lines, it is one if the sentence goes on in small letters, blank lines or not.
    """
    lines = [" ".join(line.split()) for line in text.replace("\x0c", "\n").split("\n")]
    lengths = sorted(len(line) for line in lines if line)
    width = lengths[int(0.95 * (len(lengths) - 1))] if lengths else 0
    if width > WRAPPED:
        lines = [line for line in lines if line]
    paragraph, last = "", ""
    for line in lines:
        if paragraph and not (line and _goes_on(last, line, width)):
            yield paragraph
            paragraph = ""
        paragraph, last = f"{paragraph} {line}".strip(), line
    if paragraph:
        yield paragraph


def _goes_on(last: str, line: str, width: int) -> bool:
    if not re.search(r"[a-z]", last):
        return False
    small, ended = re.match(r"[a-z,;_]", line) is not None, FULL.search(last) is not None
    if width > WRAPPED:
        return small and not ended
    fits = len(last) + 1 + len(line.partition(" ")[0]) <= width - 4
    return not fits or (not ended and (small or len(last) > width / 2))
